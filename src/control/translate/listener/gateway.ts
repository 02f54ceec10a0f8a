// The listeners of gateways: one for each port and bind, plain HTTP, TLS that is ended here chosen by server name, or
// opaque TCP (traffic spec 4.1).
import { TrafficDirection } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { SubjectAltNameMatcher_SanType as SanType } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { DownstreamTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CommonTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { Service } from '../../../model/service.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { boundGateways } from '../../snapshot-virtual-services.ts'
import type { VirtualService } from '../../snapshot-virtual-services.ts'
import type { Gateway, Snapshot } from '../../snapshot.ts'
import type { GatewayServer } from '../../specs.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { localSecret, meshTls, remoteSecret, tlsVersions } from '../cluster/tls.ts'
import { durationOf } from '../duration.ts'
import { addressOf } from '../endpoint/assignment.ts'
import { gatewayKey, gatewayServers, serverHosts, terminatesHttps } from '../gateway-servers.ts'
import type { PlacedServer } from '../gateway-servers.ts'
import { metadataOf, resourceProvenance } from '../metadata.ts'
import { listenerName } from '../names.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { noRouteLogs } from './access-log.ts'
import { httpConnectionManager, tcpProxy, tlsInspector } from './filters.ts'
import type { FilterChainInit, ListenerInit } from './outbound.ts'
import { gatewayTcpTargets } from './tcp-routes.ts'

interface GatewayListenerView {
  readonly [part: string]: string | number | object
  readonly address: string
  readonly port: number
  readonly gateways: readonly Gateway[]
  readonly servers: readonly number[]
  /** Route table of each server; empty for none. */
  readonly routes: readonly string[]
  readonly families: readonly string[]
  readonly virtualServices: readonly VirtualService[]
  readonly destinations: readonly Service[]
  readonly mesh: MeshSettings
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
  const usable = gatewayServers(proxy, snapshot).filter((one) => one.route !== '' || hasTcpRoute(one, proxy, snapshot))
  return Map.groupBy(usable, (one) => listenerName(one.bind || anyAddress, one.port))
}

function hasTcpRoute(one: PlacedServer, proxy: ProxyNode, snapshot: Snapshot): boolean {
  const passthrough = (one.server.tls?.mode ?? '').includes('PASSTHROUGH')
  return !passthrough && tcpServices(proxy, snapshot, [one.gateway]).some((service) =>
    gatewayTcpTargets(service, one, [], snapshot.mesh) !== undefined)
}

function tcpServices(proxy: ProxyNode, snapshot: Snapshot, gateways: readonly Gateway[]): readonly VirtualService[] {
  const names = gateways.map(gatewayKey)
  return snapshot.virtualServices.all.filter((one) => (one.spec.tcp ?? []).length > 0
    && snapshot.virtualServices.sees(proxy.namespace, one) && names.some((name) => boundGateways(one).has(name)))
}

function gatewayView(proxy: ProxyNode, snapshot: Snapshot, name: string): GatewayListenerView | undefined {
  const servers = proxy.type === 'router' ? listeners(proxy, snapshot).get(name) : undefined
  const first = servers?.[0]
  if (servers === undefined || first === undefined) return undefined
  const gateways = servers.map((one) => one.gateway)
  const opaque = servers.some((one) => one.route === '')
  return {
    address: first.bind || anyAddress,
    port: first.port,
    gateways,
    servers: servers.map((one) => one.index),
    routes: servers.map((one) => one.route),
    families: servers.map((one) => one.family),
    virtualServices: opaque ? tcpServices(proxy, snapshot, gateways) : [],
    destinations: opaque ? snapshot.scopeOf(proxy, proxy.type).reachable : [],
    mesh: snapshot.mesh,
  }
}

function buildGatewayListener(view: GatewayListenerView): ListenerInit {
  const servers = view.gateways.map((gateway, at) => placedServer(view, gateway, at))
  const tls = servers[0]!.family === 'tls'
  const chains = servers[0]!.family === 'http' ? [plainChain(view, servers)] : servers.flatMap((one) => serverChain(view, one))
  return {
    name: listenerName(view.address, view.port),
    address: addressOf(view.address, view.port),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: tls ? noRouteLogs(view.mesh) : [],
    ...(tls && { listenerFilters: [tlsInspector()], listenerFiltersTimeout: durationOf(15_000) }),
    filterChains: chains,
  }
}

function placedServer(view: GatewayListenerView, gateway: Gateway, at: number): PlacedServer {
  const index = view.servers[at]!
  return {
    gateway, index, server: gateway.spec.servers![index]!, family: view.families[at]! as PlacedServer['family'],
    port: view.port, bind: view.address, route: view.routes[at]!,
  }
}

function http(view: GatewayListenerView, route: string) {
  const statPrefix = `outbound_${view.address}_${view.port}`
  return httpConnectionManager({ side: 'gateway', statPrefix, mesh: view.mesh, routes: route })
}

/** All plain HTTP servers of a port share one table. */
function plainChain(view: GatewayListenerView, servers: readonly PlacedServer[]): FilterChainInit {
  return { filters: [http(view, servers[0]!.route)], metadata: originOf(servers[0]!) }
}

const originOf = (one: PlacedServer): NonNullable<FilterChainInit['metadata']> =>
  metadataOf({ ...resourceProvenance(one.gateway), origin: one.gateway.locate(['spec', 'servers', one.index]), rule: one.index })

function serverChain(view: GatewayListenerView, one: PlacedServer): FilterChainInit[] {
  const filter = terminatesHttps(one) ? http(view, one.route) : opaqueFilter(view, one)
  if (filter === undefined) return []
  const names = serverHosts(one).map((host) => host.host)
  const anyName = names.includes('*')
  return [{
    ...(one.family === 'tls' && !anyName && { filterChainMatch: { serverNames: names } }),
    ...(one.family === 'tls' && { transportSocket: serverTls(one.server) }),
    filters: [filter],
    metadata: originOf(one),
  }]
}

function opaqueFilter(view: GatewayListenerView, one: PlacedServer) {
  for (const owner of view.virtualServices) {
    const targets = gatewayTcpTargets(owner, one, view.destinations, view.mesh)
    if (targets !== undefined) return tcpProxy(targets.statPrefix, targets.clusters, view.mesh)
  }
  return undefined
}

function serverTls(server: GatewayServer): FilterChainInit['transportSocket'] {
  const mode = server.tls?.mode ?? 'SIMPLE'
  const https = server.port.protocol.toUpperCase() === 'HTTPS'
  const alpn = https ? ['h2', 'http/1.1'] : []
  const context = packed(DownstreamTlsContextSchema, {
    commonTlsContext: mode === 'ISTIO_MUTUAL' ? meshTls(alpn, {}) : ownTls(server, alpn),
    requireClientCertificate: mode === 'MUTUAL' || mode === 'ISTIO_MUTUAL',
  })
  return { name: 'envoy.transport_sockets.tls', configType: { case: 'typedConfig', value: context } }
}

function ownTls(server: GatewayServer, alpn: readonly string[]): Init<typeof CommonTlsContextSchema> {
  const tls = server.tls
  const credential = tls?.credentialName
  const certificate = credential !== undefined && credential !== ''
    ? remoteSecret(`kubernetes://${credential}`)
    : localSecret(`file-cert:${tls?.serverCertificate ?? ''}~${tls?.privateKey ?? ''}`)
  const common = { alpnProtocols: [...alpn], tlsParams: tlsVersions, tlsCertificateSdsSecretConfigs: [certificate] }
  if (tls?.mode !== 'MUTUAL' && tls?.mode !== 'OPTIONAL_MUTUAL') return common
  const roots = credential !== undefined && credential !== ''
    ? remoteSecret(`kubernetes://${credential}-cacert`)
    : localSecret(`file-root:${tls.caCertificates ?? ''}`)
  return {
    ...common,
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: (tls.subjectAltNames ?? []).map((exact) => ({
            sanType: exact.includes('://') ? SanType.URI : SanType.DNS,
            matcher: { matchPattern: { case: 'exact' as const, value: exact } },
          })),
        },
        validationContextSdsSecretConfig: roots,
      },
    },
  }
}
