// Time as a parameter, so that whatever waits or expires can be tested without waiting.

/** Milliseconds since the epoch, and timers. Tests pass one that they move by hand. */
export interface Clock {
  now(): number
  /** Calls `run` once after `ms`; the result cancels it. Timers never keep the process alive. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: Date.now,
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
