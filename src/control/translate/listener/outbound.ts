// The listeners by which a sidecar's workload calls others (traffic spec 3.2). Those of services are never bound: the
// connection comes from virtualOutbound, which finds the best one by the original destination.
import { TrafficDirection } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { FilterChainSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Service, ServicePort } from '../../../model/service.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { SidecarScope } from '../../snapshot-sidecars.ts'
import type { VirtualService } from '../../snapshot-virtual-services.ts'
import { addressOf } from '../endpoint/assignment.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'
import { metadataOf, serviceProvenance } from '../metadata.ts'
import { blackHoleCluster, httpProxyRoute, listenerName, passthroughCluster, virtualOutbound } from '../names.ts'
import { portsReached, sharedPorts, sniffedRoute, virtualAddresses } from '../outbound-ports.ts'
import type { PortOfService } from '../outbound-ports.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { noRouteLogs } from './access-log.ts'
import { httpConnectionManager, httpInspector, plainHttp, tcpProxy, tlsInspector, toCluster } from './filters.ts'
import { tcpTargets, tcpVirtualServices } from './tcp-routes.ts'

export type ListenerInit = Init<typeof ListenerSchema>
export type FilterChainInit = Init<typeof FilterChainSchema>

const anyAddress = '0.0.0.0'
const outboundPort = 15001

interface ListenerView {
  readonly [part: string]: string | number | boolean | object | undefined
  readonly address: string
  readonly port: number
  /** `capture` is virtualOutbound itself, `proxy` the forward proxy. */
  readonly serves: 'capture' | 'proxy' | 'shared' | 'sniffed' | 'opaque'
  readonly service: Service | undefined
  readonly servicePort: ServicePort | undefined
  /** With tcp rules for the service. */
  readonly virtualServices: readonly VirtualService[]
  readonly clientNamespace: string
  readonly clientLabels: string
  /** Services that tcp rules send to. */
  readonly destinations: readonly Service[]
  readonly mesh: MeshSettings
  readonly registryOnly: boolean
}

export const outboundListeners = translator<ListenerView, typeof ListenerSchema>('lds-outbound', {
  schema: ListenerSchema,
  names: (proxy, snapshot) => (proxy.type === 'sidecar' ? [...planOf(proxy, snapshot).keys()] : []),
  view: (proxy, snapshot, name) => (proxy.type === 'sidecar' ? planOf(proxy, snapshot).get(name)?.() : undefined),
  build: buildListener,
})

type Plan = ReadonlyMap<string, () => ListenerView>
const plans = new WeakMap<SidecarScope, WeakMap<ProxyNode, Plan>>()

/** All listeners of a proxy by name. Where two want one bind, HTTP wins, then the older service. */
function planOf(proxy: ProxyNode, snapshot: Snapshot): Plan {
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const known = plans.get(scope)?.get(proxy)
  if (known !== undefined) return known
  const plan = makePlan(proxy, snapshot, scope)
  const byProxy = plans.get(scope) ?? new WeakMap<ProxyNode, Plan>()
  byProxy.set(proxy, plan)
  plans.set(scope, byProxy)
  return plan
}

function makePlan(proxy: ProxyNode, snapshot: Snapshot, scope: SidecarScope): Plan {
  const plan = new Map<string, () => ListenerView>()
  const base = {
    service: undefined, servicePort: undefined, virtualServices: [], destinations: [], clientLabels: '',
    clientNamespace: '', mesh: snapshot.mesh, registryOnly: scope.registryOnly,
  }
  const add = (name: string, make: () => ListenerView) => {
    if (!plan.has(name)) plan.set(name, make)
  }
  add(virtualOutbound, () => ({ ...base, address: anyAddress, port: outboundPort, serves: 'capture' }))
  if (proxy.httpProxyPort !== undefined) {
    const port = proxy.httpProxyPort
    add(listenerName('127.0.0.1', port), () => ({ ...base, address: '127.0.0.1', port, serves: 'proxy' }))
  }
  for (const port of sharedPorts(scope)) {
    add(listenerName(anyAddress, port), () => ({ ...base, address: anyAddress, port, serves: 'shared' }))
  }
  const one = (serves: 'sniffed' | 'opaque', address: string, { service, port }: PortOfService) =>
    add(listenerName(address, port.number), () => ({
      ...base, address, port: port.number, serves, service, servicePort: port, ...tcpParts(proxy, snapshot, scope, service),
    }))
  for (const reached of portsReached(scope, 'sniffed')) for (const address of virtualAddresses(reached.service)) one('sniffed', address, reached)
  for (const reached of portsReached(scope, 'opaque')) for (const address of virtualAddresses(reached.service)) one('opaque', address, reached)
  for (const reached of portsReached(scope, 'any-address')) one('opaque', anyAddress, reached)
  return plan
}

function tcpParts(proxy: ProxyNode, snapshot: Snapshot, scope: SidecarScope, service: Service) {
  const virtualServices = tcpVirtualServices(scope.virtualServices, service, snapshot.mesh)
  if (virtualServices.length === 0) return {}
  return {
    virtualServices,
    destinations: scope.reachable,
    clientNamespace: proxy.namespace,
    clientLabels: JSON.stringify(proxy.labels),
  }
}

function buildListener(view: ListenerView): ListenerInit {
  const common: ListenerInit = {
    name: view.serves === 'capture' ? virtualOutbound : listenerName(view.address, view.port),
    address: addressOf(view.address, view.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: view.serves === 'capture' ? noRouteLogs(view.mesh) : [],
  }
  switch (view.serves) {
    case 'capture':
      return { ...common, useOriginalDst: true, filterChains: captureChains(view) }
    case 'proxy':
      return { ...common, filterChains: [{ filters: [http(view, httpProxyRoute)] }] }
    case 'shared':
      return { ...common, ...captured(true), filterChains: [httpChain(view, String(view.port))], defaultFilterChain: unknownChain(view) }
    case 'sniffed':
      return { ...common, ...captured(true), filterChains: [httpChain(view, sniffedRoute(view.service!, view.servicePort!)), opaqueChain(view)] }
    case 'opaque':
      return { ...common, ...captured(false), filterChains: [opaqueChain(view)] }
  }
}

/** Never bound, and ready to wait for a client that says nothing for as long as it likes. */
function captured(sniffs: boolean): ListenerInit {
  return {
    bindToPort: false,
    ...(sniffs && {
      listenerFilters: [tlsInspector(), httpInspector()],
      listenerFiltersTimeout: durationOf(0),
      continueOnListenerFiltersTimeout: true,
    }),
  }
}

function http(view: ListenerView, routes: string) {
  const statPrefix = `outbound_${view.address}_${view.port}`
  return httpConnectionManager({ side: 'outbound', statPrefix, mesh: view.mesh, routes })
}

function httpChain(view: ListenerView, routes: string): FilterChainInit {
  return {
    filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: plainHttp },
    filters: [http(view, routes)],
    ...(view.service !== undefined && { metadata: metadataOf(serviceProvenance(view.service)) }),
  }
}

function opaqueChain(view: ListenerView): FilterChainInit {
  const targets = tcpTargets({
    service: view.service!,
    port: view.servicePort!,
    virtualServices: view.virtualServices,
    destinations: view.destinations,
    clientNamespace: view.clientNamespace,
    clientLabels: view.clientLabels === '' ? {} : JSON.parse(view.clientLabels) as Record<string, string>,
    mesh: view.mesh,
  })
  return {
    filters: [tcpProxy(targets.statPrefix, targets.clusters, view.mesh)],
    metadata: metadataOf(targets.from),
  }
}

/** What does not look like HTTP on a shared port goes where it was going, if the mesh lets it. */
function unknownChain(view: ListenerView): FilterChainInit {
  return { name: 'PassthroughFilterChain', filters: [toCluster(catchAllCluster(view), view.mesh)] }
}

const catchAllCluster = (view: ListenerView): string => (view.registryOnly ? blackHoleCluster : passthroughCluster)

/** A connection made to 15001 itself would come back for ever. */
function captureChains(view: ListenerView): FilterChainInit[] {
  return [
    { name: 'virtualOutbound-blackhole', filterChainMatch: { destinationPort: outboundPort }, filters: [toCluster(blackHoleCluster, view.mesh)] },
    { name: 'virtualOutbound-catchall-tcp', filters: [toCluster(catchAllCluster(view), view.mesh)] },
  ]
}
