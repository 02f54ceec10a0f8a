// What a balancer is: it is given the usable hosts whenever they change, and names one of them at a time. Which hosts are
// usable, and which were tried already, is for the cluster to know.
import type { Hash64 } from '../../../lib/xxhash64.ts'

/** What a balancer may know of a host. `active` changes while the host is known. */
export interface Balanced {
  /** By what hashes place it: its address. */
  readonly name: string
  /** 1 or more. */
  readonly weight: number
  /** Requests in flight. */
  readonly active: number
}

/** A host's share, where that is not simply its weight. */
export type Share<Host> = (host: Host) => number

export interface Balancer<Host extends Balanced> {
  /** From now on these, in any order. `share`: instead of their weights; asked whenever it matters, as it may change. */
  replace(hosts: readonly Host[], share?: Share<Host>): void
  /** Undefined only when there is none. `attempt`: how many hosts for the same hash were thrown back. */
  choose(hash?: Hash64, attempt?: number): Host | undefined
}

/** A number in [0, 1). */
export type Random = () => number

export function haveEqualWeights(hosts: readonly Balanced[]): boolean {
  return hosts.every(({ weight }) => weight === hosts[0]!.weight)
}

/** Where a request has no hash, any will do. */
export const randomHash = (random: Random): Hash64 => ({ high: Math.floor(random() * 4_294_967_296), low: Math.floor(random() * 4_294_967_296) })
