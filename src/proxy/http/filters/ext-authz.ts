// envoy.filters.http.ext_authz over HTTP (security spec 2.7): somebody else decides about a request. Whoever cannot be asked
// has not allowed it, unless the configuration says that such requests go on.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { HeaderList } from '../../../codec/header-list.ts'
import { ExtAuthzPerRouteSchema, ExtAuthzSchema } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { ExtAuthz, HttpService } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { ListStringMatcher } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import { valueAt } from '../../../security/rbac/expression.ts'
import { valueTest } from '../../rbac/value.ts'
import type { RequestHead } from '../../upstream/types.ts'
import { milliseconds } from '../../xds/duration.ts'
import { getMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, LocalReply } from '../filter.ts'
import { badConfig } from '../router/problem.ts'
import { compileTextMatch } from '../router/text-match.ts'
import { askSide } from '../side-request.ts'
import type { SideAnswer } from '../side-request.ts'
import type { FilterContext, FilterKind } from './table.ts'

type Fits = (name: string) => boolean

interface Provider {
  readonly cluster: string
  readonly authority: string
  readonly pathPrefix: string
  readonly timeoutMs: number
  /** Of the client's headers: what the provider sees beside what it always sees. */
  readonly sends: Fits
  readonly adds: readonly (readonly [name: string, value: string])[]
  readonly toUpstream: Fits
  /** Undefined: all of them. */
  readonly toClientOnDenial: Fits | undefined
  readonly toClientOnSuccess: Fits
  readonly failOpen: boolean
  readonly clearsRoute: boolean
  readonly unreachable: LocalReply
  readonly isAsked: (exchange: Exchange) => boolean
}

export const extAuthz: FilterKind = {
  overrideType: ExtAuthzPerRouteSchema.typeName,
  create(config, override, context) {
    if (override !== undefined) {
      const route = anyUnpack(override, ExtAuthzPerRouteSchema)
      if (route?.override.case !== 'disabled') throw badConfig('check_settings of ext_authz is not served: only disabled is')
      return undefined
    }
    const message = anyUnpack(config, ExtAuthzSchema)
    if (message === undefined) throw badConfig(`${config.typeUrl} is not ext_authz`)
    return filterOf(compile(message), context)
  },
}

/** What would change the decision and is not there is refused. */
function compile(message: ExtAuthz): Provider {
  const { services, failureModeAllow, clearRouteCache, withRequestBody, statusOnError, filterEnabledMetadata, allowedHeaders, disallowedHeaders } = message
  if (services.case !== 'httpService') throw badConfig('ext_authz over gRPC is not served yet')
  if (withRequestBody !== undefined) throw badConfig('with_request_body is not served yet')
  if (disallowedHeaders !== undefined || message.filterEnabled !== undefined || message.denyAtDisable !== undefined) throw badConfig('disallowed_headers, filter_enabled and deny_at_disable are not served')
  const { serverUri, pathPrefix, authorizationRequest, authorizationResponse: response } = services.value
  if (serverUri?.httpUpstreamType.case !== 'cluster') throw badConfig('http_service without a cluster')
  return {
    cluster: serverUri.httpUpstreamType.value,
    authority: authorityOf(services.value),
    pathPrefix,
    timeoutMs: serverUri.timeout === undefined ? 200 : milliseconds(serverUri.timeout),
    sends: fitsAny(allowedHeaders ?? authorizationRequest?.allowedHeaders) ?? none,
    adds: (authorizationRequest?.headersToAdd ?? []).map(({ key, value }) => [key.toLowerCase(), value]),
    toUpstream: fitsAny(response?.allowedUpstreamHeaders) ?? none,
    toClientOnDenial: fitsAny(response?.allowedClientHeaders),
    toClientOnSuccess: fitsAny(response?.allowedClientHeadersOnSuccess) ?? none,
    failOpen: failureModeAllow,
    clearsRoute: clearRouteCache,
    unreachable: { status: statusOnError?.code ?? 403, body: '', details: 'ext_authz_error', flags: 'UAEX', headers: [], grpcStatus: undefined },
    isAsked: enabledBy(filterEnabledMetadata),
  }
}

const none: Fits = () => false

function fitsAny(list: ListStringMatcher | undefined): Fits | undefined {
  if (list === undefined) return undefined
  const matches = list.patterns.map(compileTextMatch)
  return (name) => matches.some(({ test }) => test(name))
}

const authorityOf = ({ serverUri }: HttpService): string => /^https?:\/\/([^/]+)/.exec(serverUri?.uri ?? '')?.[1] ?? serverUri?.uri ?? ''

function enabledBy(matcher: ExtAuthz['filterEnabledMetadata']): Provider['isAsked'] {
  if (matcher === undefined) return () => true
  const { test } = valueTest(matcher.value)
  const path = matcher.path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''))
  return (exchange) => test(valueAt(getMetadata(exchange, matcher.filter), path)) !== matcher.invert
}

function filterOf(provider: Provider, { clock, clusters, slot }: FilterContext & { readonly slot: number }): Filter {
  return {
    name: 'ext_authz',
    onRequest(exchange) {
      if (!provider.isAsked(exchange)) return undefined
      const cluster = clusters?.(provider.cluster)
      if (cluster === undefined) return provider.failOpen ? undefined : provider.unreachable
      return askSide(cluster, checkOf(exchange, provider), clock, provider.timeoutMs).then((answer) => decide(exchange, provider, answer, slot))
    },
    onResponse(exchange, headers) {
      const added = exchange.slots[slot]
      if (!Array.isArray(added)) return
      for (let i = 0; i < added.length; i += 2) headers.set(String(added[i]), String(added[i + 1]))
    },
  }
}

/** Of the client's: its authority, method, path and credentials, and what the provider is meant to see. */
function checkOf(exchange: Exchange, { authority, pathPrefix, timeoutMs, sends, adds }: Provider): RequestHead {
  const headers = new HeaderList()
  const { flat } = exchange.requestHeaders
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    if (name === 'authorization' || sends(name)) headers.add(name, flat[i + 1]!)
  }
  for (const [name, value] of adds) headers.set(name, value)
  headers.set('x-envoy-internal', 'true')
  if (timeoutMs > 0) headers.set('x-envoy-expected-rq-timeout-ms', String(timeoutMs))
  return { method: exchange.method, path: `${pathPrefix}${exchange.path}`, authority: exchange.authority === '' ? authority : exchange.authority, headers, bodyLength: 0, sendZeroLength: true }
}

function decide(exchange: Exchange, provider: Provider, answer: SideAnswer | undefined, slot: number): LocalReply | undefined {
  if (answer === undefined || answer.status >= 500) return provider.failOpen ? undefined : provider.unreachable
  if (answer.status !== 200) return denial(answer, provider)
  const { flat } = answer.headers
  const seen = new Set<string>()
  const toClient: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    const [name, value] = [flat[i]!, flat[i + 1]!]
    if (provider.toUpstream(name)) {
      if (seen.has(name)) exchange.requestHeaders.add(name, value)
      else exchange.requestHeaders.set(name, value)
      seen.add(name)
    }
    if (provider.toClientOnSuccess(name)) toClient.push(name, value)
  }
  if (toClient.length > 0) exchange.slots[slot] = toClient
  if (provider.clearsRoute && seen.size > 0) exchange.routeCleared = true
  return undefined
}

/** Of the connection to the provider, or written anew. */
const ownHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date', 'server', 'upgrade', 'trailer'])
/** A list of headers never takes these away. */
const alwaysTold: ReadonlySet<string> = new Set(['www-authenticate', 'location', 'proxy-authenticate'])

function denial({ status, headers: { flat }, body }: SideAnswer, { toClientOnDenial }: Provider): LocalReply {
  const headers: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const told = toClientOnDenial === undefined || alwaysTold.has(name) || toClientOnDenial(name)
    if (told && !ownHeaders.has(name)) headers.push(name, flat[i + 1]!)
  }
  return { status, body: body.toString('utf8'), details: 'ext_authz_denied', flags: 'UAEX', headers, grpcStatus: undefined }
}
