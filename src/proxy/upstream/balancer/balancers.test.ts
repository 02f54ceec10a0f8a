import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Balanced, Balancer, Random } from './balancer.ts'
import { LeastRequestBalancer } from './least-request.ts'
import { RandomBalancer } from './random.ts'
import { RoundRobinBalancer } from './round-robin.ts'

interface TestHost extends Balanced {
  readonly name: string
  readonly weight: number
  active: number
}

const hostsOf = (...weights: number[]): TestHost[] => weights.map((weight, i) => ({ name: String.fromCharCode(97 + i), weight, active: 0 }))

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function choices(balancer: Balancer<TestHost>, count: number): string {
  return Array.from({ length: count }, () => balancer.choose()!.name).join('')
}

function counts(balancer: Balancer<TestHost>, picks: number): Record<string, number> {
  const found: Record<string, number> = {}
  for (let i = 0; i < picks; i++) {
    const { name } = balancer.choose()!
    found[name] = (found[name] ?? 0) + 1
  }
  return found
}

function over<Kind extends Balancer<TestHost>>(balancer: Kind, hosts: readonly TestHost[]): Kind {
  balancer.replace(hosts)
  return balancer
}

const isNear = (found: number | undefined, wanted: number) => Math.abs((found ?? 0) - wanted) < wanted * 0.15

test('no balancer chooses from nothing, and all choose the only one', () => {
  for (const balancer of [new RoundRobinBalancer<TestHost>(() => 0), new LeastRequestBalancer<TestHost>(() => 0), new RandomBalancer<TestHost>(() => 0)]) {
    assert.equal(balancer.choose(), undefined)
    assert.equal(choices(over(balancer, hostsOf(7)), 3), 'aaa')
    balancer.replace([])
    assert.equal(balancer.choose(), undefined)
  }
})

test('round robin takes one after the other', () => {
  assert.equal(choices(over(new RoundRobinBalancer(() => 0), hostsOf(1, 1, 1)), 7), 'abcabca')
  assert.equal(choices(over(new RoundRobinBalancer(() => 0.5), hostsOf(1, 1, 1)), 4), 'bcab', 'from a random start')
})

test('round robin with weights is exact over a cycle and evenly spread within it', () => {
  const balancer = over(new RoundRobinBalancer<TestHost>(() => 0), hostsOf(3, 1))
  assert.deepEqual(counts(balancer, 400), { a: 300, b: 100 })
  assert.match(choices(balancer, 12), /^(?!.*bb)(?!.*aaaa)/)
  assert.deepEqual(counts(over(new RoundRobinBalancer<TestHost>(() => 0.9), hostsOf(90, 10)), 1000), { a: 900, b: 100 })
  assert.deepEqual(counts(over(new RoundRobinBalancer<TestHost>(seeded(1)), hostsOf(5, 3, 2)), 1000), { a: 500, b: 300, c: 200 })
})

test('proxies that start together do not all start with the same host', () => {
  const random = seeded(2)
  for (const weights of [[1, 1, 1, 1], [2, 1, 1, 1]]) {
    const firsts = new Set(Array.from({ length: 50 }, () => over(new RoundRobinBalancer<TestHost>(random), hostsOf(...weights)).choose()!.name))
    assert.ok(firsts.size >= 3, [...firsts].join(' '))
  }
})

test('least request takes the less busy one of two that differ', () => {
  const hosts = hostsOf(1, 1)
  const balancer = over(new LeastRequestBalancer<TestHost>(seeded(3)), hosts)
  hosts[0]!.active = 1
  assert.equal(choices(balancer, 20), 'b'.repeat(20))
  hosts[1]!.active = 2
  assert.equal(choices(balancer, 20), 'a'.repeat(20))
})

test('least request without load, and of many hosts, is fair; the busiest of many is never chosen', () => {
  const hosts = hostsOf(1, 1, 1, 1)
  const balancer = over(new LeastRequestBalancer<TestHost>(seeded(4)), hosts)
  for (const count of Object.values(counts(balancer, 4000))) assert.ok(isNear(count, 1000), String(count))
  hosts[2]!.active = 5
  assert.equal(counts(balancer, 1000)['c'], undefined)
})

test('least request evens out what is in flight', () => {
  const hosts = hostsOf(1, 1, 1, 1, 1)
  const balancer = over(new LeastRequestBalancer<TestHost>(seeded(5)), hosts)
  for (let i = 0; i < 500; i++) balancer.choose()!.active++
  const actives = hosts.map(({ active }) => active)
  assert.ok(Math.max(...actives) - Math.min(...actives) <= 4, actives.join(' '))
})

test('least request with weights follows weight / (active + 1)', () => {
  const hosts = hostsOf(3, 1)
  const balancer = over(new LeastRequestBalancer<TestHost>(() => 0), hosts)
  assert.deepEqual(counts(balancer, 400), { a: 300, b: 100 })
  hosts[0]!.active = 2
  const busy = counts(balancer, 400)
  assert.ok(isNear(busy['a'], 200), JSON.stringify(busy))
})

test('least request compares as many as it is told to', () => {
  const hosts = hostsOf(1, 1, 1, 1, 1, 1)
  hosts.forEach((host, i) => (host.active = i))
  const share = (choices: number) => counts(over(new LeastRequestBalancer<TestHost>(seeded(7), { choices, bias: 1 }), hosts), 6_000)['a']! / 6_000
  // The least busy of six is among two that differ in a third of all draws.
  assert.ok(isNear(share(2), 1 / 3), String(share(2)))
  assert.ok(share(6) > 0.6, String(share(6)))
})

test('the bias says how much requests in flight count against a weight', () => {
  const busyShare = (bias: number) => {
    const hosts = hostsOf(2, 1)
    hosts[0]!.active = 3
    return counts(over(new LeastRequestBalancer<TestHost>(() => 0, { choices: 2, bias }), hosts), 3_000)['a']!
  }
  assert.ok(isNear(busyShare(0), 2_000), 'not at all: by weight alone')
  assert.ok(isNear(busyShare(1), 1_000), '2 / 4 to 1')
  assert.ok(isNear(busyShare(2), 333), '2 / 16 to 1')
})

test('shares that change are followed from one choice to the next', () => {
  let share = 1
  for (const balancer of [new RoundRobinBalancer<TestHost>(() => 0), new LeastRequestBalancer<TestHost>(() => 0)]) {
    share = 1
    balancer.replace(hostsOf(1, 1), ({ name }) => (name === 'a' ? 1 : share))
    assert.ok(isNear(counts(balancer, 400)['b'], 200))
    share = 3
    assert.ok(isNear(counts(balancer, 400)['b'], 300))
  }
})

test('random knows no weights', () => {
  const found = counts(over(new RandomBalancer<TestHost>(seeded(6)), hostsOf(9, 1)), 4000)
  assert.ok(isNear(found['a'], 2000) && isNear(found['b'], 2000), JSON.stringify(found))
})
