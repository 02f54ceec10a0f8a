// The hosts of a dynamic forward proxy cluster: whatever name a request is for. A name is looked up when it is first asked
// for and kept up to date while it is in use; requests wait for its first answer, and its last good one outlives bad DNS.
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { isName } from '../../net/resolve.ts'
import type { ResolveName } from '../../net/resolve.ts'
import type { DnsSettings } from './cluster-config.ts'
import { DnsHosts } from './dns-hosts.ts'
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import { failLater } from './fail-later.ts'
import type { RuntimeHost } from './host.ts'
import type { StreamWaiter } from './types.ts'

export interface DynamicHostsParts {
  readonly settings: DnsSettings
  /** For names without a port. */
  readonly defaultPort: number
  readonly resolve: ResolveName
  readonly clock: Clock
  random(): number
  create(settings: EndpointSettings): RuntimeHost
}

type Failing = Pick<StreamWaiter, 'onFailure'>

interface Entry {
  readonly host: RuntimeHost
  readonly lookup: DnsHosts | undefined
  /** Undefined: not known yet. False: the name has never had an address. */
  resolved: boolean | undefined
  lastUsed: number
  waiting: Set<(resolved: boolean) => void>
}

/** Envoy's limit of one DNS cache, and how long it keeps a name that nobody asks for. */
const maxHosts = 1024
const keptMs = 300_000

export class DynamicHosts {
  readonly #parts: DynamicHostsParts
  readonly #entries = new Map<string, Entry>()

  constructor(parts: DynamicHostsParts) {
    this.#parts = parts
  }

  get all(): readonly RuntimeHost[] {
    return Array.from(this.#entries.values(), ({ host }) => host)
  }

  /** Undefined: the authority is none, or there are too many names in use. */
  at(authority: string): RuntimeHost | undefined {
    const address = addressOf(authority, this.#parts.defaultPort)
    if (address === undefined) return undefined
    const name = hostName(address)
    const entry = this.#entries.get(name) ?? this.#add(name, address)
    if (entry === undefined) return undefined
    entry.lastUsed = this.#parts.clock.now()
    return entry.host
  }

  /** Asks once the host's name has been answered for: at once when it has been already. The result gives up, whatever it waits for. */
  onceResolved({ name }: RuntimeHost, ask: () => () => void, waiter: Failing): () => void {
    const entry = this.#entries.get(name)
    if (entry === undefined || entry.resolved === true) return ask()
    let giveUp: () => void
    const answered = (resolved: boolean): void => void (giveUp = resolved ? ask() : fail(waiter))
    if (entry.resolved === false) return fail(waiter)
    entry.waiting.add(answered)
    giveUp = () => void entry.waiting.delete(answered)
    return () => giveUp()
  }

  /** Whether any is left. */
  forgetUnused(): boolean {
    const now = this.#parts.clock.now()
    for (const [name, entry] of this.#entries) {
      if (entry.host.unused && entry.waiting.size === 0 && now - entry.lastUsed >= keptMs) this.#remove(name, entry)
    }
    return this.#entries.size > 0
  }

  stop(): void {
    for (const { lookup } of this.#entries.values()) lookup?.stop()
  }

  #add(name: string, address: Address): Entry | undefined {
    if (this.#entries.size >= maxHosts) this.#makeRoom()
    if (this.#entries.size >= maxHosts) return undefined
    const settings: EndpointSettings = { address, name, connectTo: address, weight: 1, health: 'healthy', priority: 0, locality: '', localityWeight: 0, workload: '', socketLabels: {} }
    const entry: Entry = {
      host: this.#parts.create(settings), lookup: isName(address) ? this.#lookup(settings, name) : undefined,
      resolved: isName(address) ? undefined : true, lastUsed: 0, waiting: new Set(),
    }
    this.#entries.set(name, entry)
    entry.lookup?.start()
    return entry
  }

  #lookup(settings: EndpointSettings, name: string): DnsHosts {
    return new DnsHosts({ ...this.#parts, kind: 'logical-dns', endpoints: [settings], onHosts: ([found]) => this.#answered(name, found) })
  }

  #answered(name: string, found: EndpointSettings | undefined): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    if (found !== undefined) entry.host.apply(found)
    entry.resolved = found !== undefined
    const { waiting } = entry
    entry.waiting = new Set()
    for (const callback of waiting) callback(entry.resolved)
  }

  /** The one that was not asked for the longest, of those that carry nothing. */
  #makeRoom(): void {
    const unused = [...this.#entries].filter(([, { host, waiting }]) => host.unused && waiting.size === 0)
    const oldest = unused.toSorted(([, one], [, other]) => one.lastUsed - other.lastUsed)[0]
    if (oldest !== undefined) this.#remove(...oldest)
  }

  #remove(name: string, { lookup }: Entry): void {
    lookup?.stop()
    this.#entries.delete(name)
  }
}

const fail = (waiter: Failing): (() => void) => failLater(() => waiter.onFailure('connection-failure', 'DNS resolution failure'))

/** `a.test:8080`, `a.test`, `[::1]:80`. */
function addressOf(authority: string, defaultPort: number): Address | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@]+))(?::(\d{1,5}))?$/i.exec(authority)
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  const host = match?.[1] ?? match?.[2]?.toLowerCase()
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}
