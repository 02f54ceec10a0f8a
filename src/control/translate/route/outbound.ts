// RDS for sidecars: one table for each HTTP port that services share, one for each sniffed service port, and one for the
// forward proxy (traffic spec 1.2.8, 1.2.9, 3.2).
import { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { Service } from '../../../model/service.ts'
import { bySpecificity, covers } from '../../hosts.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import { importedBy } from '../../snapshot/sidecars.ts'
import type { SidecarScope } from '../../snapshot/sidecars.ts'
import { destinationsOf, hostsOf, meshGateway } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { Init } from '../any.ts'
import { httpProxyRoute } from '../names.ts'
import { forwardListeners, forwardTable, portsReached, sharedPorts, sniffedRoute } from '../outbound-ports.ts'
import type { PortOfService } from '../outbound-ports.ts'
import { forwardProxyPort } from '../proxy-config.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { scopeKey } from '../shared.ts'
import { translator, viewKey } from '../translator.ts'
import type { RouteContext } from './context.ts'
import { delegateAmong, delegatesOf } from './delegates.ts'
import { hostOf } from './host-memo.ts'
import { httpRoutes } from './http-rules.ts'
import { VirtualHostList, affectsRoutes, catchAllHost, defaultRoute, serviceDomains, virtualHost, withPorts } from './virtual-host.ts'

export interface OutboundRouteView {
  readonly [part: string]: string | number | boolean | object
  readonly name: string
  /** `shared` tables choose by Host; `sniffed` ones are for one service; `proxy` ones hold all ports and keep them in domains. */
  readonly table: 'shared' | 'sniffed' | 'proxy'
  readonly services: readonly Service[]
  /** ExternalName services that stand for one of these, each after the one that it stands for. */
  readonly aliases: readonly Service[]
  readonly virtualServices: readonly VirtualService[]
  readonly delegates: readonly VirtualService[]
  /** Hosts of VirtualServices that are no service: they have effect on port 80. */
  readonly unknownHosts: readonly string[]
  /** What the VirtualServices send to. */
  readonly destinations: readonly Service[]
  /** DestinationRules that give routes a hash policy, each after its service. */
  readonly hashRules: readonly object[]
  readonly mesh: MeshSettings
  readonly clientNamespace: string
  /** As JSON; empty unless a VirtualService asks for them. */
  readonly clientLabels: string
  readonly registryOnly: boolean
  readonly resolvesUnknown: boolean
  readonly egressCluster: string
}

export const outboundRoutes = translator<OutboundRouteView, typeof RouteConfigurationSchema>('rds-outbound', {
  schema: RouteConfigurationSchema,
  names: routeNames,
  view: outboundRouteView,
  build: buildRouteTable,
  rows: 'virtualHosts',
  sharing(proxy, snapshot) {
    const scope = snapshot.scopeOf(proxy, proxy.type)
    const labels = labelsMatter(scope) || snapshot.destinationRules.choosesClientsIn(proxy.namespace) ? JSON.stringify(proxy.labels) : ''
    return {
      key: `${scopeKey(proxy, snapshot)} ${forwardProxyPort(proxy, snapshot.mesh) === undefined} ${labels}`,
      whole: [scope, snapshot.mesh, snapshot.services, snapshot.virtualServices, snapshot.destinationRules],
    }
  },
})

const labelled = new WeakMap<SidecarScope, boolean>()

/** Whether any rule of a scope asks for the client's labels. A delegate may. */
function labelsMatter(scope: SidecarScope): boolean {
  const known = labelled.get(scope)
  if (known !== undefined) return known
  const found = scope.virtualServices.some((one) => asksForLabels(one) || (one.spec.http ?? []).some((rule) => rule.delegate !== undefined))
  labelled.set(scope, found)
  return found
}

function routeNames(proxy: ProxyNode, snapshot: Snapshot): readonly string[] {
  if (proxy.type !== 'sidecar') return []
  const scope = snapshot.scopeOf(proxy, proxy.type)
  return [
    ...sharedPorts(scope).map(String),
    ...portsReached(scope, 'sniffed').map(({ service, port }) => sniffedRoute(service, port)),
    ...(forwardProxyPort(proxy, snapshot.mesh) === undefined ? [] : [httpProxyRoute]),
    ...forwardListeners(scope).map((one) => forwardTable(one)!),
  ]
}

function outboundRouteView(proxy: ProxyNode, snapshot: Snapshot, name: string): OutboundRouteView | undefined {
  if (proxy.type !== 'sidecar') return undefined
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const chosen = servicesOfTable(scope, name)
  if (chosen === undefined) return undefined
  const { table, services } = chosen
  const virtualServices = relevant(scope, table, name, services, snapshot.mesh)
  const delegates = virtualServices.flatMap((one) => delegatesOf(one, snapshot.virtualServices.delegatesFor(one)))
  const destinations = [...new Set([...virtualServices, ...delegates].flatMap((one) => destinationsOf(one, snapshot.mesh)))]
    .flatMap((host) => scope.serviceAt(snapshot.services.target(host)) ?? [])
  const ruleOf = (service: Service) => snapshot.destinationRules.lookup(proxy, service)
  const hashed = [...new Set([...services, ...destinations])].filter((service) => affectsRoutes(service, { ruleOf }))
  return {
    name,
    table,
    services,
    aliases: services.flatMap((service) => snapshot.services.aliasesOf(service.hostname).flatMap((alias) => [service, alias])),
    virtualServices,
    delegates,
    unknownHosts: unknownHosts(scope, virtualServices, snapshot.mesh),
    destinations,
    hashRules: hashed.flatMap((service) => [service, ruleOf(service)!]),
    mesh: snapshot.mesh,
    clientNamespace: proxy.namespace,
    clientLabels: [...virtualServices, ...delegates].some(asksForLabels) ? JSON.stringify(proxy.labels) : '',
    registryOnly: scope.registryOnly,
    resolvesUnknown: scope.resolvesUnknown,
    egressCluster: scope.egressCluster,
  }
}

function servicesOfTable(scope: SidecarScope, name: string): { table: OutboundRouteView['table']; services: readonly Service[] } | undefined {
  const shared = portsReached(scope, 'shared')
  const services = (ports: readonly PortOfService[]) => [...new Set(ports.map((one) => one.service))]
  if (name === httpProxyRoute) return { table: 'proxy', services: services([...shared, ...portsReached(scope, 'sniffed')]) }
  const own = forwardListeners(scope).find((one) => forwardTable(one) === name)
  if (own !== undefined) {
    const all = services([...shared, ...portsReached(scope, 'sniffed')])
    return { table: 'proxy', services: importedBy(own, scope.sidecar!.metadata.namespace, all) }
  }
  if (/^\d+$/.test(name)) {
    const found = services(shared.filter((one) => one.port.number === Number(name)))
    return found.length === 0 ? undefined : { table: 'shared', services: found }
  }
  const one = portsReached(scope, 'sniffed').find(({ service, port }) => sniffedRoute(service, port) === name)
  return one === undefined ? undefined : { table: 'sniffed', services: [one.service] }
}

/** The VirtualServices that can show in a table. */
function relevant(
  scope: SidecarScope, table: OutboundRouteView['table'], name: string, services: readonly Service[], mesh: MeshSettings,
): readonly VirtualService[] {
  const withUnknown = table === 'proxy' || name === '80'
  const names = new Set(services.map(({ hostname }) => hostname))
  const serves = (host: string): boolean => names.has(host) || (host.startsWith('*') && services.some((service) => covers(host, service.hostname)))
  return scope.virtualServices.filter((one) => (one.spec.http ?? []).length > 0
    && hostsOf(one, mesh).some((host) => serves(host) || (withUnknown && !isKnown(scope, host))))
}

function isKnown(scope: SidecarScope, host: string): boolean {
  return host.startsWith('*') ? scope.services.some((service) => covers(host, service.hostname)) : scope.serviceAt(host) !== undefined
}

function unknownHosts(scope: SidecarScope, virtualServices: readonly VirtualService[], mesh: MeshSettings): readonly string[] {
  return [...new Set(virtualServices.flatMap((one) => hostsOf(one, mesh)))].filter((host) => !isKnown(scope, host))
}

const asksForLabels = (one: VirtualService): boolean =>
  (one.spec.http ?? []).some((rule) => rule.match?.some((match) => Object.keys(match.sourceLabels ?? {}).length > 0))

function buildRouteTable(view: OutboundRouteView): Init<typeof RouteConfigurationSchema> {
  const hosts = new VirtualHostList()
  const claims = claimsOf(view)
  for (const port of portsOf(view)) addServices(view, port, claims, hosts)
  if (view.table !== 'sniffed') hosts.add(catchAllHost(view))
  return {
    name: view.name,
    virtualHosts: hosts.hosts,
    validateClusters: false,
    maxDirectResponseBodySizeBytes: 1_048_576,
    ignorePortInHostMatching: view.table !== 'proxy',
  }
}

function portsOf(view: OutboundRouteView): readonly number[] {
  if (view.table === 'proxy') {
    return [...new Set(view.services.flatMap((service) => service.ports.map((port) => port.number)))].sort((one, other) => one - other)
  }
  return [Number(view.table === 'shared' ? view.name : view.name.slice(view.name.lastIndexOf(':') + 1))]
}

function addServices(view: OutboundRouteView, port: number, claims: Claims, hosts: VirtualHostList): void {
  const context = contextOf(view, port)
  const shared = sharedParts(view)
  if (port === 80 && view.table !== 'sniffed') addUnknownHosts(view, context, hosts)
  for (const service of view.services) {
    const servicePort = service.ports.find((one) => one.number === port)
    if (servicePort === undefined) continue
    const owners = claims.of(service.hostname)
    const make = () => {
      const routes = routesFor(owners, context) ?? [defaultRoute(service, servicePort, context)]
      return virtualHost(`${service.hostname}:${port}`, domainsOf(view, service, port), routes)
    }
    const place = `${view.table} ${port}`
    // Without rules it is the same for clients of all namespaces but the service's own.
    hosts.add(owners.length === 0 && view.aliases.length === 0
      ? hostOf(service, `${place} ${view.clientNamespace === service.namespace}`, [view.mesh, context.ruleOf(service)], make)
      : hostOf(service, `${place} ruled ${view.clientNamespace}`, [...shared, ...owners], make))
  }
}

/** All of a view that virtual hosts may be made of, but for the VirtualServices: each is made of those of its own host. */
function sharedParts({ name: _name, virtualServices: _all, unknownHosts: _unknown, ...parts }: OutboundRouteView): readonly unknown[] {
  return [viewKey(parts)]
}

function domainsOf(view: OutboundRouteView, service: Service, port: number): readonly string[] {
  if (view.table === 'sniffed') return ['*']
  const aliases = view.aliases.filter((_, at) => at % 2 === 1 && view.aliases[at - 1] === service)
  const domains = [service, ...aliases].flatMap((one) => serviceDomains(one, view.clientNamespace, view.mesh.domain))
  return view.table === 'proxy' ? withPorts(domains, port) : domains
}

/** The routes of the first VirtualService, by the rules of 1.2.9, that has any here. */
function routesFor(owners: readonly VirtualService[], context: RouteContext) {
  for (const one of owners) {
    const routes = httpRoutes(one, context)
    if (routes.length > 0) return routes.map((built) => built.route)
  }
  return undefined
}

/** Which VirtualServices of a table are for a host. */
interface Claims {
  /** Exact hosts first, then the longer wildcards; among equals the order of the list. */
  of(hostname: string): readonly VirtualService[]
}

interface Claim {
  readonly one: VirtualService
  readonly host: string
  readonly at: number
}

function claimsOf({ virtualServices, mesh }: OutboundRouteView): Claims {
  const all = virtualServices.flatMap((one, at) => hostsOf(one, mesh).map((host): Claim => ({ one, host, at })))
  const exact = Map.groupBy(all, ({ host }) => host)
  const wild = all.filter(({ host }) => host.startsWith('*'))
  const order = (one: Claim, other: Claim): number => bySpecificity(one.host, other.host) || one.at - other.at
  return {
    of(hostname) {
      const found = [...(exact.get(hostname) ?? []), ...wild.filter(({ host }) => host !== hostname && covers(host, hostname))].sort(order)
      return found.length < 2 ? found.map(({ one }) => one) : [...new Set(found.map(({ one }) => one))]
    },
  }
}

function addUnknownHosts(view: OutboundRouteView, context: RouteContext, hosts: VirtualHostList): void {
  const unknown = new Set(view.unknownHosts)
  for (const one of unknown.size === 0 ? [] : view.virtualServices) {
    for (const host of hostsOf(one, view.mesh).filter((name) => unknown.has(name))) {
      const routes = httpRoutes(one, context)
      const domains = view.table === 'proxy' ? withPorts([host], 80) : [host]
      if (routes.length > 0) hosts.add(virtualHost(`${host}:80`, domains, routes.map((built) => built.route)))
    }
  }
}

function contextOf(view: OutboundRouteView, port: number): RouteContext {
  const byHost = new Map([...view.destinations, ...view.services].map((service) => [service.hostname, service]))
  const rules = new Map<Service, MergedRule>()
  for (let at = 0; at < view.hashRules.length; at += 2) {
    rules.set(view.hashRules[at] as Service, view.hashRules[at + 1] as MergedRule)
  }
  for (let at = 0; at < view.aliases.length; at += 2) byHost.set(view.aliases[at + 1]!.hostname, view.aliases[at]!)
  return {
    mesh: view.mesh,
    clientNamespace: view.clientNamespace,
    clientLabels: view.clientLabels === '' ? {} : JSON.parse(view.clientLabels) as Record<string, string>,
    gateways: [meshGateway],
    port,
    listensForTls: false,
    serviceAt: (hostname) => byHost.get(hostname),
    ruleOf: (service) => rules.get(service),
    delegateAt: delegateAmong(view.delegates),
  }
}
