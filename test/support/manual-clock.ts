// A clock that is moved by hand: timers run, in order, when it passes them.
import type { Clock } from '../../src/lib/clock.ts'
import { settle } from './connection-pair.ts'

export interface ManualClock extends Clock {
  /** Moves on, running each timer at its time. */
  pass(ms: number): void
  /** The same, with room for promises: those that are on their way, and those that each timer sets off. */
  advance(ms: number): Promise<void>
  readonly waiting: number
}

export function manualClock(start = Date.now()): ManualClock {
  let now = start
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const runNext = (end: number): boolean => {
    const [timer] = [...timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)
    now = Math.max(now, timer?.at ?? end)
    if (timer === undefined || !timers.delete(timer)) return false
    timer.run()
    return true
  }
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    pass(ms) {
      const end = now + ms
      while (runNext(end));
    },
    async advance(ms) {
      const end = now + ms
      do await settle()
      while (runNext(end))
    },
    get waiting() {
      return timers.size
    },
  }
}
