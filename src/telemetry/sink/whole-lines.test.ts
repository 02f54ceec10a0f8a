import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FileCalls } from './log-file.ts'
import { wholeLines } from './whole-lines.ts'

/** Sizes of the writes that `bytes` becomes when each is done at once. */
function writesOf(file: number, bytes: Buffer): string[] {
  const writes: string[] = []
  const calls: FileCalls = {
    open: () => file,
    write(_file, from, at, length, done) {
      writes.push(from.toString('latin1', at, at + length))
      done(null, length)
    },
    close() {},
  }
  const whole = wholeLines(calls)
  const next = (at: number): void => {
    if (at < bytes.length) whole.write(file, bytes, at, bytes.length - at, (_error, written) => next(at + written))
  }
  next(0)
  return writes
}

const line = (length: number, letter: string): string => `${letter.repeat(length - 1)}\n`

test('what goes to a pipe is cut after a line, in pieces that a pipe takes as one', () => {
  const lines = Array.from({ length: 40 }, (_, i) => line(300, String.fromCharCode(65 + i)))
  const writes = writesOf(-1, Buffer.from(lines.join(''), 'latin1'))
  assert.equal(writes.join(''), lines.join(''))
  for (const write of writes) assert.ok(write.length <= 4096 && write.endsWith('\n'), `${write.length} bytes`)
  assert.equal(writes.length, Math.ceil(40 / Math.floor(4096 / 300)))
})

test('a line that is longer than that goes alone', () => {
  const [short, long] = [line(100, 'a'), line(9000, 'b')]
  assert.deepEqual(writesOf(-1, Buffer.from(short + long + short, 'latin1')), [short, long, short])
})

test('a regular file takes everything as one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lines-'))
  const file = openSync(join(folder, 'log'), 'a')
  try {
    assert.equal(writesOf(file, Buffer.from(line(300, 'a').repeat(40), 'latin1')).length, 1)
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
})
