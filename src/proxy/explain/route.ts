// One chosen route in words: where it sends, how long it waits, how often it tries again, what it changes, what it
// answers itself. Paths and answers come from the compiled route, which is what serves. Durations are written as in YAML.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { HeaderValueOption } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { RedirectAction, RetryPolicy, Route, RouteAction } from '../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { HTTPFaultSchema } from '../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { FractionalPercent_DenominatorType as Denominator } from '../../proto/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent } from '../../proto/gen/envoy/type/v3/percent_pb.ts'
import type { LocalReply } from '../http/filter.ts'
import type { CompiledRoute } from '../http/router/compile.ts'
import { clusterNameOf } from '../http/router/forward.ts'
import type { ForwardAction, PerFilter } from '../http/router/forward.ts'
import type { RoutedRequest } from '../http/router/request.ts'
import { milliseconds } from '../xds/duration.ts'

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

export function explainRoute(route: CompiledRoute, request: RoutedRequest): ExplainedRoute {
  const { message, action, virtualHost } = route
  const forward = action.kind === 'forward' ? action : undefined
  const reply = action.kind === 'reply' ? action.replyTo(request) : undefined
  const sends = message.action.case === 'route' ? message.action.value : undefined
  return {
    destinations: forward === undefined ? [] : destinationsOf(forward, request),
    timeout: forward === undefined ? null : timeText(forward.timeoutMs),
    retries: sends === undefined ? null : retriesOf(sends.retryPolicy ?? virtualHost.message.retryPolicy),
    faults: faultsOf(action.kind === 'forward' ? action.targets[0]!.perFilter : action.perFilter),
    rewrite: forward === undefined ? null : rewriteOf(forward, request),
    redirect: message.action.case === 'redirect' && reply !== undefined ? redirectOf(message.action.value, reply) : null,
    directResponse: message.action.case === 'directResponse' && reply !== undefined ? { status: reply.status, body: reply.body } : null,
    headers: headersOf(message),
    mirrors: sends === undefined ? [] : mirrorsOf(sends),
  }
}

/** Weights as they were written; one destination alone gets everything. Those that a session decides are sent in millionths. */
function destinationsOf({ targets, drawsByHash, totalWeight }: ForwardAction, request: RoutedRequest): Destination[] {
  const unit = drawsByHash && totalWeight === 1_000_000 ? 10_000 : 1
  return targets.map((target) => destinationOf(clusterNameOf(target, request), targets.length === 1 ? 100 : target.weight / unit))
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

function faultsOf(perFilter: PerFilter): ExplainedFaults | null {
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

function rewriteOf({ rewritePath, targets }: ForwardAction, request: RoutedRequest): ExplainedRoute['rewrite'] {
  const { rewriteHost } = targets[0]!
  const authority = (typeof rewriteHost === 'function' ? rewriteHost(request) : rewriteHost) ?? null
  const path = rewritePath === undefined ? null : withQuery(rewritePath(request.pathname), request.query)
  return path === null && authority === null ? null : { path, authority }
}

const withQuery = (path: string, query: string): string => (query === '' ? path : `${path}?${query}`)

/** What was written, and the path of the Location that it makes. */
function redirectOf(redirect: RedirectAction, { status, headers }: LocalReply): ExplainedRedirect {
  const scheme = redirect.schemeRewriteSpecifier
  return {
    code: status,
    scheme: scheme.case === 'schemeRedirect' ? scheme.value : scheme.value === true ? 'https' : null,
    authority: redirect.hostRedirect === '' ? null : redirect.hostRedirect,
    port: redirect.portRedirect === 0 ? null : redirect.portRedirect,
    path: /^[^:]+:\/\/[^/]*(.*)$/.exec(headers[headers.indexOf('location') + 1] ?? '')?.[1] ?? '',
  }
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
  return timeText(duration === undefined ? 0 : milliseconds(duration))
}

function timeText(ms: number): string | null {
  if (ms === 0) return null
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`
}
