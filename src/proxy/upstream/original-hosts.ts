// The hosts of an ORIGINAL_DST cluster: whatever clients meant to reach, made when first asked for and forgotten when
// nothing is open to them any more.
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { RuntimeHost } from './host.ts'
import type { Address } from '../../model/address.ts'

/** A client that scans addresses must not fill the memory. */
const maxHosts = 10_000

export class OriginalHosts {
  readonly #create: (settings: EndpointSettings) => RuntimeHost
  readonly #hosts = new Map<string, RuntimeHost>()

  constructor(create: (settings: EndpointSettings) => RuntimeHost) {
    this.#create = create
  }

  get all(): readonly RuntimeHost[] {
    return [...this.#hosts.values()]
  }

  /** Undefined when there are too many that are in use. */
  at(address: Address): RuntimeHost | undefined {
    const name = hostName(address)
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    if (this.#hosts.size >= maxHosts) this.forgetUnused()
    if (this.#hosts.size >= maxHosts) return undefined
    const host = this.#create({ address, name, connectTo: address, weight: 1, health: 'healthy', priority: 0, locality: '', localityWeight: 0, workload: '', socketLabels: {} })
    this.#hosts.set(name, host)
    return host
  }

  /** Whether any is left. */
  forgetUnused(): boolean {
    for (const [name, host] of this.#hosts) {
      if (host.unused) this.#hosts.delete(name)
    }
    return this.#hosts.size > 0
  }
}
