// envoy.filters.http.ext_authz (security spec 2.7): somebody else decides about a request. Whoever cannot be asked has not
// allowed it, unless the configuration says that such requests go on. How it is asked is ext-authz/.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { ExtAuthzPerRouteSchema, ExtAuthzSchema } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { BufferSettings, ExtAuthz } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { valueAt } from '../../../security/rbac/expression.ts'
import { valueTest } from '../../rbac/value.ts'
import { getMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'
import { grpcProvider } from '../ext-authz/grpc-check.ts'
import { httpProvider } from '../ext-authz/http-check.ts'
import { failed } from '../ext-authz/verdict.ts'
import type { Provider, Verdict } from '../ext-authz/verdict.ts'
import { BodyWish } from '../filter.ts'
import type { Filter, FilterResult, HeldBody, LocalReply } from '../filter.ts'
import { badConfig } from '../router/problem.ts'
import { askSide } from '../side-request.ts'
import type { FilterContext, FilterKind } from './table.ts'

interface Settings {
  readonly provider: Provider
  readonly failOpen: boolean
  readonly clearsRoute: boolean
  readonly unreachable: LocalReply
  readonly isAsked: (exchange: Exchange) => boolean
  /** What of bodies the provider is to see. */
  readonly body: BufferSettings | undefined
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
function compile(message: ExtAuthz): Settings {
  const { failureModeAllow, clearRouteCache, withRequestBody, statusOnError, filterEnabledMetadata, disallowedHeaders } = message
  if (disallowedHeaders !== undefined || message.filterEnabled !== undefined || message.denyAtDisable !== undefined) throw badConfig('disallowed_headers, filter_enabled and deny_at_disable are not served')
  return {
    provider: providerOf(message),
    failOpen: failureModeAllow,
    clearsRoute: clearRouteCache,
    unreachable: { status: statusOnError?.code ?? 403, body: '', details: 'ext_authz_error', flags: 'UAEX', headers: [], grpcStatus: undefined },
    isAsked: enabledBy(filterEnabledMetadata),
    body: withRequestBody,
  }
}

function providerOf(message: ExtAuthz): Provider {
  switch (message.services.case) {
    case 'httpService': return httpProvider(message, message.services.value)
    case 'grpcService': return grpcProvider(message.services.value, message.withRequestBody?.packAsBytes === true)
    default: throw badConfig('ext_authz without a service')
  }
}

function enabledBy(matcher: ExtAuthz['filterEnabledMetadata']): Settings['isAsked'] {
  if (matcher === undefined) return () => true
  const { test } = valueTest(matcher.value)
  const path = matcher.path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''))
  return (exchange) => test(valueAt(getMetadata(exchange, matcher.filter), path)) !== matcher.invert
}

function filterOf(settings: Settings, { clock, clusters, slot }: FilterContext & { readonly slot: number }): Filter {
  const { provider, isAsked, body } = settings
  const ask = (exchange: Exchange, held: HeldBody | undefined): FilterResult => {
    const cluster = clusters?.(provider.cluster)
    if (cluster === undefined) return apply(exchange, failed, settings, slot)
    const question = provider.ask(exchange, held)
    return askSide(cluster, question.head, clock, provider.timeoutMs, question.body)
      .then((answer) => apply(exchange, answer === undefined ? failed : provider.read(answer), settings, slot))
  }
  return {
    name: 'ext_authz',
    onRequest(exchange) {
      if (!isAsked(exchange)) return undefined
      if (body === undefined || exchange.upgrade !== '' || exchange.requestComplete || exchange.bodyLength === 0) return ask(exchange, undefined)
      return new BodyWish(body.maxRequestBytes, body.allowPartialMessage, (held) => ask(exchange, held))
    },
    onResponse(exchange, headers) {
      const added = exchange.slots[slot]
      if (!Array.isArray(added)) return
      for (let i = 0; i < added.length; i += 2) headers.set(String(added[i]), String(added[i + 1]))
    },
  }
}

function apply(exchange: Exchange, verdict: Verdict, { failOpen, clearsRoute, unreachable }: Settings, slot: number): LocalReply | undefined {
  if (verdict.kind === 'failed') return failOpen ? undefined : unreachable
  if (verdict.kind === 'denied') return verdict.reply
  verdict.changes(exchange)
  if (verdict.toClient.length > 0) exchange.slots[slot] = verdict.toClient
  if (clearsRoute && verdict.changesRoute) exchange.routeCleared = true
  return undefined
}
