// RouteConfiguration compiled: domains to virtual hosts, routes to conditions and actions. Live requests and `explain`
// use the same compiled matchers. Whatever is wrong or not understood throws, which rejects the table.
import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { RouteSchema, VirtualHost_TlsRequirementType as RequireTls } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { Route, VirtualHost } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteConfiguration } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { LocalReply } from '../filter.ts'
import { checkOverrides } from '../filters/table.ts'
import { DomainTable } from './domains.ts'
import { compileForward } from './forward.ts'
import type { ForwardAction, PerFilter } from './forward.ts'
import { compileHeaderEdits } from './header-edits.ts'
import type { HeaderEdits, HeaderLevel } from './header-edits.ts'
import { compileMatch, matchesAll } from './match.ts'
import { badConfig, within } from './problem.ts'
import { compileDirectResponse, compileRedirect } from './redirect.ts'
import type { Condition, Random, RoutedRequest } from './request.ts'
import { RouteIndex } from './route-index.ts'

/** An answer by the route itself. */
export interface ReplyAction {
  readonly kind: 'reply'
  readonly replyTo: (request: RoutedRequest) => LocalReply
  readonly edits: HeaderEdits
  readonly perFilter: PerFilter
}

export interface CompiledRoute {
  readonly name: string
  readonly index: number
  readonly message: Route
  readonly virtualHost: CompiledVirtualHost
  readonly conditions: readonly Condition[]
  readonly action: ForwardAction | ReplyAction
  /** `reviews.default.svc.cluster.local:9080/*`, or empty. */
  readonly operation: string
}

export interface CompiledVirtualHost {
  readonly name: string
  readonly message: VirtualHost
  readonly routes: readonly CompiledRoute[]
  /** Of many routes. */
  readonly index: RouteIndex | undefined
  /** Answers every request that did not come over TLS, before any route; undefined where those are taken. */
  readonly redirectToTls: CompiledRoute | undefined
  readonly countAttempts: boolean
  readonly countAttemptsInResponse: boolean
}

/** A compiled route table. Frozen; replaced whole when the configuration changes. */
export interface CompiledRoutes {
  /** RouteConfiguration.name. */
  readonly name: string
  readonly message: RouteConfiguration
  readonly virtualHosts: readonly CompiledVirtualHost[]
  /** By authority; undefined when none of the domains covers it. */
  findVirtualHost(authority: string): CompiledVirtualHost | undefined
}

/** The same place over TLS, with 301 as Envoy answers. */
const toTls = create(RouteSchema, {
  match: { pathSpecifier: { case: 'prefix', value: '/' } },
  action: { case: 'redirect', value: { schemeRewriteSpecifier: { case: 'httpsRedirect', value: true } } },
})

/** Envoy's limit for bodies of direct responses. */
const defaultMaxBodyBytes = 4096

export function compileRoutes(config: RouteConfiguration): CompiledRoutes {
  return within(`route table ${config.name === '' ? '(unnamed)' : config.name}`, () => {
    if (config.vhds !== undefined) throw badConfig('vhds is not served yet')
    checkOverrides(config.typedPerFilterConfig)
    const virtualHosts = config.virtualHosts.map((host) => within(`virtual host ${host.name}`, () => compileVirtualHost(host, config)))
    const domains = new DomainTable<CompiledVirtualHost>(config.ignorePortInHostMatching)
    for (const host of virtualHosts) within(`virtual host ${host.name}`, () => addDomains(host, domains))
    return { name: config.name, message: config, virtualHosts, findVirtualHost: (authority) => domains.find(authority) }
  })
}

/** First match wins. */
export function findRoute({ routes, index, redirectToTls }: CompiledVirtualHost, request: RoutedRequest, random: Random): CompiledRoute | undefined {
  if (redirectToTls !== undefined && request.scheme !== 'https') return redirectToTls
  if (index !== undefined) return index.find(request, random)
  for (let i = 0; i < routes.length; i++) if (matchesAll(routes[i]!.conditions, request, random)) return routes[i]
  return undefined
}

function addDomains(host: CompiledVirtualHost, domains: DomainTable<CompiledVirtualHost>): void {
  if (host.message.domains.length === 0) throw badConfig('no domains')
  for (const domain of host.message.domains) domains.add(domain, host)
}

function compileVirtualHost(message: VirtualHost, config: RouteConfiguration): CompiledVirtualHost {
  if (message.matcher !== undefined) throw badConfig('matcher is not served yet')
  if (message.requireTls === RequireTls.EXTERNAL_ONLY) throw badConfig('require_tls EXTERNAL_ONLY is not served yet')
  checkOverrides(message.typedPerFilterConfig)
  const routes: CompiledRoute[] = []
  const host: CompiledVirtualHost & { redirectToTls: CompiledRoute | undefined; index: RouteIndex | undefined } = {
    name: message.name,
    message,
    routes,
    index: undefined,
    redirectToTls: undefined,
    countAttempts: message.includeRequestAttemptCount,
    countAttemptsInResponse: message.includeAttemptCountInResponse,
  }
  if (message.requireTls === RequireTls.ALL) host.redirectToTls = compileRoute(toTls, -1, host, config)
  for (const [index, route] of message.routes.entries()) {
    routes.push(within(`route ${index}${route.name === '' ? '' : ` (${route.name})`}`, () => compileRoute(route, index, host, config)))
  }
  host.index = RouteIndex.of(routes)
  return host
}

function compileRoute(message: Route, index: number, virtualHost: CompiledVirtualHost, config: RouteConfiguration): CompiledRoute {
  return {
    name: message.name,
    index,
    message,
    virtualHost,
    conditions: within('match', () => compileMatch(message.match)),
    action: compileAction(message, virtualHost.message, config),
    operation: message.decorator?.propagate === false ? '' : (message.decorator?.operation ?? ''),
  }
}

function compileAction(route: Route, host: VirtualHost, config: RouteConfiguration): ForwardAction | ReplyAction {
  const levels: readonly HeaderLevel[] = [route, host, config]
  const mostSpecificWins = config.mostSpecificHeaderMutationsWins
  const ordered = mostSpecificWins ? levels.toReversed() : levels
  checkOverrides(route.typedPerFilterConfig)
  const perFilter: Readonly<Record<string, Any>> = { ...config.typedPerFilterConfig, ...host.typedPerFilterConfig, ...route.typedPerFilterConfig }
  const { case: kind, value } = route.action
  switch (kind) {
    case 'route': return compileForward(value, route.match, { levels: ordered, mostSpecificWins, perFilter, retryPolicy: host.retryPolicy })
    case 'redirect': return { kind: 'reply', replyTo: compileRedirect(value, route.match), edits: compileHeaderEdits(ordered), perFilter }
    case 'directResponse': {
      const reply = compileDirectResponse(value, config.maxDirectResponseBodySizeBytes ?? defaultMaxBodyBytes)
      return { kind: 'reply', replyTo: () => reply, edits: compileHeaderEdits(ordered), perFilter }
    }
    default: throw badConfig(`an action of kind ${kind ?? 'none'} is not supported`)
  }
}
