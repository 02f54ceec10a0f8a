// What a rule does with a request that matched: forward, redirect or answer (traffic spec 1.2.4).
import { RedirectAction_RedirectResponseCode as RedirectCode } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { WeightedClusterSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  DirectResponseActionSchema, RedirectActionSchema, RouteActionSchema, WeightedCluster_ClusterWeightSchema,
} from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { create } from '@bufbuild/protobuf'
import { setUseHashPolicy } from '../../../xds/use-hash-policy.ts'
import { durationOf } from '../duration.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { HttpMatch, HttpRedirect, HttpRule, Mirror, RouteDestination } from '../../virtual-service-spec.ts'
import { notTranslatable, resolveDestination } from './context.ts'
import type { RouteContext } from './context.ts'
import { millionths } from './filters.ts'
import { hashPolicy } from './hash-policy.ts'
import type { HashPolicy } from './hash-policy.ts'
import { evened, withoutRepeats } from './sticky-weights.ts'
import { authorityOf, headerFields } from './headers.ts'
import { retryPolicy } from './retry.ts'
import type { Init } from '../any.ts'

export type RouteActionInit = Init<typeof RouteActionSchema>

/**
 * The timeouts of a route; 0 is none, and then gRPC's own deadline header holds. Envoy does not look at `timeout` where there
 * is a `max_stream_duration`, so a route has either; what could hold both is deprecated.
 */
export function timeouts(ms: number): RouteActionInit {
  return ms === 0 ? { timeout: durationOf(0), maxStreamDuration: { grpcTimeoutHeaderMax: durationOf(0) } } : { timeout: durationOf(ms) }
}

export function forwardAction(rule: HttpRule, match: HttpMatch | undefined, owner: VirtualService, context: RouteContext, sticky: boolean): RouteActionInit {
  const routes = usedDestinations(rule.route ?? [])
  const hashed = sticky ? withoutRepeats(hashPolicies(routes, owner, context)) : hashPolicies(routes, owner, context)
  const authority = rule.rewrite?.authority || authorityOf(rule.headers) || (routes.length === 1 ? authorityOf(routes[0]!.headers) : undefined)
  const retry = retryPolicy(rule.retries, context.mesh.defaultRetry, hashed.length > 0 && routes.length === 1)
  return {
    clusterSpecifier: clusterSpecifier(routes, owner, context, authority, sticky),
    ...timeouts(rule.timeout ?? 0),
    ...(retry !== undefined && { retryPolicy: retry }),
    ...(authority !== undefined && { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } }),
    ...pathRewrite(rule, match),
    hashPolicy: hashed,
    requestMirrorPolicies: mirrorPolicies(rule, owner, context),
  } as RouteActionInit
}

/** With several destinations, those of weight 0 get nothing. */
export function usedDestinations<Route extends { readonly weight?: number | undefined }>(routes: readonly Route[]): readonly Route[] {
  return routes.length <= 1 ? routes : routes.filter((one) => (one.weight ?? 0) > 0)
}

function clusterSpecifier(
  routes: readonly RouteDestination[],
  owner: VirtualService,
  context: RouteContext,
  authority: string | undefined,
  sticky: boolean,
): NonNullable<RouteActionInit['clusterSpecifier']> {
  const [only] = routes
  if (only === undefined) throw notTranslatable('no destination has a weight above 0')
  if (routes.length === 1) return { case: 'cluster', value: resolveDestination(only.destination, owner, context).cluster }
  const clusters = routes.map((one) => weightedCluster(one, owner, context, authority))
  if (!sticky) return { case: 'weightedClusters', value: { clusters } }
  return { case: 'weightedClusters', value: setUseHashPolicy(create(WeightedClusterSchema, { clusters: evened(clusters) })) }
}

function weightedCluster(
  route: RouteDestination,
  owner: VirtualService,
  context: RouteContext,
  authority: string | undefined,
): Init<typeof WeightedCluster_ClusterWeightSchema> {
  const own = authority === undefined ? authorityOf(route.headers) : undefined
  return {
    name: resolveDestination(route.destination, owner, context).cluster,
    weight: route.weight ?? 0,
    ...headerFields(route.headers),
    ...(own !== undefined && { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: own } }),
  }
}

/** All destinations' policies are on the route: Envoy keeps one list per route, as Istio does. */
function hashPolicies(routes: readonly RouteDestination[], owner: VirtualService, context: RouteContext): HashPolicy[] {
  return routes.flatMap((one) => {
    const to = resolveDestination(one.destination, owner, context)
    return to.service === undefined ? [] : hashPolicy(context.ruleOf(to.service), to.port, to.subset)
  })
}

/** A prefix match gives way to the new prefix; any other match to a whole new path. */
function pathRewrite(rule: HttpRule, match: HttpMatch | undefined): RouteActionInit {
  const { uri, uriRegexRewrite } = rule.rewrite ?? {}
  if (uriRegexRewrite?.match !== undefined) {
    return { regexRewrite: { pattern: { regex: uriRegexRewrite.match }, substitution: uriRegexRewrite.rewrite ?? '' } }
  }
  if (uri === undefined || uri === '') return {}
  const part = match?.uri?.prefix !== undefined || match?.uri?.exact !== undefined
  return part ? { prefixRewrite: uri } : { regexRewrite: { pattern: { regex: '^/.*$' }, substitution: uri.replaceAll('\\', '\\\\') } }
}

function mirrorPolicies(rule: HttpRule, owner: VirtualService, context: RouteContext) {
  const whole = rule.mirrorPercent ?? rule.mirror_percent
  const percent = rule.mirrorPercentage ?? (whole === undefined ? undefined : { value: whole })
  const single: readonly Mirror[] = rule.mirror === undefined ? [] : [{ destination: rule.mirror, percentage: percent }]
  return [...single, ...(rule.mirrors ?? [])]
    .filter((one) => one.percentage === undefined || (one.percentage.value ?? 0) > 0)
    .map((one) => ({
      cluster: resolveDestination(one.destination, owner, context).cluster,
      runtimeFraction: { defaultValue: millionths(one.percentage?.value ?? 100), runtimeKey: '' },
      traceSampled: false,
      // Istio's default: copies carry the Host of the request.
      disableShadowHostSuffixAppend: true,
    }))
}

const redirectCodes: Readonly<Record<number, RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
}

const statusOf = (redirect: HttpRedirect): number => redirect.redirectCode || 301

export const canBeSent = (redirect: HttpRedirect): boolean => redirectCodes[statusOf(redirect)] !== undefined

export function redirectAction(redirect: HttpRedirect, context: RouteContext): Init<typeof RedirectActionSchema> {
  const responseCode = redirectCodes[statusOf(redirect)]
  if (responseCode === undefined) throw notTranslatable(`redirect.redirectCode ${statusOf(redirect)} cannot be sent`)
  return {
    responseCode,
    hostRedirect: redirect.authority ?? '',
    ...redirectPath(redirect),
    ...redirectPort(redirect, context),
    ...(redirect.scheme && { schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: redirect.scheme } }),
  } as Init<typeof RedirectActionSchema>
}

function redirectPath(redirect: HttpRedirect): Init<typeof RedirectActionSchema> {
  if (redirect.uri) return { pathRewriteSpecifier: { case: 'pathRedirect', value: redirect.uri } }
  if (redirect.prefixRewrite) return { pathRewriteSpecifier: { case: 'prefixRewrite', value: redirect.prefixRewrite } }
  return {}
}

function redirectPort(redirect: HttpRedirect, context: RouteContext): { portRedirect?: number } {
  if (redirect.port !== undefined && redirect.port !== 0) return { portRedirect: redirect.port }
  const https = redirect.scheme === undefined || redirect.scheme === '' ? context.listensForTls : redirect.scheme === 'https'
  const port = redirect.derivePort === 'FROM_PROTOCOL_DEFAULT' ? (https ? 443 : 80)
    : redirect.derivePort === 'FROM_REQUEST_PORT' ? context.port : 0
  // The port that the scheme implies is not written into Location.
  return port === 0 || port === (https ? 443 : 80) && redirect.derivePort === 'FROM_REQUEST_PORT' ? {} : { portRedirect: port }
}

export function directResponseAction(reply: NonNullable<HttpRule['directResponse']>): Init<typeof DirectResponseActionSchema> {
  const { body } = reply
  if (body?.bytes !== undefined) {
    const inlineBytes = typeof body.bytes === 'string' ? Buffer.from(body.bytes, 'base64') : Buffer.from(body.bytes)
    return { status: reply.status, body: { specifier: { case: 'inlineBytes', value: inlineBytes } } }
  }
  if (body?.string === undefined) return { status: reply.status }
  return { status: reply.status, body: { specifier: { case: 'inlineString', value: body.string } } }
}
