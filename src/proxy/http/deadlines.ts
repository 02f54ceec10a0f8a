// Time limits without a timer each: whoever has one stands in a list. Connections, which have several things to look at, are
// looked through a few times a second, for as long as there are any; requests when the first of their limits is reached.
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

export interface Due extends Timed {
  /** When the first of its limits is reached, as things stand; Infinity: none. It may be later by the time, and then it is asked again. */
  nextDue(): number
}

/** What node can wait at most is 24 days; a clock that was set is noticed this much later at the latest. */
const longestMs = 60_000

/** One timer for all, set for the first limit: a long poll, or a thousand requests a second, wake nobody up in between. */
export class DeadlineWatch {
  readonly #clock: Clock
  readonly #leastMs: number
  readonly #members = new Roster<Due>()
  #wakesAt = Infinity
  #cancel: (() => void) | undefined

  /** `leastMs`: between two looks at all of them, and so how late a limit may be noticed. */
  constructor(clock: Clock, leastMs: number) {
    this.#clock = clock
    this.#leastMs = leastMs
  }

  /** Again whenever it may be due earlier than it was. */
  add(member: Due): void {
    this.#members.add(member)
    const due = member.nextDue()
    if (due < this.#wakesAt) this.#wakeAt(due)
  }

  /** The timer stays: with every request that ends another one would have to be set. */
  delete(member: Due): void {
    this.#members.delete(member)
  }

  #wakeAt(due: number): void {
    this.#cancel?.()
    this.#wakesAt = due
    const ms = Math.min(longestMs, Math.max(this.#leastMs, due - this.#clock.now()))
    this.#cancel = this.#clock.after(ms, this.#look)
  }

  readonly #look = (): void => {
    this.#cancel = undefined
    this.#wakesAt = Infinity
    const now = this.#clock.now()
    this.#members.each((member) => member.onTick(now))
    let next = Infinity
    this.#members.each((member) => (next = Math.min(next, member.nextDue())))
    if (next < this.#wakesAt) this.#wakeAt(next)
  }
}
