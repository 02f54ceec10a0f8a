// When to look: shortly after the last of a burst of events, not after each, and never twice at a time. Knows nothing of
// files.
import type { Clock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'

export interface BurstTimes {
  /** No event for so long ends a burst: one save is several events. */
  readonly quietMs: number
  /** A burst that does not end is looked at after so long. */
  readonly ceilingMs: number
  readonly clock: Clock
}

export class Burst {
  readonly #look: () => Promise<void>
  readonly #times: BurstTimes
  #cancel = () => {}
  #since: number | undefined
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(look: () => Promise<void>, times: BurstTimes) {
    this.#look = look
    this.#times = times
  }

  /** Something happened. */
  notice(): void {
    if (this.#closed) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    const { clock, quietMs, ceilingMs } = this.#times
    const now = clock.now()
    this.#since ??= now
    this.#cancel()
    this.#cancel = clock.after(Math.max(0, Math.min(quietMs, this.#since + ceilingMs - now)), () => spawn('looking at files', this.now()))
  }

  /** Looks at once. What happens meanwhile is looked at after that. */
  now(): Promise<void> {
    this.#cancel()
    this.#since = undefined
    this.#running = this.#look().finally(() => {
      this.#running = undefined
      if (this.#again) {
        this.#again = false
        this.notice()
      }
    })
    return this.#running
  }

  /** Resolves when nobody is looking any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel()
    await this.#running
  }
}
