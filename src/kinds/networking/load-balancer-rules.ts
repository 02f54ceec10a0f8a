// How endpoints are picked: one algorithm, one key of a hash (traffic spec 1.3.7, 2.1, 2.2). Localities are in
// locality-rules.ts.
import { error, warning, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { ConsistentHash, LoadBalancer, LocalityLbSetting, ZoneAwareLbSetting } from './load-balancer.ts'
import { localityRules, zoneAwareRules } from './locality-rules.ts'

const hashKeys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const

/** Envoy's own limit of a Maglev table. */
const maxTable = 5_000_011

const hashRules: readonly Rule<ConsistentHash>[] = [
  error(function* (hash) {
    const [first, ...more] = hashKeys.filter((key) => hash[key] !== undefined)
    if (first === undefined) return
    for (const key of more) yield [[key], `cannot stand beside ${first}: a hash has one key`]
  }),
  error(function* ({ httpCookie }) {
    if (httpCookie?.name === '') yield [['httpCookie', 'name'], 'is required: the name of the cookie']
    const names = new Set<string>()
    for (const [index, { name }] of (httpCookie?.attributes ?? []).entries()) {
      if (names.has(name)) yield [['httpCookie', 'attributes', index, 'name'], `the attribute ${name} is there twice: remove one`]
      names.add(name)
    }
  }),
  error(function* ({ minimumRingSize, ringHash, maglev }) {
    if (ringHash !== undefined && maglev !== undefined) yield [['maglev'], 'cannot stand beside ringHash: remove one of them']
    if (minimumRingSize !== undefined && minimumRingSize > 0 && (ringHash ?? maglev) !== undefined) {
      yield [['minimumRingSize'], `cannot stand beside ${ringHash === undefined ? 'maglev' : 'ringHash'}: remove it`]
    }
  }),
  error(function* ({ maglev }) {
    if (maglev === undefined) return
    const { tableSize } = maglev
    if (tableSize === 0) yield [['maglev', 'tableSize'], 'is required: a prime number, such as 65537']
    else if (tableSize >= maxTable) yield [['maglev', 'tableSize'], `must be below ${maxTable}, not ${tableSize}`]
    else if (!isPrime(tableSize)) yield [['maglev', 'tableSize'], `must be a prime number, such as 65537, not ${tableSize}`]
  }),
  warning(function* (hash) {
    if (hashKeys.every((key) => hash[key] === undefined)) yield [[], `has no key, so any endpoint is as good: give it one of ${hashKeys.join(', ')}`]
  }),
  warning(function* ({ minimumRingSize, ringHash, maglev }) {
    if (minimumRingSize !== undefined && minimumRingSize > 0 && (ringHash ?? maglev) === undefined) {
      yield [['minimumRingSize'], 'is deprecated: use ringHash.minimumRingSize']
    }
  }),
]

function isPrime(number: number): boolean {
  if (number < 2 || (number > 2 && number % 2 === 0)) return false
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false
  return true
}

export const loadBalancerRules: readonly Rule<LoadBalancer>[] = [
  error(function* ({ simple, consistentHash }) {
    if (simple !== undefined && consistentHash !== undefined) yield [['consistentHash'], 'cannot stand beside simple: remove one of them']
  }),
  error(function* ({ localityLbSetting, zoneAwareLbSetting }) {
    if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined) yield [['zoneAwareLbSetting'], 'cannot stand beside localityLbSetting: remove one of them']
  }),
  error(function* ({ warmup, warmupDurationSecs }) {
    if (warmup === undefined) return
    if (warmupDurationSecs !== undefined) yield [['warmupDurationSecs'], 'cannot stand beside warmup, which replaces it: remove it']
    if (warmup.duration === undefined) yield [['warmup', 'duration'], 'is required: how long a new endpoint takes to get its full share']
    if (warmup.aggression !== undefined && warmup.aggression < 1) yield [['warmup', 'aggression'], `must be at least 1, not ${warmup.aggression}`]
    if (warmup.minimumPercent !== undefined && warmup.minimumPercent > 100) yield [['warmup', 'minimumPercent'], `must be at most 100, not ${warmup.minimumPercent}`]
  }),
  warning(function* ({ simple, warmupDurationSecs }) {
    if (simple === 'LEAST_CONN') yield [['simple'], 'LEAST_CONN is deprecated: use LEAST_REQUEST']
    if (warmupDurationSecs !== undefined) yield [['warmupDurationSecs'], 'is deprecated: use warmup.duration']
  }),
  ...within<LoadBalancer, ConsistentHash>(({ consistentHash }) => consistentHash, ['consistentHash'], hashRules),
  ...within<LoadBalancer, LocalityLbSetting>(({ localityLbSetting }) => localityLbSetting, ['localityLbSetting'], localityRules),
  ...within<LoadBalancer, ZoneAwareLbSetting>(({ zoneAwareLbSetting }) => zoneAwareLbSetting, ['zoneAwareLbSetting'], zoneAwareRules),
]
