// The hosts of one cluster, kept by address across updates, and which of them may be chosen now: the healthy ones of the
// first priority that has any, without those that are suspect. There is no panic mode: no healthy host is no host.
import { chooseUntried } from './balancer/balancer.ts'
import type { Balancer } from './balancer/balancer.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { RuntimeHost } from './host.ts'
import type { ClusterStats } from './stats.ts'

export interface HostSetParts {
  readonly balancer: Balancer<RuntimeHost>
  readonly stats: ClusterStats
  now(): number
  create(settings: EndpointSettings): RuntimeHost
  /** A host that is not one any more. */
  retire(host: RuntimeHost): void
}

export class HostSet {
  readonly #parts: HostSetParts
  #hosts = new Map<string, RuntimeHost>()
  #usable: readonly RuntimeHost[] = []
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
    for (const [name, host] of before) if (this.#hosts.get(name) !== host) this.#parts.retire(host)
    this.refresh()
  }

  choose(tried: readonly unknown[]): RuntimeHost | undefined {
    if (this.#lookAgainAt !== Infinity && this.#parts.now() >= this.#lookAgainAt) this.refresh()
    return chooseUntried(this.#parts.balancer, this.#usable, tried)
  }

  /** Health or suspicion has changed. */
  refresh(): void {
    const healthy = this.#healthyOfFirstPriority()
    const now = this.#parts.now()
    const suspects = healthy.filter(({ suspicion }) => suspicion.isSuspect(now))
    // All of them suspect: then suspicion says nothing about any of them.
    this.#usable = suspects.length === healthy.length ? healthy : healthy.filter((host) => !suspects.includes(host))
    this.#lookAgainAt = suspects.reduce((first, { suspicion }) => Math.min(first, suspicion.until), Infinity)
    this.#parts.balancer.replace(this.#usable)
    this.#count(suspects.length)
  }

  /** Another address, or another way to connect, is another host. */
  #keepOrCreate(known: RuntimeHost | undefined, settings: EndpointSettings): RuntimeHost {
    if (known === undefined || known.socketKey !== JSON.stringify(settings.socketLabels)) return this.#parts.create(settings)
    known.apply(settings)
    return known
  }

  #healthyOfFirstPriority(): readonly RuntimeHost[] {
    const healthy = this.all.filter(({ health }) => health === 'healthy')
    const first = healthy.reduce((lowest, { priority }) => Math.min(lowest, priority), Infinity)
    return healthy.filter(({ priority }) => priority === first)
  }

  #count(suspects: number): void {
    const stats = this.#parts.stats
    stats.membership_total = this.#hosts.size
    stats.membership_healthy = this.all.filter(({ health }) => health === 'healthy').length
    stats.membership_suspect = suspects
  }
}
