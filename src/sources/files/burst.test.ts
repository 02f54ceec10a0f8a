import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../lib/clock.ts'
import { Burst } from './burst.ts'

/** A clock moved by hand, with one timer. */
class HandClock implements Clock {
  at = 0
  #timer: { at: number; run: () => void } | undefined

  now(): number {
    return this.at
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.at + ms, run }
    this.#timer = timer
    return () => {
      if (this.#timer === timer) this.#timer = undefined
    }
  }

  move(to: number): void {
    this.at = to
    const timer = this.#timer
    if (timer === undefined || timer.at > to) return
    this.#timer = undefined
    timer.run()
  }
}

function started() {
  const clock = new HandClock()
  const looks: number[] = []
  let finish = (): void => {}
  const burst = new Burst(() => {
    looks.push(clock.at)
    return new Promise((resolve) => (finish = resolve))
  }, { quietMs: 4, ceilingMs: 20, clock })
  return { burst, clock, looks, finish: () => finish() }
}

test('a burst is looked at once, after a quiet moment', () => {
  const { burst, clock, looks } = started()
  for (const at of [0, 3, 6]) {
    clock.move(at)
    burst.notice()
  }
  clock.move(9)
  assert.deepEqual(looks, [])
  clock.move(10)
  assert.deepEqual(looks, [10])
})

test('a burst without end is looked at all the same', () => {
  const { burst, clock, looks } = started()
  for (let at = 0; at <= 20; at += 2) {
    clock.move(at)
    burst.notice()
  }
  clock.move(20)
  assert.deepEqual(looks, [20])
})

test('what happens during a look is looked at after it, and never two at a time', async () => {
  const { burst, clock, looks, finish } = started()
  burst.notice()
  clock.move(4)
  burst.notice()
  clock.move(100)
  assert.deepEqual(looks, [4])
  finish()
  await new Promise(setImmediate)
  clock.move(104)
  assert.deepEqual(looks, [4, 104])
  finish()
  await burst.close()
})

test('closing waits for the look, and nothing is looked at after it', async () => {
  const { burst, clock, looks, finish } = started()
  burst.notice()
  clock.move(4)
  burst.notice()
  const closed = burst.close()
  finish()
  await closed
  burst.notice()
  clock.move(1000)
  assert.deepEqual(looks, [4])
})
