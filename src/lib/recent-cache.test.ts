import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecentCache } from './recent-cache.ts'

test('what is used stays, what is not used goes, and the size is bounded', () => {
  const cache = new RecentCache<string, number>(10)
  cache.set('used', 1)
  cache.set('unused', 2)
  for (let i = 0; i < 1000; i++) {
    cache.set(`k${i}`, i)
    assert.equal(cache.get('used'), 1)
  }
  assert.equal(cache.get('unused'), undefined)
  const kept = Array.from({ length: 1000 }, (_, i) => `k${i}`).filter((key) => cache.get(key) !== undefined)
  assert.ok(kept.length < 20, `${kept.length} kept`)
})
