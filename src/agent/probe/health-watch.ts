// Asks an application again and again, and says when its health has changed: as many answers in a row as the thresholds want
// decide. It runs on one timer; a question is never asked before the one before it is answered.
import type { Clock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'
import type { Problem } from './probe.ts'

export interface Thresholds {
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

export interface WatchOptions extends Thresholds {
  readonly clock: Clock
  ask(): Promise<Problem>
  /** Only when it is other than before; the first time, whatever it is. */
  onChange(problem: Problem): void
}

/** The result ends it: nothing is said from then on. */
export function watchHealth(options: WatchOptions): () => void {
  const watch = new HealthWatch(options)
  return () => watch.stop()
}

class HealthWatch {
  readonly #options: WatchOptions
  #cancel: () => void
  /** What was said last; undefined: nothing yet. */
  #healthy: boolean | undefined
  #last: boolean | undefined
  /** Answers in a row that are like the last. */
  #row = 0
  #stopped = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#cancel = options.clock.after(options.initialDelayMs, () => this.#ask())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  #ask(): void {
    const { ask, clock, periodMs } = this.#options
    const startedAt = clock.now()
    spawn('asking the application', ask().then((problem) => {
      if (this.#stopped) return
      this.#take(problem)
      this.#cancel = clock.after(Math.max(0, periodMs - (clock.now() - startedAt)), () => this.#ask())
    }))
  }

  #take(problem: Problem): void {
    const { successThreshold, failureThreshold, onChange } = this.#options
    const well = problem === undefined
    this.#row = this.#last === well ? this.#row + 1 : 1
    this.#last = well
    if (well === this.#healthy || this.#row < (well ? successThreshold : failureThreshold)) return
    this.#healthy = well
    onChange(problem)
  }
}
