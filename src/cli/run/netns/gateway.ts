// A gateway of the mesh in a network of its own. Its listeners stand there, for whoever is in the mesh, and each has a second
// socket in the network of this machine, for people and clients: the proxy accepts from both.
import type { Namespace } from '../../../agent/netns/namespace.ts'
import type { Address } from '../../../model/address.ts'
import { reservePort } from '../../../net/reserve-port.ts'
import { handleOf } from '../../../net/socket-options.ts'
import { PlacedPorts } from '../gateway-places.ts'
import type { GatewayDoor, GatewayPlacement, Places } from '../gateway-places.ts'
import { openProxy } from './process.ts'
import type { NetnsUnitParts } from './process.ts'
import type { ProxyProcess } from './proxy.ts'
import type { WantedProcess } from '../wanted-process.ts'

export interface NetnsGatewayParts extends NetnsUnitParts {
  readonly placement: GatewayPlacement
  readonly places: Places
}

export class NetnsGateway {
  readonly wanted: WantedProcess
  readonly address: string
  readonly #parts: NetnsGatewayParts
  readonly #ports: PlacedPorts
  /** Port of the Gateway -> where it stands on this machine. */
  readonly #doors = new Map<number, Address>()
  readonly #ending = Promise.withResolvers<void>()
  #starting: Promise<Namespace> | undefined
  #proxy: ProxyProcess | undefined
  #stopped = false

  constructor(wanted: WantedProcess, address: string, parts: NetnsGatewayParts, written: ReadonlyMap<number, string>) {
    this.wanted = wanted
    this.address = address
    this.#parts = parts
    this.#ports = new PlacedPorts(parts.placement, parts.places, (line) => parts.log.say(wanted.name, line), written)
  }

  get proxy(): ProxyProcess | undefined {
    return this.#proxy
  }

  doorAt(): undefined {
    return undefined
  }

  /** Of ports that a Gateway has: the sockets of others are closed by the proxy. */
  get listening(): readonly GatewayDoor[] {
    return [...this.#doors].filter(([port]) => this.#proxy?.serves === true && this.#ports.written.has(port)).map(([port, address]) => this.#ports.door(port, address))
  }

  async start(): Promise<void> {
    const { wanted, address } = this
    const { networks, domain } = this.#parts
    this.#starting = networks.workload({ namespace: wanted.namespace, addresses: networks.addressesOf(address), domain })
    const cell = await this.#starting
    if (this.#stopped) return
    this.#proxy = openProxy(wanted, { cell, addresses: networks.addressesOf(address), capture: undefined }, this.#parts, { further: (at) => this.#further(at), changed: (serves) => this.#changed(serves) })
    await this.#proxy.start()
    await Promise.race([this.#proxy.whenReady, this.#ending.promise])
    for (const { port, url } of this.listening) this.#ports.say(`port ${port} is ${url}`)
  }

  update(written: ReadonlyMap<number, string>): void {
    this.#ports.written = written
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#ending.resolve()
    const cell = await this.#starting?.catch(() => undefined)
    await this.#proxy?.stop()
    if (cell !== undefined) await this.#parts.networks.leave(cell)
    this.#ports.leave()
  }

  #changed(serves: boolean): void {
    this.#parts.onReadiness(this.wanted.key, serves)
    this.#parts.onChange()
  }

  /** Only what is open to all in its network is open to this machine. */
  async #further({ host, port }: Address): Promise<{ readonly handle: object; close(): void } | undefined> {
    if (host !== '0.0.0.0' && host !== '::') return undefined
    const at = this.#ports.place(port)
    const { server, address, release } = await reservePort(at.host, at.port)
    this.#doors.set(port, address)
    return { handle: handleOf(server)!, close: release }
  }
}
