// One chosen route in words: where it sends, how long it waits, how often it tries again, what it changes, what it
// answers itself. Durations are written as in YAML.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any, Duration } from '@bufbuild/protobuf/wkt'
import { RE2JS } from 're2js'
import type { HeaderValueOption } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { RedirectAction, RetryPolicy, Route, RouteAction, VirtualHost } from '../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { HTTPFaultSchema } from '../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { RegexMatchAndSubstitute } from '../proto/gen/envoy/type/matcher/v3/regex_pb.ts'
import { FractionalPercent_DenominatorType as Denominator } from '../proto/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent } from '../proto/gen/envoy/type/v3/percent_pb.ts'
import { inlineText } from './xds/data-source.ts'
import { milliseconds } from './xds/duration.ts'

export interface Destination {
  readonly host: string
  readonly subset: string | null
  readonly port: number | null
  readonly weight: number
  readonly cluster: string
}

export interface HeaderOperations {
  readonly set: Readonly<Record<string, string>>
  readonly add: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

export interface ExplainedRoute {
  readonly destinations: readonly Destination[]
  readonly timeout: string | null
  readonly retries: { readonly attempts: number; readonly perTryTimeout: string | null; readonly retryOn: string } | null
  readonly faults: ExplainedFaults | null
  readonly rewrite: { readonly path: string | null; readonly authority: string | null } | null
  readonly redirect: ExplainedRedirect | null
  readonly directResponse: { readonly status: number; readonly body: string } | null
  readonly headers: { readonly request: HeaderOperations; readonly response: HeaderOperations } | null
  readonly mirrors: readonly { readonly host: string; readonly subset: string | null; readonly percentage: number }[]
}

export interface ExplainedFaults {
  readonly delay: { readonly fixedDelay: string; readonly percentage: number } | null
  readonly abort: { readonly httpStatus: number | null; readonly grpcStatus: number | null; readonly percentage: number } | null
}

export interface ExplainedRedirect {
  readonly code: number
  readonly scheme: string | null
  readonly authority: string | null
  readonly port: number | null
  readonly path: string
}

export const noRoute: ExplainedRoute = {
  destinations: [], timeout: null, retries: null, faults: null, rewrite: null, redirect: null, directResponse: null, headers: null, mirrors: [],
}

/** `path` is the request's, with its query. */
export function explainRoute(route: Route, virtualHost: VirtualHost, path: string): ExplainedRoute {
  const action = route.action.case === 'route' ? route.action.value : undefined
  return {
    destinations: action === undefined ? [] : destinationsOf(action),
    timeout: action === undefined ? null : durationText(action.timeout),
    retries: action === undefined ? null : retriesOf(action.retryPolicy ?? virtualHost.retryPolicy),
    faults: faultsOf(route.typedPerFilterConfig),
    rewrite: action === undefined ? null : rewriteOf(action, route, path),
    redirect: route.action.case === 'redirect' ? redirectOf(route.action.value, route, path) : null,
    directResponse: directResponseOf(route),
    headers: headersOf(route),
    mirrors: action === undefined ? [] : mirrorsOf(action),
  }
}

function destinationsOf({ clusterSpecifier }: RouteAction): Destination[] {
  if (clusterSpecifier.case === 'cluster') return [destinationOf(clusterSpecifier.value, 100)]
  if (clusterSpecifier.case !== 'weightedClusters') return []
  return clusterSpecifier.value.clusters.map(({ name, weight }) => destinationOf(name, weight ?? 0))
}

/** Istio's cluster names carry port, subset and host; of other names only the name is known. */
export function destinationOf(cluster: string, weight: number): Destination {
  const [direction, port = '', subset = '', host = ''] = cluster.split('|')
  if (direction !== 'outbound' && direction !== 'inbound') return { host: cluster, subset: null, port: null, weight, cluster }
  return { host, subset: subset === '' ? null : subset, port: Number(port), weight, cluster }
}

function retriesOf(policy: RetryPolicy | undefined): ExplainedRoute['retries'] {
  const attempts = policy === undefined ? 0 : (policy.numRetries ?? 1)
  if (policy === undefined || attempts === 0 || policy.retryOn === '') return null
  const codes = policy.retriableStatusCodes.map(String)
  return { attempts, perTryTimeout: durationText(policy.perTryTimeout), retryOn: [policy.retryOn, ...codes].join(',') }
}

function faultsOf(perFilter: Record<string, Any>): ExplainedFaults | null {
  const any = Object.values(perFilter).find(({ typeUrl }) => typeUrl.endsWith(`/${HTTPFaultSchema.typeName}`))
  const fault = any === undefined ? undefined : anyUnpack(any, HTTPFaultSchema)
  if (fault?.delay === undefined && fault?.abort === undefined) return null
  const { delay, abort } = fault
  const fixed = delay?.faultDelaySecifier
  const kind = abort?.errorType
  return {
    delay: fixed?.case === 'fixedDelay' ? { fixedDelay: durationText(fixed.value) ?? '0s', percentage: percentOf(delay?.percentage) } : null,
    abort: kind === undefined || kind.case === 'headerAbort' ? null : {
      httpStatus: kind.case === 'httpStatus' ? kind.value : null,
      grpcStatus: kind.case === 'grpcStatus' ? kind.value : null,
      percentage: percentOf(abort?.percentage),
    },
  }
}

function rewriteOf(action: RouteAction, route: Route, path: string): ExplainedRoute['rewrite'] {
  const { prefixRewrite, regexRewrite, hostRewriteSpecifier } = action
  const authority = hostRewriteSpecifier.case === 'hostRewriteLiteral' ? hostRewriteSpecifier.value : null
  const rewritten = rewrittenPath(prefixRewrite, regexRewrite, route, path)
  return rewritten === null && authority === null ? null : { path: rewritten, authority }
}

function rewrittenPath(prefix: string, regex: RegexMatchAndSubstitute | undefined, route: Route, path: string): string | null {
  if (prefix !== '') return prefix + path.slice(matchedLength(route, path))
  if (regex?.pattern === undefined) return null
  const [before = '', ...query] = path.split('?')
  // Envoy writes groups as \1, RE2J as $1.
  const replaced = RE2JS.compile(regex.pattern.regex).matcher(before).replaceAll(regex.substitution.replaceAll('$', '\\$').replace(/\\(\d)/g, '$$$1'))
  return [replaced, ...query].join('?')
}

/** How much of the path a prefix rewrite takes away: what the match named. */
function matchedLength({ match }: Route, path: string): number {
  const specifier = match?.pathSpecifier
  switch (specifier?.case) {
    case 'prefix':
    case 'pathSeparatedPrefix': return specifier.value.length
    case 'path': return path.split('?')[0]!.length
    default: return 0
  }
}

const redirectCodes = [301, 302, 303, 307, 308]

function redirectOf(redirect: RedirectAction, route: Route, path: string): ExplainedRedirect {
  const scheme = redirect.schemeRewriteSpecifier
  return {
    code: redirectCodes[redirect.responseCode] ?? 301,
    scheme: scheme.case === 'schemeRedirect' ? scheme.value : scheme.value === true ? 'https' : null,
    authority: redirect.hostRedirect === '' ? null : redirect.hostRedirect,
    port: redirect.portRedirect === 0 ? null : redirect.portRedirect,
    path: redirectPath(redirect, route, path),
  }
}

function redirectPath({ pathRewriteSpecifier: to, stripQuery }: RedirectAction, route: Route, path: string): string {
  const [before = '', query] = path.split('?')
  const suffix = query === undefined || stripQuery ? '' : `?${query}`
  switch (to.case) {
    case 'pathRedirect': return to.value.includes('?') ? to.value : to.value + suffix
    case 'prefixRewrite': return to.value + before.slice(matchedLength(route, before)) + suffix
    case 'regexRewrite': return (rewrittenPath('', to.value, route, before) ?? before) + suffix
    default: return before + suffix
  }
}

function directResponseOf({ action }: Route): ExplainedRoute['directResponse'] {
  if (action.case !== 'directResponse') return null
  return { status: action.value.status, body: inlineText(action.value.body, 'direct response') ?? '' }
}

function headersOf(route: Route): ExplainedRoute['headers'] {
  const request = operations(route.requestHeadersToAdd, route.requestHeadersToRemove)
  const response = operations(route.responseHeadersToAdd, route.responseHeadersToRemove)
  const empty = [request, response].every(({ set, add, remove }) => Object.keys({ ...set, ...add }).length + remove.length === 0)
  return empty ? null : { request, response }
}

function operations(added: readonly HeaderValueOption[], remove: readonly string[]): HeaderOperations {
  const appends = ({ appendAction, append }: HeaderValueOption) => append ?? appendAction === AppendAction.APPEND_IF_EXISTS_OR_ADD
  const entries = (options: readonly HeaderValueOption[]) => Object.fromEntries(options.map(({ header }) => [header?.key ?? '', header?.value ?? '']))
  return { set: entries(added.filter((option) => !appends(option))), add: entries(added.filter(appends)), remove }
}

function mirrorsOf({ requestMirrorPolicies }: RouteAction): ExplainedRoute['mirrors'] {
  return requestMirrorPolicies.map(({ cluster, runtimeFraction }) => {
    const { host, subset } = destinationOf(cluster, 0)
    return { host, subset, percentage: runtimeFraction === undefined ? 100 : percentOf(runtimeFraction.defaultValue) }
  })
}

function percentOf(fraction: FractionalPercent | undefined): number {
  if (fraction === undefined) return 0
  const { numerator, denominator } = fraction
  if (denominator === Denominator.MILLION) return numerator / 10_000
  return denominator === Denominator.TEN_THOUSAND ? numerator / 100 : numerator
}

/** `2s`, `1.5s`, `25ms`; null for none and for 0, which means no limit. */
export function durationText(duration: Duration | undefined): string | null {
  const ms = duration === undefined ? 0 : milliseconds(duration)
  if (ms === 0) return null
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`
}
