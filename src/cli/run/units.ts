// What runs beside the control plane, kept equal to what the files say: a sidecar with its process for each Process, a
// gateway for each selector of a Gateway. What cannot be started is said once and tried again; the others go on.
import type { ControlPlane } from '../../control/main.ts'
import { systemClock } from '../../lib/clock.ts'
import { MeshError, describe, spawn } from '../../lib/errors.ts'
import { freePort } from '../../net/reserve-port.ts'
import type { MergedWorld } from '../../sources/merge.ts'
import type { WriteAudit } from '../../telemetry/audit/events.ts'
import type { DialMap } from '../../agent/env-capture.ts'
import { dialMapOf } from './dial-map.ts'
import { GatewayUnit } from './gateway-unit.ts'
import type { GatewayPlacement, Places } from './gateway-places.ts'
import type { Guard } from './guard.ts'
import { lifeOf } from './life.ts'
import { startLocalProxy } from './local-proxies.ts'
import type { LocalProxyParts } from './local-proxies.ts'
import type { RunLog } from './log.ts'
import { NetnsGateway } from './netns/gateway.ts'
import { NetnsProcess } from './netns/process.ts'
import type { Networks } from './netns.ts'
import { takePorts } from './ports.ts'
import { Refusals } from './refusals.ts'
import { SidecarUnit } from './sidecar-unit.ts'
import { gatewaysShown, missingOf, processShown } from './shown.ts'
import type { MeshGateway, MeshProcess, Unit } from './shown.ts'
import { gatewayPortsOf, sameProcess, wantedProcesses } from './wanted.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface RunningMeshParts {
  readonly control: ControlPlane
  readonly trustDomain: string
  readonly placement: GatewayPlacement
  readonly log: RunLog
  readonly guard: Guard
  /** Each in a network of its own; undefined: all in that of this machine. */
  readonly networks: Networks | undefined
  readonly inheritedEnv: Readonly<Record<string, string | undefined>>
  accessLog(proxy: string, line: string): void
  /** What writes a proxy's events down; undefined: nothing does. */
  audit(source: string): WriteAudit | undefined
  /** Whether a process can take requests has changed: its endpoints follow. */
  onReadiness(key: string, ready: boolean): void
  /** Proxies came or went. */
  onChange(): void
}

/** How long a process that leaves waits for its peers to hear of it. */
const withdrawMs = 2000

export class MeshUnits {
  readonly #parts: RunningMeshParts
  readonly #proxyParts: LocalProxyParts
  readonly #units = new Map<string, Unit>()
  /** What is on its way out, by key: its successor of the same name waits. */
  readonly #leaving = new Map<string, { readonly unit: Unit; readonly gone: Promise<void> }>()
  readonly #starting = new Set<Promise<void>>()
  readonly #refusals: Refusals
  /** What gateways have of this machine. */
  readonly #places: Places = new Map()
  #world: MergedWorld | undefined
  #work: Promise<void> = Promise.resolve()
  #queued = false
  #reconciling = false
  #stopped = false

  constructor(parts: RunningMeshParts) {
    const { control, trustDomain, log } = parts
    this.#parts = parts
    this.#proxyParts = { control, trustDomain, log, accessLog: (proxy, line) => parts.accessLog(proxy, line), audit: (source) => parts.audit(source) }
    this.#refusals = new Refusals(systemClock, log, () => this.#again())
  }

  get all(): readonly Unit[] {
    return [...this.#units.values()]
  }

  /** Also those that are on their way out. */
  get processes(): readonly MeshProcess[] {
    const leaving = [...this.#leaving.values()].map(({ unit }) => unit)
    return [...this.all, ...leaving].filter((one) => one instanceof SidecarUnit || one instanceof NetnsProcess).map((one) => processShown(one, this.#parts.trustDomain))
  }

  get gateways(): readonly MeshGateway[] {
    return this.all.filter((one) => one instanceof GatewayUnit || one instanceof NetnsGateway).flatMap(gatewaysShown)
  }

  /** Every proxy that runs. */
  get proxies(): readonly { readonly wanted: WantedProcess; readonly adminPort: number }[] {
    return this.all.flatMap(({ wanted, proxy }) => (proxy === undefined || proxy.adminPort === 0 ? [] : [{ wanted, adminPort: proxy.adminPort }]))
  }

  /** What is not up yet, in words. */
  get missing(): readonly string[] {
    if (this.#world === undefined || this.#queued || this.#reconciling) return ['the first configuration']
    const replaced = [...this.#leaving.values()].filter(({ unit }) => this.#isWanted(unit.wanted.key)).map(({ unit }) => `process ${unit.wanted.key} (stopping)`)
    return [...this.all.flatMap(missingOf), ...replaced, ...this.#refusals.list]
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
      this.#reconciling = false
      this.#parts.onChange()
    })
    spawn('following the files', this.#work)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#refusals.close()
    await this.#work
    await Promise.all([...this.all.map((one) => one.stop()), ...[...this.#leaving.values()].map(({ gone }) => gone)])
    await Promise.all(this.#starting)
    this.#units.clear()
  }

  #again(): void {
    if (this.#world !== undefined) this.follow(this.#world)
  }

  #isWanted(key: string): boolean {
    return wantedProcesses(this.#world?.resources ?? []).some((one) => one.key === key)
  }

  async #reconcile(world: MergedWorld): Promise<void> {
    const wanted = new Map(wantedProcesses(world.resources).map((one) => [one.key, one]))
    this.#refusals.keep((key) => wanted.has(key))
    for (const [key, unit] of this.#units) {
      const next = wanted.get(key)
      if (next === undefined || !sameProcess(next, unit.wanted)) this.#leave(key, unit)
    }
    for (const [key, one] of wanted) if (!this.#units.has(key) && !this.#leaving.has(key)) await this.#enter(key, one, world)
    const dialMap = this.#dialMap()
    const ports = gatewayPortsOf(world.resources)
    await Promise.all(this.all.map((one) => this.#update(one, world, dialMap, ports)))
  }

  async #update(unit: Unit, world: MergedWorld, dialMap: DialMap, ports: ReadonlyMap<number, string>): Promise<void> {
    if (unit instanceof NetnsProcess) return // its proxy is told by the control plane
    if (unit instanceof NetnsGateway) return unit.update(ports)
    if (unit instanceof GatewayUnit) return unit.update(dialMap, ports)
    try {
      await unit.update(world.services, dialMap)
    } catch (error) {
      this.#parts.log.warn(unit.wanted.name, `its doors to services could not all be opened: ${describe(error)}`)
    }
  }

  #dialMap(): DialMap {
    return dialMapOf(this.all)
  }

  /**
   * The push that withdrew its endpoints is on its way; once every proxy has it, nobody sends to it any more. Others need
   * not wait for that; a successor of the same name comes once it is gone.
   */
  #leave(key: string, unit: Unit): void {
    const { control, log, onReadiness } = this.#parts
    this.#units.delete(key)
    const gone = (async () => {
      onReadiness(key, false)
      await control.state.board.waitFor(control.state.board.generation, withdrawMs)
      await unit.stop()
      log.say(unit.wanted.name, 'stopped')
      this.#leaving.delete(key)
      this.#again()
    })()
    this.#leaving.set(key, { unit, gone })
    spawn('stopping a process', gone)
  }

  async #enter(key: string, wanted: WantedProcess, world: MergedWorld): Promise<void> {
    try {
      const unit = this.#parts.networks === undefined ? await this.#unit(wanted, world) : this.#unitIn(this.#parts.networks, wanted, world)
      this.#units.set(key, unit)
      const started = this.#start(unit, world).catch((error: unknown) => this.#failed(unit, error)).finally(() => this.#starting.delete(started))
      this.#starting.add(started)
    } catch (error) {
      this.#refusals.add(wanted, error)
    }
  }

  /** It was on its way up: whatever of it stands is taken down, and it gets another chance. */
  async #failed(unit: Unit, error: unknown): Promise<void> {
    await unit.stop()
    if (this.#units.get(unit.wanted.key) !== unit) return
    this.#units.delete(unit.wanted.key)
    this.#refusals.add(unit.wanted, error)
  }

  #unit(wanted: WantedProcess, world: MergedWorld): GatewayUnit | Promise<SidecarUnit> {
    return wanted.proxyType === 'router' ? this.#gateway(wanted, world) : this.#process(wanted, world)
  }

  #unitIn(networks: Networks, wanted: WantedProcess, world: MergedWorld): NetnsProcess | NetnsGateway {
    const { control, trustDomain, placement, log, guard, inheritedEnv, onReadiness } = this.#parts
    const parts = {
      networks, log, guard, inheritedEnv, onReadiness, trustDomain, clock: systemClock, domain: control.state.snapshot.mesh.domain, roots: control.roots,
      token: ({ namespace, serviceAccount }: WantedProcess) => control.bootstrapToken({ trustDomain, namespace, serviceAccount }),
      life: (of: WantedProcess) => lifeOf(of, this.#world?.meshConfig),
      accessLog: (proxy: string, line: string) => this.#parts.accessLog(proxy, line),
      audit: (source: string) => this.#parts.audit(source),
      onChange: () => this.#parts.onChange(),
    }
    if (wanted.proxyType !== 'router') return new NetnsProcess(wanted, addressOf(wanted, world), parts)
    return new NetnsGateway(wanted, addressOf(wanted, world), { ...parts, placement, places: this.#places }, gatewayPortsOf(world.resources))
  }

  #gateway(wanted: WantedProcess, world: MergedWorld): GatewayUnit {
    const { placement, log, onReadiness } = this.#parts
    const parts = { placement, log, places: this.#places, onReadiness }
    return new GatewayUnit(wanted, addressOf(wanted, world), parts, this.#dialMap(), gatewayPortsOf(world.resources))
  }

  async #process(wanted: WantedProcess, world: MergedWorld): Promise<SidecarUnit> {
    const { log, guard, inheritedEnv, onReadiness } = this.#parts
    const address = addressOf(wanted, world)
    const ports = await takePorts(wanted, address)
    const httpProxyPort = wanted.proxyType === 'sidecar' ? await freePort() : 0
    return new SidecarUnit(wanted, address, ports, httpProxyPort, {
      clock: systemClock, log, guard, inheritedEnv, onReadiness: (key, ready) => onReadiness(key, ready),
      life: (of) => lifeOf(of, this.#world?.meshConfig),
      startSidecar: (of, ip, capture) => startLocalProxy(of, { ip, capture, httpProxyPort, replacedMs: lifeOf(of, this.#world?.meshConfig).replacedMs }, this.#proxyParts),
    })
  }

  async #start(unit: Unit, world: MergedWorld): Promise<void> {
    if (unit instanceof NetnsProcess) await unit.start(world.services)
    else if (unit instanceof NetnsGateway) await unit.start()
    else if (unit instanceof SidecarUnit) await unit.start(world.services, this.#dialMap())
    else await unit.start((wanted, capture) => startLocalProxy(wanted, { ip: '127.0.0.1', capture, httpProxyPort: 0, replacedMs: lifeOf(wanted, this.#world?.meshConfig).replacedMs }, this.#proxyParts))
    this.#refusals.delete(unit.wanted.key)
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
