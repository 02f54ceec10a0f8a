// The hosts of one cluster, kept by address across updates, and which of them may be chosen now: by priority the healthy
// ones, without those that are suspect; in a panic all of them.
import type { Hash64 } from '../../lib/xxhash64.ts'
import { remainder } from '../../lib/xxhash64.ts'
import type { Balancer, Share } from './balancer/balancer.ts'
import type { EndpointSettings } from './endpoints.ts'
import { socketKeyOf } from './host.ts'
import type { RuntimeHost } from './host.ts'
import { Level } from './level.ts'
import type { LevelParts } from './level.ts'
import { spreadLoad } from './priority-load.ts'
import type { LevelLoad } from './priority-load.ts'
import type { ClusterStats } from './stats.ts'
import { warmth } from './warm-up.ts'
import type { WarmUpSettings } from './warm-up.ts'
import { zonesOf } from './zone-aware.ts'
import type { Fleet, ZoneAwareSettings, Zones } from './zone-aware.ts'

export interface HostSetParts {
  readonly stats: ClusterStats
  /** Fewer healthy hosts than this share, and health is not believed; 0: no healthy host is no host. */
  readonly panicPercent: number
  readonly localities: LevelParts['localities']
  readonly warmUp: WarmUpSettings | undefined
  readonly zoneAware?: ZoneAwareSettings | undefined
  /** Undefined as long as nothing is known of the proxies like this one. */
  fleet?(): Fleet | undefined
  createBalancer(): Balancer<RuntimeHost>
  random(): number
  now(): number
  create(settings: EndpointSettings): RuntimeHost
  /** A host that is not one any more. */
  retire(host: RuntimeHost): void
}

/** How often a host that was tried already is thrown back before all are looked at. */
const picksBeforeSearch = 5

export class HostSet {
  readonly #parts: HostSetParts
  #hosts = new Map<string, RuntimeHost>()
  /** Those that carry anything, the best first. */
  #levels: readonly Level[] = []
  /** The levels for retries that leave some priorities, by those. */
  readonly #elsewhere = new Map<string, readonly Level[]>()
  /** When something that only time changes has changed: a suspect may come back, a host is warm. */
  #lookAgainAt = Infinity

  constructor(parts: HostSetParts) {
    this.#parts = parts
  }

  get all(): readonly RuntimeHost[] {
    return [...this.#hosts.values()]
  }

  get size(): number {
    return this.#hosts.size
  }

  named(name: string): RuntimeHost | undefined {
    return this.#hosts.get(name)
  }

  replace(settings: readonly EndpointSettings[]): void {
    const before = this.#hosts
    this.#hosts = new Map(settings.map((one) => [one.name, this.#keepOrCreate(before.get(one.name), one)]))
    for (const [name, host] of before) if (this.#hosts.get(name) !== host) this.#parts.retire(host)
    this.refresh()
  }

  /** One that was not tried yet, where there is one, and of another priority than those to avoid, where that has any. */
  choose(tried: readonly unknown[], hash?: Hash64, avoid: readonly number[] = noPriorities): RuntimeHost | undefined {
    if (this.#lookAgainAt !== Infinity && this.#parts.now() >= this.#lookAgainAt) this.refresh()
    const levels = avoid.length === 0 ? this.#levels : this.#levelsWithout(avoid)
    let chosen = this.#pick(levels, hash, 0)
    if (tried.length === 0 || chosen === undefined) return chosen
    for (let picks = 1; picks <= picksBeforeSearch && tried.includes(chosen); picks++) chosen = this.#pick(levels, hash, picks)
    return tried.includes(chosen) ? (findUntried(levels, tried) ?? chosen) : chosen
  }

  /** Brings the gauges of the membership up to date. */
  count(): void {
    const { stats } = this.#parts
    const hosts = this.all
    stats.membership_total = hosts.length
    stats.membership_healthy = hosts.filter(({ trusted }) => trusted).length
    stats.membership_suspect = hosts.filter(({ suspect }) => suspect).length
  }

  /** Health, ejection or suspicion has changed. */
  refresh(): void {
    this.#lookAgainAt = Infinity
    this.#elsewhere.clear()
    this.#levels = this.#loadedLevels(noPriorities)
  }

  /** Those that carry anything, when some priorities count as if none of their hosts were healthy. */
  #loadedLevels(avoid: readonly number[]): readonly Level[] {
    const priorities = this.#byPriority()
    const now = this.#parts.now()
    const healthy = (hosts: readonly RuntimeHost[]): number => (avoid.includes(hosts[0]!.priority) ? 0 : hosts.filter(isTrusted).length)
    const loads = spreadLoad(priorities.map((hosts) => ({ healthy: healthy(hosts), total: hosts.length })), avoid.length === 0 ? this.#parts.panicPercent : 0)
    return priorities.map((all, i) => this.#level(all, loads[i]!, now)).filter(({ load }) => load.percent > 0)
  }

  /** When nothing else has a healthy host, all priorities are as good as they were. */
  #levelsWithout(avoid: readonly number[]): readonly Level[] {
    const key = [...new Set(avoid)].sort((one, other) => one - other).join()
    const known = this.#elsewhere.get(key)
    if (known !== undefined) return known
    const others = this.#loadedLevels(avoid).filter(({ usable }) => usable.length > 0 && !avoid.includes(usable[0]!.priority))
    const levels = others.length === 0 ? this.#levels : others
    this.#elsewhere.set(key, levels)
    return levels
  }

  #pick(levels: readonly Level[], hash: Hash64 | undefined, attempt: number): RuntimeHost | undefined {
    const level = levels.length === 1 ? levels[0] : this.#drawLevel(levels, hash)
    if (level === undefined) return undefined
    if (!level.load.panics) return level.choose(hash, attempt)
    this.#parts.stats.lb_healthy_panic++
    return this.#parts.zoneAware?.failsInPanic === true ? undefined : level.choose(hash, attempt)
  }

  /** The same hash meets the same level, as long as loads stay what they are. */
  #drawLevel(levels: readonly Level[], hash: Hash64 | undefined): Level | undefined {
    let left = hash === undefined ? this.#parts.random() * 100 : remainder(hash, 100)
    return levels.find(({ load }) => (left -= load.percent) < 0)
  }

  /** Another address, or another way to connect, is another host. */
  #keepOrCreate(known: RuntimeHost | undefined, settings: EndpointSettings): RuntimeHost {
    if (known === undefined || known.socketKey !== socketKeyOf(settings)) return this.#parts.create(settings)
    known.apply(settings)
    return known
  }

  /** The best first. */
  #byPriority(): readonly (readonly RuntimeHost[])[] {
    const groups = Map.groupBy(this.#hosts.values(), ({ priority }) => priority)
    return [...groups].sort(([one], [other]) => one - other).map(([, hosts]) => hosts)
  }

  #level(all: readonly RuntimeHost[], load: LevelLoad, now: number): Level {
    const { localities, random } = this.#parts
    const usable = this.#withoutSuspects(load.panics ? all : all.filter(isTrusted), now)
    const share = this.#warmShare(usable, now)
    return new Level({
      load, all, usable, localities, share, random, createBalancer: () => this.#parts.createBalancer(),
      zones: load.panics ? undefined : this.#zones(all, usable, share),
    })
  }

  /** Only the first priority has such. */
  #zones(all: readonly RuntimeHost[], usable: readonly RuntimeHost[], share: Share<RuntimeHost> | undefined): Zones | undefined {
    const { zoneAware: settings, panicPercent, stats, random, fleet: known } = this.#parts
    const fleet = settings === undefined || all[0]?.priority !== 0 ? undefined : known?.()
    if (settings === undefined || fleet === undefined) return undefined
    const balancerOf = (hosts: readonly RuntimeHost[]) => {
      const balancer = this.#parts.createBalancer()
      balancer.replace(hosts, share)
      return balancer
    }
    return zonesOf({ settings, fleet, panicPercent, all, usable, stats, random, balancerOf })
  }

  /** All of them suspect: then suspicion says nothing about any of them. */
  #withoutSuspects(candidates: readonly RuntimeHost[], now: number): readonly RuntimeHost[] {
    const trusted = candidates.filter(({ suspicion }) => !suspicion.isSuspect(now))
    if (trusted.length === candidates.length) return candidates
    for (const { suspicion } of candidates) if (suspicion.isSuspect(now)) this.#lookAgainAt = Math.min(this.#lookAgainAt, suspicion.until)
    return trusted.length === 0 ? candidates : trusted
  }

  /** Undefined when all are warm. */
  #warmShare(hosts: readonly RuntimeHost[], now: number): Share<RuntimeHost> | undefined {
    const { warmUp } = this.#parts
    if (warmUp === undefined) return undefined
    const cold = hosts.filter(({ since }) => now - since < warmUp.windowMs)
    if (cold.length === 0) return undefined
    for (const { since } of cold) this.#lookAgainAt = Math.min(this.#lookAgainAt, since + warmUp.windowMs)
    return (host) => host.weight * warmth(this.#parts.now() - host.since, warmUp)
  }
}

const isTrusted = ({ trusted }: RuntimeHost): boolean => trusted
const noPriorities: readonly number[] = []

function findUntried(levels: readonly Level[], tried: readonly unknown[]): RuntimeHost | undefined {
  for (const { usable } of levels) {
    const found = usable.find((host) => !tried.includes(host))
    if (found !== undefined) return found
  }
  return undefined
}
