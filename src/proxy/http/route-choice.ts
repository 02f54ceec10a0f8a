// Finds the route of a request, one of its targets and the filters that both ask for, and writes them into the Exchange.
import type { FilterChain } from './chain.ts'
import type { Exchange } from './exchange.ts'
import type { ManagerConfig } from './manager-config.ts'
import { findRoute } from './router/compile.ts'
import { chooseTarget, clusterNameOf } from './router/forward.ts'
import type { ForwardAction } from './router/forward.ts'
import type { HttpRuntime } from './runtime.ts'

/** The filters. Without a route they are the manager's own. */
export function chooseRoute(exchange: Exchange, runtime: HttpRuntime): FilterChain {
  const table = runtime.routes.current
  if (table !== undefined) {
    exchange.virtualHost = table.findVirtualHost(exchange.authority)
    if (exchange.virtualHost !== undefined) exchange.route = findRoute(exchange.virtualHost, exchange, runtime.deps.random)
  }
  const action = exchange.route?.action
  if (action?.kind === 'forward') draw(action, exchange, runtime)
  return runtime.chains.of(exchange.target ?? (action?.kind === 'reply' ? action : undefined))
}

/** The log names the cluster also when a filter answers; one that does not exist has no name. */
function draw(action: ForwardAction, exchange: Exchange, { deps }: HttpRuntime): void {
  exchange.target = chooseTarget(action, deps.random, exchange)
  const name = clusterNameOf(exchange.target, exchange)
  exchange.clusterName = deps.clusters(name) === undefined ? '' : name
}

/** Before it is chosen again. */
export function forgetRoute(exchange: Exchange): void {
  exchange.routeCleared = false
  exchange.route = undefined
  exchange.target = undefined
  exchange.clusterName = ''
  exchange.newCookies = []
}

/** Whether the route, or else the manager, lets the request become what it wants to. */
export function mayUpgrade({ route, upgrade }: Exchange, { upgrades }: ManagerConfig): boolean {
  const name = upgrade.toLowerCase()
  const ofRoute = route?.action.kind === 'forward' ? route.action.upgrades.get(name) : undefined
  return ofRoute ?? upgrades.get(name) ?? false
}
