// The whole mesh on this machine: a control plane, a sidecar for each local process, gateways, and the processes
// themselves, kept equal to what the files say. The same parts as in a cluster, over real sockets with real mutual TLS.
import type { ControlPlane } from '../../control/main.ts'
import { systemClock } from '../../lib/clock.ts'
import { MeshError, describe, spawn } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import { freePort } from '../../net/reserve-port.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { MergedWorld } from '../../sources/merge.ts'
import { dialMapOf } from './dial-map.ts'
import { GatewayUnit } from './gateway-unit.ts'
import type { GatewayPlacement } from './gateway-unit.ts'
import type { Guard } from './guard.ts'
import { startLocalProxy } from './local-proxies.ts'
import type { LocalProxyParts } from './local-proxies.ts'
import type { RunLog } from './log.ts'
import { takePorts } from './ports.ts'
import { SidecarUnit } from './sidecar-unit.ts'
import type { SupervisorState } from './supervisor.ts'
import { wantedProcesses } from './wanted.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface MeshProcess {
  readonly name: string
  readonly namespace: string
  readonly pid: number | undefined
  readonly state: SupervisorState
  /** Its SPIFFE id. */
  readonly identity: string
  /** Where its sidecar takes what peers send: `127.0.0.1:41000`, one for each port. */
  readonly inbound: readonly string[]
}

export interface MeshGateway {
  readonly name: string
  readonly namespace: string
  readonly address: Address
}

export interface RunningMeshParts {
  readonly control: ControlPlane
  readonly trustDomain: string
  readonly placement: GatewayPlacement
  readonly log: RunLog
  readonly guard: Guard
  readonly inheritedEnv: Readonly<Record<string, string | undefined>>
  accessLog(proxy: string, line: string): void
  /** Whether a process can take requests has changed: its endpoints follow. */
  onReadiness(key: string, ready: boolean): void
  /** Proxies came or went. */
  onChange(): void
}

/** How long a process that leaves waits for its peers to hear of it. */
const withdrawMs = 2000

type Unit = SidecarUnit | GatewayUnit

export class MeshUnits {
  readonly #parts: RunningMeshParts
  readonly #proxyParts: LocalProxyParts
  readonly #units = new Map<string, Unit>()
  /** What is on its way out, by key: its successor of the same name waits. */
  readonly #leaving = new Map<string, { readonly unit: Unit; readonly gone: Promise<void> }>()
  readonly #starting = new Set<Promise<void>>()
  #world: MergedWorld | undefined
  #work: Promise<void> = Promise.resolve()
  #queued = false
  #reconciling = false
  #stopped = false

  constructor(parts: RunningMeshParts) {
    const { control, trustDomain, log } = parts
    this.#parts = parts
    this.#proxyParts = { control, trustDomain, log, accessLog: (proxy, line) => parts.accessLog(proxy, line) }
  }

  get all(): readonly Unit[] {
    return [...this.#units.values()]
  }

  /** Also those that are on their way out. */
  get processes(): readonly MeshProcess[] {
    const leaving = [...this.#leaving.values()].map(({ unit }) => unit)
    return [...this.all, ...leaving].filter((one) => one instanceof SidecarUnit).map(({ wanted, pid, state, ports }) => ({
      name: wanted.name, namespace: wanted.namespace, pid, state,
      identity: formatSpiffeId({ trustDomain: this.#parts.trustDomain, namespace: wanted.namespace, serviceAccount: wanted.serviceAccount }),
      inbound: [...ports.inbound.values()].map(({ host, port }) => `${host}:${port}`),
    }))
  }

  get gateways(): readonly MeshGateway[] {
    return this.all.filter((one) => one instanceof GatewayUnit).flatMap(({ wanted, listening }) =>
      listening.map((address) => ({ name: wanted.name, namespace: wanted.namespace, address })))
  }

  /** Every proxy that runs. */
  get proxies(): readonly { readonly wanted: WantedProcess; readonly proxy: Proxy }[] {
    return this.all.flatMap(({ wanted, proxy }) => (proxy === undefined ? [] : [{ wanted, proxy }]))
  }

  /** What is not up yet, in words. */
  get missing(): readonly string[] {
    if (this.#world === undefined || this.#queued || this.#reconciling) return ['the first configuration']
    return this.all.flatMap((unit) => {
      if (unit instanceof GatewayUnit) return unit.proxy?.state === 'LIVE' ? [] : [`gateway ${unit.wanted.key}`]
      const up = unit.wanted.command.length === 0 ? unit.wanted.proxyType === 'none' || unit.proxy?.state === 'LIVE' : unit.state === 'ready'
      return up ? [] : [`process ${unit.wanted.key} (${unit.state})`]
    })
  }

  /** The world to be equal to from now on. Changes that come faster than they can be followed are skipped. */
  follow(world: MergedWorld): void {
    this.#world = world
    if (this.#queued || this.#stopped) return
    this.#queued = true
    this.#work = this.#work.then(async () => {
      this.#queued = false
      if (this.#stopped) return
      this.#reconciling = true
      await this.#reconcile(this.#world!)
    })
    spawn('following the files', this.#work)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#work
    await Promise.all([...this.all.map((one) => one.stop()), ...[...this.#leaving.values()].map(({ gone }) => gone)])
    await Promise.all(this.#starting)
    this.#units.clear()
  }

  async #reconcile(world: MergedWorld): Promise<void> {
    const wanted = new Map(wantedProcesses(world.resources).map((one) => [one.key, one]))
    for (const [key, unit] of this.#units) {
      const next = wanted.get(key)
      if (next === undefined || !sameProcess(next, unit.wanted)) this.#leave(key, unit)
    }
    for (const [key, one] of wanted) if (!this.#units.has(key)) await this.#enter(key, one, world)
    const dialMap = this.#dialMap(world)
    await Promise.all(this.all.map((one) => one instanceof SidecarUnit ? one.update(world.services, dialMap) : Promise.resolve(one.update(dialMap))))
    this.#reconciling = false
    this.#parts.onChange()
  }

  #dialMap(world: MergedWorld) {
    const local = this.all.filter((one) => one instanceof SidecarUnit)
    return dialMapOf(local.map(({ wanted, ports }) => ({ address: addressOf(wanted, world), inbound: ports.inbound })))
  }

  /** The push that withdrew its endpoints is on its way; once every proxy has it, nobody sends to it any more. */
  #leave(key: string, unit: Unit): void {
    const { control, log, onReadiness } = this.#parts
    this.#units.delete(key)
    const gone = (async () => {
      if (unit instanceof SidecarUnit) onReadiness(key, false)
      await control.state.board.waitFor(control.state.board.generation, withdrawMs)
      await unit.stop()
      log.say(unit.wanted.name, 'stopped')
      this.#leaving.delete(key)
      this.#parts.onChange()
    })()
    this.#leaving.set(key, { unit, gone })
    spawn('stopping a process', gone)
  }

  async #enter(key: string, wanted: WantedProcess, world: MergedWorld): Promise<void> {
    await this.#leaving.get(key)?.gone
    try {
      const unit = wanted.proxyType === 'router' ? this.#gateway(wanted, world) : await this.#process(wanted, world)
      this.#units.set(key, unit)
      const started = this.#start(unit, world).catch((error: unknown) => this.#failed(wanted, error)).finally(() => this.#starting.delete(started))
      this.#starting.add(started)
    } catch (error) {
      this.#failed(wanted, error)
    }
  }

  #failed({ name, origin }: WantedProcess, error: unknown): void {
    this.#parts.log.warn(name, `cannot be started (${origin.file}:${origin.line}): ${describe(error)}`)
  }

  #gateway(wanted: WantedProcess, world: MergedWorld): GatewayUnit {
    return new GatewayUnit(wanted, this.#parts.placement, this.#dialMap(world), this.#parts.log)
  }

  async #process(wanted: WantedProcess, world: MergedWorld): Promise<SidecarUnit> {
    const { log, guard, inheritedEnv, onReadiness } = this.#parts
    const address = addressOf(wanted, world)
    const ports = await takePorts(wanted, address)
    const httpProxyPort = wanted.proxyType === 'sidecar' ? await freePort() : 0
    return new SidecarUnit(wanted, address, ports, httpProxyPort, {
      clock: systemClock, log, guard, inheritedEnv, onReadiness: (key, ready) => onReadiness(key, ready),
      startSidecar: (of, ip, capture) => startLocalProxy(of, { ip, capture, httpProxyPort }, this.#proxyParts),
    })
  }

  async #start(unit: Unit, world: MergedWorld): Promise<void> {
    if (unit instanceof SidecarUnit) await unit.start(world.services, this.#dialMap(world))
    else await unit.start((wanted, capture) => startLocalProxy(wanted, { ip: '127.0.0.1', capture, httpProxyPort: 0 }, this.#proxyParts))
    this.#parts.onChange()
  }
}

/** Throws `run/no-workload` when the sources do not know it, which they do for every valid Process. */
function addressOf({ key, namespace, name }: WantedProcess, world: MergedWorld): string {
  const workload = world.workloads.find((one) => one.kind === 'Process' && one.namespace === namespace && one.name === name)
  const address = workload?.addresses[0]
  if (address === undefined) throw new MeshError('run/no-workload', `no source knows the address of ${key}`)
  return address
}

/** Moving it within its file changes nothing. */
function sameProcess({ origin: _one, ...one }: WantedProcess, { origin: _other, ...other }: WantedProcess): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
