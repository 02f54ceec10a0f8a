// When and whether an application takes requests, for the control plane: asked as its WorkloadGroup or this machine's settings say,
// reported when it changes (ops spec 1.8); without a probe, from its first accepted connections on. The proxy itself comes first:
// while it does not serve, its application cannot be reached either.
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import type { ReadinessProbe } from '../../proxy/main.ts'
import { ask } from './ask.ts'
import { watchFirstAccept } from './first-accept.ts'
import { watchHealth } from './health-watch.ts'
import type { Problem, ProbePlace } from './probe.ts'
import { askTcp } from './tcp-probe.ts'

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
  /** Where the application takes requests, as far as the mesh knows. */
  readonly ports: () => readonly Address[]
  /** Of this machine's settings; a WorkloadGroup's wins. */
  readonly probe: ReadinessProbe | undefined
  /** A WorkloadGroup may bring one, soon after the proxy's configuration. */
  readonly groupMayProbe: boolean
  /** Whoever writes WorkloadGroups may have commands run on this machine. */
  readonly runsCommands: boolean
  log(line: string): void
}

/** What a group says comes right behind what the proxy waits for anyway. */
const groupMs = 2_000
const acceptMs = 1_000

export class Readiness {
  readonly #options: ReadinessOptions
  #probe: ReadinessProbe | undefined
  #began = false
  #stop: (() => void) | undefined

  constructor(options: ReadinessOptions) {
    this.#options = options
    this.#probe = options.probe
  }

  /** Its program has not been started, or its proxy not yet: nobody is to be sent there. */
  notYet(): void {
    this.#report('it has not begun')
  }

  /** The proxy serves. Nothing is said before: the process that this one follows may know better. */
  begin(): void {
    this.#began = true
    if (this.#probe !== undefined) return this.#watch(this.#probe)
    this.#stop = this.#options.groupMayProbe ? this.#options.clock.after(groupMs, () => this.#awaitFirstAccept()) : undefined
    if (!this.#options.groupMayProbe) this.#awaitFirstAccept()
  }

  /** From now on it is asked so. Without a probe it is well: nobody says otherwise. */
  follow(told: ReadinessProbe | undefined): void {
    const probe = told ?? this.#options.probe
    const asked = this.#probe !== undefined
    this.#probe = probe
    if (!this.#began || (probe === undefined && !asked)) return
    this.#halt()
    if (probe === undefined) this.#report(undefined)
    else this.#watch(probe)
  }

  close(): void {
    this.#began = false
    this.#halt()
  }

  #watch(probe: ReadinessProbe): void {
    const { clock } = this.#options
    this.#stop = watchHealth({ ...probe, clock, ask: () => this.#ask(probe), onChange: (problem) => this.#changed(problem) })
  }

  #awaitFirstAccept(): void {
    const { clock, ports, place, log } = this.#options
    this.#stop = watchFirstAccept({
      clock, ports, ask: ({ host, port }) => askTcp({ kind: 'tcp', host, port }, { place, timeoutMs: acceptMs }),
      onBegun: (missing) => {
        if (missing.length > 0) log(`the application takes requests, but not on every port that the mesh knows of it: ${missing.join('; ')}`)
        this.#report(undefined)
      },
    })
  }

  #halt(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #ask({ method, timeoutMs }: ReadinessProbe): Promise<Problem> {
    const { proxy, place, runsCommands, probe: own } = this.#options
    const why = proxy()?.notReadyBecause ?? 'it has not begun'
    if (why !== '') return Promise.resolve(`the proxy is not ready: ${why}`)
    if (method.kind === 'exec' && !runsCommands && method !== own?.method) return Promise.resolve('the WorkloadGroup\'s probe is a command, and commands are not run here: allow it with --exec-probes')
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
