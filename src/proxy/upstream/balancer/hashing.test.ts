// Ring hash and Maglev: everyone computes the same, weights are kept, and a host that comes or goes moves little else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { xxHash64 } from '../../../lib/xxhash64.ts'
import type { Balanced, Balancer } from './balancer.ts'
import { MaglevBalancer } from './maglev.ts'
import { RingHashBalancer } from './ring-hash.ts'

const host = (name: string, weight = 1): Balanced => ({ name, weight, active: 0 })
const hostsOf = (count: number, weight = 1) => Array.from({ length: count }, (_, i) => host(`10.0.${i >> 8}.${i & 255}:8080`, weight))
const keys = Array.from({ length: 10_000 }, (_, i) => xxHash64(`user-${i}`))

function over(balancer: Balancer<Balanced>, hosts: readonly Balanced[]): readonly string[] {
  balancer.replace(hosts)
  return keys.map((key) => balancer.choose(key)!.name)
}

const kinds: [title: string, create: () => Balancer<Balanced>, tolerance: number, collateral: number][] = [
  // The other hosts get more points, so that the ring keeps its size: at most a third of its points are new, as in Envoy.
  ['ring hash', () => new RingHashBalancer<Balanced>(Math.random), 0.35, 0.33],
  // Maglev moves a little more than it must: the paper's figure for this size is about one key in a hundred.
  ['maglev', () => new MaglevBalancer<Balanced>(Math.random), 0.12, 0.02],
]

for (const [title, create, tolerance, collateral] of kinds) {
  test(`${title}: two proxies agree, in whatever order they learn of the hosts`, () => {
    const hosts = hostsOf(7)
    assert.deepEqual(over(create(), hosts), over(create(), hosts.toReversed()))
  })

  test(`${title}: every host has about its share, weights respected`, () => {
    const hosts = [host('a:1', 1), host('b:1', 2), host('c:1', 4)]
    const counts = Map.groupBy(over(create(), hosts), (name) => name)
    for (const { name, weight } of hosts) {
      const wanted = (keys.length * weight) / 7
      assert.ok(Math.abs(counts.get(name)!.length - wanted) < wanted * tolerance, `${name}: ${counts.get(name)!.length} of ${wanted}`)
    }
  })

  test(`${title}: a host that goes moves its own keys and hardly any other; one that comes takes only for itself`, () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), (count, which) => {
      const all = hostsOf(count)
      const gone = all[which % count]!
      const before = over(create(), all)
      const after = over(create(), all.filter((one) => one !== gone))
      const moved = before.filter((name, i) => name !== gone.name && name !== after[i]).length
      assert.ok(moved <= keys.length * collateral, `${moved} moved without need`)
      assert.ok(!after.includes(gone.name))
    }), { numRuns: 15 })
  })

  test(`${title}: a host that was thrown back gives way to another one, the same for everyone`, () => {
    const [one, other] = [create(), create()]
    for (const balancer of [one, other]) balancer.replace(hostsOf(5))
    const second = keys.slice(0, 200).map((key) => one.choose(key, 1)!.name)
    assert.deepEqual(second, keys.slice(0, 200).map((key) => other.choose(key, 1)!.name))
    const elsewhere = second.filter((name, i) => name !== one.choose(keys[i])!.name).length
    assert.ok(elsewhere > 100, `${elsewhere} of 200`)
  })

  test(`${title}: without a hash any host will do; of none there is none`, () => {
    const balancer = create()
    assert.equal(balancer.choose(keys[0]), undefined)
    balancer.replace(hostsOf(3))
    assert.equal(new Set(Array.from({ length: 200 }, () => balancer.choose()!.name)).size, 3)
  })
}

test('in a ring whose other hosts keep their points, a host that goes moves its own keys and no other', () => {
  // One point for each, where rounding does not give a host another one: 1 / (1 / 49) is a little more than 49.
  const isExact = (count: number) => 1 / (1 / count) === count
  fc.assert(fc.property(fc.integer({ min: 2, max: 60 }).filter((count) => isExact(count) && isExact(count - 1)), fc.nat(), (count, which) => {
    const all = hostsOf(count)
    const gone = all[which % count]!
    const onePoint = () => new RingHashBalancer<Balanced>(Math.random, { minSize: 1, maxSize: 8_388_608 })
    const before = over(onePoint(), all)
    const after = over(onePoint(), all.filter((one) => one !== gone))
    assert.deepEqual(after.filter((_, i) => before[i] !== gone.name), before.filter((name) => name !== gone.name))
  }), { numRuns: 15 })
})

test('a ring grows until the least of its hosts has a whole point, but never beyond its limit', () => {
  const least = over(new RingHashBalancer<Balanced>(Math.random, { minSize: 1, maxSize: 8_388_608 }), [host('a:1', 1), host('b:1', 99)])
  assert.ok(least.includes('a:1'), '100 points, one of them for the least')
  const crowded = new RingHashBalancer<Balanced>(Math.random, { minSize: 1_024, maxSize: 4 })
  assert.ok(new Set(over(crowded, hostsOf(10))).size <= 4)
})

test('a ring places hosts as Envoy does: at xxHash64 of ADDRESS_0, ADDRESS_1 and so on', () => {
  const hosts = [host('127.0.0.1:90'), host('127.0.0.1:91')]
  const ring = new RingHashBalancer<Balanced>(Math.random, { minSize: 6, maxSize: 8_388_608 })
  ring.replace(hosts)
  for (const { name } of hosts) for (let i = 0; i < 3; i++) assert.equal(ring.choose(xxHash64(`${name}_${i}`))!.name, name)
})

const hash = (value: bigint) => ({ high: Number(value >> 32n), low: Number(value & 0xffffffffn) })
const envoyHosts = [90, 91, 92, 93, 94, 95].map((port) => host(`127.0.0.1:${port}`))

/** Of Envoy's own test (ring_hash_lb_test.cc, Basic): the ring of six hosts with 12 points. */
const envoyRing: [port: number, position: bigint][] = [
  [94, 833437586790550860n], [92, 928266305478181108n], [90, 1033482794131418490n], [95, 3551244743356806947n], [93, 3851675632748031481n],
  [91, 5583722120771150861n], [91, 6311230543546372928n], [93, 7700377290971790572n], [95, 13144177310400110813n], [92, 13444792449719432967n],
  [94, 15516499411664133160n], [90, 16117243373044804889n],
]

test('the ring is the one of Envoy, point by point', () => {
  const ring = new RingHashBalancer<Balanced>(Math.random, { minSize: 12, maxSize: 8_388_608 })
  ring.replace(envoyHosts)
  assert.equal(ring.choose(hash(0n))!.name, '127.0.0.1:94')
  for (const [at, [port, position]] of envoyRing.entries()) {
    assert.equal(ring.choose(hash(position))!.name, `127.0.0.1:${port}`)
    // Twelve points have no neighbours so close that the lowest 11 bits, which are not looked at, would matter.
    assert.equal(ring.choose(hash(position + 4_096n))!.name, `127.0.0.1:${envoyRing[(at + 1) % envoyRing.length]![0]}`)
  }
})

test('the Maglev table is the one of Envoy, place by place (maglev_lb_test.cc, Basic)', () => {
  const table = new MaglevBalancer<Balanced>(Math.random, 7)
  table.replace(envoyHosts)
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((place) => table.choose({ high: 0, low: place })!.name.slice(-2)), ['92', '94', '90', '91', '95', '90', '93'])
})
