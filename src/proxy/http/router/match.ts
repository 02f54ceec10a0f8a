// Compiles RouteMatch into the conditions that must all hold, cheapest first.
import type { RouteMatch } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { probabilityOf } from './fraction.ts'
import { headerCondition } from './header-condition.ts'
import { metadataCondition } from './metadata-condition.ts'
import { pathCondition } from './path-condition.ts'
import { badConfig } from './problem.ts'
import { queryCondition } from './query-condition.ts'
import type { Condition, Random, RoutedRequest } from './request.ts'

export function compileMatch(match: RouteMatch | undefined): readonly Condition[] {
  if (match === undefined) throw badConfig('a route needs a match')
  if (match.tlsContext !== undefined) throw badConfig('match.tls_context is not served yet')
  const path = pathCondition(match)
  const fraction = match.runtimeFraction?.defaultValue
  return [
    ...(path === undefined ? [] : [path]),
    ...(match.grpc === undefined ? [] : [grpcOnly]),
    ...match.headers.map(headerCondition),
    ...match.queryParameters.map(queryCondition),
    ...match.dynamicMetadata.map(metadataCondition),
    ...(fraction === undefined ? [] : [sometimes(probabilityOf(fraction))]),
  ]
}

export function matchesAll(conditions: readonly Condition[], request: RoutedRequest, random: Random): boolean {
  for (let i = 0; i < conditions.length; i++) if (!conditions[i]!.matches(request, random)) return false
  return true
}

/** Last, so that only requests that match otherwise are drawn. The key of the runtime is not looked up: there is none. */
function sometimes(probability: number): Condition {
  return {
    matches: (_request, random) => random() < probability,
    words: `one request in ${probability === 0 ? 'infinity' : 1 / probability}`,
    found: () => 'the draw went against it',
  }
}

const grpcOnly: Condition = {
  matches: ({ requestHeaders }) => isGrpc(requestHeaders.get('content-type')),
  words: 'the request is gRPC',
  found: ({ requestHeaders }) => `its content type is ${requestHeaders.get('content-type') ?? 'absent'}`,
}

export function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined || !contentType.startsWith('application/grpc')) return false
  return contentType.length === 16 || contentType.charCodeAt(16) === 0x2b || contentType.charCodeAt(16) === 0x3b
}
