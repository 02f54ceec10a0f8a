// Resources of one type, each with the version that serves and at most one newer version that waits for what it depends
// on. A waiting version takes over when nothing is missing, or after the fetch timeout, whichever comes first: until
// then the old one goes on serving.
import type { Clock } from '../lib/clock.ts'

export interface Versioned {
  readonly name: string
}

interface Waiting<Value> {
  readonly value: Value
  /** Set by the deadline: what is missing now is not waited for any more. */
  expired: boolean
  readonly cancel: () => void
}

/** Envoy's default for `initial_fetch_timeout`. */
export const fetchTimeoutMs = 15_000

export class WarmingSet<Value extends Versioned> {
  readonly #clock: Clock
  readonly #expired: () => void
  #active: ReadonlyMap<string, Value> = new Map()
  readonly #waiting = new Map<string, Waiting<Value>>()

  /** `expired` is called when a deadline has passed, so that the owner settles again. */
  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock
    this.#expired = expired
  }

  /** What serves. Replaced, never edited. */
  get active(): ReadonlyMap<string, Value> {
    return this.#active
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  /** Active and waiting versions together. */
  *all(): Iterable<Value> {
    yield* this.#active.values()
    for (const { value } of this.#waiting.values()) yield value
  }

  /** The newest version, waiting or not. */
  newest(name: string): Value | undefined {
    return this.#waiting.get(name)?.value ?? this.#active.get(name)
  }

  put(value: Value): void {
    this.#stopWaiting(value.name)
    const waiting: Waiting<Value> = { value, expired: false, cancel: this.#clock.after(fetchTimeoutMs, () => this.#expire(waiting)) }
    this.#waiting.set(value.name, waiting)
  }

  remove(name: string): void {
    this.#stopWaiting(name)
    if (!this.#active.has(name)) return
    const left = new Map(this.#active)
    left.delete(name)
    this.#active = left
  }

  /** Promotes what misses nothing. True when something was promoted. */
  settle(complete: (value: Value) => boolean): boolean {
    const ready = [...this.#waiting.values()].filter(({ value, expired }) => expired || complete(value))
    if (ready.length === 0) return false
    const next = new Map(this.#active)
    for (const { value } of ready) {
      this.#stopWaiting(value.name)
      next.set(value.name, value)
    }
    this.#active = next
    return true
  }

  close(): void {
    for (const name of this.#waiting.keys()) this.#stopWaiting(name)
  }

  #stopWaiting(name: string): void {
    this.#waiting.get(name)?.cancel()
    this.#waiting.delete(name)
  }

  #expire(waiting: Waiting<Value>): void {
    waiting.expired = true
    this.#expired()
  }
}
