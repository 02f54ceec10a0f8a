// What the HTTP side counts for the admin server, under Envoy's names: copies of requests, and the traffic of routes that
// have a stat_prefix. One for all connection managers of a proxy.
import { RbacCounters } from '../rbac/counters.ts'
import type { Exchange } from './exchange.ts'
import type { CompiledRoute } from './router/compile.ts'

/** Routes with counters of their own; those of more prefixes are counted together, so that edits cannot fill memory. */
const maxRoutes = 1000

class RouteCounters {
  upstream_rq_completed = 0
  upstream_rq_2xx = 0
  upstream_rq_3xx = 0
  upstream_rq_4xx = 0
  upstream_rq_5xx = 0
  upstream_rq_retry = 0
  upstream_rq_timeout = 0
}

const classes = ['upstream_rq_2xx', 'upstream_rq_3xx', 'upstream_rq_4xx', 'upstream_rq_5xx'] as const

export class HttpCounters {
  readonly rbac = new RbacCounters()
  /** Copies that were sent, or begun to be. */
  mirrored = 0
  /** Copies that were not made, or given up: too many at once, a mirror that cannot keep up, or one without hosts. */
  mirrorsDropped = 0
  /** Copies under way. */
  mirrorsOpen = 0
  /** Kept when a table is replaced: counters go on. */
  readonly #byPrefix = new Map<string, RouteCounters>()
  readonly #ofRoute = new WeakMap<CompiledRoute, RouteCounters>()

  /** An exchange has ended on a route with a `statPrefix`. */
  onEnd({ route, responseCode, attempts, responseCodeDetails }: Exchange): void {
    const counters = this.#ofRoute.get(route!) ?? this.#find(route!)
    counters.upstream_rq_completed++
    counters.upstream_rq_retry += Math.max(0, attempts - 1)
    const kind = classes[Math.floor(responseCode / 100) - 2]
    if (kind !== undefined) counters[kind]++
    if (responseCodeDetails === 'response_timeout') counters.upstream_rq_timeout++
  }

  lines(): { readonly name: string; readonly value: number }[] {
    const own = [
      { name: 'http.mirror.rq_total', value: this.mirrored },
      { name: 'http.mirror.rq_dropped', value: this.mirrorsDropped },
      { name: 'http.mirror.rq_active', value: this.mirrorsOpen },
    ]
    const routes = this.mirrored + this.mirrorsDropped + this.#byPrefix.size === 0 ? [] : [...own, ...this.#routeLines()]
    return [...routes, ...this.rbac.lines()]
  }

  #routeLines() {
    return [...this.#byPrefix].flatMap(([prefix, counters]) =>
      Object.entries(counters).map(([name, value]: [string, number]) => ({ name: `${prefix}.${name}`, value })))
  }

  #find(route: CompiledRoute): RouteCounters {
    const wanted = `vhost.${route.virtualHost.name}.route.${route.message.statPrefix}`
    const prefix = this.#byPrefix.has(wanted) || this.#byPrefix.size < maxRoutes ? wanted : 'vhost.others.route.others'
    const counters = this.#byPrefix.get(prefix) ?? new RouteCounters()
    this.#byPrefix.set(prefix, counters)
    this.#ofRoute.set(route, counters)
    return counters
  }
}
