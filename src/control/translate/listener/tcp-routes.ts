// Where opaque connections to a service port go: the first tcp rule that can hold, else the service itself
// (traffic spec 1.2.5).
import type { Service, ServicePort } from '../../../model/service.ts'
import { covers, overlaps, selects } from '../../hosts.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { gatewayNames, hostsOf, meshGateway } from '../../snapshot-virtual-services.ts'
import type { VirtualService } from '../../snapshot-virtual-services.ts'
import type { TcpMatch, TcpRule } from '../../specs.ts'
import { gatewayKey, serverHosts } from '../gateway-servers.ts'
import type { PlacedServer } from '../gateway-servers.ts'
import { resourceProvenance, serviceProvenance } from '../metadata.ts'
import type { Provenance } from '../metadata.ts'
import { outboundCluster } from '../names.ts'
import { usedDestinations } from '../route/action.ts'
import { resolveDestination } from '../route/context.ts'
import type { WeightedTarget } from './filters.ts'

export interface TcpRoutes {
  readonly service: Service
  readonly port: ServicePort
  readonly virtualServices: readonly VirtualService[]
  readonly destinations: readonly Service[]
  readonly clientNamespace: string
  readonly clientLabels: Readonly<Record<string, string>>
  readonly mesh: MeshSettings
}

export function tcpVirtualServices(all: readonly VirtualService[], service: Service, mesh: MeshSettings): readonly VirtualService[] {
  return all.filter((one) => (one.spec.tcp ?? []).length > 0 && hostsOf(one, mesh).some((host) => covers(host, service.hostname)))
}

export function tcpTargets(routes: TcpRoutes): { clusters: readonly WeightedTarget[]; statPrefix: string; from: Provenance } {
  for (const owner of routes.virtualServices) {
    for (const [rule, one] of (owner.spec.tcp ?? []).entries()) {
      if (!ruleApplies(one, owner, routes)) continue
      const clusters = targetsOf(one, owner, { ...routes, port: routes.port.number })
      const from = { ...resourceProvenance(owner), origin: owner.locate(['spec', 'tcp', rule]), rule }
      return { clusters, statPrefix: clusters.length === 1 ? clusters[0]!.cluster : `${owner.metadata.name}.${owner.metadata.namespace}`, from }
    }
  }
  const own = outboundCluster(routes.port.number, '', routes.service.hostname)
  return { clusters: [{ cluster: own, weight: 1 }], statPrefix: own, from: serviceProvenance(routes.service) }
}

/** What a gateway's server does with bytes: the first tcp rule of a VirtualService that is bound to it and overlaps its hosts. */
export function gatewayTcpTargets(owner: VirtualService, one: PlacedServer, destinations: readonly Service[], mesh: MeshSettings) {
  const hosts = hostsOf(owner, mesh)
  if (!serverHosts(one).some((server) => (server.namespace === '*' || server.namespace === owner.metadata.namespace)
    && hosts.some((host) => overlaps(server.host, host)))) return undefined
  const name = gatewayKey(one.gateway)
  const at = (owner.spec.tcp ?? []).findIndex((rule) => tcpRuleFits(rule, owner, name, one.server.port.number))
  const rule = owner.spec.tcp?.[at]
  if (rule === undefined) return undefined
  const clusters = targetsOf(rule, owner, { port: one.server.port.number, destinations, mesh, clientNamespace: '', clientLabels: {} })
  return { clusters, statPrefix: clusters.length === 1 ? clusters[0]!.cluster : `${owner.metadata.name}.${owner.metadata.namespace}` }
}

function tcpRuleFits(rule: TcpRule, owner: VirtualService, gateway: string, port: number): boolean {
  const matches = rule.match ?? []
  const bound = (gateways: readonly string[] | undefined) => gatewayNames(gateways, owner.metadata.namespace).includes(gateway)
  if (matches.length === 0) return bound(owner.spec.gateways)
  return matches.some((match) => (!match.port || match.port === port)
    && bound(match.gateways !== undefined && match.gateways.length > 0 ? match.gateways : owner.spec.gateways))
}

/** Rules with destinationSubnets would need a chain per subnet; validate says that those are not served yet. */
function ruleApplies(rule: TcpRule, owner: VirtualService, routes: TcpRoutes): boolean {
  const matches = rule.match ?? []
  return matches.length === 0 || matches.some((match) => (match.destinationSubnets ?? []).length === 0 && blockApplies(match, owner, routes))
}

function blockApplies(match: TcpMatch, owner: VirtualService, routes: TcpRoutes): boolean {
  const gateways = match.gateways !== undefined && match.gateways.length > 0 ? match.gateways : owner.spec.gateways
  return gatewayNames(gateways, owner.metadata.namespace).includes(meshGateway)
    && (!match.port || match.port === routes.port.number)
    && selects(match.sourceLabels ?? {}, routes.clientLabels)
    && (!match.sourceNamespace || match.sourceNamespace === routes.clientNamespace)
}

type TargetContext = Pick<TcpRoutes, 'destinations' | 'clientNamespace' | 'clientLabels' | 'mesh'> & { readonly port: number }

function targetsOf(rule: TcpRule, owner: VirtualService, routes: TargetContext): readonly WeightedTarget[] {
  const byHost = new Map(routes.destinations.map((service) => [service.hostname, service]))
  const context = {
    mesh: routes.mesh, clientNamespace: routes.clientNamespace, clientLabels: routes.clientLabels, gateways: [meshGateway],
    port: routes.port, listensForTls: false,
    serviceAt: (hostname: string) => byHost.get(hostname),
    ruleOf: () => undefined,
    delegateAt: () => undefined,
  }
  return usedDestinations(rule.route ?? []).map((one) => ({
    cluster: resolveDestination(one.destination, owner, context).cluster,
    weight: one.weight ?? 1,
  }))
}
