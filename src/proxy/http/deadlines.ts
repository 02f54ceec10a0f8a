// Time limits without a timer each: whoever has one stands in a set that is looked through a few times a second, for as
// long as it is not empty.
import type { Clock } from '../../lib/clock.ts'

export interface Timed {
  /** Calls at its own risk what is due. `now` is the clock's. */
  onTick(now: number): void
}

export class DeadlineSweep {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #members = new Set<Timed>()
  #cancel: (() => void) | undefined

  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock
    this.#everyMs = everyMs
  }

  add(member: Timed): void {
    this.#members.add(member)
    if (this.#cancel === undefined) this.#schedule()
  }

  delete(member: Timed): void {
    this.#members.delete(member)
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(this.#everyMs, () => {
      this.#cancel = undefined
      const now = this.#clock.now()
      for (const member of this.#members) member.onTick(now)
      if (this.#members.size > 0 && this.#cancel === undefined) this.#schedule()
    })
  }
}
