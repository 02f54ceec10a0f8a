import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../test/support/manual-clock.ts'
import { callAt } from './call-at.ts'
import type { Clock } from './clock.ts'

test('the call comes at its time, once, also months from now', async () => {
  for (const ms of [0, 1, 29_999, 30_001, 3_000_000]) {
    const clock = manualClock()
    const calls: number[] = []
    const start = clock.now()
    callAt(clock, start + ms, () => calls.push(clock.now() - start))
    assert.deepEqual(calls, [])
    await clock.advance(ms)
    assert.deepEqual(calls, [ms])
    assert.equal(clock.waiting, 0)
  }
})

test('a call that was cancelled never comes', async () => {
  const clock = manualClock()
  let calls = 0
  const cancel = callAt(clock, clock.now() + 100_000, () => calls++)
  await clock.advance(60_000)
  cancel()
  await clock.advance(100_000)
  assert.deepEqual([calls, clock.waiting], [0, 0])
})

test('a machine that slept past the time makes up for it within half a minute', async () => {
  const inner = manualClock()
  let slept = 0
  const clock: Clock = { now: () => inner.now() + slept, after: inner.after }
  let calls = 0
  callAt(clock, clock.now() + 3_600_000, () => calls++)
  slept = 7_200_000
  await inner.advance(30_000)
  assert.equal(calls, 1)
})
