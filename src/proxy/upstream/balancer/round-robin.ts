// One after the other, weights respected, from a random start.
import { haveEqualWeights } from './balancer.ts'
import type { Balanced, Balancer, Random, Share } from './balancer.ts'
import { Deadlines } from './deadlines.ts'

export class RoundRobinBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  #hosts: readonly Host[] = []
  #next = 0
  #weighted: Deadlines<Host> | undefined

  constructor(random: Random) {
    this.#random = random
  }

  replace(hosts: readonly Host[], share?: Share<Host>): void {
    this.#hosts = hosts
    this.#next = Math.floor(this.#random() * hosts.length)
    const weighted = share !== undefined || !haveEqualWeights(hosts)
    this.#weighted = weighted ? new Deadlines(hosts, share ?? (({ weight }) => weight), this.#random) : undefined
  }

  choose(): Host | undefined {
    if (this.#weighted !== undefined) return this.#weighted.next()
    const chosen = this.#hosts[this.#next]
    this.#next = this.#next + 1 < this.#hosts.length ? this.#next + 1 : 0
    return chosen
  }
}
