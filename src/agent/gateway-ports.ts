// Where a gateway's ports are on a laptop: its listeners are for all addresses and for ports that may need root, so each
// stands on an address of this machine instead. What it sends upstream is dialled by the same map as a sidecar's.
import type { Address } from '../model/address.ts'
import { formatAddress } from '../model/address.ts'
import type { Inbound } from '../net/listen.ts'
import type { Capture } from '../proxy/listen/capture.ts'
import type { CompiledListener } from '../proxy/listen/compile.ts'
import type { DialMap } from './env-capture.ts'

/** Where a listener of this port shall stand. */
export type PlaceOfPort = (port: number) => Address

export class GatewayPorts implements Capture {
  /** Listener -> the port that it is for. */
  readonly placed = new Map<string, number>()
  readonly #placeOf: PlaceOfPort
  #dialMap: DialMap

  constructor(placeOf: PlaceOfPort, dialMap: DialMap) {
    this.#placeOf = placeOf
    this.#dialMap = dialMap
  }

  update(dialMap: DialMap): void {
    this.#dialMap = dialMap
  }

  bindsAt({ name, address }: CompiledListener): Address {
    if (address.host.startsWith('unix://')) return address
    this.placed.set(name, address.port)
    return this.#placeOf(address.port)
  }

  /** The port that clients mean: policies and logs are about it, not about where it happens to be here. */
  originalDestination({ localAddress }: Pick<Inbound, 'localAddress'>, listener: string): Address | undefined {
    const port = this.placed.get(listener)
    return port === undefined ? undefined : { host: localAddress.host, port }
  }

  readonly dial = (address: Address): Address => this.#dialMap.get(formatAddress(address)) ?? address

  start(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }
}
