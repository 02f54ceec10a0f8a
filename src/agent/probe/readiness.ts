// A workload that registers itself says how its application is: asked as its WorkloadGroup says, reported when it changes (ops
// spec 1.8). The proxy itself comes first: while it does not serve, its application cannot be reached either.
import type { Clock } from '../../lib/clock.ts'
import type { ReadinessProbe } from '../../proxy/main.ts'
import { ask } from './ask.ts'
import { watchHealth } from './health-watch.ts'
import type { Problem, ProbePlace } from './probe.ts'

/** What is asked of the proxy beside the application. */
export interface ReportingProxy {
  /** Empty when it serves. */
  readonly notReadyBecause: string
  reportHealth(problem: Problem): void
}

export interface ReadinessOptions {
  readonly clock: Clock
  readonly place: ProbePlace
  /** The proxy, once there is one. */
  readonly proxy: () => ReportingProxy | undefined
  /** Whoever writes WorkloadGroups may have commands run on this machine. */
  readonly runsCommands: boolean
  log(line: string): void
}

export class Readiness {
  readonly #options: ReadinessOptions
  #probe: ReadinessProbe | undefined
  #began = false
  #stop: (() => void) | undefined

  constructor(options: ReadinessOptions) {
    this.#options = options
  }

  /** The proxy serves. Nothing is said before: the process that this one follows may know better. */
  begin(): void {
    this.#began = true
    this.follow(this.#probe)
  }

  /** From now on it is asked so. Without a probe it is well: nobody says otherwise. */
  follow(probe: ReadinessProbe | undefined): void {
    const asked = this.#stop !== undefined
    this.#probe = probe
    this.#halt()
    if (!this.#began) return
    if (probe === undefined) return asked ? this.#report(undefined) : undefined
    const { clock } = this.#options
    this.#stop = watchHealth({ ...probe, clock, ask: () => this.#ask(probe), onChange: (problem) => this.#changed(problem) })
  }

  close(): void {
    this.#began = false
    this.#halt()
  }

  #halt(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #ask({ method, timeoutMs }: ReadinessProbe): Promise<Problem> {
    const { proxy, place, runsCommands } = this.#options
    const why = proxy()?.notReadyBecause ?? 'it has not begun'
    if (why !== '') return Promise.resolve(`the proxy is not ready: ${why}`)
    if (method.kind === 'exec' && !runsCommands) return Promise.resolve('the WorkloadGroup\'s probe is a command, and commands are not run here: allow it with --exec-probes')
    return ask(method, { place, timeoutMs })
  }

  #changed(problem: Problem): void {
    this.#options.log(problem === undefined ? 'the application is well' : `the application is unwell, and leaves the mesh until it is not: ${problem}`)
    this.#report(problem)
  }

  #report(problem: Problem): void {
    this.#options.proxy()?.reportHealth(problem)
  }
}
