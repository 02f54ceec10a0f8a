// The hosts of a cluster that names them: looks the names up, again and again, and keeps the last good answer while DNS
// fails. STRICT_DNS makes a host of every address. LOGICAL_DNS keeps one host and moves where its new connections go.
import { spawn } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { isName } from '../../net/resolve.ts'
import type { ResolveName, ResolvedName } from '../../net/resolve.ts'
import type { DnsSettings } from './cluster-config.ts'
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'

export interface DnsHostsParts {
  readonly kind: 'strict-dns' | 'logical-dns'
  readonly endpoints: readonly EndpointSettings[]
  readonly settings: DnsSettings
  readonly resolve: ResolveName
  readonly clock: Clock
  random(): number
  /** Called whenever the hosts may have changed. */
  onHosts(hosts: readonly EndpointSettings[]): void
}

interface Lookup {
  /** Undefined until the first answer; empty when that was a failure. */
  addresses: readonly string[] | undefined
  failures: number
  cancel: () => void
}

/** A name server that is down must not take the connections of a minute with it. */
const lookupTimeoutMs = 5_000
const shortestRefreshMs = 1_000
/** Spread, so that the names of many clusters are not asked for in one go. */
const jitterMs = 100

export class DnsHosts {
  readonly #parts: DnsHostsParts
  readonly #lookups = new Map<string, Lookup>()
  #stopped = false

  constructor(parts: DnsHostsParts) {
    this.#parts = parts
    for (const { address } of parts.endpoints) {
      if (isName(address)) this.#lookups.set(address.host, { addresses: undefined, failures: 0, cancel: () => {} })
    }
  }

  start(): void {
    for (const [name, lookup] of this.#lookups) this.#ask(name, lookup)
  }

  stop(): void {
    this.#stopped = true
    for (const { cancel } of this.#lookups.values()) cancel()
  }

  /** Before the first answer a host is its name, and whoever connects looks it up: the first requests need not fail. */
  hosts(): readonly EndpointSettings[] {
    const found = new Map<string, EndpointSettings>()
    for (const endpoint of this.#parts.endpoints.flatMap((one) => this.#hostsOf(one))) {
      if (!found.has(endpoint.name)) found.set(endpoint.name, endpoint)
    }
    return [...found.values()]
  }

  #hostsOf(endpoint: EndpointSettings): readonly EndpointSettings[] {
    const addresses = this.#lookups.get(endpoint.address.host)?.addresses
    if (addresses === undefined) return [endpoint]
    const resolved = addresses.map((host) => ({ host, port: endpoint.address.port }))
    if (this.#parts.kind === 'logical-dns') return resolved.slice(0, 1).map((connectTo) => ({ ...endpoint, connectTo }))
    return resolved.map((address) => ({ ...endpoint, address, name: hostName(address), connectTo: address }))
  }

  #ask(name: string, lookup: Lookup): void {
    const { family, respectsTtl } = this.#parts.settings
    const asked = this.#parts.resolve(name, { family, wantsTtl: respectsTtl, timeoutMs: lookupTimeoutMs })
    spawn(`looking up ${name}`, asked.then(
      (found) => this.#answered(name, lookup, found),
      () => this.#failed(name, lookup),
    ))
  }

  #answered(name: string, lookup: Lookup, { addresses, ttlMs }: ResolvedName): void {
    if (this.#stopped) return
    lookup.failures = 0
    this.#askLater(name, lookup, ttlMs ?? this.#parts.settings.refreshMs)
    if (sameAddresses(lookup.addresses, addresses)) return
    lookup.addresses = addresses
    this.#parts.onHosts(this.hosts())
  }

  #failed(name: string, lookup: Lookup): void {
    if (this.#stopped) return
    const pauseMs = Math.min(shortestRefreshMs * 2 ** Math.min(lookup.failures++, 16), this.#parts.settings.refreshMs)
    this.#askLater(name, lookup, pauseMs)
    if (lookup.addresses !== undefined) return
    lookup.addresses = []
    this.#parts.onHosts(this.hosts())
  }

  #askLater(name: string, lookup: Lookup, ms: number): void {
    const { clock, random } = this.#parts
    lookup.cancel = clock.after(Math.max(shortestRefreshMs, ms) + random() * jitterMs, () => this.#ask(name, lookup))
  }
}

/** In any order: name servers rotate their answers. */
function sameAddresses(known: readonly string[] | undefined, now: readonly string[]): boolean {
  return known !== undefined && known.length === now.length && now.every((address) => known.includes(address))
}
