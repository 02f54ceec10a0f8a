import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../lib/clock.ts'
import { Debounce } from './push.ts'

/** A clock that tests move by hand. */
function handClock(): Clock & { move(ms: number): void } {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    move(ms) {
      now += ms
      for (const timer of [...timers].filter((one) => one.at <= now)) {
        timers.delete(timer)
        timer.run()
      }
    },
  }
}

function debounced() {
  const clock = handClock()
  const pushes: number[] = []
  const debounce = new Debounce(() => pushes.push(clock.now()), { filesQuietMs: 10, registryQuietMs: 100, ceilingMs: 10_000 }, clock)
  return { clock, pushes, debounce }
}

test('edits of files are joined until they are quiet for 10 ms', () => {
  const { clock, pushes, debounce } = debounced()
  for (let edit = 0; edit < 5; edit++) {
    debounce.changed('files')
    clock.move(9)
  }
  assert.deepEqual(pushes, [])
  clock.move(1)
  assert.deepEqual(pushes, [46])
})

test('changes that never end are pushed every 10 s', () => {
  const { clock, pushes, debounce } = debounced()
  for (let at = 0; at < 25_000; at += 50) {
    debounce.changed('registry')
    clock.move(50)
  }
  assert.deepEqual(pushes, [10_000, 20_000])
})

test('endpoints alone do not wait; with edits pending they go with them', () => {
  const { clock, pushes, debounce } = debounced()
  debounce.changed('endpoints')
  assert.deepEqual(pushes, [0])
  debounce.changed('registry')
  debounce.changed('endpoints')
  clock.move(100)
  assert.deepEqual(pushes, [0, 100])
})

test('nothing is pushed after close', () => {
  const { clock, pushes, debounce } = debounced()
  debounce.changed('files')
  debounce.close()
  clock.move(1000)
  assert.deepEqual(pushes, [])
})
