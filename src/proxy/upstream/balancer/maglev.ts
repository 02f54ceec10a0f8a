// Consistent hashing as Envoy's MAGLEV (the paper's listing 1, with weights): a table of fixed size in which hosts take
// turns to claim the next free place of a permutation of their own. Looking up is one access; a host that goes moves a little
// more than its own share. The same hosts make the same table in every proxy.
import { remainder, xxHash64 } from '../../../lib/xxhash64.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import { randomHash } from './balancer.ts'
import type { Balanced, Balancer, Random, Share } from './balancer.ts'

/** Envoy's. */
export const maglevDefaultSize = 65_537

interface Claim {
  readonly host: number
  readonly skip: number
  readonly share: number
  place: number
  target: number
}

export class MaglevBalancer<Host extends Balanced> implements Balancer<Host> {
  readonly #random: Random
  readonly #size: number
  #hosts: readonly Host[] = []
  #share: Share<Host> = weightOf
  /** Of each place, the index of its host. */
  #table: Uint32Array | undefined

  /** `size`: a prime. */
  constructor(random: Random, size = maglevDefaultSize) {
    this.#random = random
    this.#size = size
  }

  replace(hosts: readonly Host[], share: Share<Host> = weightOf): void {
    this.#hosts = hosts.toSorted((one, other) => (one.name < other.name ? -1 : 1))
    this.#share = share
    this.#table = undefined
  }

  choose(hash: Hash64 = randomHash(this.#random), attempt = 0): Host | undefined {
    if (this.#hosts.length < 2) return this.#hosts[0]
    this.#table ??= buildTable(this.#hosts, this.#share, this.#size)
    return this.#hosts[this.#table[remainder(attempt === 0 ? hash : another(hash, attempt), this.#size)]!]
  }
}

const weightOf = ({ weight }: Balanced): number => weight

/** `hash ^ -attempt`, by which Envoy leaves a host that was tried. */
const another = ({ high, low }: Hash64, attempt: number): Hash64 => ({ high: ~high >>> 0, low: (low ^ -attempt) >>> 0 })

function buildTable<Host extends Balanced>(hosts: readonly Host[], share: Share<Host>, size: number): Uint32Array {
  const free = 0xffffffff
  const table = new Uint32Array(size).fill(free)
  const claims = hosts.map((host, i) => claimOf(host, i, share(host), size))
  const most = claims.reduce((max, claim) => Math.max(max, claim.share), 0)
  let taken = 0
  for (let turn = 1; taken < size; turn++) {
    for (const claim of claims) {
      if (taken === size) break
      if (turn * claim.share < claim.target) continue
      claim.target += most
      while (table[claim.place] !== free) claim.place = (claim.place + claim.skip) % size
      table[claim.place] = claim.host
      taken++
    }
  }
  return table
}

function claimOf({ name }: Balanced, host: number, share: number, size: number): Claim {
  return { host, share, target: 0, place: remainder(xxHash64(name), size), skip: 1 + remainder(xxHash64(name, { high: 0, low: 1 }), size - 1) }
}
