// The balancers by the names that clusters call them.
import type { Balanced, Balancer, Random } from './balancer.ts'
import { LeastRequestBalancer } from './least-request.ts'
import type { LeastRequestSettings } from './least-request.ts'
import { MaglevBalancer } from './maglev.ts'
import { RandomBalancer } from './random.ts'
import { RingHashBalancer } from './ring-hash.ts'
import type { RingHashSettings } from './ring-hash.ts'
import { RoundRobinBalancer } from './round-robin.ts'

export type BalancerSettings =
  | { readonly kind: 'round-robin' | 'random' }
  | { readonly kind: 'least-request' } & LeastRequestSettings
  | { readonly kind: 'ring-hash' } & RingHashSettings
  | { readonly kind: 'maglev'; readonly tableSize: number }

export function createBalancer<Host extends Balanced>(settings: BalancerSettings, random: Random): Balancer<Host> {
  switch (settings.kind) {
    case 'least-request': return new LeastRequestBalancer(random, settings)
    case 'random': return new RandomBalancer(random)
    case 'round-robin': return new RoundRobinBalancer(random)
    case 'ring-hash': return new RingHashBalancer(random, settings)
    case 'maglev': return new MaglevBalancer(random, settings.tableSize)
  }
}

/** Such balancers put the weights of localities into those of hosts, instead of drawing a locality first. */
export const isHashing = ({ kind }: BalancerSettings): boolean => kind === 'ring-hash' || kind === 'maglev'

/** Such ones let new hosts warm up. */
export const warmsUp = ({ kind }: BalancerSettings): boolean => kind === 'round-robin' || kind === 'least-request'
