// Where the ports of a gateway stand on this machine: at themselves where that can be had, else moved, as its owner is told.
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'

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

export interface GatewayDoor {
  /** Of the Gateway resource. */
  readonly port: number
  /** Where that is on this machine. */
  readonly address: Address
  readonly url: string
}

/** Which gateway has which place of this machine. */
export type Places = Map<string, PlacedPorts>

/** The ports of one gateway. */
export class PlacedPorts {
  /** Ports that Gateways are written for, with their protocols: none of them is where another is moved to. */
  written: ReadonlyMap<number, string>
  readonly #placement: GatewayPlacement
  readonly #places: Places
  readonly #sayOnce: (line: string) => void
  readonly #said = new Set<string>()

  constructor(placement: GatewayPlacement, places: Places, say: (line: string) => void, written: ReadonlyMap<number, string>) {
    this.#placement = placement
    this.#places = places
    this.#sayOnce = say
    this.written = written
  }

  say(line: string): void {
    if (this.#said.has(line)) return
    this.#said.add(line)
    this.#sayOnce(line)
  }

  door(port: number, address: Address): GatewayDoor {
    return { port, address, url: `${schemeOf(this.written.get(port))}://${formatAddress(address)}` }
  }

  /** What another gateway has already, this one has not: it takes any free port. */
  place(port: number): Address {
    const at = this.#preferred(port)
    if (at.port === 0) return at
    const place = formatAddress(at)
    const owner = this.#places.get(place) ?? this
    this.#places.set(place, owner)
    if (owner !== this) return { ...at, port: 0 }
    if (at.port !== port && !this.#placement.ports.has(port)) this.say(`port ${port} needs root: listening on ${place} instead (--gateway-port ${port}=PORT chooses another)`)
    return at
  }

  /** All its places are free for others. */
  leave(): void {
    for (const [place, owner] of this.#places) if (owner === this) this.#places.delete(place)
  }

  #preferred(port: number): Address {
    const { host, ports, privileged } = this.#placement
    const given = ports.get(port)
    if (given !== undefined) return { host, port: given }
    if (privileged || port >= firstFreePort) return { host, port }
    let instead = port + unprivilegedOffset
    while (this.written.has(instead)) instead += unprivilegedStep
    return { host, port: instead }
  }
}

function schemeOf(protocol = 'HTTP'): string {
  if (protocol.startsWith('HTTPS')) return 'https'
  return /^(HTTP|GRPC)/.test(protocol) ? 'http' : 'tcp'
}
