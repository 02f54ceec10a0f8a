// Zone aware routing, as Envoy does it (traffic spec 2.3): requests stay in the proxy's own locality as far as that keeps
// the load of every host the same, given how many proxies like this one there are in each locality. What the own locality
// cannot carry goes to those that have more hosts than proxies, in proportion to that.
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { Balancer } from './balancer/balancer.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { RuntimeHost } from './host.ts'
import type { ClusterStats } from './stats.ts'

export interface ZoneAwareSettings {
  /** In per cent: how many requests are treated so. */
  readonly routed: number
  /** With fewer healthy hosts localities do not matter. */
  readonly minHosts: number
  /** In a panic no host is chosen, instead of any. */
  readonly failsInPanic: boolean
}

/** This proxy and those like it. */
export interface Fleet {
  /** `region/zone/subzone` of this one. */
  readonly own: string
  /** Healthy ones by locality. */
  readonly healthy: ReadonlyMap<string, number>
  readonly healthyCount: number
  readonly count: number
}

/** Undefined when this proxy's own locality is not among those of the fleet: then nothing is known of it. */
export function fleetOf(endpoints: readonly EndpointSettings[], own: string): Fleet | undefined {
  const known = endpoints.filter(({ priority }) => priority === 0)
  if (own === '' || !known.some(({ locality }) => locality === own)) return undefined
  const healthy = known.filter(({ health }) => health === 'healthy')
  const counts = [...Map.groupBy(healthy, ({ locality }) => locality)].map(([place, group]) => [place, group.length] as const)
  return { own, healthy: new Map(counts), healthyCount: healthy.length, count: known.length }
}

export interface ZoneParts {
  readonly settings: ZoneAwareSettings
  readonly fleet: Fleet
  readonly panicPercent: number
  /** Of the first priority: all hosts, and those that may be chosen. */
  readonly all: readonly RuntimeHost[]
  readonly usable: readonly RuntimeHost[]
  readonly stats: ClusterStats
  /** Ready to choose among these. */
  balancerOf(hosts: readonly RuntimeHost[]): Balancer<RuntimeHost>
  random(): number
}

/** Shares are counted in parts of this, as in Envoy. */
const whole = 10_000

interface Zone {
  readonly balancer: Balancer<RuntimeHost>
  /** Of the hosts, and of the proxies, in parts of `whole`. */
  readonly hosts: number
  readonly proxies: number
  /** What it and those before it can take from others. */
  readonly upTo: number
}

/** Undefined when it cannot be done: localities do not matter then. */
export function zonesOf(parts: ZoneParts): Zones | undefined {
  const { fleet, settings, panicPercent, all, usable } = parts
  if (new Set(all.map(({ locality }) => locality)).size < 2 || usable.length < settings.minHosts) return undefined
  if (100 * fleet.healthyCount < Math.min(100, panicPercent) * fleet.count) return undefined
  return new Zones(parts)
}

export class Zones {
  readonly #parts: ZoneParts
  readonly #own: Zone | undefined
  readonly #others: readonly Zone[]
  /** How many requests of `whole` stay. */
  readonly #stay: number
  readonly #residual: number

  constructor(parts: ZoneParts) {
    this.#parts = parts
    const { fleet, usable } = parts
    const groups = Map.groupBy(usable, ({ locality }) => locality)
    const own = groups.get(fleet.own)
    this.#own = own === undefined ? undefined : zoneOf(fleet.own, own, parts, 0)
    let residual = 0
    this.#others = [...groups].filter(([place]) => place !== fleet.own).map(([place, hosts]) => {
      const zone = zoneOf(place, hosts, parts, residual)
      residual = zone.upTo
      return zone
    })
    this.#residual = residual
    this.#stay = staying(this.#own)
  }

  /** Undefined: this request is not treated so. */
  choose(hash: Hash64 | undefined, attempt: number): RuntimeHost | undefined {
    const { settings, random } = this.#parts
    if (settings.routed < 100 && random() * 100 >= settings.routed) return undefined
    return this.#draw()?.balancer.choose(hash, attempt)
  }

  #draw(): Zone | undefined {
    const { stats, random } = this.#parts
    if (this.#stay >= whole) {
      stats.lb_zone_routing_all_directly++
      return this.#own
    }
    if (random() * whole < this.#stay) {
      stats.lb_zone_routing_sampled++
      return this.#own
    }
    stats.lb_zone_routing_cross_zone++
    // Shares are rounded: in the worst case nobody has room, and anybody is as good.
    if (this.#residual === 0) return this.#others[Math.floor(random() * this.#others.length)] ?? this.#own
    const at = random() * this.#residual
    return this.#others.find(({ upTo }) => at < upTo)
  }
}

function staying(own: Zone | undefined): number {
  if (own === undefined) return 0
  return own.hosts >= own.proxies ? whole : Math.floor((own.hosts * whole) / own.proxies)
}

function zoneOf(place: string, members: readonly RuntimeHost[], { fleet, usable, balancerOf }: ZoneParts, before: number): Zone {
  const hosts = Math.floor((whole * members.length) / usable.length)
  const proxies = fleet.healthyCount === 0 ? 0 : Math.floor((whole * (fleet.healthy.get(place) ?? 0)) / fleet.healthyCount)
  return { balancer: balancerOf(members), hosts, proxies, upTo: before + Math.max(0, hosts - proxies) }
}
