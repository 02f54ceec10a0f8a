// AuthorizationPolicies in the snapshot.
import type { AuthorizationPolicySpec } from '../../kinds/security/authorization-policy.ts'
import type { Resource } from '../../model/resource.ts'

export type AuthorizationPolicy = Resource<AuthorizationPolicySpec>
