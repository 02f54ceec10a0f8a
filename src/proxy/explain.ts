// What a proxy would do with one request, from the xDS that it would get, without a socket: its own compiled matchers
// choose listener, filter chain, virtual host and route. The face by which command-line tools see the router.
import { fromBinary } from '@bufbuild/protobuf'
import type { Address } from '../model/address.ts'
import { ListenerSchema } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { TcpProxy } from '../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { blockedCluster, maxNamed, nothing, passthroughClusters, sourceOf } from './explain/answer.ts'
import type { ConsideredRoute, ExplainableRequest, Explanation } from './explain/answer.ts'
import { denialAt, verdictsAt } from './explain/authorization.ts'
import type { Arriving, Denial, PolicyVerdict } from './explain/authorization.ts'
import { missedChains, protocolOf, tlsOf } from './explain/chain.ts'
import { ClusterLookup } from './explain/clusters.ts'
import type { SentClusters } from './explain/clusters.ts'
import type { FindCluster } from './explain/endpoints.ts'
import { explainHttp } from './explain/http.ts'
import { compileListeners, compileOneListener } from './explain/listener.ts'
import type { ExplainedConnection } from './explain/listener.ts'
import { destinationOf } from './explain/route.ts'
import { presentTokens } from './explain/tokens.ts'
import type { Presented } from './explain/tokens.ts'
import { compileRoutes } from './http/router/compile.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import { withoutPort } from './http/router/domains.ts'
import { chainClusterNames, listenerAddress, routeNameOf } from './xds/listener.ts'
import { provenanceOf } from './xds/provenance.ts'
import type { Provenance } from './xds/provenance.ts'

export type { ExplainableRequest, Explanation } from './explain/answer.ts'
export type { ExplainedConnection } from './explain/listener.ts'
export type { Arriving, Denial, PolicyVerdict } from './explain/authorization.ts'
export type { Presented } from './explain/tokens.ts'

/** What a proxy is sent: encoded messages, as on the wire. */
export interface SentResources extends SentClusters {
  readonly listeners: readonly Uint8Array[]
  readonly routes: readonly Uint8Array[]
}

export type Explain = (request: ExplainableRequest) => Explanation

/** Decodes and compiles once. `running`: clusters of a proxy that serves, for what it knows of their hosts. The result throws `proxy/bad-config` where the request needs something that the proxy would refuse. */
export function compileExplainer(sent: SentResources, running?: FindCluster): Explain {
  const listeners = sent.listeners.map((bytes) => fromBinary(ListenerSchema, bytes))
  const findChain = compileListeners(listeners)
  const tables = new Map(sent.routes.map((bytes) => fromBinary(RouteConfigurationSchema, bytes)).map((table) => [table.name, table]))
  const clusters = new ClusterLookup(sent, running)
  const compiled = new Map<RouteConfiguration, CompiledRoutes>()
  const routesOf = (table: RouteConfiguration): CompiledRoutes => {
    const routes = compiled.get(table) ?? compileRoutes(table)
    compiled.set(table, routes)
    return routes
  }
  return (asked) => {
    const { presented } = asked
    const request = presented === undefined ? asked : { ...asked, path: presented.path, headers: presented.headers }
    const connection = connectionOf(request)
    const found = findChain(connection)
    if (found === undefined) return { ...nothing, considered: elsewhere(listeners, request.destination) }
    const { listener, chain } = found
    const missed = missedChains(listener, chain?.message, connection)
    if (chain === undefined) return { ...nothing, listener: listener.name, considered: [noChain(listener, request), ...missed] }
    const met = { listener: listener.name, protocol: protocolOf(chain), tls: tlsOf(chain, connection) }
    if (chain.tls !== undefined && connection.transport === 'raw_buffer') return { ...nothing, ...met, considered: [expectsTls(listener), ...missed] }
    const refusal = chain.terminal.kind === 'http' ? presented?.refusal : undefined
    if (refusal !== undefined) return { ...nothing, ...met, denied: tokenDenial(refusal.reason), status: refusal.status, considered: missed }
    const denied = denialAt(chain, arrivingOf(request))
    if (denied !== undefined && !(chain.terminal.kind === 'http' && isBare(request))) return { ...nothing, ...met, denied, status: chain.terminal.kind === 'http' ? 403 : null, considered: missed }
    if (chain.terminal.kind === 'tcp') {
      const explained = explainTcp(chainClusterNames(chain), chain.terminal.config, provenanceOf(chain.message.metadata), clusters, request.destination)
      return { ...explained, ...met, considered: missed }
    }
    if (isBare(request)) return { ...nothing, ...met, considered: [speaksHttp(listener, request)] }
    const { config } = chain.terminal
    const inline = config.routeSpecifier.case === 'routeConfig' ? config.routeSpecifier.value : undefined
    const table = inline ?? tables.get(routeNameOf(chain) ?? '')
    if (table === undefined) return { ...nothing, ...met, status: 404 }
    return { ...explainHttp(routesOf(table), config, request, clusters), ...met }
  }
}

/** What the JWT filters of the proxy that is asked make of a request's tokens. Undefined: nobody there looks for any. */
export async function presentTo(listeners: readonly Uint8Array[], request: ExplainableRequest): Promise<Presented | undefined> {
  const chain = compileListeners(listeners.map((bytes) => fromBinary(ListenerSchema, bytes)))(connectionOf(request))?.chain
  return chain === undefined ? undefined : await presentTokens(chain, arrivingOf(request))
}

/** Of a token that does not do: which RequestAuthentication asks is not said by the configuration. */
export const tokenDenial = (reason: string): Denial => ({ policy: 'RequestAuthentication', rule: null, reason })

/** From outside: who comes to a gateway has shown no certificate that anybody here knows of. */
function arrivingOf(request: ExplainableRequest): Arriving {
  const { method, scheme, authority, path, headers, destination, source, presented } = request
  return {
    metadata: presented?.metadata,
    identities: undefined, serverName: scheme === 'https' || scheme === 'tls' ? serverNameOf(request) : '', sourceIp: source.host, remoteIp: source.host, destination,
    request: isBare(request) ? undefined : { method, authority, path, headers: headers.map(([name, value]) => [name.toLowerCase(), value]) },
  }
}

const isBare = ({ scheme }: ExplainableRequest): boolean => scheme === 'tcp' || scheme === 'tls'

const serverNameOf = ({ authority, sni }: ExplainableRequest): string => (sni ?? withoutPort(authority)).toLowerCase()

function connectionOf(request: ExplainableRequest): ExplainedConnection {
  const { scheme, destination, source } = request
  const tls = scheme === 'https' || scheme === 'tls'
  return {
    destination, source,
    transport: tls ? 'tls' : 'raw_buffer',
    serverName: tls ? serverNameOf(request) : '',
    applicationProtocols: isBare(request) ? [] : ['http/1.1'],
  }
}

function noChain({ name }: Listener, request: ExplainableRequest): ConsideredRoute {
  const asked = { http: 'plain HTTP', https: 'TLS for that server name', tcp: 'bytes that are neither TLS nor HTTP', tls: 'TLS for that server name' }[request.scheme]
  return { route: `listener ${name}`, whyNot: `none of its filter chains takes ${asked}: the connection is closed` }
}

const expectsTls = ({ name }: Listener): ConsideredRoute =>
  ({ route: `listener ${name}`, whyNot: 'its filter chain ends TLS, and the client sends none: the connection is closed' })

const speaksHttp = ({ name }: Listener, { scheme }: ExplainableRequest): ConsideredRoute =>
  ({ route: `listener ${name}`, whyNot: `its filter chain speaks HTTP: ask with ${scheme === 'tls' ? 'an https' : 'an http'} URL` })

/** Nothing hands connections over, so only what is bound at the port would have taken this one. */
const elsewhere = (listeners: readonly Listener[], { port }: Address): readonly ConsideredRoute[] => listeners.slice(0, maxNamed)
  .map((one) => ({ route: `listener ${one.name}`, whyNot: `stands at port ${listenerAddress(one).port}; but the request goes to port ${port}` }))

function explainTcp(clusterNames: readonly string[], config: TcpProxy, from: Provenance, clusters: ClusterLookup, to: Address): Explanation {
  const weighted = config.clusterSpecifier.case === 'weightedClusters' ? config.clusterSpecifier.value.clusters : []
  const destinations = clusterNames.map((name) => destinationOf(name, weighted.find((one) => one.name === name)?.weight ?? 100))
  return {
    ...nothing,
    ...sourceOf(from),
    destinations,
    policy: clusters.policyOf(destinations, to),
    ...clusters.endpointsOf(destinations, destinations.length === 1 ? clusterNames[0] : undefined, undefined, to),
    passthrough: clusterNames.some((name) => passthroughClusters.has(name)),
    blocked: clusterNames.includes(blockedCluster),
  }
}

/** Whether a workload's own proxy takes a connection: what no filter chain is for is closed, and mesh TLS must be ended by one. */
export function takesConnection(listener: Uint8Array, connection: ExplainedConnection, meshTls: boolean): boolean {
  const chain = compileOneListener(fromBinary(ListenerSchema, listener))(connection)?.chain
  return chain !== undefined && (!meshTls || chain.tls !== undefined)
}

/** What the policies of a workload's own proxy decide about what comes to it. */
export interface Authorization {
  /** Undefined: nothing denies it. */
  denial(connection: ExplainedConnection, arriving: Arriving): Denial | undefined
  /** What becomes of a request's tokens before policies are asked. Undefined: nobody looks for any. */
  tokens(connection: ExplainedConnection, arriving: Arriving): Promise<Presented | undefined>
  /** Of every policy that its chain has. */
  verdicts(connection: ExplainedConnection, arriving: Arriving): readonly PolicyVerdict[]
}

/** Compiled once for a listener, asked about any number of requests. */
export function compileAuthorization(listener: Uint8Array): Authorization {
  const find = compileOneListener(fromBinary(ListenerSchema, listener))
  return {
    denial(connection, arriving) {
      const chain = find(connection)?.chain
      return chain === undefined ? undefined : denialAt(chain, chain.terminal.kind === 'tcp' ? { ...arriving, request: undefined } : arriving)
    },
    async tokens(connection, arriving) {
      const chain = find(connection)?.chain
      return chain === undefined ? undefined : await presentTokens(chain, arriving)
    },
    verdicts(connection, arriving) {
      const chain = find(connection)?.chain
      return chain === undefined ? [] : verdictsAt(chain, chain.terminal.kind === 'tcp' ? { ...arriving, request: undefined } : arriving)
    },
  }
}
