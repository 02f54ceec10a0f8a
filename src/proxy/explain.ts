// What a proxy would do with one request, from the xDS that it would get, without a socket: its own compiled matchers
// choose listener, filter chain, virtual host and route. The face by which command-line tools see the router.
import { fromBinary } from '@bufbuild/protobuf'
import { HeaderList } from '../codec/header-list.ts'
import type { Address } from '../model/address.ts'
import { ClusterSchema } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterLoadAssignment } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { HttpConnectionManager } from '../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TcpProxy } from '../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { explainPolicy } from './explain-cluster.ts'
import type { ExplainedPolicy } from './explain-cluster.ts'
import { compileListeners, compileOneListener } from './explain-listener.ts'
import type { ExplainedConnection } from './explain-listener.ts'
import { destinationOf, explainRoute, noRoute } from './explain-route.ts'
import type { Destination, ExplainedRoute } from './explain-route.ts'
import { decodeManager } from './http/manager-config.ts'
import { isSuspicious, normalizePath } from './http/path.ts'
import { compileRoutes } from './http/router/compile.ts'
import type { CompiledRoute, CompiledRoutes } from './http/router/compile.ts'
import { withoutPort } from './http/router/domains.ts'
import { explainRouting } from './http/router/explain.ts'
import type { RouteDecision } from './http/router/explain.ts'
import type { RoutedRequest } from './http/router/request.ts'
import { assignmentNameOf } from './xds/cluster.ts'
import { chainClusterNames, listenerAddress, routeNameOf } from './xds/listener.ts'
import { describeProvenance, provenanceOf } from './xds/provenance.ts'
import type { Provenance } from './xds/provenance.ts'

export type { ExplainedPolicy } from './explain-cluster.ts'
export type { ExplainedConnection } from './explain-listener.ts'
export type { Destination, ExplainedRoute } from './explain-route.ts'

/** What a proxy is sent: encoded messages, as on the wire. */
export interface SentResources {
  readonly listeners: readonly Uint8Array[]
  readonly routes: readonly Uint8Array[]
  readonly clusters: readonly Uint8Array[]
  readonly endpoints: readonly Uint8Array[]
}

export interface ExplainableRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** As it stands in Host. */
  readonly authority: string
  /** With its query, as sent. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Where the client connects. */
  readonly destination: Address
  readonly source: Address
}

export interface ConsideredRoute {
  readonly route: string
  readonly whyNot: string
}

export interface Explanation extends ExplainedRoute {
  readonly listener: string | null
  readonly virtualHost: string | null
  /** `namespace/name`. */
  readonly matchedVirtualService: string | null
  readonly routeIndex: number | null
  readonly routeName: string | null
  readonly matchIndex: number | null
  /** Of the first destination that exists. */
  readonly policy: ExplainedPolicy | null
  /** Of an answer that the mesh certainly gives itself. */
  readonly status: number | null
  readonly passthrough: boolean
  readonly blocked: boolean
  readonly considered: readonly ConsideredRoute[]
  readonly origin: { readonly file: string; readonly line: number } | null
}

export type Explain = (request: ExplainableRequest) => Explanation

/** Decodes and compiles once. The result throws `proxy/bad-config` where the request needs something that the proxy would refuse. */
export function compileExplainer(sent: SentResources): Explain {
  const listeners = sent.listeners.map((bytes) => fromBinary(ListenerSchema, bytes))
  const findChain = compileListeners(listeners)
  const tables = new Map(sent.routes.map((bytes) => fromBinary(RouteConfigurationSchema, bytes)).map((table) => [table.name, table]))
  const clusters = new ClusterLookup(sent)
  const compiled = new Map<RouteConfiguration, CompiledRoutes>()
  const routesOf = (table: RouteConfiguration): CompiledRoutes => {
    const routes = compiled.get(table) ?? compileRoutes(table)
    compiled.set(table, routes)
    return routes
  }
  return (request) => {
    const found = findChain(connectionOf(request))
    if (found === undefined) return { ...nothing, considered: elsewhere(listeners, request.destination) }
    const { listener, chain } = found
    if (chain === undefined) return { ...nothing, listener: listener.name, considered: [noChain(listener, request)] }
    if (chain.terminal.kind === 'tcp') {
      return { ...explainTcp(chainClusterNames(chain), chain.terminal.config, provenanceOf(chain.message.metadata), clusters), listener: listener.name }
    }
    const { config } = chain.terminal
    const inline = config.routeSpecifier.case === 'routeConfig' ? config.routeSpecifier.value : undefined
    const table = inline ?? tables.get(routeNameOf(chain) ?? '')
    if (table === undefined) return { ...nothing, listener: listener.name, status: 404 }
    return { ...explainHttp(routesOf(table), config, request, clusters), listener: listener.name }
  }
}

const nothing: Explanation = {
  ...noRoute, listener: null, virtualHost: null, matchedVirtualService: null, routeIndex: null, routeName: null, matchIndex: null,
  policy: null, status: null, passthrough: false, blocked: false, considered: [], origin: null,
}

function connectionOf({ scheme, authority, destination, source }: ExplainableRequest): ExplainedConnection {
  const tls = scheme === 'https'
  return {
    destination, source,
    transport: tls ? 'tls' : 'raw_buffer',
    serverName: tls ? withoutPort(authority).toLowerCase() : '',
    applicationProtocols: ['http/1.1'],
  }
}

const noChain = ({ name }: Listener, { scheme }: ExplainableRequest): ConsideredRoute =>
  ({ route: `listener ${name}`, whyNot: `none of its filter chains takes ${scheme === 'https' ? 'TLS for that server name' : 'plain HTTP'}: the connection is closed` })

/** Nothing hands connections over, so only what is bound at the port would have taken this one. */
const elsewhere = (listeners: readonly Listener[], { port }: Address): readonly ConsideredRoute[] => listeners.slice(0, maxHostsNamed)
  .map((one) => ({ route: `listener ${one.name}`, whyNot: `stands at port ${listenerAddress(one).port}; but the request goes to port ${port}` }))

/** Clusters by name, with the endpoints that EDS has for them. */
class ClusterLookup {
  readonly #clusters: ReadonlyMap<string, Cluster>
  readonly #assignments: ReadonlyMap<string, ClusterLoadAssignment>

  constructor({ clusters, endpoints }: SentResources) {
    this.#clusters = new Map(clusters.map((bytes) => fromBinary(ClusterSchema, bytes)).map((one) => [one.name, one]))
    this.#assignments = new Map(endpoints.map((bytes) => fromBinary(ClusterLoadAssignmentSchema, bytes)).map((one) => [one.clusterName, one]))
  }

  has(name: string): boolean {
    return this.#clusters.has(name)
  }

  policyOf(destinations: readonly Destination[]): ExplainedPolicy | null {
    const cluster = destinations.map((one) => this.#clusters.get(one.cluster)).find((one) => one !== undefined)
    if (cluster === undefined) return null
    const name = assignmentNameOf(cluster)
    return explainPolicy(cluster, name === undefined ? undefined : this.#assignments.get(name))
  }
}

const passthroughClusters = new Set(['PassthroughCluster', 'InboundPassthroughCluster'])
const blockedCluster = 'BlackHoleCluster'
/** Istio's virtual host for hosts that nobody declared, where only declared ones may be called. */
const blockedHost = 'block_all'

function explainTcp(clusterNames: readonly string[], config: TcpProxy, from: Provenance, clusters: ClusterLookup): Explanation {
  const weighted = config.clusterSpecifier.case === 'weightedClusters' ? config.clusterSpecifier.value.clusters : []
  const destinations = clusterNames.map((name) => destinationOf(name, weighted.find((one) => one.name === name)?.weight ?? 100))
  return {
    ...nothing,
    ...sourceOf(from),
    destinations,
    policy: clusters.policyOf(destinations),
    passthrough: clusterNames.some((name) => passthroughClusters.has(name)),
    blocked: clusterNames.includes(blockedCluster),
  }
}

function explainHttp(routes: CompiledRoutes, manager: HttpConnectionManager, asked: ExplainableRequest, clusters: ClusterLookup): Explanation {
  const request = routedRequest(asked, manager)
  if (typeof request === 'number') return { ...nothing, status: request }
  const decision = explainRouting(routes, request)
  const { virtualHost, route } = decision
  const base = { ...nothing, virtualHost: virtualHost?.name ?? null, considered: consideredIn(decision, routes, request) }
  if (route === undefined) return { ...base, status: 404 }
  const explained = explainRoute(route, request)
  const used = explained.destinations.filter(({ cluster }) => clusters.has(cluster))
  return {
    ...base,
    ...explained,
    ...sourceOf(provenanceOf(route.message.metadata)),
    routeName: route.name === '' ? null : route.name,
    policy: clusters.policyOf(used),
    status: statusOf(route, explained, used.length > 0, request),
    passthrough: explained.destinations.some(({ cluster }) => passthroughClusters.has(cluster)),
    blocked: virtualHost?.name === blockedHost || explained.destinations.some(({ cluster }) => cluster === blockedCluster),
  }
}

/** As the connection manager reads a request's target; a number is the status of its refusal. */
function routedRequest({ method, scheme, authority, path, headers }: ExplainableRequest, manager: HttpConnectionManager): RoutedRequest | number {
  const config = decodeManager(manager)
  const normalized = isSuspicious(path) ? normalizePath(path, config) : { kind: 'path' as const, path }
  if (normalized.kind === 'reject') return 400
  if (normalized.kind === 'redirect') return 307
  const [pathname = '', ...query] = normalized.path.split('?')
  return {
    method, scheme,
    authority: config.stripAnyPort ? withoutPort(authority) : authority,
    pathname,
    query: query.join('?'),
    requestHeaders: HeaderList.of(...headers.flatMap(([name, value]) => [name.toLowerCase(), value])),
  }
}

/** What is certain: an abort of all requests comes before routing's own answers, and those before a cluster that is missing. */
function statusOf(route: CompiledRoute, { faults }: ExplainedRoute, reachable: boolean, request: RoutedRequest): number | null {
  const { action } = route
  if (faults?.abort?.percentage === 100) return faults.abort.httpStatus ?? 200
  if (action.kind === 'reply') return action.replyTo(request).status
  return reachable ? null : action.notFoundStatus
}

function sourceOf({ resource, rule, match, file, line }: Provenance): Pick<Explanation, 'matchedVirtualService' | 'routeIndex' | 'matchIndex' | 'origin'> {
  const [kind, namespace, name] = resource.split('/')
  const fromRule = kind === 'VirtualService'
  return {
    matchedVirtualService: fromRule ? `${namespace}/${name}` : null,
    routeIndex: fromRule ? (rule ?? null) : null,
    matchIndex: fromRule ? (match ?? null) : null,
    origin: file === '' ? null : { file, line },
  }
}

/** The routes before the one that was taken; where no virtual host covers the authority, what there is instead. */
function consideredIn({ virtualHost, considered }: RouteDecision, { virtualHosts }: CompiledRoutes, { authority }: RoutedRequest): readonly ConsideredRoute[] {
  if (virtualHost !== undefined) return considered.map(({ route, whyNot }) => ({ route: nameOf(route), whyNot }))
  return virtualHosts.slice(0, maxHostsNamed).map(({ name, message }) => ({
    route: `virtual host ${name}`,
    whyNot: `is for ${message.domains.slice(0, maxHostsNamed).join(', ')}; but the host is ${authority}`,
  }))
}

/** A list is to be read by a person. */
const maxHostsNamed = 10

/** `route 0 by-user of VirtualService default/reviews (reviews.yaml:9)`. */
function nameOf({ name, index, message }: CompiledRoute): string {
  const from = provenanceOf(message.metadata)
  const at = from.rule === undefined ? `route ${index}` : `http[${from.rule}]${from.match === undefined ? '' : `.match[${from.match}]`}`
  const said = describeProvenance(from)
  return `${at}${name === '' ? '' : ` ${name}`}${said === '' ? '' : ` of ${said}`}`
}

/** Whether a workload's own proxy takes a connection: what no filter chain is for is closed, and mesh TLS must be ended by one. */
export function takesConnection(listener: Uint8Array, connection: ExplainedConnection, meshTls: boolean): boolean {
  const chain = compileOneListener(fromBinary(ListenerSchema, listener))(connection)?.chain
  return chain !== undefined && (!meshTls || chain.tls !== undefined)
}
