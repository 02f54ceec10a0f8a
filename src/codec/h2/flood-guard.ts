// Counts what a peer can make us do for nothing. Frames that only cost us are allowed so many a second, and more where
// useful ones were exchanged: whoever sends or takes much data also updates many windows.
import { connectionError } from './errors.ts'
import { errorCode } from './types.ts'

const second = 1000
/** So many seconds' worth of useful frames may be saved up. */
const largestCredit = 8

export class FloodGuard {
  readonly #maxPerSecond: number
  readonly #maxResetsPerSecond: number
  #left: number
  #resetsLeft: number
  #since = 0

  constructor(maxPerSecond: number, maxResetsPerSecond: number) {
    this.#maxPerSecond = maxPerSecond
    this.#maxResetsPerSecond = maxResetsPerSecond
    this.#left = maxPerSecond
    this.#resetsLeft = maxResetsPerSecond
  }

  /** At the beginning of every read. */
  at(now: number): void {
    if (now - this.#since < second) return
    this.#since = now
    if (this.#left < this.#maxPerSecond) this.#left = this.#maxPerSecond
    if (this.#resetsLeft < this.#maxResetsPerSecond) this.#resetsLeft = this.#maxResetsPerSecond
  }

  /** A frame that costs us and brings nothing. */
  cost(what: string): void {
    if (--this.#left < 0) throw connectionError(errorCode.enhanceYourCalm, `too many frames that bring nothing, the last one ${what}`)
  }

  /** Something useful that earns `frames` of the others. */
  earn(frames: number): void {
    this.#left = Math.min(this.#left + frames, largestCredit * this.#maxPerSecond)
  }

  /** A stream that came to its end, on both sides: on a busy connection some others are given up all the time. */
  finished(): void {
    if (this.#resetsLeft < largestCredit * this.#maxResetsPerSecond) this.#resetsLeft++
  }

  /** A stream that was begun and given up at once: work that we did for nothing (CVE-2023-44487), or that it made us reset (CVE-2025-8671). */
  reset(): void {
    if (--this.#resetsLeft < 0) throw connectionError(errorCode.enhanceYourCalm, 'too many streams that were reset as soon as they were opened')
  }
}
