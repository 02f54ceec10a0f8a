// A clock that is moved by hand: timers run, in order, when it passes them.
import type { Clock } from '../../src/lib/clock.ts'
import { settle } from './connection-pair.ts'

export interface ManualClock extends Clock {
  /** Moves on, running each timer at its time, with room for the promises that it sets off. */
  advance(ms: number): Promise<void>
  readonly waiting: number
}

export function manualClock(start = Date.now()): ManualClock {
  let now = start
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const nextUntil = (end: number) => [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(ms) {
      const end = now + ms
      for (let timer = nextUntil(end); timer !== undefined; timer = nextUntil(end)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.run()
        await settle()
      }
      now = end
    },
    get waiting() {
      return timers.size
    },
  }
}
