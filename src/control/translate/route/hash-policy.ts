// By what a route's requests are hashed: the DestinationRules of its destinations say (traffic spec 2.2).
import type { RouteAction_HashPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { effectivePolicy } from '../../snapshot/destination-rules.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import type { ConsistentHash } from '../../destination-rule-spec.ts'
import { durationOf } from '../duration.ts'
import type { Init } from '../any.ts'

export type HashPolicy = Init<typeof RouteAction_HashPolicySchema>

export function hashPolicy(rule: MergedRule | undefined, port: number, subset: string): HashPolicy[] {
  const hash = effectivePolicy(rule, port, subset).loadBalancer?.consistentHash
  const policy = hash === undefined ? undefined : policyOf(hash)
  return policy === undefined ? [] : [{ policySpecifier: policy, terminal: false }]
}

function policyOf(hash: ConsistentHash): HashPolicy['policySpecifier'] | undefined {
  if (hash.httpHeaderName) return { case: 'header', value: { headerName: hash.httpHeaderName } }
  if (hash.useSourceIp === true) return { case: 'connectionProperties', value: { sourceIp: true } }
  if (hash.httpQueryParameterName) return { case: 'queryParameter', value: { name: hash.httpQueryParameterName } }
  const cookie = hash.httpCookie
  if (cookie === undefined) return undefined
  return {
    case: 'cookie',
    value: {
      name: cookie.name,
      path: cookie.path ?? '',
      ...(cookie.ttl !== undefined && { ttl: durationOf(cookie.ttl) }),
      attributes: (cookie.attributes ?? []).map((one) => ({ name: one.name, value: one.value ?? '' })),
    },
  }
}
