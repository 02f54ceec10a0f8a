// How many requests began within the last so many milliseconds, in ten steps as in Envoy: no list of requests, and nothing to do
// for what is over.

const steps = 10

export class RecentRequests {
  readonly #stepMs: number
  readonly #now: () => number
  readonly #counts = Array.from({ length: steps }, () => 0)
  #step: number
  #total = 0

  constructor(intervalMs: number, now: () => number) {
    this.#stepMs = intervalMs / steps
    this.#now = now
    this.#step = this.#current()
  }

  add(): void {
    this.#forget()
    this.#counts[this.#step % steps]!++
    this.#total++
  }

  get total(): number {
    this.#forget()
    return this.#total
  }

  /** A clock that was set back counts on where it was. */
  #forget(): void {
    const step = this.#current()
    const last = Math.min(step, this.#step + steps)
    for (let gone = this.#step + 1; gone <= last; gone++) {
      this.#total -= this.#counts[gone % steps]!
      this.#counts[gone % steps] = 0
    }
    if (step > this.#step) this.#step = step
  }

  #current(): number {
    return Math.floor(this.#now() / this.#stepMs)
  }
}
