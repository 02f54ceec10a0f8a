// The listeners of gateways: one for each port and bind, plain HTTP, TLS that is ended here or passed on, chosen by server
// name, or opaque TCP (traffic spec 4.1). What one server cannot do takes nothing from the others of its port.
import { TrafficDirection } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { JwtRule } from '../../../kinds/security/request-authentication.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import type { Gateway, Snapshot } from '../../snapshot.ts'
import { translator } from '../translator.ts'
import { grpcOf } from '../cluster/protocol.ts'
import { durationOf } from '../duration.ts'
import { addressOf } from '../endpoint/assignment.ts'
import { gatewayServers, serverHosts, terminatesHttps } from '../gateway-servers.ts'
import type { PlacedServer } from '../gateway-servers.ts'
import { peerOf, protocolNamed } from '../inbound-ports.ts'
import { metadataOf, resourceProvenance } from '../metadata.ts'
import { listenerName } from '../names.ts'
import { hasDynamicNames } from '../outbound-ports.ts'
import { httpIdleMs, takesHttp10, topologyOf } from '../proxy-config.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { noRouteLogs } from './access-log.ts'
import { Claims, byteChain } from './byte-chains.ts'
import { httpConnectionManager, proxyProtocol, tcpProxy, tlsInspector, toCluster } from './filters.ts'
import type { Topology } from './filters.ts'
import { serverBytes } from './gateway-bytes.ts'
import type { ServerBytes } from './gateway-bytes.ts'
import { acceptedTokens } from '../security/authentication.ts'
import { authorizationOf, guardsOf } from '../security/guards.ts'
import type { Guards } from '../security/guards.ts'
import type { FilterChainInit, ListenerInit } from './outbound.ts'
import { serverTlsProblem, serverTlsSocket } from './server-tls.ts'

interface GatewayListenerView {
  readonly [part: string]: string | number | boolean | object
  readonly address: string
  readonly port: number
  readonly gateways: readonly Gateway[]
  readonly servers: readonly number[]
  /** Route table of each server; empty for none. */
  readonly routes: readonly string[]
  readonly families: readonly string[]
  /** ServerBytes[] as JSON. */
  readonly bytes: string
  /** Topology as JSON. */
  readonly topology: string
  readonly http10: boolean
  readonly idleMs: number | false
  readonly looksUp: boolean
  readonly authorizations: readonly AuthorizationPolicy[]
  readonly asked: string
  readonly jwtRules: readonly JwtRule[]
  readonly jwtKeys: readonly string[]
  readonly mesh: MeshSettings
}

/** The view, with what all chains of the listener share. */
interface Building extends GatewayListenerView {
  readonly guards: Guards
}

const anyAddress = '0.0.0.0'

export const gatewayListeners = translator<GatewayListenerView, typeof ListenerSchema>('lds-gateway', {
  schema: ListenerSchema,
  names: (proxy, snapshot) => (proxy.type === 'router' ? [...listeners(proxy, snapshot).keys()] : []),
  view: gatewayView,
  build: buildGatewayListener,
})

/** What has no route at all gets no listener: the connection is refused. */
function listeners(proxy: ProxyNode, snapshot: Snapshot): ReadonlyMap<string, readonly PlacedServer[]> {
  const usable = gatewayServers(proxy, snapshot).filter((one) => {
    if (serverTlsProblem(one.server) !== undefined) return false
    const { chains, dnat } = serverBytes(one, proxy, snapshot)
    return one.route !== '' || chains.length + dnat.length > 0
  })
  return Map.groupBy(usable, (one) => listenerName(one.bind || anyAddress, one.port))
}

function gatewayView(proxy: ProxyNode, snapshot: Snapshot, name: string): GatewayListenerView | undefined {
  const servers = proxy.type === 'router' ? listeners(proxy, snapshot).get(name) : undefined
  const first = servers?.[0]
  if (servers === undefined || first === undefined) return undefined
  return {
    address: first.bind || anyAddress,
    port: first.port,
    gateways: servers.map((one) => one.gateway),
    servers: servers.map((one) => one.index),
    routes: servers.map((one) => one.route),
    families: servers.map((one) => one.family),
    bytes: JSON.stringify(servers.map((one) => serverBytes(one, proxy, snapshot))),
    topology: JSON.stringify(topologyOf(proxy, snapshot)),
    http10: takesHttp10(proxy, snapshot),
    idleMs: httpIdleMs(proxy, snapshot),
    looksUp: hasDynamicNames(snapshot.scopeOf(proxy, proxy.type)),
    ...authorizationOf(peerOf(proxy, snapshot), proxy.type, snapshot),
    ...acceptedTokens(peerOf(proxy, snapshot), proxy.type, snapshot),
    mesh: snapshot.mesh,
  }
}

function buildGatewayListener(given: GatewayListenerView): ListenerInit {
  const view: Building = { ...given, guards: guardsOf(given, true) }
  const servers = view.gateways.map((gateway, at) => placedServer(view, gateway, at))
  const bytes = JSON.parse(view.bytes) as ServerBytes[]
  const { family } = servers[0]!
  const claims = new Claims()
  return {
    name: listenerName(view.address, view.port),
    address: addressOf(view.address, view.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: family === 'tls' ? noRouteLogs(view.mesh) : [],
    ...inspection(view, family),
    filterChains: family === 'http' ? [plainChain(view, servers)] : servers.flatMap((one, at) => serverChains(view, one, bytes[at]!, claims)),
  }
}

/** Who is waited for at all is waited for as long as for a handshake. */
function inspection(view: GatewayListenerView, family: PlacedServer['family']): ListenerInit {
  const { proxyProtocol: told } = JSON.parse(view.topology) as Topology
  const listenerFilters = [...(told === undefined ? [] : [proxyProtocol()]), ...(family === 'tls' ? [tlsInspector()] : [])]
  return listenerFilters.length === 0 ? {} : { listenerFilters, listenerFiltersTimeout: durationOf(15_000) }
}

function placedServer(view: GatewayListenerView, gateway: Gateway, at: number): PlacedServer {
  const index = view.servers[at]!
  return {
    gateway, index, server: gateway.spec.servers![index]!, family: view.families[at]! as PlacedServer['family'],
    port: view.port, bind: view.address, route: view.routes[at]!,
  }
}

function http(view: Building, servers: readonly PlacedServer[]) {
  const statPrefix = `outbound_${view.address}_${view.port}`
  const grpc = grpcOf(servers.map(({ server }) => protocolNamed(server.port.protocol)))
  const topology = JSON.parse(view.topology) as Topology
  return httpConnectionManager({ side: 'gateway', statPrefix, mesh: view.mesh, grpc, http10: view.http10, idleMs: view.idleMs, looksUp: view.looksUp, topology, security: view.guards.http, routes: servers[0]!.route })
}

/** All plain HTTP servers of a port share one table. */
function plainChain(view: Building, servers: readonly PlacedServer[]): FilterChainInit {
  return { filters: [http(view, servers)], metadata: originOf(servers[0]!) }
}

const originOf = (one: PlacedServer): NonNullable<FilterChainInit['metadata']> =>
  metadataOf({ ...resourceProvenance(one.gateway), origin: one.gateway.locate(['spec', 'servers', one.index]), rule: one.index })

function serverChains(view: Building, one: PlacedServer, { chains, ends, dnat }: ServerBytes, claims: Claims): FilterChainInit[] {
  if (terminatesHttps(one)) return endedChains(view, one, claims, { filters: [http(view, [one])], metadata: originOf(one) })
  if (ends) return chains.flatMap((chain) => endedChains(view, one, claims, endedBytes(view, chain, one)))
  const passed = chains.flatMap((chain) => claims.claim(chain)).map((chain) => byteChain(chain, view.mesh, view.guards.bytes))
  return [...passed, ...dnat.flatMap((name) => dnatChain(view, one, name, claims))]
}

function endedBytes(view: Building, chain: ServerBytes['chains'][number], one: PlacedServer): FilterChainInit {
  return { filters: [...view.guards.bytes, tcpProxy(chain.statPrefix, chain.clusters, view.mesh, chain.options)], metadata: originOf(one) }
}

/** One that ends TLS for the hosts of its server. */
function endedChains({ mesh }: Building, one: PlacedServer, claims: Claims, chain: FilterChainInit): FilterChainInit[] {
  return claims.claim({ subnets: [], serverNames: serverHosts(one).map(({ host }) => host) }).map(({ serverNames }) => ({
    ...(serverNames.length > 0 && { filterChainMatch: { serverNames } }),
    transportSocket: serverTlsSocket(one.server.tls, terminatesHttps(one), mesh),
    ...chain,
  }))
}

/** What proxies of a mesh call themselves in ALPN. */
const meshProtocols = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']

function dnatChain(view: Building, one: PlacedServer, name: string, claims: Claims): FilterChainInit[] {
  return claims.claim({ subnets: [], serverNames: [name] }).map(({ serverNames }) => ({
    filterChainMatch: { serverNames, applicationProtocols: meshProtocols },
    filters: [...view.guards.bytes, toCluster(name, view.mesh)],
    metadata: originOf(one),
  }))
}
