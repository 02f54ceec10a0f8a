// One request in a compiled route table: which virtual host and route take it, which did not and why, and what follows.
import { HeaderList } from '../../codec/header-list.ts'
import type { HttpConnectionManager } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { blockedCluster, maxNamed, nothing, passthroughClusters, sourceOf } from './answer.ts'
import type { ConsideredRoute, ExplainableRequest, Explanation } from './answer.ts'
import type { ClusterLookup } from './clusters.ts'
import { explainRoute } from './route.ts'
import type { ExplainedRoute } from './route.ts'
import { decideRoute } from './session.ts'
import { decodeManager } from '../http/manager-config.ts'
import { isSuspicious, normalizePath } from '../http/path.ts'
import type { CompiledRoute, CompiledRoutes } from '../http/router/compile.ts'
import { withoutPort } from '../http/router/domains.ts'
import { explainRouting } from '../http/router/explain.ts'
import type { RouteDecision } from '../http/router/explain.ts'
import type { RoutedRequest } from '../http/router/request.ts'
import { describeProvenance, provenanceOf } from '../xds/provenance.ts'

/** Istio's virtual host for hosts that nobody declared, where only declared ones may be called. */
const blockedHost = 'block_all'

export function explainHttp(routes: CompiledRoutes, manager: HttpConnectionManager, asked: ExplainableRequest, clusters: ClusterLookup): Explanation {
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
    policy: clusters.policyOf(used, asked.destination),
    ...placeOf(route, explained, used, request, asked, clusters),
    status: statusOf(route, explained, used.length > 0, request),
    passthrough: explained.destinations.some(({ cluster }) => passthroughClusters.has(cluster)),
    blocked: virtualHost?.name === blockedHost || explained.destinations.some(({ cluster }) => cluster === blockedCluster),
  }
}

/** Which destination and endpoint it will be, as far as no draw decides. */
function placeOf({ action, message }: CompiledRoute, { destinations }: ExplainedRoute, used: ExplainedRoute['destinations'], request: RoutedRequest, asked: ExplainableRequest, clusters: ClusterLookup): Pick<Explanation, 'session' | 'chosen' | 'endpoints'> {
  if (action.kind === 'reply' || destinations.length === 0) return { session: null, chosen: null, endpoints: [] }
  const policies = message.action.case === 'route' ? message.action.value.hashPolicy : []
  const { session, cluster, hash } = decideRoute(action, policies, request, asked)
  return { session, ...clusters.endpointsOf(used, cluster, hash, asked.destination) }
}

/** As the connection manager reads a request's target; a number is the status of its refusal. */
function routedRequest({ method, scheme, authority, path, headers, presented }: ExplainableRequest, manager: HttpConnectionManager): RoutedRequest | number {
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
    dynamicMetadata: presented?.metadata,
  }
}

/** What is certain: an abort of all requests comes before routing's own answers, and those before a cluster that is missing. */
function statusOf(route: CompiledRoute, { faults }: ExplainedRoute, reachable: boolean, request: RoutedRequest): number | null {
  const { action } = route
  if (faults?.abort?.percentage === 100) return faults.abort.httpStatus ?? 200
  if (action.kind === 'reply') return action.replyTo(request).status
  return reachable ? null : action.notFoundStatus
}

/** The routes before the one that was taken; where no virtual host covers the authority, what there is instead. */
function consideredIn({ virtualHost, considered }: RouteDecision, { virtualHosts }: CompiledRoutes, { authority }: RoutedRequest): readonly ConsideredRoute[] {
  if (virtualHost !== undefined) return considered.map(({ route, whyNot }) => ({ route: nameOf(route), whyNot }))
  return virtualHosts.slice(0, maxNamed).map(({ name, message }) => ({
    route: `virtual host ${name}`,
    whyNot: `is for ${message.domains.slice(0, maxNamed).join(', ')}; but the host is ${authority}`,
  }))
}

/** `route 0 by-user of VirtualService default/reviews (reviews.yaml:9)`. */
function nameOf({ name, index, message }: CompiledRoute): string {
  const from = provenanceOf(message.metadata)
  const at = from.rule === undefined ? `route ${index}` : `http[${from.rule}]${from.match === undefined ? '' : `.match[${from.match}]`}`
  const said = describeProvenance(from)
  return `${at}${name === '' ? '' : ` ${name}`}${said === '' ? '' : ` of ${said}`}`
}
