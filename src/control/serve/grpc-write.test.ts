import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chunkBytes, chunksOf } from './grpc-write.ts'

test('chunks are the parts in order, all of the same size but the last', () => {
  const sizes = fc.array(fc.oneof(fc.nat(9), fc.nat(3 * chunkBytes), fc.constantFrom(chunkBytes - 1, chunkBytes, chunkBytes + 1)), { maxLength: 8 })
  fc.assert(fc.property(sizes, (lengths) => {
    const parts = lengths.map((length, index) => Buffer.alloc(length, index + 1))
    const chunks: Buffer[] = []
    for (const chunk of chunksOf(parts)) chunks.push(Buffer.from(chunk))
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat(parts)))
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.length === chunkBytes))
    assert.ok(chunks.every((chunk) => chunk.length > 0))
  }), { numRuns: 50 })
})

test('a large part is not copied', () => {
  const part = Buffer.alloc(2 * chunkBytes)
  assert.ok([...chunksOf([part])].every((chunk) => chunk.buffer === part.buffer))
})
