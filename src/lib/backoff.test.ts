import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBackoff } from './backoff.ts'

test('waits double up to the ceiling, and begin anew after a success', () => {
  const backoff = createBackoff({ firstMs: 100, maxMs: 1000, random: () => 1 })
  assert.deepEqual(Array.from({ length: 6 }, () => backoff.next()), [100, 200, 400, 800, 1000, 1000])
  backoff.reset()
  assert.equal(backoff.next(), 100)
})

test('chance takes off half of a wait at most', () => {
  const backoff = createBackoff({ firstMs: 100, maxMs: 1000, random: () => 0 })
  assert.deepEqual([backoff.next(), backoff.next()], [50, 100])
})

test('a thousand failures are still a finite wait', () => {
  const backoff = createBackoff({ firstMs: 100, maxMs: 30_000 })
  for (let i = 0; i < 1000; i++) backoff.next()
  assert.ok(backoff.next() <= 30_000)
})
