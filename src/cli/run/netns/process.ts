// One process of the mesh in a network of its own, with its sidecar in the same one: all its traffic goes through that, and
// it knows nothing of it. The program starts once its sidecar serves and has seen for itself that it captures; it leaves in
// the other order, and its network goes with it.
import { applyCapture } from '../../../agent/capture/apply.ts'
import type { CaptureSettings } from '../../../agent/capture/capture-settings.ts'
import type { Namespace } from '../../../agent/netns/namespace.ts'
import type { Probe as AgentProbe } from '../../../agent/probe/probe.ts'
import { MeshError } from '../../../lib/errors.ts'
import type { Clock } from '../../../lib/clock.ts'
import { formatAddress } from '../../../model/address.ts'
import type { Service } from '../../../model/service.ts'
import type { WriteAudit } from '../../../telemetry/audit/events.ts'
import { startChild } from '../child.ts'
import { findProgram } from '../find-program.ts'
import type { Guard } from '../guard.ts'
import type { Life } from '../life.ts'
import type { RunLog } from '../log.ts'
import { netnsEnvironment } from './environment.ts'
import { listensIn } from './left.ts'
import { ProxyProcess } from './proxy.ts'
import { captureOf, programCommand, proxyCommand, runIn } from './workload.ts'
import type { ProxyPlace } from './workload.ts'
import type { Networks } from '../netns.ts'
import { Supervisor } from '../supervisor.ts'
import type { SupervisorState } from '../supervisor.ts'
import type { Probe, WantedProcess } from '../wanted-process.ts'

export interface NetnsUnitParts {
  readonly networks: Networks
  readonly clock: Clock
  readonly log: RunLog
  readonly guard: Guard
  readonly trustDomain: string
  readonly domain: string
  readonly roots: string
  readonly inheritedEnv: Readonly<Record<string, string | undefined>>
  token(wanted: WantedProcess): string
  /** How it begins and ends, by what the mesh says now. */
  life(wanted: WantedProcess): Life
  accessLog(proxy: string, line: string): void
  audit(source: string): WriteAudit | undefined
  onReadiness(key: string, ready: boolean): void
  /** A proxy is up or down: it may be found elsewhere than before. */
  onChange(): void
}

export class NetnsProcess {
  readonly wanted: WantedProcess
  /** How services know it, and the one that it has. */
  readonly address: string
  readonly #parts: NetnsUnitParts
  readonly #capture: CaptureSettings
  readonly #ending = Promise.withResolvers<void>()
  #starting: Promise<Namespace> | undefined
  #proxy: ProxyProcess | undefined
  #supervisor: Supervisor | undefined
  #stopped = false

  constructor(wanted: WantedProcess, address: string, parts: NetnsUnitParts) {
    if (wanted.command.length === 0) throw new MeshError('run/netns', `Process ${wanted.key} (${wanted.origin.file}:${wanted.origin.line}) has no command: a program that runs already has no network of its own. Give it one, or use --capture env`)
    this.wanted = wanted
    this.address = address
    this.#parts = parts
    this.#capture = captureOf(wanted, parts.networks.rootless, parts.life(wanted).interceptionMode)
  }

  get proxy(): ProxyProcess | undefined {
    return this.#proxy
  }

  get pid(): number | undefined {
    return this.state === 'waiting' || this.state === 'stopped' ? undefined : this.#supervisor?.pid
  }

  get state(): SupervisorState {
    return this.#supervisor?.state ?? (this.#stopped ? 'stopped' : 'starting')
  }

  /** Where peers reach it, within the mesh. */
  get inbound(): readonly string[] {
    return this.wanted.ports.map(({ containerPort }) => formatAddress({ host: this.address, port: containerPort }))
  }

  doorAt(): undefined {
    return undefined
  }

  /** Resolves when the program has been started; whether it comes up is `onReadiness`'s business. */
  async start(services: readonly Service[]): Promise<void> {
    const { wanted, address } = this
    const { networks, domain } = this.#parts
    this.#starting = networks.workload({ namespace: wanted.namespace, addresses: networks.addressesOf(address), domain })
    const cell = await this.#starting
    if (wanted.proxyType === 'sidecar' && !this.#stopped) await this.#startProxy(cell)
    if (!this.#stopped) this.#startProgram(cell, services)
  }

  /** Its endpoints have been withdrawn: what is open finishes, then the program ends, then its sidecar, then its network. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#ending.resolve()
    const { graceMs } = this.wanted
    const cell = await this.#starting?.catch(() => undefined)
    await this.#proxy?.drain(this.#parts.life(this.wanted).drainMs)
    await this.#supervisor?.stop(graceMs)
    await this.#proxy?.stop()
    if (cell !== undefined) await this.#parts.networks.leave(cell)
  }

  async #startProxy(cell: Namespace): Promise<void> {
    const capture = this.#capture
    await applyCapture(capture, { run: runIn(cell) })
    if (this.#stopped) return
    const proxy = openProxy(this.wanted, { cell, addresses: this.#parts.networks.addressesOf(this.address), capture }, this.#parts, { further: () => Promise.resolve(undefined), changed: () => this.#parts.onChange() })
    this.#proxy = proxy
    await proxy.start()
    if (this.#parts.life(this.wanted).holds) await Promise.race([proxy.whenReady, this.#ending.promise])
  }

  #startProgram(cell: Namespace, services: readonly Service[]): void {
    const { wanted, address } = this
    const { clock, log, guard, onReadiness, inheritedEnv } = this.#parts
    const env = netnsEnvironment({ inherited: inheritedEnv, process: wanted, address, services })
    const { probe } = wanted
    this.#supervisor = new Supervisor({ command: programCommand(wanted, cell), workingDirectory: '/', env }, {
      clock,
      start: startChild,
      blocked: () => Promise.resolve(absent(wanted, env['PATH'] ?? '')),
      probe: () => (probe === undefined ? Promise.resolve(undefined) : this.#probe(probe, cell)),
      probing: probe ?? { initialDelayMs: 0, periodMs: 1000, failureThreshold: 3 },
      line: (text, from) => log.output(wanted.name, text, from),
      say: (text, bad) => (bad ? log.warn(wanted.name, text) : log.say(wanted.name, text)),
      changed: (state) => onReadiness(wanted.key, state === 'ready'),
      group: (pid, alive) => {
        if (!alive) return guard.remove(pid)
        guard.add(pid)
        log.say(wanted.name, `is process ${pid}, at ${address}`)
      },
    })
    this.#supervisor.start()
  }

  /** From within its network: by its sidecar, past the redirect; without one it is only seen whether somebody listens. */
  #probe(probe: Probe, cell: Namespace): Promise<string | undefined> {
    if (this.#proxy !== undefined) return this.#proxy.probe(agentProbe(probe), probe.timeoutMs)
    return Promise.resolve(listensIn(cell.pid, probe.containerPort) ? undefined : `nothing listens on port ${probe.containerPort}`)
  }
}

interface ProxyEvents {
  further: ConstructorParameters<typeof ProxyProcess>[0]['further']
  changed(serves: boolean): void
}

export function openProxy(wanted: WantedProcess, place: Pick<ProxyPlace, 'cell' | 'addresses' | 'capture'>, parts: NetnsUnitParts, events: ProxyEvents): ProxyProcess {
  const { networks, clock, guard, roots, log, inheritedEnv, trustDomain } = parts
  return new ProxyProcess({
    command: proxyCommand(wanted, { ...place, rootless: networks.rootless, trustDomain, replacedMs: parts.life(wanted).replacedMs }),
    env: networks.proxyEnv(inheritedEnv),
    clock, guard, roots,
    token: () => parts.token(wanted),
    further: events.further,
    changed: (serves) => events.changed(serves),
    accessLog: (line) => parts.accessLog(wanted.name, line),
    audit: parts.audit(`${wanted.name}.${wanted.namespace}`),
    say: (line, bad) => (bad ? log.warn(wanted.name, line) : log.say(wanted.name, line)),
  })
}

/** A program that is not there would only be seen to fail by nsenter. */
function absent({ command: [program = ''], workingDirectory }: WantedProcess, path: string): string | undefined {
  return findProgram(program, path, workingDirectory) === undefined ? `no program ${JSON.stringify(program)} (looked in PATH, from ${workingDirectory})` : undefined
}

function agentProbe({ path, scheme, headers, containerPort }: Probe): AgentProbe {
  if (path === undefined) return { kind: 'tcp', host: '', port: containerPort }
  return { kind: 'http', host: '', port: containerPort, path, tls: scheme === 'HTTPS', headers }
}
