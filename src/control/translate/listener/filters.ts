// Network filters: the HTTP connection manager with its HTTP filters in Istio's order, and the opaque TCP proxy.
import type { FilterSchema, ListenerFilterSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import { ApiVersion } from '../../../proto/gen/envoy/config/core/v3/config_source_pb.ts'
import { CorsSchema } from '../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { FilterConfigSchema as GrpcStatsSchema } from '../../../proto/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts'
import { GrpcWebSchema } from '../../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import { RouterSchema } from '../../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpInspectorSchema } from '../../../proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { OriginalDstSchema } from '../../../proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts'
import { OriginalSrcSchema } from '../../../proto/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.ts'
import { ProxyProtocolSchema } from '../../../proto/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts'
import { TlsInspectorSchema } from '../../../proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import type { HttpFilterSchema } from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import {
  HttpConnectionManagerSchema, HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
} from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { TcpProxySchema } from '../../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { ProxyConfigSpec } from '../../specs.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { forwardProxyFilter } from '../cluster/forward-proxy.ts'
import { durationOf } from '../duration.ts'
import { corsFilter, faultFilter } from '../route/filters.ts'
import { accessLogs } from './access-log.ts'

export type NetworkFilter = Init<typeof FilterSchema>
type HttpFilter = Init<typeof HttpFilterSchema>

/** Which end of a request this listener is at: it decides whom to believe. */
export type HttpSide = 'outbound' | 'inbound' | 'gateway'

/** Proxies in front of a gateway: how many, and what they say of clients. */
export type Topology = NonNullable<ProxyConfigSpec['gatewayTopology']>

/** What of gRPC may come: some of it, and some of it as gRPC-Web. */
export type GrpcKind = 'none' | 'grpc' | 'web'

export interface HttpListener {
  readonly side: HttpSide
  readonly statPrefix: string
  readonly mesh: MeshSettings
  readonly grpc: GrpcKind
  readonly http10: boolean
  /** A connection without requests ends after so long; false: as in Envoy, 0: never. */
  readonly idleMs: number | false
  /** Some of what it sends to is looked up by name. */
  readonly looksUp?: boolean
  /** Of gateways. */
  readonly topology?: Topology
  /** Who may do what, before anything else is done. */
  readonly security?: readonly HttpFilter[]
  /** The name of a table that RDS brings, or the table itself. */
  readonly routes: string | Init<typeof RouteConfigurationSchema>
}

export function httpConnectionManager(listener: HttpListener): NetworkFilter {
  const { mesh } = listener
  const config = packed(HttpConnectionManagerSchema, {
    statPrefix: listener.statPrefix,
    routeSpecifier: routeSpecifier(listener.routes),
    httpFilters: httpFilters(listener),
    accessLog: accessLogs(mesh),
    serverName: 'istio-envoy',
    generateRequestId: true,
    ...trust(listener),
    ...(listener.idleMs !== false && { commonHttpProtocolOptions: { idleTimeout: durationOf(listener.idleMs) } }),
    ...(listener.http10 && { httpProtocolOptions: { acceptHttp10: true } }),
    normalizePath: mesh.normalizePath,
    mergeSlashes: mesh.mergeSlashes,
    pathWithEscapedSlashesAction: mesh.decodeSlashes ? EscapedSlashes.UNESCAPE_AND_FORWARD : EscapedSlashes.KEEP_UNCHANGED,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    streamIdleTimeout: durationOf(0),
    delayedCloseTimeout: durationOf(1000),
  })
  return { name: 'envoy.filters.network.http_connection_manager', configType: { case: 'typedConfig', value: config } }
}

function routeSpecifier(routes: HttpListener['routes']) {
  if (typeof routes !== 'string') return { case: 'routeConfig' as const, value: routes }
  const configSource = {
    configSourceSpecifier: { case: 'ads' as const, value: {} },
    initialFetchTimeout: durationOf(0),
    resourceApiVersion: ApiVersion.V3,
  }
  return { case: 'rds' as const, value: { configSource, routeConfigName: routes } }
}

const clientCertModes: Readonly<Record<string, ForwardClientCert>> = {
  SANITIZE: ForwardClientCert.SANITIZE, FORWARD_ONLY: ForwardClientCert.FORWARD_ONLY, APPEND_FORWARD: ForwardClientCert.APPEND_FORWARD,
  SANITIZE_SET: ForwardClientCert.SANITIZE_SET, ALWAYS_FORWARD_ONLY: ForwardClientCert.ALWAYS_FORWARD_ONLY,
}

/** Whom to believe about the client's address and certificate. */
function trust({ side, topology: { numTrustedProxies = 0, forwardClientCertDetails = '' } = {} }: HttpListener) {
  switch (side) {
    case 'outbound':
      return { useRemoteAddress: false, forwardClientCertDetails: ForwardClientCert.SANITIZE }
    case 'inbound':
      return {
        useRemoteAddress: false,
        forwardClientCertDetails: ForwardClientCert.APPEND_FORWARD,
        setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
      }
    case 'gateway':
      return {
        useRemoteAddress: true,
        xffNumTrustedHops: numTrustedProxies,
        forwardClientCertDetails: clientCertModes[forwardClientCertDetails] ?? ForwardClientCert.SANITIZE_SET,
        setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
      }
  }
}

/** Without per-route configuration faults and CORS do nothing. The router is always last. */
function httpFilters({ grpc, looksUp = false, security = [] }: HttpListener) {
  const filter = (name: string, config: ReturnType<typeof packed>) => ({ name, configType: { case: 'typedConfig' as const, value: config } })
  return [
    ...security,
    ...(grpc === 'web' ? [filter('envoy.filters.http.grpc_web', packed(GrpcWebSchema, {}))] : []),
    ...(grpc === 'none' ? [] : [filter('envoy.filters.http.grpc_stats', packed(GrpcStatsSchema, grpcStats))]),
    filter(faultFilter, packed(HTTPFaultSchema, {})),
    filter(corsFilter, packed(CorsSchema, {})),
    ...(looksUp ? [forwardProxyFilter] : []),
    filter('envoy.filters.http.router', packed(RouterSchema, {})),
  ]
}

/** Counted by service, not by method: methods are whatever clients write. */
const grpcStats: Init<typeof GrpcStatsSchema> = { emitFilterState: true, perMethodStatSpecifier: { case: 'statsForAllMethods', value: { value: false } } }

export interface WeightedTarget {
  readonly cluster: string
  readonly weight: number
}

export interface TcpOptions {
  readonly idleMs?: number
  /** However busy. */
  readonly longestMs?: number
  /** Connections of one client address go to one host. */
  readonly byClientAddress?: boolean
  /** An HTTP proxy behind the cluster takes the bytes to this `host:port`. */
  readonly tunnel?: { readonly to: string; readonly byPost: boolean }
}

export function tcpProxy(statPrefix: string, targets: readonly WeightedTarget[], mesh: MeshSettings, options: TcpOptions = {}): NetworkFilter {
  const { idleMs, longestMs, byClientAddress, tunnel } = options
  const [only] = targets
  const config = packed(TcpProxySchema, {
    statPrefix,
    accessLog: accessLogs(mesh),
    ...(idleMs !== undefined && { idleTimeout: durationOf(idleMs) }),
    ...(longestMs !== undefined && { maxDownstreamConnectionDuration: durationOf(longestMs) }),
    ...(tunnel !== undefined && { tunnelingConfig: { hostname: tunnel.to, usePost: tunnel.byPost } }),
    ...(byClientAddress === true && { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] }),
    clusterSpecifier: targets.length === 1
      ? { case: 'cluster', value: only!.cluster }
      : { case: 'weightedClusters', value: { clusters: targets.map((one) => ({ name: one.cluster, weight: one.weight })) } },
  })
  return { name: 'envoy.filters.network.tcp_proxy', configType: { case: 'typedConfig', value: config } }
}

export const toCluster = (cluster: string, mesh: MeshSettings): NetworkFilter => tcpProxy(cluster, [{ cluster, weight: 1 }], mesh)

export type ListenerFilter = Init<typeof ListenerFilterSchema>

/** What goes on to the application comes from the client's own address; the mark is the one that the rules of capture know. */
export const originalSource = (): ListenerFilter => ({
  name: 'envoy.filters.listener.original_src',
  configType: { case: 'typedConfig', value: packed(OriginalSrcSchema, { mark: 1337 }) },
})

/** Not on `exceptPorts`. */
export function tlsInspector(exceptPorts: readonly number[] = []): ListenerFilter {
  return {
    name: 'envoy.filters.listener.tls_inspector',
    configType: { case: 'typedConfig', value: packed(TlsInspectorSchema, {}) },
    ...(exceptPorts.length > 0 && { filterDisabled: anyPort(exceptPorts) }),
  }
}

/** Reads who the client is from in front of all that it sends. */
export const proxyProtocol = (): ListenerFilter => ({
  name: 'envoy.filters.listener.proxy_protocol',
  configType: { case: 'typedConfig', value: packed(ProxyProtocolSchema, {}) },
})

export const originalDestination = (): ListenerFilter => ({
  name: 'envoy.filters.listener.original_dst',
  configType: { case: 'typedConfig', value: packed(OriginalDstSchema, {}) },
})

/** Not on `exceptPorts`: a server that speaks first would be waited for in vain. */
export function httpInspector(exceptPorts: readonly number[] = []): ListenerFilter {
  return {
    name: 'envoy.filters.listener.http_inspector',
    configType: { case: 'typedConfig', value: packed(HttpInspectorSchema, {}) },
    ...(exceptPorts.length > 0 && { filterDisabled: anyPort(exceptPorts) }),
  }
}

type Predicate = NonNullable<ListenerFilter['filterDisabled']>

function anyPort(ports: readonly number[]): Predicate {
  const rules = ports.map((start): Predicate => ({ rule: { case: 'destinationPortRange', value: { start, end: start + 1 } } }))
  return rules.length === 1 ? rules[0]! : { rule: { case: 'orMatch', value: { rules } } }
}

/** What protocol sniffing calls plaintext HTTP. */
export const plainHttp = ['http/1.0', 'http/1.1', 'h2c']
