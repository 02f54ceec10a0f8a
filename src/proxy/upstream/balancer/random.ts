// Any host is as good as another. Weights do not count, as in Envoy.
import type { Balanced, Balancer, Random } from './balancer.ts'

export class RandomBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  #hosts: readonly Host[] = []

  constructor(random: Random) {
    this.#random = random
  }

  replace(hosts: readonly Host[]): void {
    this.#hosts = hosts
  }

  choose(): Host | undefined {
    return this.#hosts[Math.floor(this.#random() * this.#hosts.length)]
  }
}
