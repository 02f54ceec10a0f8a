// Which route a request would take and why not the ones before it, by the same compiled matchers that serve traffic.
import type { CompiledRoute, CompiledRoutes, CompiledVirtualHost } from './compile.ts'
import type { Random, RoutedRequest } from './request.ts'

export interface ConsideredRoute {
  readonly route: CompiledRoute
  /** The first condition that did not hold, and what the request has instead. */
  readonly whyNot: string
  /** How many conditions held before it: the more, the nearer the miss. */
  readonly held: number
}

export interface RouteDecision {
  readonly virtualHost: CompiledVirtualHost | undefined
  readonly route: CompiledRoute | undefined
  /** Routes that were tried before, in order. */
  readonly considered: readonly ConsideredRoute[]
}

/** Draws (`runtime_fraction`) take the first number that `random` gives; without one they hold. */
export function explainRouting(routes: CompiledRoutes, request: RoutedRequest, random: Random = () => 0): RouteDecision {
  const virtualHost = routes.findVirtualHost(request.authority)
  const considered: ConsideredRoute[] = []
  if (virtualHost?.redirectToTls !== undefined && request.scheme !== 'https') return { virtualHost, route: virtualHost.redirectToTls, considered }
  for (const route of virtualHost?.routes ?? []) {
    const failed = route.conditions.findIndex((condition) => !condition.matches(request, random))
    if (failed === -1) return { virtualHost, route, considered }
    const { words, found } = route.conditions[failed]!
    considered.push({ route, whyNot: `needs: ${words}; but ${found(request)}`, held: failed })
  }
  return { virtualHost, route: undefined, considered }
}
