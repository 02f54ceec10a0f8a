// Time limits without a timer each: whoever has one stands in a list that is looked through a few times a second, for as
// long as it is not empty.
import type { Clock } from '../../lib/clock.ts'
import { Roster } from '../../lib/roster.ts'
import type { Listed } from '../../lib/roster.ts'

export interface Timed extends Listed {
  /** Calls at its own risk what is due. `now` is the clock's. */
  onTick(now: number): void
}

export class DeadlineSweep<Member extends Timed = Timed> {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #members = new Roster<Member>()
  #cancel: (() => void) | undefined

  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock
    this.#everyMs = everyMs
  }

  get size(): number {
    return this.#members.size
  }

  all(): readonly Member[] {
    return this.#members.all()
  }

  add(member: Member): void {
    this.#members.add(member)
    if (this.#cancel === undefined) this.#schedule()
  }

  delete(member: Member): void {
    this.#members.delete(member)
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(this.#everyMs, () => {
      this.#cancel = undefined
      const now = this.#clock.now()
      this.#members.each((member) => member.onTick(now))
      if (this.#members.size > 0 && this.#cancel === undefined) this.#schedule()
    })
  }
}
