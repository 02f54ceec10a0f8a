// Time as a parameter, so that whatever waits or expires can be tested without waiting.

/** Milliseconds since the epoch, and timers. Tests pass one that they move by hand. */
export interface Clock {
  now(): number
  /** Calls `run` once after `ms`; the result cancels it. Timers never keep the process alive. */
  after(ms: number, run: () => void): () => void
}

let inTurn = false
/** 0: not asked yet. */
let timeOfTurn = 0

/**
 * Until `releaseTime`, time stands still: what one event causes happens at one moment, and asking for it again costs
 * nothing. For those who run callbacks of the event loop, one at a time.
 */
export function holdTime(): void {
  inTurn = true
  timeOfTurn = 0
}

export function releaseTime(): void {
  inTurn = false
}

export const systemClock: Clock = {
  now() {
    if (!inTurn) return Date.now()
    if (timeOfTurn === 0) timeOfTurn = Date.now()
    return timeOfTurn
  },
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
