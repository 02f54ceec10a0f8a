import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../lib/clock.ts'
import { Turns } from './turns.ts'

/** Timers that a test lets expire, all at once. */
function manual(): Clock & { expire(): void } {
  const timers = new Set<() => void>()
  return {
    now: () => 0,
    after: (_, run) => (timers.add(run), () => timers.delete(run)),
    expire() {
      const due = [...timers]
      for (const run of due) run()
    },
  }
}

test('turns are taken in the order in which they were asked for, as many at a time as are allowed', async () => {
  const turns = new Turns(2, 1000, manual())
  const seen: string[] = []
  const [a, b] = [await turns.take(), await turns.take()]
  const waiting = ['c', 'd'].map((name) => turns.take().then((end) => (seen.push(name), end)))
  await Promise.resolve()
  assert.deepEqual(seen, [])
  a()
  a()
  await waiting[0]
  assert.deepEqual(seen, ['c'])
  b()
  await waiting[1]
  assert.deepEqual(seen, ['c', 'd'])
})

test('a turn that is held too long is over for the others', async () => {
  const clock = manual()
  const turns = new Turns(1, 1000, clock)
  const held = await turns.take()
  const next = turns.take()
  clock.expire()
  const second = await next
  held()
  let third = false
  const waiting = turns.take().then((end) => (third = true, end))
  await Promise.resolve()
  assert.equal(third, false)
  second()
  await waiting
})
