// By which listener a sidecar's workload reaches a service port (traffic spec 3.2).
import type { Service, ServicePort } from '../../model/service.ts'
import type { SidecarScope } from '../snapshot/sidecars.ts'
import { isHttp, usablePorts } from './cluster/protocol.ts'
import { protocolNamed } from './inbound-ports.ts'
import { httpProxyRoute } from './names.ts'

/**
 * `shared`: by Host, on a listener of the port on all addresses. `sniffed`: on the service's own addresses, HTTP or not.
 * `opaque`: bytes, on the service's own addresses. `any-address`: bytes, on a listener of the port on all addresses, known
 * by ranges of addresses or by server name where there are such. `endpoints`: bytes, on the addresses of its endpoints.
 */
export type Reach = 'shared' | 'sniffed' | 'opaque' | 'any-address' | 'endpoints'

function reachOf(service: Service, port: ServicePort): Reach {
  const own = virtualAddresses(service).length > 0
  if (isHttp(port.protocol)) return 'shared'
  if (port.protocol === 'auto') return own ? 'sniffed' : 'shared'
  if (own) return 'opaque'
  return isHeadless(service) ? 'endpoints' : 'any-address'
}

/** Its name stands for the addresses of its endpoints. */
export const isHeadless = (service: Service): boolean => service.resolution === 'passthrough' && service.registry === 'Kubernetes'

/** Addresses that stand for the service alone. A headless service has none: its addresses are its endpoints'. */
export function virtualAddresses(service: Service): readonly string[] {
  return isHeadless(service) ? [] : service.addresses.filter((one) => !one.includes('/'))
}

/** Ranges of addresses that stand for the service. */
export const addressRanges = (service: Service): readonly string[] => service.addresses.filter((one) => one.includes('/'))

export interface PortOfService {
  readonly service: Service
  readonly port: ServicePort
}

const reached = new WeakMap<readonly Service[], ReadonlyMap<Reach, readonly PortOfService[]>>()

/** All service ports of a scope that are reached in one way. */
export function portsReached(scope: SidecarScope, reach: Reach): readonly PortOfService[] {
  let found = reached.get(scope.services)
  if (found === undefined) {
    const all = scope.services.flatMap((service) => usablePorts(service.ports).map((port) => ({ service, port })))
    found = Map.groupBy(all, (one) => reachOf(one.service, one.port))
    reached.set(scope.services, found)
  }
  return found.get(reach) ?? []
}

/** Port numbers with a shared HTTP listener, ascending. */
export function sharedPorts(scope: SidecarScope): readonly number[] {
  return [...new Set(portsReached(scope, 'shared').map((one) => one.port.number))].sort((one, other) => one - other)
}

export const sniffedRoute = (service: Service, port: ServicePort): string => `${service.hostname}:${port.number}`

const dynamic = new WeakMap<readonly Service[], boolean>()

/** Whether some of what is reached is looked up by name when a request names it. */
export function hasDynamicNames({ reachable }: SidecarScope): boolean {
  const known = dynamic.get(reachable) ?? reachable.some((service) => service.resolution === 'dynamic-dns')
  dynamic.set(reachable, known)
  return known
}

export type Egress = NonNullable<NonNullable<SidecarScope['sidecar']>['spec']['egress']>[number]

/**
 * The route table of an egress listener for requests that say by their authority to which service and port they go: on a
 * unix socket, or of protocol HTTP_PROXY. Undefined for other listeners.
 */
export function forwardTable({ port, bind = '' }: Egress): string | undefined {
  if (port === undefined) return undefined
  if (bind.startsWith('unix://')) return isHttp(protocolNamed(port.protocol)) ? bind : undefined
  return port.protocol === 'HTTP_PROXY' ? `${httpProxyRoute}.${bind === '' ? '' : `${bind}_`}${port.number}` : undefined
}

/** Listeners that have such a table. */
export const forwardListeners = ({ sidecar }: SidecarScope): readonly Egress[] => (sidecar?.spec.egress ?? []).filter((one) => forwardTable(one) !== undefined)
