import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocketFrames } from './websocket-frames.ts'

/** Of an unmasked or masked frame with so many bytes. */
function frame(length: number, masked = false): Buffer {
  const mask = masked ? 0x80 : 0
  const head = length < 126 ? Buffer.from([0x82, mask | length]) : length < 65_536 ? Buffer.from([0x82, mask | 126, length >> 8, length & 255]) : Buffer.from([0x82, mask | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255])
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 1), Buffer.alloc(length, 0x88)])
}

const sizes = [[0, false], [1, false], [125, true], [126, false], [127, true], [65_535, false], [65_536, true], [0, true]] as const

test('frames of every size are told apart, however the bytes are cut', () => {
  const parts = sizes.map(([length, masked]) => frame(length, masked))
  const all = Buffer.concat(parts)
  for (const step of [1, 2, 3, 7, 1000, all.length]) {
    const frames = new WebSocketFrames()
    const ends = new Set<number>()
    for (let at = 0; at < all.length; at += step) {
      const end = Math.min(at + step, all.length)
      assert.equal(frames.follow(all, at, end, false), end)
      if (frames.between) ends.add(end)
    }
    const expected = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, one) => sum + one.length, 0))
    assert.deepEqual([...ends], expected.filter((end) => end % step === 0 || end === all.length))
  }
})

test('whoever wants a word gets it at the first place between two frames', () => {
  const all = Buffer.concat([frame(300), frame(5), frame(7)])
  const frames = new WebSocketFrames()
  assert.equal(frames.follow(all, 0, 100, true), 100)
  assert.equal(frames.follow(all, 100, all.length, true), 304)
  assert.equal(frames.between, true)
  assert.equal(frames.follow(all, 304, all.length, true), 311)
  assert.equal(frames.follow(all, 311, 312, true), 312)
  assert.equal(frames.between, false)
})
