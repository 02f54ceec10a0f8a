// virtualInbound: every connection to a workload, matched by port, TLS and ALPN into the chains that its mTLS mode allows
// (security spec 2.2). What no chain takes is closed.
import { TrafficDirection } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { FilterChainMatchSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { SubjectAltNameMatcher_SanType as SanType } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { DownstreamTlsContextSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { JwtRule } from '../../../kinds/security/request-authentication.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import { namedPorts, serverMode } from '../../peer-mode-switch.ts'
import type { ServerTls } from '../../specs.ts'
import type { PeerMode } from '../../snapshot/peer-authentication.ts'
import type { Snapshot } from '../../snapshot.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { grpcOf, isHttp } from '../cluster/protocol.ts'
import { meshTls } from '../cluster/tls.ts'
import { durationOf } from '../duration.ts'
import { addressOf } from '../endpoint/assignment.ts'
import { inboundPorts, peerOf } from '../inbound-ports.ts'
import type { InboundPort } from '../inbound-ports.ts'
import { metadataOf } from '../metadata.ts'
import { blackHoleCluster, inboundCluster, inboundPassthroughCluster, listenerName, virtualInbound } from '../names.ts'
import { httpIdleMs, takesHttp10 } from '../proxy-config.ts'
import { isDualStack } from '../proxy-node.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { inboundRouteTable, passthroughRouteTable } from '../route/inbound.ts'
import { acceptedTokens } from '../security/authentication.ts'
import { authorizationOf, guardsOf } from '../security/guards.ts'
import type { Guards } from '../security/guards.ts'
import { translator } from '../translator.ts'
import { noRouteLogs } from './access-log.ts'
import { httpConnectionManager, httpInspector, originalDestination, originalSource, plainHttp, tcpProxy, tlsInspector, toCluster } from './filters.ts'
import type { ListenerFilter, NetworkFilter, TcpOptions } from './filters.ts'
import { alsoV6 } from './outbound.ts'
import type { FilterChainInit, ListenerInit } from './outbound.ts'
import { serverTlsSocket } from './server-tls.ts'

const meshHttp = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2']
const meshTcp = ['istio-peer-exchange', 'istio']

interface InboundView {
  readonly [part: string]: string | number | boolean | object
  readonly name: string
  readonly address: string
  readonly port: string
  /** InboundPort[] without what only clusters need, as JSON. */
  readonly ports: string
  /** Ports that only a policy names, with their modes, as JSON; and the mode of all others. */
  readonly policyPorts: string
  readonly defaultMode: PeerMode
  readonly http10: boolean
  readonly transparent: boolean
  readonly dualStack: boolean
  readonly httpIdleMs: number | false
  readonly authorizations: readonly AuthorizationPolicy[]
  readonly asked: string
  readonly jwtRules: readonly JwtRule[]
  readonly jwtKeys: readonly string[]
  readonly mesh: MeshSettings
}

export const inboundListeners = translator<InboundView, typeof ListenerSchema>('lds-inbound', {
  schema: ListenerSchema,
  names: (proxy, snapshot) => (proxy.type === 'sidecar' ? [virtualInbound, ...boundPorts(proxy, snapshot).map(nameOfBound)] : []),
  view(proxy, snapshot, name) {
    if (proxy.type !== 'sidecar') return undefined
    return name === virtualInbound ? inboundView(proxy, snapshot) : boundView(proxy, snapshot, name)
  },
  build: buildInbound,
})

function inboundView(proxy: ProxyNode, snapshot: Snapshot): InboundView {
  const peer = peerOf(proxy, snapshot)
  const ports = inboundPorts(proxy, snapshot)
  const served = new Set(ports.map((port) => port.targetPort))
  const named = namedPorts(snapshot.peerModes, peer).filter((port) => !served.has(port)).sort((one, other) => one - other)
  return {
    name: virtualInbound,
    address: '0.0.0.0',
    port: String(snapshot.mesh.inboundPort),
    transparent: proxy.transparent,
    dualStack: isDualStack(proxy),
    http10: takesHttp10(proxy, snapshot),
    httpIdleMs: httpIdleMs(proxy, snapshot),
    ...authorizationOf(peer, proxy.type, snapshot),
    ...acceptedTokens(peer, proxy.type, snapshot),
    ports: JSON.stringify(ports.map(listed)),
    policyPorts: JSON.stringify(named.map((port) => [port, serverMode(snapshot.peerModes, peer, port)])),
    defaultMode: serverMode(snapshot.peerModes, peer),
    mesh: snapshot.mesh,
  }
}

/** Ports that open by themselves. */
const boundPorts = (proxy: ProxyNode, snapshot: Snapshot): readonly InboundPort[] => inboundPorts(proxy, snapshot).filter(({ bind }) => bind !== undefined)
const nameOfBound = ({ bind = '', targetPort }: InboundPort): string => listenerName(bind, targetPort)

function boundView(proxy: ProxyNode, snapshot: Snapshot, name: string): InboundView | undefined {
  const port = boundPorts(proxy, snapshot).find((one) => nameOfBound(one) === name)
  if (port === undefined) return undefined
  return {
    name, address: port.bind!, port: String(port.targetPort), ports: JSON.stringify([listed(port)]), policyPorts: '[]', defaultMode: port.mode,
    transparent: false, dualStack: false, http10: takesHttp10(proxy, snapshot), httpIdleMs: httpIdleMs(proxy, snapshot), ...authorizationOf(peerOf(proxy, snapshot), proxy.type, snapshot), ...acceptedTokens(peerOf(proxy, snapshot), proxy.type, snapshot), mesh: snapshot.mesh,
  }
}

const listed = ({ endpoint: _endpoint, pool, ...port }: InboundPort): ListedPort => ({ ...port, times: timesOf(pool?.tcp) })

/** What a port may speak, and what to do with what it speaks. */
interface Target {
  readonly label: string
  readonly port: number | undefined
  readonly speaks: 'http' | 'tcp' | 'auto'
  readonly mode: PeerMode
  readonly http: () => NetworkFilter
  readonly tcp: () => NetworkFilter[]
  readonly metadata: FilterChainInit['metadata']
  /** Of its own, in place of plaintext. */
  readonly tls?: ServerTls
}

type ListedPort = Omit<InboundPort, 'endpoint' | 'pool'> & { readonly times: TcpOptions }

/** How long opaque connections may last, and be idle. */
function timesOf(tcp: NonNullable<InboundPort['pool']>['tcp']): TcpOptions {
  const { idleTimeout, maxConnectionDuration } = tcp ?? {}
  return { ...(idleTimeout !== undefined && { idleMs: idleTimeout }), ...(maxConnectionDuration !== undefined && { longestMs: maxConnectionDuration }) }
}

function buildInbound(view: InboundView): ListenerInit {
  const ports = JSON.parse(view.ports) as ListedPort[]
  const guards = guardsOf(view, false)
  if (view.name !== virtualInbound) return buildBound(view, ports.map((port) => portTarget(port, view, guards)))
  const policyPorts = JSON.parse(view.policyPorts) as [number, PeerMode][]
  const targets = [
    ...ports.map((port) => portTarget(port, view, guards)),
    ...policyPorts.map(([port, mode]) => passthroughTarget(port, mode, view, guards)),
    passthroughTarget(undefined, view.defaultMode, view, guards),
  ]
  return {
    name: virtualInbound,
    address: addressOf(view.address, view.mesh.inboundPort),
    ...(view.dualStack && alsoV6(view.mesh.inboundPort)),
    trafficDirection: TrafficDirection.INBOUND,
    accessLog: noRouteLogs(view.mesh),
    ...(view.transparent ? { transparent: true, listenerFilters: [...listenerFilters(targets), originalSource()] } : { listenerFilters: listenerFilters(targets) }),
    listenerFiltersTimeout: durationOf(view.mesh.detectionTimeoutMs),
    continueOnListenerFiltersTimeout: true,
    filterChains: [loopChain(view.mesh), ...targets.flatMap((target) => chainsOf(target, view.mesh))],
  }
}

/** One port alone. Whoever connects to it means it. */
function buildBound(view: InboundView, targets: readonly Target[]): ListenerInit {
  const [, ...inspectors] = listenerFilters(targets)
  return {
    name: view.name,
    address: addressOf(view.address, Number(view.port)),
    trafficDirection: TrafficDirection.INBOUND,
    accessLog: noRouteLogs(view.mesh),
    listenerFilters: inspectors,
    listenerFiltersTimeout: durationOf(view.mesh.detectionTimeoutMs),
    continueOnListenerFiltersTimeout: true,
    filterChains: targets.flatMap((target) => chainsOf(target, view.mesh)),
  }
}

/** Connections to this port itself would come back for ever. */
function loopChain(mesh: MeshSettings): FilterChainInit {
  return { name: 'virtualInbound-blackhole', filterChainMatch: { destinationPort: mesh.inboundPort }, filters: [toCluster(blackHoleCluster, mesh)] }
}

/** A port is inspected only for what its chains tell apart: a server that speaks first must not be waited for. */
function listenerFilters(targets: readonly Target[]): ListenerFilter[] {
  const plain = targets.filter((one) => one.mode === 'DISABLE' && one.tls === undefined).flatMap((one) => one.port ?? [])
  const declared = targets.filter((one) => one.speaks !== 'auto').flatMap((one) => one.port ?? [])
  return [originalDestination(), tlsInspector(plain), httpInspector(declared)]
}

function portTarget(port: ListedPort, { mesh, http10, httpIdleMs: idleMs }: InboundView, guards: Guards): Target {
  const cluster = inboundCluster(port.targetPort)
  const statPrefix = `inbound_0.0.0.0_${port.targetPort}`
  return {
    label: `0.0.0.0_${port.targetPort}`,
    port: port.targetPort,
    speaks: port.protocol === 'auto' ? 'auto' : isHttp(port.protocol) ? 'http' : 'tcp',
    mode: port.mode,
    http: () => httpConnectionManager({ side: 'inbound', statPrefix, mesh, grpc: grpcOf([port.protocol]), http10, idleMs, security: guards.http, routes: inboundRouteTable(port, mesh) }),
    tcp: () => [...guards.bytes, tcpProxy(cluster, [{ cluster, weight: 1 }], mesh, port.times)],
    metadata: metadataOf(port.from),
    ...(port.tls !== undefined && { tls: port.tls }),
  }
}

function passthroughTarget(port: number | undefined, mode: PeerMode, { mesh, http10, httpIdleMs: idleMs }: InboundView, guards: Guards): Target {
  const statPrefix = inboundPassthroughCluster
  const routes = passthroughRouteTable(inboundPassthroughCluster)
  return {
    label: port === undefined ? 'virtualInbound-catchall' : `virtualInbound-${port}`,
    port,
    speaks: 'auto',
    mode,
    http: () => httpConnectionManager({ side: 'inbound', statPrefix, mesh, grpc: 'none', http10, idleMs, security: guards.http, routes }),
    tcp: () => [...guards.bytes, toCluster(inboundPassthroughCluster, mesh)],
    metadata: undefined,
  }
}

/** One row of security spec 2.2: what arrives, and how it goes on. */
interface Row {
  readonly transport: 'tls' | 'raw_buffer'
  readonly alpn?: readonly string[]
  readonly as: 'http' | 'tcp'
  /** End mutual TLS here; otherwise bytes go on as they are. */
  readonly mutual: boolean
}

const rows: Readonly<Record<PeerMode, Readonly<Record<Target['speaks'], readonly Row[]>>>> = {
  PERMISSIVE: {
    http: [
      { transport: 'tls', alpn: [...meshTcp, ...meshHttp], as: 'http', mutual: true },
      { transport: 'raw_buffer', as: 'http', mutual: false },
    ],
    tcp: [
      { transport: 'tls', alpn: [...meshTcp, ...meshHttp], as: 'tcp', mutual: true },
      { transport: 'tls', as: 'tcp', mutual: false },
      { transport: 'raw_buffer', as: 'tcp', mutual: false },
    ],
    auto: [
      { transport: 'tls', alpn: meshHttp, as: 'http', mutual: true },
      { transport: 'raw_buffer', alpn: plainHttp, as: 'http', mutual: false },
      { transport: 'tls', alpn: meshTcp, as: 'tcp', mutual: true },
      { transport: 'raw_buffer', as: 'tcp', mutual: false },
      { transport: 'tls', as: 'tcp', mutual: false },
    ],
  },
  STRICT: {
    http: [{ transport: 'tls', as: 'http', mutual: true }],
    tcp: [{ transport: 'tls', as: 'tcp', mutual: true }],
    auto: [
      { transport: 'tls', alpn: meshHttp, as: 'http', mutual: true },
      { transport: 'tls', as: 'tcp', mutual: true },
    ],
  },
  DISABLE: {
    http: [{ transport: 'raw_buffer', as: 'http', mutual: false }],
    tcp: [{ transport: 'raw_buffer', as: 'tcp', mutual: false }],
    auto: [
      { transport: 'raw_buffer', alpn: plainHttp, as: 'http', mutual: false },
      { transport: 'raw_buffer', as: 'tcp', mutual: false },
    ],
  },
}

function chainsOf(target: Target, mesh: MeshSettings): FilterChainInit[] {
  if (target.tls !== undefined) return [ownTlsChain(target, target.tls, mesh)]
  return rows[target.mode][target.speaks].map((row) => ({
    name: target.label,
    filterChainMatch: matchOf(target, row),
    ...(row.mutual && { transportSocket: mutualTls(row.as, mesh) }),
    filters: row.as === 'http' ? [target.http()] : target.tcp(),
    ...(target.metadata !== undefined && { metadata: target.metadata }),
  }))
}

function ownTlsChain(target: Target, tls: ServerTls, mesh: MeshSettings): FilterChainInit {
  const http = target.speaks === 'http'
  return {
    name: target.label,
    filterChainMatch: matchOf(target, { transport: 'tls', as: http ? 'http' : 'tcp', mutual: false }),
    transportSocket: serverTlsSocket(tls, http, mesh),
    filters: http ? [target.http()] : target.tcp(),
    ...(target.metadata !== undefined && { metadata: target.metadata }),
  }
}

function matchOf(target: Target, row: Row): Init<typeof FilterChainMatchSchema> {
  return {
    transportProtocol: row.transport,
    ...(target.port !== undefined && { destinationPort: target.port }),
    ...(row.alpn !== undefined && { applicationProtocols: [...row.alpn] }),
  }
}

/** Clients must show a certificate of our trust domain or one of its aliases. */
function mutualTls(as: Row['as'], mesh: MeshSettings): FilterChainInit['transportSocket'] {
  const alpn = as === 'http' ? ['h2', 'http/1.1'] : ['istio-peer-exchange', 'h2', 'http/1.1']
  const domains = [mesh.trustDomain, ...mesh.trustDomainAliases]
  const names = domains.map((domain) => ({
    sanType: SanType.URI,
    matcher: { matchPattern: { case: 'prefix' as const, value: `spiffe://${domain}/` } },
  }))
  const context = packed(DownstreamTlsContextSchema, {
    commonTlsContext: meshTls(alpn, { matchTypedSubjectAltNames: names }, mesh.meshTls),
    requireClientCertificate: true,
  })
  return { name: 'envoy.transport_sockets.tls', configType: { case: 'typedConfig', value: context } }
}
