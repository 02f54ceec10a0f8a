// Services and their endpoints as indexes: by host and namespace, by visibility, endpoints by service and port.
import type { Endpoint, Service, ServicePort } from '../../model/service.ts'
import type { Workload } from '../../model/workload.ts'
import { selects, visible } from '../hosts.ts'
import { sameItems } from '../intern.ts'
import type { MeshSettings } from '../mesh-settings.ts'

export const serviceKey = (hostname: string, namespace: string): string => `${namespace}/${hostname}`
const endpointsKey = (service: Service, portName: string): string => `${service.namespace}/${service.hostname}/${portName}`

export class ServiceIndex {
  /** Sorted: the order of equal-ranking services is the same in every snapshot. */
  readonly all: readonly Service[]
  readonly #byKey = new Map<string, Service>()
  readonly #aliasAt = new Map<string, Service>()
  readonly #aliases = new Map<string, readonly Service[]>()
  readonly #visible = new Map<string, readonly Service[]>()
  #byNamespace: Map<string, readonly Service[]> | undefined
  readonly #mesh: MeshSettings

  constructor(services: readonly Service[], mesh: MeshSettings) {
    this.#mesh = mesh
    this.all = [...services].sort(byPriority)
    for (const service of this.all) {
      const key = serviceKey(service.hostname, service.namespace)
      if (!this.#byKey.has(key)) this.#byKey.set(key, service)
    }
    this.#indexAliases()
  }

  get(hostname: string, namespace: string): Service | undefined {
    return this.#byKey.get(serviceKey(hostname, namespace))
  }

  /** Services that a namespace sees, aliases left out. */
  visibleTo(namespace: string): readonly Service[] {
    let found = this.#visible.get(namespace)
    if (found === undefined) {
      found = this.all.filter((service) => service.resolution !== 'alias' && this.sees(namespace, service))
      this.#visible.set(namespace, found)
    }
    return found
  }

  /** Of one namespace, in the same order. */
  in(namespace: string): readonly Service[] {
    this.#byNamespace ??= Map.groupBy(this.all, (one) => one.namespace)
    return this.#byNamespace.get(namespace) ?? none
  }

  sees(namespace: string, service: Service): boolean {
    const exportTo = service.exportTo.length === 0 ? this.#mesh.serviceExportTo : service.exportTo
    return visible(exportTo, service.namespace, namespace)
  }

  /** ExternalName services that, through any number of steps, stand for this host. */
  aliasesOf(hostname: string): readonly Service[] {
    return this.#aliases.get(hostname) ?? none
  }

  /** The host that an alias finally stands for; any other host stands for itself. */
  target(hostname: string): string {
    let at = hostname
    for (const seen = new Set<string>(); !seen.has(at); ) {
      seen.add(at)
      const alias = this.#aliasAt.get(at)
      if (alias?.aliasOf === undefined) return at
      at = alias.aliasOf
    }
    return hostname
  }

  #indexAliases(): void {
    const aliases = this.all.filter((service) => service.resolution === 'alias')
    for (const alias of aliases) if (!this.#aliasAt.has(alias.hostname)) this.#aliasAt.set(alias.hostname, alias)
    for (const alias of aliases) {
      const target = this.target(alias.hostname)
      if (target !== alias.hostname) this.#aliases.set(target, [...this.aliasesOf(target), alias])
    }
  }
}

const none: readonly never[] = []

/** Kubernetes before others, then the oldest, then by name (traffic spec 5.3). */
function byPriority(one: Service, other: Service): number {
  const rank = (service: Service) => (service.registry === 'Kubernetes' ? 0 : 1)
  return rank(one) - rank(other)
    || one.creationTimestamp - other.creationTimestamp
    || compare(one.hostname, other.hostname)
    || compare(one.namespace, other.namespace)
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** Endpoints by service port. Lists that did not change are the ones of the last snapshot. */
export class EndpointIndex {
  readonly #byPort = new Map<string, readonly Endpoint[]>()
  /** Stands for this index in the next one, which must not keep it. */
  readonly #identity = {}
  readonly #earlier: object | undefined
  readonly #changed = new Set<string>()

  constructor(endpoints: readonly Endpoint[], earlier: EndpointIndex | undefined) {
    this.#earlier = earlier === undefined ? undefined : earlier.#identity
    for (const endpoint of endpoints) {
      const key = `${endpoint.namespace}/${endpoint.hostname}/${endpoint.servicePortName}`
      const list = this.#byPort.get(key)
      if (list === undefined) this.#byPort.set(key, [endpoint])
      else (list as Endpoint[]).push(endpoint)
    }
    for (const [key, list] of this.#byPort) {
      const before = earlier === undefined ? undefined : earlier.#byPort.get(key)
      if (before !== undefined && sameItems(before, list)) this.#byPort.set(key, before)
      else this.#changed.add(serviceOf(list))
    }
    if (earlier === undefined) return
    for (const [key, list] of earlier.#byPort) if (!this.#byPort.has(key)) this.#changed.add(serviceOf(list))
  }

  /** Keys of the services whose endpoints are not those of the index right before; undefined for any other index. */
  changedSince(earlier: EndpointIndex): ReadonlySet<string> | undefined {
    return earlier.#identity === this.#earlier ? this.#changed : undefined
  }

  of(service: Service, port: ServicePort): readonly Endpoint[] {
    return this.#byPort.get(endpointsKey(service, port.name)) ?? none
  }
}

const serviceOf = ([first]: readonly Endpoint[]): string => serviceKey(first!.hostname, first!.namespace)

/** Workloads by name and address, and which services select one. */
export class WorkloadIndex {
  readonly all: readonly Workload[]
  readonly #byName = new Map<string, Workload>()
  readonly #byAddress = new Map<string, Workload>()

  constructor(workloads: readonly Workload[]) {
    this.all = workloads
    for (const workload of workloads) {
      this.#byName.set(`${workload.namespace}/${workload.name}`, workload)
      for (const address of workload.addresses) this.#byAddress.set(address, workload)
    }
  }

  named(namespace: string, name: string): Workload | undefined {
    return this.#byName.get(`${namespace}/${name}`)
  }

  at(address: string): Workload | undefined {
    return this.#byAddress.get(address)
  }
}

/** Services of the workload's namespace that select its labels, or list one of its addresses as an endpoint. */
export function servicesOf(
  services: ServiceIndex,
  endpoints: EndpointIndex,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>>; readonly addresses: readonly string[] },
): readonly Service[] {
  return services.in(workload.namespace).filter((service) => {
    if (service.resolution === 'alias') return false
    if (service.selector !== undefined) {
      return Object.keys(service.selector).length > 0 && selects(service.selector, workload.labels)
    }
    return service.ports.some((port) => endpoints.of(service, port).some((one) => workload.addresses.includes(one.address)))
  })
}
