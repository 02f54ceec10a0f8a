// Endpoints: one for each port of a service and each place that serves it (traffic spec 1.7, 5.2, 5.3).
import { isIP } from '../../kinds/fields/host.ts'
import type { Endpoint, EndpointHealth, Service, ServicePort } from '../../model/service.ts'
import type { Workload } from '../../model/workload.ts'
import { nowhere, withPlace } from './locality.ts'
import { ofEntry } from './workloads.ts'
import type { ServiceEntry } from './service-entries.ts'

/** Where one endpoint is, and whether it takes traffic. */
export interface Place {
  readonly address: string
  readonly port: number
  readonly health: EndpointHealth
  /** Others of the same workload. */
  readonly further?: readonly string[]
}

/** Those of its ports that are balanced at all. */
export const balancedPorts = (service: Service): readonly ServicePort[] => service.ports.filter((port) => port.protocol !== 'UDP')

/** Envoy takes names only where the proxy resolves them. */
export const reachable = (service: Service, address: string): boolean =>
  isIP(address) || address.startsWith('unix:') || service.resolution === 'dns' || service.resolution === 'dns-round-robin'

/** Endpoints of the workloads that a service selects. `evenUnready`: publishNotReadyAddresses. */
export function selectedEndpoints(service: Service, workloads: readonly Workload[], evenUnready: boolean): readonly Endpoint[] {
  return balancedPorts(service).flatMap((servicePort) => workloads.flatMap((workload) => {
    const [address, ...further] = workload.addresses
    const port = workloadPort(workload, servicePort)
    if (address === undefined || port === undefined || !reachable(service, address)) return []
    const health = workload.ready || evenUnready ? 'healthy' : 'unhealthy'
    return [endpointAt(service, servicePort, { address, port: address.startsWith('unix:') ? 0 : port, health, further }, workload)]
  }))
}

/** The workload's port behind a service port; undefined when it has none of that name. */
function workloadPort(workload: Workload, { name, number, targetPort }: ServicePort): number | undefined {
  const named = (wanted: string) => (wanted === '' ? undefined : workload.ports.find((one) => one.name === wanted)?.containerPort)
  const target = typeof targetPort === 'number' ? targetPort : named(targetPort)
  return workload.kind === 'WorkloadEntry' ? named(name) ?? target ?? number : target
}

/** `workload` is undefined for an address that nothing else is known of. */
export function endpointAt(service: Service, { name }: ServicePort, { address, port, health, further = [] }: Place, workload: Workload | undefined): Endpoint {
  return Object.freeze<Endpoint>({
    hostname: service.hostname,
    namespace: service.namespace,
    servicePortName: name,
    address,
    port,
    ...(further.length > 0 && { furtherAddresses: further }),
    labels: workload === undefined ? {} : withPlace(workload.labels, workload.locality, workload.network, workload.node),
    locality: workload?.locality ?? nowhere,
    network: workload?.network ?? '',
    weight: workload?.weight ?? 1,
    health,
    mutualTls: workload?.mutualTls ?? false,
    serviceAccount: workload?.serviceAccount ?? '',
    workload: workload === undefined ? '' : `${workload.namespace}/${workload.name}`,
    ...memberName(service, workload),
  })
}

/** A Pod has a name below the headless service that it says; a Process below each that selects it. */
function memberName(service: Service, workload: Workload | undefined): Pick<Endpoint, 'memberName'> {
  if (service.resolution !== 'passthrough' || workload === undefined) return {}
  if (workload.kind === 'Process') return { memberName: workload.name.toLowerCase() }
  return workload.hostname !== undefined && workload.subdomain === service.name ? { memberName: workload.hostname } : {}
}

/** Endpoints that a ServiceEntry lists; where it lists none, STATIC takes its addresses. */
export function listedEndpoints(service: Service, entry: ServiceEntry, meshNetwork: string): readonly Endpoint[] {
  const { spec } = entry
  if (spec.endpoints.length > 0) return spec.endpoints.flatMap((_, index) => inlineEndpoints(service, entry, index, meshNetwork))
  if (spec.resolution !== 'STATIC' || spec.workloadSelector !== undefined) return []
  const hosts = spec.addresses.filter((one) => !one.includes('/'))
  return portsOf(service, entry).flatMap(({ servicePort, written }) =>
    hosts.map((address) => endpointAt(service, servicePort, { address, port: written.targetPort ?? written.number, health: 'healthy' }, undefined)),
  )
}

function inlineEndpoints(service: Service, entry: ServiceEntry, index: number, meshNetwork: string): readonly Endpoint[] {
  const spec = entry.spec.endpoints[index]!
  // Without an address it is reached through its network's gateway only.
  if (spec.address === '' || !reachable(service, spec.address)) return []
  const { locality, network, weight, mutualTls, serviceAccount } = ofEntry(spec, spec.labels, meshNetwork)
  const labels = withPlace(spec.labels, locality, network, '')
  return portsOf(service, entry).map(({ servicePort, written }) => {
    const port = spec.address.startsWith('unix:') ? 0 : spec.ports[written.name] ?? written.targetPort ?? written.number
    const place = endpointAt(service, servicePort, { address: spec.address, port, health: 'healthy' }, undefined)
    return Object.freeze<Endpoint>({ ...place, labels, locality, network, weight, mutualTls, serviceAccount })
  })
}

/** The ports that this entry has, each with what the service calls it. */
function portsOf(service: Service, { spec }: ServiceEntry) {
  return balancedPorts(service).flatMap((servicePort) => {
    const written = spec.ports.find((one) => one.number === servicePort.number)
    return written === undefined ? [] : [{ servicePort, written }]
  })
}
