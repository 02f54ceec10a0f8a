import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { Pings } from './pings.ts'

function start(options: Partial<ConstructorParameters<typeof Pings>[0]> = {}) {
  const clock = manualClock()
  const seen: string[] = []
  const pings = new Pings({ intervalMs: 1000, timeoutMs: 300, jitterPercent: 10, idleMs: 0, ...options }, clock, () => 0.5, () => seen.push('ping'), () => seen.push('dead'))
  return { clock, seen, pings }
}

test('a peer is asked after the interval and half of its jitter, and again after it has answered', async () => {
  const { clock, seen, pings } = start()
  await clock.advance(1049)
  assert.deepEqual(seen, [])
  await clock.advance(1)
  assert.deepEqual(seen, ['ping'])
  pings.onPong()
  await clock.advance(1050)
  assert.deepEqual(seen, ['ping', 'ping'])
})

test('one that does not answer in time is gone', async () => {
  const { clock, seen } = start()
  await clock.advance(1349)
  assert.deepEqual(seen, ['ping'])
  await clock.advance(1)
  assert.deepEqual(seen, ['ping', 'dead'])
})

test('an answer that nobody asked for changes nothing, and after the end nothing happens', async () => {
  const { clock, seen, pings } = start()
  pings.onPong()
  await clock.advance(1050)
  assert.deepEqual(seen, ['ping'])
  pings.stop()
  await clock.advance(10_000)
  assert.deepEqual(seen, ['ping'])
})

test('a connection that was idle for too long is asked when it is used', async () => {
  const { clock, seen, pings } = start({ intervalMs: 0, idleMs: 5000 })
  await clock.advance(100_000)
  pings.onUse(4999)
  assert.deepEqual(seen, [])
  pings.onUse(5000)
  pings.onUse(5000)
  assert.deepEqual(seen, ['ping'])
})
