// CUSTOM policies: whom a provider is asked about, before anything else is looked at (security spec 2.7). Shadow rules mark
// what the policies are for, and the filter behind them asks about what is marked.
import { ApiVersion } from '../../../proto/gen/envoy/config/core/v3/config_source_pb.ts'
import type { GrpcServiceSchema } from '../../../proto/gen/envoy/config/core/v3/grpc_service_pb.ts'
import type { HttpServiceSchema } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { StatusCode } from '../../../proto/gen/envoy/type/v3/http_status_pb.ts'
import type { FilterSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ExtAuthzSchema } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '../../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts'
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'
import { customRules, httpRbac, httpRbacName, networkRbac, networkRbacName, unaskable } from './authorization.ts'
import type { AuthorizationMesh, HttpFilter } from './authorization.ts'
import { metadataMatcher, textMatcher, textValue } from './matchers.ts'
import type { Asked } from './providers.ts'

const prefix = 'istio-ext-authz'
const statPrefix = 'istio_ext_authz_'

/** `asked` is as in providers.ts. */
export function httpCustom(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh, asked: Asked | null | undefined): HttpFilter[] {
  if (asked === undefined) return []
  const shadowRules = asked === null ? undefined : customRules(policies, { mesh, bytes: false, prefix: `${prefix}-`, suffix: '' })
  if (asked !== null && shadowRules !== undefined) return [httpRbac({ shadowRules, shadowRulesStatPrefix: statPrefix }), extAuthz(asked)]
  const rules = unaskable(policies, mesh, false)
  return rules === undefined ? [] : [httpRbac({ rules })]
}

/** A provider that speaks HTTP has nothing to say about bytes, as in Istio. */
export function networkCustom(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh, asked: Asked | null | undefined): Init<typeof FilterSchema>[] {
  if (asked === undefined || asked?.http !== undefined) return []
  const shadowRules = asked === null ? undefined : customRules(policies, { mesh, bytes: true, prefix: `${prefix}-`, suffix: '' })
  if (asked !== null && shadowRules !== undefined) return [networkRbac({ shadowRules, shadowRulesStatPrefix: statPrefix }), networkExtAuthz(asked)]
  const rules = unaskable(policies, mesh, true)
  return rules === undefined ? [] : [networkRbac({ rules })]
}

function networkExtAuthz({ cluster, grpc }: Asked): Init<typeof FilterSchema> {
  const config = packed(NetworkExtAuthzSchema, {
    statPrefix: 'tcp.',
    grpcService: grpcService(cluster, grpc!),
    failureModeAllow: grpc!.failOpen,
    transportApiVersion: ApiVersion.V3,
    filterEnabledMetadata: metadataMatcher(networkRbacName, [`${statPrefix}shadow_effective_policy_id`], textValue(textMatcher(`${prefix}*`))),
  })
  return { name: 'envoy.filters.network.ext_authz', configType: { case: 'typedConfig', value: config } }
}

const listOf = (headers: readonly string[]) => ({ patterns: headers.map((one) => textMatcher(one, true)) })
const given = <Key extends string>(key: Key, headers: readonly string[]) => (headers.length === 0 ? {} : { [key]: listOf(headers) })

function extAuthz({ cluster, http, grpc }: Asked): HttpFilter {
  const { failOpen, clearRouteCache, statusOnError, includeRequestBodyInCheck: body } = (http ?? grpc)!
  const checked = http === undefined ? [] : [...http.includeHeadersInCheck, ...http.includeRequestHeadersInCheck]
  const config = packed(ExtAuthzSchema, {
    services: http === undefined ? { case: 'grpcService', value: grpcService(cluster, grpc!) } : { case: 'httpService', value: httpService(cluster, http) },
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: failOpen,
    clearRouteCache,
    statusOnError: { code: Number(statusOnError ?? '403') as StatusCode },
    ...given('allowedHeaders', checked),
    ...(body !== undefined && { withRequestBody: { maxRequestBytes: body.maxRequestBytes, allowPartialMessage: body.allowPartialMessage, packAsBytes: body.packAsBytes } }),
    filterEnabledMetadata: metadataMatcher(httpRbacName, [`${statPrefix}shadow_effective_policy_id`], textValue(textMatcher(`${prefix}*`))),
  })
  return { name: 'envoy.filters.http.ext_authz', configType: { case: 'typedConfig', value: config } }
}

const hostOf = (cluster: string): string => cluster.split('|').at(-1)!

const grpcService = (cluster: string, { timeout }: NonNullable<Asked['grpc']>): Init<typeof GrpcServiceSchema> =>
  ({ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority: hostOf(cluster) } }, timeout: durationOf(timeout) })

function httpService(cluster: string, http: NonNullable<Asked['http']>): Init<typeof HttpServiceSchema> {
  return {
    serverUri: { uri: `http://${hostOf(cluster)}`, httpUpstreamType: { case: 'cluster', value: cluster }, timeout: durationOf(http.timeout) },
    pathPrefix: http.pathPrefix,
    authorizationRequest: { headersToAdd: Object.entries(http.includeAdditionalHeadersInCheck).map(([key, value]) => ({ key, value })) },
    authorizationResponse: {
      ...given('allowedUpstreamHeaders', http.headersToUpstreamOnAllow),
      ...given('allowedClientHeaders', http.headersToDownstreamOnDeny),
      ...given('allowedClientHeadersOnSuccess', http.headersToDownstreamOnAllow),
    },
  }
}
