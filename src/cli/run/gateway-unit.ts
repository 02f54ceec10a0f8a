// A gateway of the mesh on this machine: a proxy alone, whose listeners stand on local addresses.
import type { DialMap } from '../../agent/env-capture.ts'
import { GatewayPorts } from '../../agent/gateway-ports.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

/** Below this, listening takes root. */
const firstFreePort = 1024
/** Where those ports go without root: 80 to 8080, 443 to 8443. */
const unprivilegedOffset = 8000
/** Further, where a Gateway has just that port: 80 to 9080 beside one for 8080. */
const unprivilegedStep = 1000

export interface GatewayPlacement {
  /** Address to listen on. */
  readonly host: string
  /** Port of the Gateway resource -> port on this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>
  /** Whether ports under 1024 can be had. */
  readonly privileged: boolean
}

export interface GatewayUnitParts {
  readonly placement: GatewayPlacement
  readonly places: Places
  readonly log: RunLog
  /** Whether peers may send to it. */
  onReadiness(key: string, ready: boolean): void
}

export interface GatewayDoor {
  /** Of the Gateway resource. */
  readonly port: number
  /** Where that is on this machine. */
  readonly address: Address
  readonly url: string
}

/** Which gateway has which place of this machine. */
export type Places = Map<string, GatewayUnit>

export class GatewayUnit {
  readonly wanted: WantedProcess
  /** How services know it. */
  readonly address: string
  readonly #capture: GatewayPorts
  readonly #placement: GatewayPlacement
  readonly #log: RunLog
  readonly #said = new Set<string>()
  readonly #ending = Promise.withResolvers<void>()
  /** Also while it starts. */
  #starting: Promise<Proxy> | undefined
  #proxy: Proxy | undefined
  /** Ports that Gateways are written for: none of them is where another is moved to. */
  #written: ReadonlyMap<number, string>

  readonly #places: Places
  readonly #onReadiness: (ready: boolean) => void

  constructor(wanted: WantedProcess, address: string, parts: GatewayUnitParts, dialMap: DialMap, written: ReadonlyMap<number, string>) {
    this.wanted = wanted
    this.address = address
    this.#placement = parts.placement
    this.#places = parts.places
    this.#log = parts.log
    this.#onReadiness = (ready) => parts.onReadiness(wanted.key, ready)
    this.#written = written
    this.#capture = new GatewayPorts((port) => this.#place(port), dialMap)
  }

  get proxy(): Proxy | undefined {
    return this.#proxy
  }

  /** Where peers' proxies dial for a port of it. */
  doorAt(port: number): Address | undefined {
    const listener = [...this.#capture.placed].find(([, own]) => own === port)?.[0]
    return listener === undefined ? undefined : this.#proxy?.boundAddress(listener)
  }

  /** Where it listens now. */
  get listening(): readonly GatewayDoor[] {
    return [...this.#capture.placed].flatMap(([listener, port]) => {
      const address = this.#proxy?.boundAddress(listener)
      return address === undefined ? [] : [{ port, address, url: `${schemeOf(this.#written.get(port))}://${formatAddress(address)}` }]
    })
  }

  async start(startProxy: (wanted: WantedProcess, capture: GatewayPorts) => Promise<Proxy>): Promise<void> {
    this.#starting = startProxy(this.wanted, this.#capture)
    this.#proxy = await this.#starting
    await Promise.race([this.#proxy.whenReady, this.#ending.promise])
    this.#onReadiness(true)
    for (const { port, url } of this.listening) this.#say(`port ${port} is ${url}`)
  }

  update(dialMap: DialMap, written: ReadonlyMap<number, string>): void {
    this.#written = written
    this.#capture.update(dialMap)
  }

  async stop(): Promise<void> {
    this.#ending.resolve()
    const proxy = await this.#starting?.catch(() => undefined)
    await proxy?.close()
    for (const [place, unit] of this.#places) if (unit === this) this.#places.delete(place)
  }

  #say(line: string): void {
    if (this.#said.has(line)) return
    this.#said.add(line)
    this.#log.say(this.wanted.name, line)
  }

  /** What another gateway has already, this one has not: it takes any free port. */
  #place(port: number): Address {
    const at = this.#preferred(port)
    if (at.port === 0) return at
    const place = formatAddress(at)
    const owner = this.#places.get(place) ?? this
    this.#places.set(place, owner)
    if (owner !== this) return { ...at, port: 0 }
    if (at.port !== port && !this.#placement.ports.has(port)) this.#say(`port ${port} needs root: listening on ${place} instead (--gateway-port ${port}=PORT chooses another)`)
    return at
  }

  #preferred(port: number): Address {
    const { host, ports, privileged } = this.#placement
    const given = ports.get(port)
    if (given !== undefined) return { host, port: given }
    if (privileged || port >= firstFreePort) return { host, port }
    let instead = port + unprivilegedOffset
    while (this.#written.has(instead)) instead += unprivilegedStep
    return { host, port: instead }
  }
}

function schemeOf(protocol = 'HTTP'): string {
  if (protocol.startsWith('HTTPS')) return 'https'
  return /^(HTTP|GRPC)/.test(protocol) ? 'http' : 'tcp'
}
