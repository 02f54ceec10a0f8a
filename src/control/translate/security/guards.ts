// What stands in front of a workload or behind a gateway's door: the security filters of requests and of bytes, in
// Istio's order. Made once for all filter chains of a listener.
import type { JwtRule } from '../../../kinds/security/request-authentication.ts'
import type { FilterSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { HttpFilterSchema } from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { AuthorizationPolicy } from '../../snapshot/authorization.ts'
import type { Peer, Snapshot } from '../../snapshot.ts'
import { jwtFilter } from './authentication.ts'
import type { Init } from '../any.ts'
import { httpCustom, networkCustom } from './custom.ts'
import { askedFor } from './providers.ts'
import type { Asked } from './providers.ts'
import { httpAuthorization, networkAuthorization } from './authorization.ts'

export interface Guards {
  /** Before all other HTTP filters. */
  readonly http: readonly Init<typeof HttpFilterSchema>[]
  /** Before the bytes are passed on. */
  readonly bytes: readonly Init<typeof FilterSchema>[]
}

export interface Guarded {
  readonly authorizations: readonly AuthorizationPolicy[]
  /** Whom its CUSTOM policies ask, as JSON; empty for nobody. */
  readonly asked: string
  /** Whose tokens are taken, and each one's keys. */
  readonly jwtRules: readonly JwtRule[]
  readonly jwtKeys: readonly string[]
  readonly mesh: MeshSettings
}

/** `routesByClaims`: routes may ask for what a token says. */
export const guardsOf = ({ authorizations, asked, jwtRules, jwtKeys, mesh }: Guarded, routesByClaims: boolean): Guards => ({
  http: [...httpCustom(authorizations, mesh, askedIn(asked)), ...jwtFilter(jwtRules, jwtKeys, routesByClaims), ...httpAuthorization(authorizations, mesh)],
  bytes: [...networkCustom(authorizations, mesh, askedIn(asked)), ...networkAuthorization(authorizations, mesh)],
})

/** What a view needs to know of who may do what. */
export function authorizationOf(peer: Pick<Peer, 'namespace' | 'labels'>, type: string, snapshot: Snapshot): Pick<Guarded, 'authorizations' | 'asked'> {
  const authorizations = snapshot.authorizations.of(peer, type)
  const asked = askedFor(authorizations, snapshot)
  return { authorizations, asked: asked === undefined ? '' : JSON.stringify(asked) }
}

const askedIn = (text: string): Asked | null | undefined => (text === '' ? undefined : JSON.parse(text) as Asked | null)
