// Of two random hosts the less busy one; with unequal weights, each in proportion to weight / (active + 1), as in Envoy.
import { haveEqualWeights } from './balancer.ts'
import type { Balanced, Balancer, Random } from './balancer.ts'
import { Deadlines } from './deadlines.ts'

export class LeastRequestBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  #hosts: readonly Host[] = []
  #weighted: Deadlines<Host> | undefined

  constructor(random: Random) {
    this.#random = random
  }

  replace(hosts: readonly Host[]): void {
    this.#hosts = hosts
    const share = ({ weight, active }: Host) => weight / (active + 1)
    this.#weighted = haveEqualWeights(hosts) ? undefined : new Deadlines(hosts, share, this.#random)
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
    return second.active < first.active ? second : first
  }
}
