import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { KeptBytes } from './kept-bytes.ts'

test('streams that keep bytes at once, in blocks that others used before, each send their own', () => {
  const sizes = [1, 700, 16_384, 20_000]
  const streams = Array.from({ length: 8 }, () => ({ kept: new KeptBytes(), bytes: randomBytes(400_000), added: 0, sent: 0 }))
  for (let turn = 0; turn < 300; turn++) {
    const stream = streams[(turn * 5) % streams.length]!
    const { kept, bytes } = stream
    kept.add(bytes, stream.added, (stream.added += sizes[(turn >>> 3) % sizes.length]!))
    for (let left = turn % 3 === 2 ? kept.length : 5_000; left > 0 && kept.length > 0; ) {
      const piece = kept.next(left)
      assert.ok(kept.block.subarray(kept.at, kept.at + piece).equals(bytes.subarray(stream.sent, (stream.sent += piece))))
      kept.sent(piece)
      left -= piece
    }
    assert.equal(kept.length, stream.added - stream.sent)
  }
})
