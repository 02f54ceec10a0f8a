// The hosts of one cluster, kept by address across updates, and which of them may be chosen now: the healthy ones of the
// first priority that has any, without those that are suspect; in a panic all of them.
import { chooseUntried } from './balancer/balancer.ts'
import type { Balancer } from './balancer/balancer.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { RuntimeHost } from './host.ts'
import type { ClusterStats } from './stats.ts'

export interface HostSetParts {
  readonly balancer: Balancer<RuntimeHost>
  readonly stats: ClusterStats
  /** Fewer healthy hosts than this share, and health is not believed; 0: no healthy host is no host. */
  readonly panicPercent: number
  now(): number
  create(settings: EndpointSettings): RuntimeHost
  /** A host that is not one any more. */
  retire(host: RuntimeHost): void
}

/** Envoy's over-provisioning: a priority counts as whole while 1 / 1.4 of its hosts are healthy. */
const overProvisioning = 1.4

export class HostSet {
  readonly #parts: HostSetParts
  #hosts = new Map<string, RuntimeHost>()
  #usable: readonly RuntimeHost[] = []
  #panics = false
  /** When the first suspect may come back. */
  #lookAgainAt = Infinity

  constructor(parts: HostSetParts) {
    this.#parts = parts
  }

  get all(): readonly RuntimeHost[] {
    return [...this.#hosts.values()]
  }

  replace(settings: readonly EndpointSettings[]): void {
    const before = this.#hosts
    this.#hosts = new Map(settings.map((one) => [one.name, this.#keepOrCreate(before.get(one.name), one)]))
    this.refresh()
    for (const [name, host] of before) if (this.#hosts.get(name) !== host) this.#parts.retire(host)
  }

  choose(tried: readonly unknown[]): RuntimeHost | undefined {
    if (this.#lookAgainAt !== Infinity && this.#parts.now() >= this.#lookAgainAt) this.refresh()
    if (this.#panics) this.#parts.stats.lb_healthy_panic++
    return chooseUntried(this.#parts.balancer, this.#usable, tried)
  }

  /** Brings the gauges of the membership up to date. */
  count(): void {
    const { stats } = this.#parts
    const hosts = this.all
    stats.membership_total = hosts.length
    stats.membership_healthy = hosts.filter(isHealthy).length
    stats.membership_suspect = hosts.filter(({ suspect }) => suspect).length
  }

  /** Health or suspicion has changed. */
  refresh(): void {
    const candidates = this.#candidates()
    const now = this.#parts.now()
    const suspects = candidates.filter(({ suspicion }) => suspicion.isSuspect(now))
    // All of them suspect: then suspicion says nothing about any of them.
    this.#usable = suspects.length === candidates.length ? candidates : candidates.filter((host) => !suspects.includes(host))
    this.#lookAgainAt = suspects.reduce((first, { suspicion }) => Math.min(first, suspicion.until), Infinity)
    this.#parts.balancer.replace(this.#usable)
  }

  /** Another address, or another way to connect, is another host. */
  #keepOrCreate(known: RuntimeHost | undefined, settings: EndpointSettings): RuntimeHost {
    if (known === undefined || known.socketKey !== JSON.stringify(settings.socketLabels)) return this.#parts.create(settings)
    known.apply(settings)
    return known
  }

  #candidates(): readonly RuntimeHost[] {
    const priorities = this.#byPriority()
    const chosen = priorities.find((hosts) => hosts.some(isHealthy)) ?? priorities[0] ?? []
    this.#panics = this.#isPanic(priorities, chosen)
    return this.#panics ? chosen : chosen.filter(isHealthy)
  }

  /** The best first. */
  #byPriority(): readonly (readonly RuntimeHost[])[] {
    const groups = Map.groupBy(this.#hosts.values(), ({ priority }) => priority)
    return [...groups].sort(([one], [other]) => one - other).map(([, hosts]) => hosts)
  }

  /** Only where all priorities together cannot carry the load (Envoy: their healths add up to less than 100 %). */
  #isPanic(priorities: readonly (readonly RuntimeHost[])[], chosen: readonly RuntimeHost[]): boolean {
    const health = priorities.reduce((sum, hosts) => sum + Math.min(1, overProvisioning * healthyShare(hosts)), 0)
    return chosen.length > 0 && health < 1 && 100 * healthyShare(chosen) < this.#parts.panicPercent
  }
}

const isHealthy = ({ health }: RuntimeHost): boolean => health === 'healthy'

const healthyShare = (hosts: readonly RuntimeHost[]): number => hosts.filter(isHealthy).length / hosts.length
