// Of two random hosts, or more, the least busy one; with unequal weights, each in proportion to
// weight / (active + 1) ^ bias, as in Envoy.
import { haveEqualWeights } from './balancer.ts'
import type { Balanced, Balancer, Random, Share } from './balancer.ts'
import { Deadlines } from './deadlines.ts'

export interface LeastRequestSettings {
  /** How many are compared: 2 or more. */
  readonly choices: number
  /** How much requests in flight count against a weight; 0: not at all. */
  readonly bias: number
}

/** Envoy's. */
export const leastRequestDefaults: LeastRequestSettings = { choices: 2, bias: 1 }

export class LeastRequestBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  readonly #settings: LeastRequestSettings
  #hosts: readonly Host[] = []
  #weighted: Deadlines<Host> | undefined

  constructor(random: Random, settings = leastRequestDefaults) {
    this.#random = random
    this.#settings = settings
  }

  replace(hosts: readonly Host[], share?: Share<Host>): void {
    this.#hosts = hosts
    if (share === undefined && haveEqualWeights(hosts)) {
      this.#weighted = undefined
      return
    }
    const { bias } = this.#settings
    const own = share ?? (({ weight }: Host) => weight)
    const busyShare = bias === 1 ? (host: Host) => own(host) / (host.active + 1) : (host: Host) => own(host) / (host.active + 1) ** bias
    this.#weighted = new Deadlines(hosts, busyShare, this.#random)
  }

  choose(): Host | undefined {
    if (this.#weighted !== undefined) return this.#weighted.next()
    const count = this.#hosts.length
    if (count < 2) return this.#hosts[0]
    const one = Math.floor(this.#random() * count)
    // The second of the others: a host is never compared with itself.
    const step = 1 + Math.floor(this.#random() * (count - 1))
    const first = this.#hosts[one]!
    const second = this.#hosts[(one + step) % count]!
    const better = second.active < first.active ? second : first
    return this.#settings.choices === 2 ? better : this.#compareMore(better)
  }

  /** Whether the same one comes up again does not matter with more than two. */
  #compareMore(best: Host): Host {
    let chosen = best
    for (let drawn = 2; drawn < this.#settings.choices; drawn++) {
      const other = this.#hosts[Math.floor(this.#random() * this.#hosts.length)]!
      if (other.active < chosen.active) chosen = other
    }
    return chosen
  }
}
