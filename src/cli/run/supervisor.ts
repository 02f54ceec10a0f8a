// Keeps one program running: starts it, watches whether it is ready, starts it again with growing pauses when it ends, and
// ends it for good. Knows nothing of proxies.
//
//   starting --probe ok--> ready --probe fails--> unready --probe ok--> ready
//      \________________________|_____ends_________/
//                               v
//                           waiting --pause over--> starting            stop() leads from anywhere to stopped
import type { Clock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'
import type { Child, ChildEvents, ChildSpec, Ending } from './child.ts'

export type SupervisorState = 'starting' | 'ready' | 'unready' | 'waiting' | 'stopped'

export interface SupervisorParts {
  readonly clock: Clock
  start(spec: ChildSpec, events: ChildEvents): Child
  /** Why it cannot be started now, such as a port that somebody else has; undefined when nothing is in its way. */
  blocked?(): Promise<string | undefined>
  /** Undefined: ready. Otherwise why not. */
  probe(): Promise<string | undefined>
  readonly probing: Probing
  line(text: string, from: 'stdout' | 'stderr'): void
  /** What people should know: it ended, it is started again in 2 s, it is not ready. */
  say(text: string, bad: boolean): void
  changed(state: SupervisorState): void
  /** A process group began or ended. */
  group(pid: number, alive: boolean): void
}

export interface Probing {
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly failureThreshold: number
}

/** While it starts, asking is cheap and waiting is not. */
const eagerProbeMs = 25
/** Still not ready after this long: say so, once. */
const slowStartMs = 10_000
/** The first restart is quick: most ends are one-off. Then 1 s, doubled up to 30 s, as long as it does not stay up. */
const firstPauseMs = 100
const basePauseMs = 1000
const maxPauseMs = 30_000
/** Up for this long counts as healthy: the next end is a first one again. */
const stableMs = 10_000
/** What blocks a start may be gone soon, and looking is cheap. */
const maxBlockedPauseMs = 2000

/** The pause before start number `restarts + 1`. */
export function restartPause(restarts: number): number {
  return restarts === 0 ? firstPauseMs : Math.min(maxPauseMs, basePauseMs * 2 ** (restarts - 1))
}

export class Supervisor {
  readonly #spec: ChildSpec
  readonly #parts: SupervisorParts
  #state: SupervisorState = 'starting'
  #child: Child | undefined
  #startedAt = 0
  #restarts = 0
  #failures = 0
  #slowSaid = false
  #blockedSaid: string | undefined
  #cancel: () => void = () => {}

  constructor(spec: ChildSpec, parts: SupervisorParts) {
    this.#spec = spec
    this.#parts = parts
  }

  get state(): SupervisorState {
    return this.#state
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get restarts(): number {
    return this.#restarts
  }

  start(): void {
    this.#child = undefined
    this.#become('starting')
    const blocked = this.#parts.blocked?.()
    if (blocked === undefined) this.#begin()
    else spawn('looking whether a program can start', blocked.then((reason) => (reason === undefined ? this.#begin() : this.#block(reason))))
  }

  #block(reason: string): void {
    if (this.#state === 'stopped') return
    if (this.#blockedSaid !== reason) this.#parts.say(`cannot be started: ${reason}; it is started once that is over`, true)
    this.#blockedSaid = reason
    this.#become('waiting')
    this.#later(Math.min(maxBlockedPauseMs, restartPause(this.#restarts++)), () => this.start())
  }

  #begin(): void {
    if (this.#state === 'stopped') return
    const { clock, probing } = this.#parts
    this.#startedAt = clock.now()
    this.#failures = 0
    this.#slowSaid = false
    if (this.#blockedSaid !== undefined) this.#restarts = 0
    this.#blockedSaid = undefined
    const child = this.#parts.start(this.#spec, {
      line: (text, from) => this.#parts.line(text, from),
      ended: (how) => this.#ended(child, how),
    })
    this.#child = child
    if (child.pid !== undefined) this.#parts.group(child.pid, true)
    this.#later(probing.initialDelayMs || eagerProbeMs, () => this.#probe(child))
  }

  async stop(graceMs: number): Promise<void> {
    this.#cancel()
    const child = this.#child
    this.#become('stopped')
    await child?.stop(graceMs)
  }

  #later(ms: number, run: () => void): void {
    this.#cancel()
    this.#cancel = this.#parts.clock.after(ms, run)
  }

  #probe(child: Child): void {
    spawn('a readiness probe', this.#parts.probe().then((problem) => this.#probed(child, problem)))
  }

  #probed(child: Child, problem: string | undefined): void {
    if (this.#child !== child || this.#state === 'stopped' || this.#state === 'waiting') return
    const { probing } = this.#parts
    if (problem === undefined) {
      this.#failures = 0
      if (this.#state !== 'ready') this.#become('ready')
    } else if (this.#state === 'ready' && ++this.#failures >= probing.failureThreshold) {
      this.#parts.say(`is not ready any more: ${problem}`, true)
      this.#become('unready')
    } else if (this.#state === 'starting') {
      this.#saySlow(problem)
    }
    this.#later(this.#state === 'ready' ? probing.periodMs : Math.min(probing.periodMs, this.#slowSaid ? 250 : eagerProbeMs), () => this.#probe(child))
  }

  #saySlow(problem: string): void {
    if (this.#slowSaid || this.#parts.clock.now() - this.#startedAt < slowStartMs) return
    this.#slowSaid = true
    this.#parts.say(`is still not ready after ${slowStartMs / 1000} s: ${problem}`, true)
  }

  #ended(child: Child, { started, reason }: Ending): void {
    if (child?.pid !== undefined) this.#parts.group(child.pid, false)
    if (this.#state === 'stopped') return
    const { clock } = this.#parts
    if (started && clock.now() - this.#startedAt >= stableMs) this.#restarts = 0
    const pause = restartPause(this.#restarts++)
    this.#parts.say(`${reason}; next start in ${pause / 1000} s`, true)
    this.#become('waiting')
    this.#later(pause, () => this.start())
  }

  #become(state: SupervisorState): void {
    if (this.#state === state && state !== 'starting') return
    this.#state = state
    this.#parts.changed(state)
  }
}
