// What a balancer is: it is given the usable hosts whenever they change, and names one of them at a time. Which hosts are
// usable, and which were tried already, is for the cluster to know.

/** What a balancer may know of a host. `active` changes while the host is known. */
export interface Balanced {
  /** 1 or more. */
  readonly weight: number
  /** Requests in flight. */
  readonly active: number
}

export interface Balancer<Host extends Balanced> {
  /** From now on these, in any order. */
  replace(hosts: readonly Host[]): void
  /** Undefined only when there is none. */
  choose(): Host | undefined
}

/** A number in [0, 1). */
export type Random = () => number

export function haveEqualWeights(hosts: readonly Balanced[]): boolean {
  return hosts.every(({ weight }) => weight === hosts[0]!.weight)
}

/** How often a host that was tried already is thrown back before all are looked at. */
const picksBeforeSearch = 5

/** One that was not tried yet, where there is one. */
export function chooseUntried<Host extends Balanced>(
  balancer: Balancer<Host>,
  hosts: readonly Host[],
  tried: readonly unknown[],
): Host | undefined {
  let chosen = balancer.choose()
  if (tried.length === 0 || chosen === undefined) return chosen
  for (let picks = 0; picks < picksBeforeSearch && tried.includes(chosen); picks++) chosen = balancer.choose()
  if (!tried.includes(chosen)) return chosen
  return hosts.find((host) => !tried.includes(host)) ?? chosen
}
