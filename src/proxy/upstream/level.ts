// The hosts of one priority that may be chosen now, and how: by one balancer over all of them, or by drawing a locality
// first, where localities have weights.
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { Balancer, Share } from './balancer/balancer.ts'
import { Deadlines } from './balancer/deadlines.ts'
import type { RuntimeHost } from './host.ts'
import { overProvisioning } from './priority-load.ts'
import type { LevelLoad } from './priority-load.ts'
import type { Zones } from './zone-aware.ts'

export interface LevelParts {
  readonly load: LevelLoad
  /** All of the priority, and those of them that may be chosen. */
  readonly all: readonly RuntimeHost[]
  readonly usable: readonly RuntimeHost[]
  /** `none`: localities do not matter. `draw`: one is drawn by its weight. `share`: their weights are in those of their hosts. */
  readonly localities: 'none' | 'draw' | 'share'
  /** Undefined: a host's share is its weight. */
  readonly share: Share<RuntimeHost> | undefined
  /** Where requests stay in the own locality as far as it carries them; without it, and for those it leaves, the rest decides. */
  readonly zones: Zones | undefined
  createBalancer(): Balancer<RuntimeHost>
  random(): number
}

interface Locality {
  readonly weight: number
  readonly balancer: Balancer<RuntimeHost>
}

export class Level {
  readonly load: LevelLoad
  readonly usable: readonly RuntimeHost[]
  readonly #balancer: Balancer<RuntimeHost>
  readonly #localities: Deadlines<Locality> | undefined
  readonly #zones: Zones | undefined

  constructor(parts: LevelParts) {
    this.load = parts.load
    this.#zones = parts.zones
    const localities = parts.localities === 'none' || parts.load.panics ? [] : weightedLocalities(parts)
    this.usable = localities.length === 0 ? parts.usable : localities.flatMap(({ hosts }) => hosts)
    this.#balancer = parts.createBalancer()
    if (localities.length > 0 && parts.localities === 'draw') {
      this.#localities = new Deadlines(localities.map((one) => localityOf(one, parts)), ({ weight }) => weight, parts.random)
    } else this.#balancer.replace(this.usable, localities.length === 0 ? parts.share : sharesOf(localities))
  }

  choose(hash: Hash64 | undefined, attempt: number): RuntimeHost | undefined {
    const near = this.#zones?.choose(hash, attempt)
    if (near !== undefined) return near
    const balancer = this.#localities === undefined ? this.#balancer : this.#localities.next()!.balancer
    return balancer.choose(hash, attempt)
  }
}

interface WeightedLocality {
  readonly weight: number
  /** How much of its weight it can carry: as priorities, with over-provisioning. */
  readonly capacity: number
  readonly hosts: readonly RuntimeHost[]
}

/** Those that have a weight and a host. None: localities do not matter. */
function weightedLocalities({ all, usable }: LevelParts): readonly WeightedLocality[] {
  const known = Map.groupBy(all, ({ locality }) => locality)
  return [...Map.groupBy(usable, ({ locality }) => locality)]
    .map(([name, hosts]) => ({
      weight: hosts[0]!.localityWeight, hosts,
      capacity: Math.min(1, (overProvisioning * hosts.length) / known.get(name)!.length),
    }))
    .filter(({ weight }) => weight > 0)
}

function localityOf({ weight, capacity, hosts }: WeightedLocality, { createBalancer, share }: LevelParts): Locality {
  const balancer = createBalancer()
  balancer.replace(hosts, share)
  return { weight: weight * capacity, balancer }
}

/** Each host's part of its locality's part. */
function sharesOf(localities: readonly WeightedLocality[]): Share<RuntimeHost> {
  const shares = new Map<RuntimeHost, number>()
  const total = localities.reduce((sum, { weight }) => sum + weight, 0)
  for (const { weight, hosts } of localities) {
    const own = hosts.reduce((sum, host) => sum + host.weight, 0)
    for (const host of hosts) shares.set(host, (host.weight / own) * (weight / total))
  }
  return (host) => shares.get(host)!
}
