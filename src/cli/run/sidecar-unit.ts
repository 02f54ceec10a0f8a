// One process of the mesh on this machine: its program, and the sidecar beside it. The program starts once its sidecar
// serves, and takes requests once its probe says so; it leaves in the other order.
import type { DialMap } from '../../agent/env-capture.ts'
import { EnvCapture } from '../../agent/env-capture.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { Service } from '../../model/service.ts'
import type { Proxy } from '../../proxy/main.ts'
import { startChild } from './child.ts'
import { Doors, maxDoors } from './doors.ts'
import { environmentOf } from './environment.ts'
import type { Guard } from './guard.ts'
import type { Life } from './life.ts'
import type { RunLog } from './log.ts'
import { takenPort } from './ports.ts'
import type { ProcessPorts } from './ports.ts'
import { probeOnce } from './probe.ts'
import { Supervisor } from './supervisor.ts'
import type { SupervisorState } from './supervisor.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface UnitParts {
  readonly clock: Clock
  readonly log: RunLog
  readonly guard: Guard
  readonly inheritedEnv: Readonly<Record<string, string | undefined>>
  /** How it begins and ends, by what the mesh says now. */
  life(wanted: WantedProcess): Life
  /** Starts the sidecar; undefined for a process that has none. */
  startSidecar(wanted: WantedProcess, workloadAddress: string, capture: EnvCapture, httpProxyPort: number): Promise<Proxy>
  /** The program can take requests, or cannot any more. */
  onReadiness(key: string, ready: boolean): void
}

export class SidecarUnit {
  readonly wanted: WantedProcess
  /** How services know it. */
  readonly address: string
  readonly ports: ProcessPorts
  readonly #httpProxyPort: number
  readonly #parts: UnitParts
  readonly #doors = new Doors()
  readonly #capture: EnvCapture
  readonly #ending = Promise.withResolvers<void>()
  /** Also while it starts. */
  #starting: Promise<Proxy> | undefined
  #proxy: Proxy | undefined
  #supervisor: Supervisor | undefined
  /** Updates one after the other: two at once would open a tap twice. */
  #updating: Promise<void> = Promise.resolve()
  #leftSaid = 0
  #stopped = false

  constructor(wanted: WantedProcess, address: string, ports: ProcessPorts, httpProxyPort: number, parts: UnitParts) {
    this.wanted = wanted
    this.ports = ports
    this.address = address
    this.#httpProxyPort = httpProxyPort
    this.#parts = parts
    this.#capture = new EnvCapture(ports.taps, new Map())
  }

  /** Where peers' proxies dial for a port of it. */
  doorAt(port: number): Address | undefined {
    return this.ports.inbound.get(port)
  }

  /** Each of those. */
  get inbound(): readonly string[] {
    return [...this.ports.inbound.values()].map(formatAddress)
  }

  get proxy(): Proxy | undefined {
    return this.#proxy
  }

  get pid(): number | undefined {
    return this.state === 'waiting' || this.state === 'stopped' ? undefined : this.#supervisor?.pid
  }

  get state(): SupervisorState {
    return this.#supervisor?.state ?? (this.#stopped ? 'stopped' : 'starting')
  }

  /** Resolves when the program has been started; whether it comes up is `onReadiness`'s business. */
  async start(services: readonly Service[], dialMap: DialMap): Promise<void> {
    const { wanted } = this
    if (wanted.proxyType === 'sidecar') {
      await this.update(services, dialMap)
      this.#starting = this.#parts.startSidecar(wanted, this.address, this.#capture, this.#httpProxyPort)
      this.#proxy = await this.#starting
      if (this.#parts.life(wanted).holds) await Promise.race([this.#proxy.whenReady, this.#ending.promise])
    }
    if (!this.#stopped) this.#startProgram()
  }

  /** The world has changed: doors to new services, other addresses of peers. */
  update(services: readonly Service[], dialMap: DialMap): Promise<void> {
    const updated = this.#updating.then(() => this.#update(services, dialMap))
    this.#updating = updated.catch(() => {}) // whoever asked hears of it; the next one starts afresh
    return updated
  }

  async #update(services: readonly Service[], dialMap: DialMap): Promise<void> {
    if (this.wanted.proxyType !== 'sidecar' || this.#stopped) return
    await this.#doors.update(services, this.wanted.namespace)
    if (this.#doors.left !== this.#leftSaid) {
      this.#leftSaid = this.#doors.left
      if (this.#leftSaid > 0) this.#parts.log.warn(this.wanted.name, `${this.#doors.left} service ports have no local port of their own (limit ${maxDoors}): HTTP_PROXY reaches them`)
    }
    await this.#capture.update([...this.ports.taps, ...this.#doors.taps], dialMap, this.#application())
  }

  /** Its endpoints have been withdrawn: who is being served is served to the end, then the program ends, which may ask others to its last, then its sidecar. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#ending.resolve()
    const proxy = await this.#starting?.catch(() => undefined)
    await proxy?.drainInbound(this.#parts.life(this.wanted).drainMs)
    await this.#supervisor?.stop(this.wanted.graceMs)
    await proxy?.close()
    await this.#capture.stop()
  }

  /** Peers dial this process's sidecar; its sidecar dials the program, by the workload's address or, as in a Pod, by loopback. */
  #application(): DialMap {
    return new Map([this.address, '127.0.0.1'].flatMap((host) =>
      [...this.ports.app].map(([port, at]): [string, Address] => [formatAddress({ host, port }), at])))
  }

  #startProgram(): void {
    const { wanted } = this
    const { clock, log, guard, onReadiness } = this.#parts
    if (wanted.command.length === 0) return onReadiness(wanted.key, true) // it runs already
    const { probe } = wanted
    const at = probe === undefined ? undefined : this.ports.app.get(probe.containerPort)
    const supervisor = new Supervisor({ command: wanted.command, workingDirectory: wanted.workingDirectory, env: this.#environment() }, {
      clock,
      start: startChild,
      blocked: () => takenPort(wanted, this.ports.app),
      probe: () => (probe === undefined || at === undefined ? Promise.resolve(undefined) : probeOnce(probe, at)),
      probing: probe ?? { initialDelayMs: 0, periodMs: 1000, failureThreshold: 3 },
      line: (text, from) => log.output(wanted.name, text, from),
      say: (text, bad) => (bad ? log.warn(wanted.name, text) : log.say(wanted.name, text)),
      changed: (state) => onReadiness(wanted.key, state === 'ready'),
      group: (pid, alive) => (alive ? guard.add(pid) : guard.remove(pid)),
    })
    this.#supervisor = supervisor
    supervisor.start()
  }

  #environment(): Record<string, string> {
    const httpProxy = this.#httpProxyPort === 0 ? undefined : { host: '127.0.0.1', port: this.#httpProxyPort }
    const appPorts = new Map([...this.ports.app].map(([containerPort, { port }]) => [containerPort, port]))
    return environmentOf({ inherited: this.#parts.inheritedEnv, process: this.wanted, appPorts, doors: this.#doors.list, httpProxy })
  }
}
