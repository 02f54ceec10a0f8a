// The hosts of an ORIGINAL_DST cluster: whatever clients meant to reach, made when first asked for and forgotten when
// nothing is open to them any more.
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { RuntimeHost } from './host.ts'
import type { MeshEndpoints } from './mesh-endpoints.ts'
import type { UpstreamTls } from './tls.ts'
import type { Address } from '../../model/address.ts'

/** A client that scans addresses must not fill the memory. */
const maxHosts = 10_000

export interface OriginalHostsParts {
  /** Undefined: where whoever is there is spoken to as the cluster says. */
  readonly meshEndpoints: MeshEndpoints | undefined
  /** `tls`: instead of the cluster's own. */
  create(settings: EndpointSettings, tls: UpstreamTls | undefined): RuntimeHost
  /** A host that is none any more. */
  retire(host: RuntimeHost): void
}

export class OriginalHosts {
  readonly #parts: OriginalHostsParts
  readonly #hosts = new Map<string, RuntimeHost>()

  constructor(parts: OriginalHostsParts) {
    this.#parts = parts
  }

  get all(): readonly RuntimeHost[] {
    return [...this.#hosts.values()]
  }

  /** Undefined when there are too many that are in use. */
  at(address: Address): RuntimeHost | undefined {
    const name = hostName(address)
    const known = this.#hosts.get(name)
    const { meshEndpoints } = this.#parts
    if (meshEndpoints === undefined) return known ?? this.#add(name, address, undefined)
    const endpoint = meshEndpoints.at(name)
    if (known === undefined) return this.#add(name, address, endpoint)
    if (known.socket.tls !== endpoint?.socket.tls) return this.#replace(known, endpoint)
    if (endpoint !== undefined) known.workload = endpoint.workload
    return known
  }

  /** It is spoken to in another way from now on. What is open to it finishes. */
  #replace(known: RuntimeHost, endpoint: RuntimeHost | undefined): RuntimeHost | undefined {
    this.#hosts.delete(known.name)
    this.#parts.retire(known)
    return this.#add(known.name, known.address, endpoint)
  }

  #add(name: string, address: Address, endpoint: RuntimeHost | undefined): RuntimeHost | undefined {
    if (this.#hosts.size >= maxHosts) this.forgetUnused()
    if (this.#hosts.size >= maxHosts) return undefined
    const workload = endpoint?.workload ?? ''
    const host = this.#parts.create({ address, name, connectTo: address, weight: 1, health: 'healthy', priority: 0, locality: '', localityWeight: 0, workload, socketLabels: {} }, endpoint?.socket.tls)
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
