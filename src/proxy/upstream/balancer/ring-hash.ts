// Consistent hashing as Envoy's RING_HASH, in ketama's manner: each host stands at many points of a circle, in proportion to its
// weight, and a request goes to the first host at or after its hash. The same hosts make the same ring in every proxy.
import { xxHash64 } from '../../../lib/xxhash64.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import { randomHash } from './balancer.ts'
import type { Balanced, Balancer, Random, Share } from './balancer.ts'

export interface RingHashSettings {
  readonly minSize: number
  readonly maxSize: number
}

/** Envoy's; its limit too. */
export const ringHashDefaults: RingHashSettings = { minSize: 1_024, maxSize: 8_388_608 }

interface Ring<Host> {
  /** Upper 53 bits of the hashes, in order; with the host of each. */
  readonly points: Float64Array
  readonly hosts: readonly Host[]
}

export class RingHashBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  readonly #settings: RingHashSettings
  #hosts: readonly Host[] = []
  #share: Share<Host> = weightOf
  #ring: Ring<Host> | undefined

  constructor(random: Random, settings = ringHashDefaults) {
    this.#random = random
    this.#settings = settings
  }

  /** The ring is made when it is first needed: most updates come in bursts, and many clusters carry nothing. */
  replace(hosts: readonly Host[], share: Share<Host> = weightOf): void {
    this.#hosts = hosts
    this.#share = share
    this.#ring = undefined
  }

  choose(hash: Hash64 = randomHash(this.#random), attempt = 0): Host | undefined {
    if (this.#hosts.length < 2) return this.#hosts[0]
    const { points, hosts } = (this.#ring ??= buildRing(this.#hosts, this.#share, this.#settings))
    return hosts[(firstFrom(points, pointOf(hash)) + attempt) % points.length]
  }
}

const weightOf = ({ weight }: Balanced): number => weight

const pointOf = ({ high, low }: Hash64): number => high * 2_097_152 + (low >>> 11)

/** The least host gets a whole number of points, others as close to their share as they can, unless the ring is full. */
function buildRing<Host extends Balanced>(hosts: readonly Host[], share: Share<Host>, { minSize, maxSize }: RingHashSettings): Ring<Host> {
  const sorted = hosts.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  const total = sorted.reduce((sum, host) => sum + share(host), 0)
  const least = sorted.reduce((min, host) => Math.min(min, share(host)), Infinity) / total
  const scale = Math.min(Math.ceil(least * minSize) / least, maxSize)
  const found: { readonly point: number; readonly host: Host }[] = []
  let target = 0
  for (const host of sorted) {
    target += (scale * share(host)) / total
    for (let i = 0; found.length < target; i++) found.push({ point: pointOf(xxHash64(`${host.name}_${i}`)), host })
  }
  found.sort((one, other) => one.point - other.point)
  return { points: Float64Array.from(found, ({ point }) => point), hosts: found.map(({ host }) => host) }
}

/** Behind the last one comes the first. */
function firstFrom(points: Float64Array, point: number): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (points[middle]! < point) low = middle + 1
    else high = middle
  }
  return low === points.length ? 0 : low
}
