// What could not be started, and why: said once for each reason, and tried again with growing pauses, since a port that is
// taken now may be free in a moment.
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

const firstPauseMs = 500
/** People who free a port look at the terminal: they should not have to wait. */
const lastPauseMs = 5000

interface Refusal {
  readonly wanted: WantedProcess
  readonly reason: string
}

export class Refusals {
  readonly #clock: Clock
  readonly #log: Pick<RunLog, 'say' | 'warn'>
  readonly #again: () => void
  readonly #byKey = new Map<string, Refusal>()
  #pauseMs = firstPauseMs
  #cancel: (() => void) | undefined
  #closed = false

  constructor(clock: Clock, log: Pick<RunLog, 'say' | 'warn'>, again: () => void) {
    this.#clock = clock
    this.#log = log
    this.#again = again
  }

  /** Each in words. */
  get list(): readonly string[] {
    return [...this.#byKey.values()].map(({ wanted, reason }) => `${kindOf(wanted)} ${wanted.key} (${reason})`)
  }

  add(wanted: WantedProcess, error: unknown): void {
    if (this.#closed) return
    const reason = describe(error)
    const { name, key, origin } = wanted
    if (this.#byKey.get(key)?.reason !== reason) this.#log.warn(name, `cannot be started (${origin.file}:${origin.line}): ${reason}; it is tried again`)
    this.#byKey.set(key, { wanted, reason })
    this.#arm()
  }

  /** It has started. */
  delete(key: string): void {
    const refusal = this.#byKey.get(key)
    if (refusal === undefined) return
    this.#byKey.delete(key)
    this.#log.say(refusal.wanted.name, 'has been started after all')
    if (this.#byKey.size === 0) this.#pauseMs = firstPauseMs
  }

  /** The others are not wanted any more. */
  keep(isWanted: (key: string) => boolean): void {
    for (const key of this.#byKey.keys()) if (!isWanted(key)) this.#byKey.delete(key)
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #arm(): void {
    if (this.#cancel !== undefined) return
    this.#cancel = this.#clock.after(this.#pauseMs, () => {
      this.#cancel = undefined
      if (this.#byKey.size > 0) this.#again()
    })
    this.#pauseMs = Math.min(lastPauseMs, this.#pauseMs * 2)
  }
}

const kindOf = ({ proxyType }: WantedProcess): string => (proxyType === 'router' ? 'gateway' : 'process')
