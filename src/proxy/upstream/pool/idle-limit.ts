// How long one host keeps connections that carry nothing, as far as that was seen: those that it closed say when it closes,
// those that are still open say until when it does not. It decides how long a connection may have been idle and still be lent.
//
//        0 ........ firstSureMs ........ longest seen open - margin ........ earliest seen closed - margin ........ Infinity
//        anybody's                anybody's                       of who may ask twice                    nobody's

/** What a request that is to go out on a connection puts up with. */
export type Caution =
  | 'any'   // it may be asked twice: where the host has closed meanwhile, it is
  | 'sure'  // it may not: only a connection that the host has certainly not begun to close
  | 'new'   // it has met closed ones already

/** Hardly any server gives up a connection before twice this, so that this much needs no proof. */
const firstSureMs = 500
const longestMarginMs = 1_000

/** What a host does at some time may be under way so much earlier: a second, or half of the time where that is less. */
export const marginOf = (ms: number): number => Math.min(longestMarginMs, ms / 2)

export class IdleLimit {
  /** When it has closed one; Infinity as long as it has not. */
  #closesMs = Infinity
  /** One was idle for so long and still open. */
  #keepsMs = 0

  get closesMs(): number {
    return this.#closesMs
  }

  /** The host has closed a connection that was idle for so long. */
  closed(idleMs: number): void {
    this.#closesMs = Math.min(this.#closesMs, idleMs)
    this.#keepsMs = Math.min(this.#keepsMs, idleMs)
  }

  /** A connection is open after so long. If others were closed well before, that had another reason: a restart, too many of them. */
  open(idleMs: number): void {
    if (idleMs > this.#keepsMs) this.#keepsMs = idleMs
    if (idleMs > this.#closesMs + marginOf(this.#closesMs)) this.#closesMs = Infinity
  }

  /** Whether one that is open, as far as we know, may be lent. `saidMs`: until when its host said that it is kept, less the margin. */
  lends(idleMs: number, saidMs: number, caution: Caution): boolean {
    if (idleMs >= this.#closesMs - marginOf(this.#closesMs)) return false
    return caution === 'any' || idleMs < firstSureMs || saidMs !== Infinity || idleMs + marginOf(idleMs) <= this.#keepsMs
  }
}
