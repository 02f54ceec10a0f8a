// Asks the peer of an HTTP/2 connection from time to time whether it is still there (PING), and says so when no answer
// comes in time. One timer for a connection.
import type { Clock } from '../../lib/clock.ts'
import type { KeepAliveOptions } from './settings.ts'

export class Pings {
  readonly #options: KeepAliveOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #ping: () => void
  readonly #onDead: () => void
  #cancel: (() => void) | undefined
  #waiting = false

  constructor(options: KeepAliveOptions, clock: Clock, random: () => number, ping: () => void, onDead: () => void) {
    this.#options = options
    this.#clock = clock
    this.#random = random
    this.#ping = ping
    this.#onDead = onDead
    this.#schedule()
  }

  onPong(): void {
    if (!this.#waiting) return
    this.#waiting = false
    this.#cancel?.()
    this.#schedule()
  }

  /** The connection has carried nothing for so long, and is to be used: asked at once, where that is wanted. */
  onUse(idleMs: number): void {
    if (this.#options.idleMs > 0 && idleMs >= this.#options.idleMs && !this.#waiting) this.#ask()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #schedule(): void {
    const { intervalMs, jitterPercent } = this.#options
    if (intervalMs === 0) return
    this.#cancel = this.#clock.after(intervalMs * (1 + (this.#random() * jitterPercent) / 100), () => this.#ask())
  }

  #ask(): void {
    this.#cancel?.()
    this.#waiting = true
    this.#cancel = this.#clock.after(this.#options.timeoutMs, this.#onDead)
    this.#ping()
  }
}
