import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameWriter } from './frame-writer.ts'

/** A writer, and its frames as they are when they go: number of bytes, type, flags, stream. */
function gathering(): { writer: FrameWriter; go: () => string[] } {
  let gathered = Buffer.alloc(0)
  const writer = new FrameWriter({
    write(bytes, at, end) {
      gathered = Buffer.concat([gathered, bytes.subarray(at, end)])
      return true
    },
    amend(back, byte) {
      if (back > gathered.length) return false
      gathered[gathered.length - back] = byte
      return true
    },
  })
  const go = (): string[] => {
    const frames: string[] = []
    for (let at = 0; at < gathered.length; ) {
      const length = gathered.readUIntBE(at, 3)
      frames.push(`${length} bytes, type ${gathered[at + 3]!}, flags ${gathered[at + 4]!}, stream ${gathered.readUInt32BE(at + 5)}`)
      at += 9 + length
    }
    gathered = Buffer.alloc(0)
    return frames
  }
  return { writer, go }
}

const body = Buffer.alloc(1000, 'x')

test('END_STREAM goes on the last DATA, small or large, that has not gone yet', () => {
  const { writer, go } = gathering()
  for (const length of [1, 64, 65, 1000]) {
    writer.data(3, body, 0, length, 0)
    writer.end(3)
    assert.deepEqual(go(), [`${length} bytes, type 0, flags 1, stream 3`])
  }
})

test('what has gone is followed by an empty frame', () => {
  const { writer, go } = gathering()
  writer.data(3, body, 0, 100, 0)
  go()
  writer.end(3)
  assert.deepEqual(go(), ['0 bytes, type 0, flags 1, stream 3'])
})

test('so is DATA that something was written behind', () => {
  const { writer, go } = gathering()
  writer.data(3, body, 0, 100, 0)
  writer.windowUpdate(3, 1)
  writer.end(3)
  writer.data(5, body, 0, 100, 0)
  writer.end(3)
  assert.deepEqual(go(), [
    '100 bytes, type 0, flags 0, stream 3', '4 bytes, type 8, flags 0, stream 3', '0 bytes, type 0, flags 1, stream 3',
    '100 bytes, type 0, flags 0, stream 5', '0 bytes, type 0, flags 1, stream 3',
  ])
})

test('a transport that does not gather gets an empty frame', () => {
  const flags: number[] = []
  const writer = new FrameWriter({ write: (bytes, at) => flags.push(bytes[at + 4]!) > 0 })
  writer.data(3, body, 0, 10, 0)
  writer.end(3)
  assert.deepEqual(flags, [0, 1])
})
