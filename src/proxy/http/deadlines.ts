// Time limits without a timer each: whoever has one stands in a list that is looked through a few times a second, for as
// long as it is not empty. Requests come and go in it by the ten thousand a second. A Set would be rebuilt every few dozen
// of them, and each table that it leaves behind keeps the requests of its time alive until the next full collection.
import type { Clock } from '../../lib/clock.ts'

export interface Timed {
  /** Its place in the list; -1 outside. For DeadlineSweep alone: a member stands in one list at a time. */
  sweepIndex: number
  /** Calls at its own risk what is due. `now` is the clock's. */
  onTick(now: number): void
}

export class DeadlineSweep {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #members: Timed[] = []
  #cancel: (() => void) | undefined

  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock
    this.#everyMs = everyMs
  }

  add(member: Timed): void {
    if (member.sweepIndex !== -1) return
    member.sweepIndex = this.#members.push(member) - 1
    if (this.#cancel === undefined) this.#schedule()
  }

  /** The last one takes its place. */
  delete(member: Timed): void {
    const at = member.sweepIndex
    if (at === -1) return
    member.sweepIndex = -1
    const last = this.#members.pop()!
    if (last === member) return
    this.#members[at] = last
    last.sweepIndex = at
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(this.#everyMs, () => {
      this.#cancel = undefined
      this.#tell(this.#clock.now())
      if (this.#members.length > 0 && this.#cancel === undefined) this.#schedule()
    })
  }

  /** Backwards: what takes the place of a member that leaves meanwhile has been told already. */
  #tell(now: number): void {
    for (let i = this.#members.length - 1; i >= 0; i--) this.#members[i]?.onTick(now)
  }
}
