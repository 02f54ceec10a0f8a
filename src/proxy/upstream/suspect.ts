// Passive removal of dead endpoints, our own mild default beside outlier detection: a host that several connections in a
// row could not be made to is left out for a while, as long as others are usable. Responses do not count, whatever their
// status, and a host that is the only one is always tried.

/** Failed connections in a row before a host is left out: one or two are a restart, three are a dead host. */
export const failuresUntilSuspect = 3

const firstPauseMs = 1_000
/** A host that has come back is noticed after this time at the latest. */
const longestPauseMs = 30_000

/** One host's connection attempts. */
export class Suspicion {
  #failures = 0
  #pauseMs = 0
  #until = 0

  /** Left out until then; 0 when trusted. */
  get until(): number {
    return this.#until
  }

  isSuspect(now: number): boolean {
    return now < this.#until
  }

  /** True when the host is now left out, or for longer. */
  failed(now: number): boolean {
    this.#failures++
    if (this.#failures < failuresUntilSuspect || this.isSuspect(now)) return false
    this.#pauseMs = this.#pauseMs === 0 ? firstPauseMs : Math.min(2 * this.#pauseMs, longestPauseMs)
    this.#until = now + this.#pauseMs
    return true
  }

  /** True when the host was left out and is trusted again. */
  connected(): boolean {
    const wasSuspect = this.#until !== 0
    this.forget()
    return wasSuspect
  }

  /** There is news of the host that is better than what was seen before. */
  forget(): void {
    this.#failures = 0
    this.#pauseMs = 0
    this.#until = 0
  }
}
