// RDS for gateways: the rules of all VirtualServices that are bound to the servers of a port, host by host
// (traffic spec 1.2.9, 4.1).
import { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import { VirtualHost_TlsRequirementType as TlsRequirement } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { Service } from '../../../model/service.ts'
import { covers } from '../../hosts.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import { boundGateways, destinationsOf, hostsOf } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { Gateway, Snapshot } from '../../snapshot.ts'
import type { Init } from '../any.ts'
import { gatewayKey, gatewayServers, serverHosts, terminatesHttps } from '../gateway-servers.ts'
import type { ServerHost } from '../gateway-servers.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import type { RouteContext } from './context.ts'
import { delegateAmong, delegatesOf } from './delegates.ts'
import { httpRoutes } from './http-rules.ts'
import type { BuiltRoute } from './http-rules.ts'
import { VirtualHostList, affectsRoutes, virtualHost } from './virtual-host.ts'

interface GatewayRouteView {
  readonly [part: string]: string | number | boolean | object
  readonly name: string
  /** Where the listener opens. */
  readonly port: number
  readonly tls: boolean
  readonly gateways: readonly Gateway[]
  /** Index of the server in the gateway of the same place. */
  readonly servers: readonly number[]
  readonly virtualServices: readonly VirtualService[]
  readonly delegates: readonly VirtualService[]
  readonly destinations: readonly Service[]
  /** DestinationRules that give routes a hash policy, each after its service. */
  readonly hashRules: readonly object[]
  readonly mesh: MeshSettings
  readonly namespace: string
  readonly labels: string
}

export const gatewayRoutes = translator<GatewayRouteView, typeof RouteConfigurationSchema>('rds-gateway', {
  schema: RouteConfigurationSchema,
  names: (proxy, snapshot) => (proxy.type === 'router'
    ? [...new Set(gatewayServers(proxy, snapshot).map((one) => one.route).filter((route) => route !== ''))] : []),
  view: gatewayView,
  build: buildGatewayRoutes,
})

function gatewayView(proxy: ProxyNode, snapshot: Snapshot, name: string): GatewayRouteView | undefined {
  const servers = proxy.type === 'router' ? gatewayServers(proxy, snapshot).filter((one) => one.route === name) : []
  const [first] = servers
  if (first === undefined) return undefined
  const names = new Set(servers.map((one) => gatewayKey(one.gateway)))
  const virtualServices = snapshot.virtualServices.all.filter((one) =>
    (one.spec.http ?? []).length > 0 && snapshot.virtualServices.sees(proxy.namespace, one) && intersects(boundGateways(one), names))
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const delegates = virtualServices.flatMap((one) => delegatesOf(one, snapshot.virtualServices.delegatesFor(one)))
  const destinations = [...new Set([...virtualServices, ...delegates].flatMap((one) => destinationsOf(one, snapshot.mesh)))]
    .flatMap((host) => scope.serviceAt(snapshot.services.target(host)) ?? [])
  const ruleOf = (service: Service) => snapshot.destinationRules.lookup(proxy, service)
  return {
    name,
    port: first.port,
    tls: terminatesHttps(first),
    gateways: servers.map((one) => one.gateway),
    servers: servers.map((one) => one.index),
    virtualServices,
    delegates,
    destinations,
    hashRules: destinations.filter((service) => affectsRoutes(service, { ruleOf })).flatMap((service) => [service, ruleOf(service)!]),
    mesh: snapshot.mesh,
    namespace: proxy.namespace,
    labels: JSON.stringify(proxy.labels),
  }
}

const intersects = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean => [...one].some((name) => other.has(name))

/** One host of the table while it is put together. */
interface HostRules {
  readonly routes: BuiltRoute[]
  redirectToTls: boolean
}

function buildGatewayRoutes(view: GatewayRouteView): Init<typeof RouteConfigurationSchema> {
  const byHost = new Map<string, HostRules>()
  for (const [at, gateway] of view.gateways.entries()) addServer(view, gateway, view.servers[at]!, byHost)
  const hosts = new VirtualHostList()
  for (const [host, rules] of [...byHost].filter(([, one]) => one.redirectToTls || one.routes.length > 0)) {
    hosts.add({
      ...virtualHost(`${host}:${view.port}`, [host], catchAllLast(rules.routes)),
      ...(rules.redirectToTls && { requireTls: TlsRequirement.ALL }),
    })
  }
  if (view.tls) refuseMisdirected(view, hosts)
  if (hosts.hosts.length === 0) hosts.add(virtualHost(`blackhole:${view.port}`, ['*'], []))
  return {
    name: view.name,
    virtualHosts: hosts.hosts,
    validateClusters: false,
    maxDirectResponseBodySizeBytes: 1_048_576,
    ignorePortInHostMatching: true,
  }
}

/**
 * The server name has chosen the server: a request for a host that it does not serve came by a connection that was made for
 * another one. 421 has the client make its own (RFC 9110 §15.5.20); a host of the server without routes is 404 as ever.
 */
function refuseMisdirected(view: GatewayRouteView, hosts: VirtualHostList): void {
  const served = view.gateways.flatMap((gateway, at) => serverHosts({ gateway, server: gateway.spec.servers![view.servers[at]!]! }))
  if (served.some(({ host }) => host === '*')) return
  for (const { host } of served) hosts.add(virtualHost(`${host}:${view.port}`, [host], []))
  hosts.add(virtualHost(`misdirected:${view.port}`, ['*'], [{
    name: 'misdirected',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'directResponse', value: { status: 421 } },
  }]))
}

function addServer(view: GatewayRouteView, gateway: Gateway, index: number, byHost: Map<string, HostRules>): void {
  const server = gateway.spec.servers![index]!
  const context = contextOf(view, gateway, server.port.number)
  const redirectToTls = server.tls?.httpsRedirect === true
  const rulesAt = (host: string): HostRules => {
    const rules = byHost.get(host) ?? { routes: [], redirectToTls: false }
    rules.redirectToTls ||= redirectToTls
    byHost.set(host, rules)
    return rules
  }
  const offered = serverHosts({ gateway, server })
  if (redirectToTls) for (const { host } of offered) rulesAt(host)
  for (const one of view.virtualServices) {
    const hosts = offeredHosts(one, offered, view.mesh)
    if (hosts.length === 0) continue
    const routes = httpRoutes(one, context)
    for (const host of hosts) rulesAt(host).routes.push(...routes)
  }
}

/** Hosts that both the server and the VirtualService name: the narrower of each pair. */
function offeredHosts(one: VirtualService, offered: readonly ServerHost[], mesh: MeshSettings): readonly string[] {
  const own = hostsOf(one, mesh)
  const found = new Set<string>()
  for (const server of offered.filter(({ namespace }) => namespace === '*' || namespace === one.metadata.namespace)) {
    for (const host of own) {
      if (covers(server.host, host)) found.add(host)
      else if (covers(host, server.host)) found.add(server.host)
    }
  }
  return [...found]
}

/** Rules of several VirtualServices follow each other; what matches everything must not hide those after it. */
function catchAllLast(routes: readonly BuiltRoute[]) {
  return [...routes.filter((one) => !one.catchAll), ...routes.filter((one) => one.catchAll)].map((one) => one.route)
}

function contextOf(view: GatewayRouteView, gateway: Gateway, port: number): RouteContext {
  const byHost = new Map(view.destinations.map((service) => [service.hostname, service]))
  const rules = new Map<object, object>()
  for (let at = 0; at < view.hashRules.length; at += 2) rules.set(view.hashRules[at]!, view.hashRules[at + 1]!)
  return {
    mesh: view.mesh,
    clientNamespace: view.namespace,
    clientLabels: JSON.parse(view.labels) as Record<string, string>,
    gateways: [gatewayKey(gateway)],
    port,
    listensForTls: view.tls,
    serviceAt: (hostname) => byHost.get(hostname),
    ruleOf: (service) => rules.get(service) as MergedRule | undefined,
    delegateAt: delegateAmong(view.delegates),
  }
}
