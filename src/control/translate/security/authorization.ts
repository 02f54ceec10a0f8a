// AuthorizationPolicies as filters, in Istio's order: whom a provider is asked about, then AUDIT, DENY and ALLOW (security
// spec 2.5). Dry runs are shadow rules: they are counted and change nothing.
import type { AuthorizationPolicySpec } from '../../../kinds/security/authorization-policy.ts'
import { RBAC_Action as Action } from '../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { RBACSchema } from '../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { FilterSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { matchesNothing, rbacPolicy } from './rules.ts'
import type { RbacPolicy } from './rules.ts'

export type HttpFilter = Init<typeof HttpFilterSchema>
type NetworkFilter = Init<typeof FilterSchema>
type Rules = Init<typeof RBACSchema>
type PolicyAction = AuthorizationPolicySpec['action']

/** What of a mesh the meaning of a policy depends on. */
export type AuthorizationMesh = Pick<MeshSettings, 'trustDomain' | 'trustDomainAliases'>

export const httpRbacName = 'envoy.filters.http.rbac'
export const networkRbacName = 'envoy.filters.network.rbac'

/**
 * What a CUSTOM policy is for and no provider can be asked about is denied; nobody is let in because somebody else cannot be
 * reached. Before tokens are verified.
 */
export const unaskable = (policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh, bytes: boolean): Rules | undefined =>
  customRules(policies, { mesh, bytes, prefix: '', suffix: '-deny-due-to-bad-CUSTOM-action' })

/** What CUSTOM policies are for, as rules that match it. */
export function customRules(policies: readonly AuthorizationPolicy[], naming: Naming): Rules | undefined {
  const found = policies.filter((one) => one.spec.action === 'CUSTOM' && !isDryRun(one)).flatMap((policy) => namedRules(policy, naming))
  return found.length === 0 ? undefined : { action: Action.DENY, policies: Object.fromEntries(found) }
}

export const httpRbac = (config: Init<typeof HttpRbacSchema>): HttpFilter => ({ name: httpRbacName, configType: { case: 'typedConfig', value: packed(HttpRbacSchema, config) } })
export const networkRbac = (config: Init<typeof NetworkRbacSchema>): NetworkFilter =>
  ({ name: networkRbacName, configType: { case: 'typedConfig', value: packed(NetworkRbacSchema, { statPrefix: 'tcp.', ...config }) } })

/** After tokens have been verified. */
export function httpAuthorization(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh): HttpFilter[] {
  return sets(policies, mesh, false).map((set) => httpRbac(rulesOf(set)))
}

export function networkAuthorization(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh): NetworkFilter[] {
  return sets(policies, mesh, true).map((set) => networkRbac(rulesOf(set)))
}

/** All policies of one action: those that hold, and those that are only tried. */
interface ActionSet {
  readonly rules: Rules | undefined
  readonly shadow: Rules | undefined
  readonly shadowStats: string
}

function rulesOf({ rules, shadow, shadowStats }: ActionSet) {
  return { ...(rules !== undefined && { rules }), ...(shadow !== undefined && { shadowRules: shadow, shadowRulesStatPrefix: shadowStats }) }
}

const order: readonly PolicyAction[] = ['AUDIT', 'DENY', 'ALLOW']
const actions: Readonly<Record<PolicyAction, Action>> = { AUDIT: Action.LOG, DENY: Action.DENY, ALLOW: Action.ALLOW, CUSTOM: Action.DENY }

function sets(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh, bytes: boolean): ActionSet[] {
  return order.flatMap((action) => {
    const own = policies.filter(({ spec }) => spec.action === action)
    if (own.length === 0) return []
    const of = (dry: boolean) => rulesFor(own.filter((one) => isDryRun(one) === dry), action, mesh, bytes)
    return [{ rules: of(false), shadow: of(true), shadowStats: `istio_dry_run_${action.toLowerCase()}_` }]
  })
}

export const isDryRun = ({ metadata }: AuthorizationPolicy): boolean => metadata.annotations['istio.io/dry-run'] === 'true'

/** Undefined: no policy of this kind holds here. One that comes to nothing still says that there is one. */
function rulesFor(policies: readonly AuthorizationPolicy[], action: PolicyAction, mesh: AuthorizationMesh, bytes: boolean): Rules | undefined {
  if (policies.length === 0) return undefined
  const found = policies.flatMap((policy) => namedRules(policy, { mesh, bytes, prefix: '', suffix: '' }))
  return { action: actions[action], policies: Object.fromEntries(found) }
}

export interface Naming {
  readonly mesh: AuthorizationMesh
  readonly bytes: boolean
  readonly prefix: string
  readonly suffix: string
}

/** `ns[default]-policy[viewers]-rule[0]`, as Istio calls them. */
function namedRules({ spec, metadata: { namespace, name } }: AuthorizationPolicy, { mesh, bytes, prefix, suffix }: Naming): (readonly [name: string, policy: RbacPolicy])[] {
  const nameOf = (rule: number) => `${prefix}ns[${namespace}]-policy[${name}]-rule[${rule}]${suffix}`
  if (spec.rules.length === 0) return [[nameOf(0), matchesNothing]]
  const use = { trustDomains: [mesh.trustDomain, ...mesh.trustDomainAliases], namespace, bytes, allows: spec.action === 'ALLOW' }
  return spec.rules.flatMap((rule, index) => {
    const policy = rbacPolicy(rule, use)
    return policy === undefined ? [] : [[nameOf(index), policy] as const]
  })
}
