// When a change becomes a snapshot: bursts of edits are joined by a short quiet time, changes of endpoints alone go at
// once, and one snapshot is made at a time.
import type { Clock } from '../lib/clock.ts'
import { systemClock } from '../lib/clock.ts'

/** What changed decides how long to wait for more of it. */
export type Urgency = 'endpoints' | 'files' | 'registry'

export interface DebounceTimes {
  /** Quiet time after an edit of files: a save of several files arrives as several events within a few milliseconds. */
  readonly filesQuietMs: number
  /** Quiet time after an event of a registry (Istio's PILOT_DEBOUNCE_AFTER). */
  readonly registryQuietMs: number
  /** However busy, a push happens this often (PILOT_DEBOUNCE_MAX). */
  readonly ceilingMs: number
}

export const defaultDebounce: DebounceTimes = { filesQuietMs: 10, registryQuietMs: 100, ceilingMs: 10_000 }

/** Calls `push` after the quiet time that fits what changed. */
export class Debounce {
  readonly #times: DebounceTimes
  readonly #push: () => void
  readonly #clock: Clock
  #cancel: (() => void) | undefined
  #since: number | undefined
  #due = Infinity
  #waitingFor = 0

  constructor(push: () => void, times: DebounceTimes = defaultDebounce, clock: Clock = systemClock) {
    this.#push = push
    this.#times = times
    this.#clock = clock
  }

  changed(urgency: Urgency): void {
    if (urgency === 'endpoints' && this.#since === undefined) {
      this.#push()
      return
    }
    const now = this.#clock.now()
    this.#since ??= now
    this.#waitingFor = Math.max(this.#waitingFor, this.#quietOf(urgency))
    const due = Math.min(now + this.#waitingFor, this.#since + this.#times.ceilingMs)
    if (due === this.#due) return
    this.#due = due
    this.#cancel?.()
    this.#cancel = this.#clock.after(Math.max(0, due - now), () => this.flush())
  }

  /** Pushes what is waiting, now. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#since === undefined) return
    this.#since = undefined
    this.#waitingFor = 0
    this.#due = Infinity
    this.#push()
  }

  get waiting(): boolean {
    return this.#since !== undefined
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#since = undefined
  }

  #quietOf(urgency: Urgency): number {
    switch (urgency) {
      case 'endpoints':
        return 0
      case 'files':
        return this.#times.filesQuietMs
      case 'registry':
        return this.#times.registryQuietMs
    }
  }
}
