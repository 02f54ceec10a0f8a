// The http rules of one VirtualService as Envoy routes, in order, for one client and port: blocks that can never hold are
// left out, and nothing follows a block that always holds (traffic spec 1.2.3).
import { RouteSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { describe } from '../../../lib/errors.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { HttpMatch, HttpRule } from '../../virtual-service-spec.ts'
import { configPath, metadataOf, resourceProvenance } from '../metadata.ts'
import { canBeSent, directResponseAction, forwardAction, redirectAction, usedDestinations } from './action.ts'
import { resolveDestination } from './context.ts'
import type { RouteContext } from './context.ts'
import { placedRules } from './delegates.ts'
import { filterConfigs } from './filters.ts'
import { headerFields } from './headers.ts'
import { isSticky } from './sticky-weights.ts'
import { appliesTo, matchesEverything, routeMatch } from './match.ts'
import type { Init } from '../any.ts'

export type RouteInit = Init<typeof RouteSchema>

export interface BuiltRoute {
  readonly route: RouteInit
  readonly catchAll: boolean
}

export function httpRoutes(root: VirtualService, context: RouteContext): readonly BuiltRoute[] {
  const routes: BuiltRoute[] = []
  for (const { rule, owner, index, blocks } of placedRules(root, context.delegateAt)) {
    if (hasNoEffect(rule)) continue
    for (const { match, at: position } of blocksOf(rule)) {
      const at = blocks === undefined || position === undefined ? position : blocks[position]
      // Conditions on gateways are the root's: a delegate has none of its own.
      if (!appliesTo(match ?? {}, root, context)) continue
      const catchAll = match === undefined || matchesEverything(match)
      routes.push({ route: buildRoute(rule, match, { root, owner, index, at }, context), catchAll })
      if (catchAll) return routes
    }
  }
  return routes
}

/** What of the rules has no translation, with the rule it stands in; blocks of all clients and ports count. */
export function problemsIn(owner: VirtualService, context: RouteContext): readonly { readonly rule: number; readonly message: string }[] {
  return (owner.spec.http ?? []).flatMap((rule, index) => {
    if (rule.delegate !== undefined || hasNoEffect(rule)) return []
    try {
      for (const { match, at } of blocksOf(rule)) {
        buildRoute(rule, match, { root: owner, owner, index, at }, context)
      }
      return []
    } catch (error) {
      return [{ rule: index, message: describe(error) }]
    }
  })
}

/** As Istio, a redirect of any status in the three hundreds is accepted; users are warned of those that nothing can send. */
const hasNoEffect = ({ redirect }: HttpRule): boolean => redirect !== undefined && !canBeSent(redirect)

function blocksOf(rule: HttpRule): readonly { readonly match: HttpMatch | undefined; readonly at: number | undefined }[] {
  if (rule.match === undefined || rule.match.length === 0) return [{ match: undefined, at: undefined }]
  return rule.match.map((match, at) => ({ match, at }))
}

interface Place {
  /** The VirtualService that says for which hosts; the owner's own, but for delegates. */
  readonly root: VirtualService
  readonly owner: VirtualService
  readonly index: number
  readonly at: number | undefined
}

function buildRoute(rule: HttpRule, match: HttpMatch | undefined, place: Place, context: RouteContext): RouteInit {
  const routes = usedDestinations(rule.route ?? [])
  // One destination's operations come after the route's; with several, each has its own.
  const ownHeaders = routes.length === 1 ? routes[0]!.headers : undefined
  return {
    name: routeName(rule, match),
    match: routeMatch(match),
    action: routeAction(rule, match, place, context),
    ...headerFields(rule.headers, ownHeaders),
    typedPerFilterConfig: filterConfigs(rule),
    ...(match?.statPrefix && { statPrefix: match.statPrefix }),
    ...decorator(rule, place.owner, context),
    metadata: routeMetadata(place),
  }
}

/** `route.match`, the dot only where both have names. */
function routeName(rule: HttpRule, match: HttpMatch | undefined): string {
  return [rule.name, match?.name].filter((name) => name).join('.')
}

function routeAction(rule: HttpRule, match: HttpMatch | undefined, { owner, root }: Place, context: RouteContext): NonNullable<RouteInit['action']> {
  if (rule.redirect !== undefined) return { case: 'redirect', value: redirectAction(rule.redirect, context) }
  if (rule.directResponse !== undefined) return { case: 'directResponse', value: directResponseAction(rule.directResponse) }
  return { case: 'route', value: forwardAction(rule, match, owner, context, isSticky(owner) || isSticky(root)) }
}

function decorator(rule: HttpRule, owner: VirtualService, context: RouteContext): RouteInit {
  const [first] = rule.route ?? []
  if (first === undefined) return {}
  const { hostname, port } = resolveDestination(first.destination, owner, context)
  return { decorator: { operation: `${hostname}:${port}/*` } }
}

/** `line` is the block's own, so that "which line matched" needs no second look at the file. */
function routeMetadata({ owner, index, at }: Place) {
  const path = at === undefined ? ['spec', 'http', index] : ['spec', 'http', index, 'match', at]
  return metadataOf({
    ...resourceProvenance(owner),
    origin: owner.locate(path),
    rule: index,
    ...(at !== undefined && { match: at }),
    istio: { config: configPath(owner) },
  })
}
