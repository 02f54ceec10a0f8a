// Endpoints that a cluster lists for a Service: in EndpointSlices, or in an Endpoints object where there is no slice
// (traffic spec 5.2). Addresses are used as they stand, also those of this machine.
import type { EndpointSliceSpec } from '../../kinds/core/endpoint-slice.ts'
import type { EndpointsSpec } from '../../kinds/core/endpoints.ts'
import type { Resource } from '../../model/resource.ts'
import type { Endpoint, EndpointHealth, Service } from '../../model/service.ts'
import type { Workload } from '../../model/workload.ts'
import { balancedPorts, endpointAt } from './endpoints.ts'
import type { WorkloadPool } from './workload-pool.ts'

export type EndpointSlice = Resource<EndpointSliceSpec>
export type EndpointsObject = Resource<EndpointsSpec>

/** One address of a list, with what serves there. */
export interface ListedAddress {
  readonly address: string
  readonly health: EndpointHealth
  readonly ports: readonly { readonly name: string; readonly port: number }[]
  readonly workload: Workload | undefined
  /** Its own name below a headless service. */
  readonly hostname: string | null | undefined
}

/** The Service that a slice belongs to, `namespace/name`. */
export function serviceOfSlice({ metadata }: EndpointSlice): string | undefined {
  const name = metadata.labels['kubernetes.io/service-name']
  return name === undefined ? undefined : `${metadata.namespace}/${name}`
}

/** Slices of DNS names are for others than us, as in Istio. */
export function addressesOfSlice({ metadata, spec }: EndpointSlice, pool: WorkloadPool): readonly ListedAddress[] {
  if (spec.addressType === 'FQDN') return []
  const ports = spec.ports.flatMap(({ name, port }) => (typeof port === 'number' ? [{ name: name ?? '', port }] : []))
  return spec.endpoints.flatMap(({ addresses, conditions, hostname, targetRef }) => {
    const ready = conditions?.ready !== false
    if (!ready && conditions?.terminating === true) return []
    return addresses.map((address): ListedAddress => ({
      address, ports, health: ready ? 'healthy' : 'unhealthy', workload: behind(pool, metadata.namespace, address, ports[0]?.port ?? 0, targetRef), hostname,
    }))
  })
}

export function addressesOfEndpoints({ metadata, spec }: EndpointsObject, pool: WorkloadPool): readonly ListedAddress[] {
  return spec.subsets.flatMap(({ addresses, notReadyAddresses, ports }) => {
    const listed = (health: EndpointHealth) => ({ ip, hostname, targetRef }: typeof addresses[number]): ListedAddress => ({
      address: ip, ports, health, workload: behind(pool, metadata.namespace, ip, ports[0]?.port ?? 0, targetRef), hostname,
    })
    return [...addresses.map(listed('healthy')), ...notReadyAddresses.map(listed('unhealthy'))]
  })
}

interface Reference {
  readonly kind?: string | undefined
  readonly name?: string | undefined
  readonly namespace?: string | undefined
}

/** The list's own word first: Pods on their node's network share an address. */
function behind(pool: WorkloadPool, namespace: string, address: string, port: number, ref: Reference | null | undefined): Workload | undefined {
  const named = ref?.kind === 'Pod' && ref.name !== undefined ? pool.named('Pod', ref.namespace ?? namespace, ref.name) : undefined
  return named ?? pool.at(address, port)
}

/** The same address and port in two slices is one endpoint. */
export function endpointsOfLists(service: Service, listed: readonly ListedAddress[], evenUnready: boolean): readonly Endpoint[] {
  return balancedPorts(service).flatMap((servicePort) => {
    const seen = new Set<string>()
    return listed.flatMap(({ address, ports, health, workload, hostname }) => {
      const port = ports.find((one) => one.name === servicePort.name)?.port
      const key = `${address} ${port}`
      if (port === undefined || seen.has(key)) return []
      seen.add(key)
      const endpoint = endpointAt(service, servicePort, { address, port, health: evenUnready ? 'healthy' : health }, workload)
      return [hostname && service.resolution === 'passthrough' ? Object.freeze({ ...endpoint, memberName: hostname.toLowerCase() }) : endpoint]
    })
  })
}
