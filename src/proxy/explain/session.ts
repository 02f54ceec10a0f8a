// What keeps the requests of one session together on a route, and where that sends this one: decided by the compiled route
// itself. What is drawn anew for every request is not decided.
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { RouteAction_HashPolicy as HashPolicy } from '../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { chooseTarget, clusterNameOf } from '../http/router/forward.ts'
import type { DrawingRequest, ForwardAction } from '../http/router/forward.ts'
import { hashOf } from '../http/router/hash-policy.ts'
import type { RoutedRequest } from '../http/router/request.ts'

export interface ExplainedSession {
  /** `header x-user`, `cookie session`, `source address`, `query parameter user`: those that the route looks at. */
  readonly by: readonly string[]
  /** Of this request; null where it has nothing of that, or gets a new cookie. */
  readonly hash: string | null
  /** Whether the choice among weighted destinations, too, is a function of it. */
  readonly decidesWeights: boolean
}

export interface DecidedRoute {
  readonly session: ExplainedSession | null
  /** Undefined: it is drawn for each request. */
  readonly cluster: string | undefined
  readonly hash: Hash64 | undefined
}

export interface Ends {
  readonly source: Address
  readonly destination: Address
}

export function decideRoute(action: ForwardAction, policies: readonly HashPolicy[], request: RoutedRequest, ends: Ends): DecidedRoute {
  const facts = { drawn: false, newCookie: false }
  const drawing = drawingRequest(request, ends, facts)
  const target = chooseTarget(action, () => {
    facts.drawn = true
    return 0
  }, drawing)
  const found = action.hash === undefined ? undefined : hashOf(action.hash, drawing)
  // A cookie that is made for this connection alone decides nothing that another one would meet.
  const hash = facts.newCookie ? undefined : found
  const drawn = facts.drawn || (facts.newCookie && action.drawsByHash && action.targets.length > 1)
  return {
    cluster: drawn ? undefined : clusterNameOf(target, request),
    hash,
    session: action.hash === undefined ? null : { by: policies.map(nameOf), hash: hash === undefined ? null : hex(hash), decidesWeights: action.drawsByHash },
  }
}

function drawingRequest({ requestHeaders, query }: RoutedRequest, { source, destination }: Ends, facts: { newCookie: boolean }): DrawingRequest {
  return {
    requestHeaders, query, hash: undefined,
    connection: { remoteAddress: source, remoteAddressText: formatAddress(source), originalDestinationText: formatAddress(destination) },
    addCookie: () => (facts.newCookie = true),
  }
}

function nameOf({ policySpecifier: { case: kind, value } }: HashPolicy): string {
  switch (kind) {
    case 'header': return `header ${value.headerName.toLowerCase()}`
    case 'cookie': return `cookie ${value.name}`
    case 'queryParameter': return `query parameter ${value.name}`
    case 'connectionProperties': return 'source address'
    default: return kind ?? 'nothing'
  }
}

const hex = ({ high, low }: Hash64): string => `${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`
