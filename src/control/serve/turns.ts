// How many proxies are sent to at a time. A push to all of them would otherwise be computed in one go, while nobody else
// is served, and lie in as many output buffers.
import type { Clock } from '../../lib/clock.ts'
import { systemClock } from '../../lib/clock.ts'

/** Enough to keep a core busy while bytes are under way; Istio's push throttle is 20 on one core. */
const defaultLimit = 20
/** A proxy that takes longer than this to read is waited for by itself, and by nobody else. */
const defaultMaxHoldMs = 1000

export class Turns {
  readonly #limit: number
  readonly #maxHoldMs: number
  readonly #clock: Clock
  /** At most one entry per stream. */
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(limit = defaultLimit, maxHoldMs = defaultMaxHoldMs, clock: Clock = systemClock) {
    this.#limit = limit
    this.#maxHoldMs = maxHoldMs
    this.#clock = clock
  }

  /** Resolves when it is one's turn. The result ends it, and may be called more than once. */
  take(): Promise<() => void> {
    if (this.#taken < this.#limit) return Promise.resolve(this.#begin())
    return new Promise((resolve) => this.#waiting.add(() => resolve(this.#begin())))
  }

  #begin(): () => void {
    this.#taken++
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      cancel()
      this.#taken--
      this.#next()
    }
    const cancel = this.#clock.after(this.#maxHoldMs, end)
    return end
  }

  #next(): void {
    for (const begin of this.#waiting) {
      this.#waiting.delete(begin)
      begin()
      return
    }
  }
}
