// CUSTOM policies: whom a provider is asked about, before anything else is looked at (security spec 2.7).
import type { FilterSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { AuthorizationPolicy } from '../../snapshot-authorization.ts'
import type { Init } from '../any.ts'
import { httpRbac, networkRbac, unaskable } from './authorization.ts'
import type { AuthorizationMesh, HttpFilter } from './authorization.ts'

export function httpCustom(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh): HttpFilter[] {
  const rules = unaskable(policies, mesh, false)
  return rules === undefined ? [] : [httpRbac({ rules })]
}

export function networkCustom(policies: readonly AuthorizationPolicy[], mesh: AuthorizationMesh): Init<typeof FilterSchema>[] {
  const rules = unaskable(policies, mesh, true)
  return rules === undefined ? [] : [networkRbac({ rules })]
}
