import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBalancer } from './balancer/create.ts'
import type { BalancerSettings } from './balancer/create.ts'
import type { EndpointSettings } from './endpoints.ts'
import { RuntimeHost } from './host.ts'
import { HostSet } from './host-set.ts'
import type { HostSetParts } from './host-set.ts'
import { ClusterStats } from './stats.ts'

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function endpoint(port: number, over: Partial<EndpointSettings> = {}): EndpointSettings {
  const address = { host: '10.0.0.1', port }
  return { address, name: `10.0.0.1:${port}`, connectTo: address, weight: 1, health: 'healthy', priority: 0, locality: '', localityWeight: 0, workload: '', socketLabels: {}, ...over }
}

type Options = Partial<Pick<HostSetParts, 'localities' | 'warmUp' | 'random'>> & { readonly balancer?: BalancerSettings }

function hostSet(panicPercent = 0, { balancer = { kind: 'round-robin' }, localities = 'none', warmUp, random = () => 0 }: Options = {}) {
  const stats = new ClusterStats()
  const retired: string[] = []
  const clock = { now: 0 }
  const hosts: HostSet = new HostSet({
    stats, panicPercent, localities, warmUp, random,
    createBalancer: () => createBalancer(balancer, random),
    now: () => clock.now,
    create: (settings) => new RuntimeHost(settings, { stats, socket: { tls: undefined, proxyProtocol: undefined }, now: () => clock.now, onSuspicion: () => hosts.refresh() }),
    retire: (host) => retired.push(host.name),
  })
  const chosen = (count = 6) => [...new Set(Array.from({ length: count }, () => hosts.choose([])?.address.port ?? 0))].sort((one, other) => one - other)
  /** How many of `picks` went to each port. */
  const counts = (picks: number) => {
    const found: Record<number, number> = {}
    for (let i = 0; i < picks; i++) {
      const port = hosts.choose([])!.address.port
      found[port] = (found[port] ?? 0) + 1
    }
    return found
  }
  const counted = () => (hosts.count(), stats)
  return { hosts, counted, counts, retired, clock, chosen }
}

test('hosts are kept by address while weight, health and workload change', () => {
  const { hosts, retired } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  const [first] = hosts.all
  hosts.replace([endpoint(2), endpoint(1, { weight: 5, workload: 'w;ns;c;v1;k' }), endpoint(3)])
  assert.equal(hosts.all.find(({ name }) => name === '10.0.0.1:1'), first)
  assert.deepEqual([first!.weight, first!.workload], [5, 'w;ns;c;v1;k'])
  assert.deepEqual(retired, [])
  hosts.replace([endpoint(1)])
  assert.deepEqual(retired, ['10.0.0.1:2', '10.0.0.1:3'])
})

test('another way to connect makes another host of the same address', () => {
  const { hosts, retired } = hostSet()
  hosts.replace([endpoint(1)])
  const [plain] = hosts.all
  hosts.replace([endpoint(1, { socketLabels: { tlsMode: 'istio' } })])
  assert.notEqual(hosts.all[0], plain)
  assert.deepEqual([hosts.all[0]!.mutualTls, retired], [true, ['10.0.0.1:1']])
})

test('the first priority that has a healthy host is used', () => {
  const { hosts, chosen } = hostSet()
  hosts.replace([endpoint(1, { priority: 1 }), endpoint(2), endpoint(3, { priority: 1 })])
  assert.deepEqual(chosen(), [2])
  hosts.replace([endpoint(1, { priority: 1 }), endpoint(2, { health: 'draining' }), endpoint(3, { priority: 1, health: 'unhealthy' })])
  assert.deepEqual(chosen(), [1])
})

test('without a healthy host there is none, where panic is off', () => {
  const { hosts, counted, chosen } = hostSet(0)
  hosts.replace([endpoint(1, { health: 'unhealthy' })])
  assert.deepEqual(chosen(), [0], 'no host')
  const stats = counted()
  assert.deepEqual([stats.membership_total, stats.membership_healthy, stats.lb_healthy_panic], [1, 0, 0])
})

const panics: [string, number, EndpointSettings['health'][], number][] = [
  ['below the threshold', 50, ['healthy', 'unhealthy', 'unhealthy'], 3],
  ['exactly at the threshold', 50, ['healthy', 'unhealthy'], 1],
  ['above the threshold', 50, ['healthy', 'healthy', 'unhealthy'], 2],
  ['with none healthy at all', 50, ['unhealthy', 'draining'], 2],
  ['where the threshold is low', 20, ['healthy', 'unhealthy', 'unhealthy'], 1],
]
for (const [title, threshold, healths, usable] of panics) {
  test(`a panic threshold of ${threshold} % ${title} uses ${usable} of ${healths.length} hosts`, () => {
    const { hosts, counted, chosen } = hostSet(threshold)
    hosts.replace(healths.map((health, i) => endpoint(i + 1, { health })))
    assert.equal(chosen(10).length, usable)
    assert.equal(counted().lb_healthy_panic > 0, usable === healths.length)
  })
}

test('no panic while another priority carries the load', () => {
  const { hosts, chosen, counted } = hostSet(50, { random: seeded(1) })
  hosts.replace([endpoint(1), endpoint(2, { health: 'unhealthy' }), endpoint(3, { health: 'unhealthy' }), endpoint(4, { priority: 1 })])
  assert.deepEqual(chosen(50), [1, 4])
  assert.equal(counted().lb_healthy_panic, 0)
})

test('half of the first priority is healthy: it keeps 70 %, the next one gets 30 %', () => {
  const { hosts, counts } = hostSet(0, { random: seeded(2) })
  hosts.replace([endpoint(1), endpoint(2, { health: 'unhealthy' }), endpoint(3, { priority: 1 })])
  const found = counts(10_000)
  assert.ok(Math.abs(found[1]! - 7_000) < 200 && Math.abs(found[3]! - 3_000) < 200, JSON.stringify(found))
})

test('a retry finds what is left of another priority', () => {
  const { hosts } = hostSet(0, { random: () => 0 })
  hosts.replace([endpoint(1), endpoint(2, { health: 'unhealthy' }), endpoint(3, { priority: 1 })])
  const [one, , three] = hosts.all
  assert.equal(hosts.choose([one]), three)
})

test('localities with weights are drawn by them, and those without one get nothing', () => {
  const { hosts, counts } = hostSet(0, { localities: 'draw' })
  hosts.replace([
    endpoint(1, { locality: 'r/a/', localityWeight: 80 }), endpoint(2, { locality: 'r/a/', localityWeight: 80 }),
    endpoint(3, { locality: 'r/b/', localityWeight: 20 }), endpoint(4, { locality: 'r/c/' }),
  ])
  assert.deepEqual(counts(1_000), { 1: 400, 2: 400, 3: 200 })
})

test('a locality that is half down gives some of its share away', () => {
  const { hosts, counts } = hostSet(0, { localities: 'draw' })
  hosts.replace([
    endpoint(1, { locality: 'r/a/', localityWeight: 50 }), endpoint(2, { locality: 'r/a/', localityWeight: 50, health: 'unhealthy' }),
    endpoint(3, { locality: 'r/b/', localityWeight: 50 }),
  ])
  const found = counts(1_700)
  assert.ok(Math.abs(found[1]! - 700) < 5 && Math.abs(found[3]! - 1_000) < 5, `0.7 to 1: ${JSON.stringify(found)}`)
})

test('weights of localities count in rings too', () => {
  const random = seeded(3)
  const { hosts, counts } = hostSet(0, { localities: 'share', balancer: { kind: 'maglev', tableSize: 65_537 }, random })
  hosts.replace([endpoint(1, { locality: 'r/a/', localityWeight: 90 }), endpoint(2, { locality: 'r/b/', localityWeight: 10 }), endpoint(3, { locality: 'r/b/', localityWeight: 10 })])
  const found = counts(10_000)
  assert.ok(Math.abs(found[1]! - 9_000) < 150, `90 to 10, of which each of two has half: ${JSON.stringify(found)}`)
})

test('a host that joins warms up: a tenth of its share at first, all of it at the end of the window', () => {
  const { hosts, counts, clock } = hostSet(0, { warmUp: { windowMs: 60_000, aggression: 1, minPercent: 10 } })
  hosts.replace([endpoint(1)])
  clock.now = 100_000
  hosts.replace([endpoint(1), endpoint(2)])
  const share = () => counts(1_100)[2]! / 1_100
  assert.ok(Math.abs(share() - 1 / 11) < 0.01, `0.1 of 1.1: ${share()}`)
  clock.now = 130_000
  assert.ok(Math.abs(share() - 1 / 3) < 0.01, `0.5 of 1.5: ${share()}`)
  clock.now = 160_000
  assert.ok(Math.abs(share() - 1 / 2) < 0.01, 'warm')
})

test('hosts that are all cold are equal, and one that is healthy again warms up', () => {
  const { hosts, counts, clock } = hostSet(0, { warmUp: { windowMs: 60_000, aggression: 1, minPercent: 10 } })
  hosts.replace([endpoint(1), endpoint(2)])
  assert.deepEqual(counts(100), { 1: 50, 2: 50 })
  clock.now = 100_000
  hosts.replace([endpoint(1), endpoint(2, { health: 'unhealthy' })])
  hosts.replace([endpoint(1), endpoint(2)])
  assert.ok(counts(1_100)[2]! < 130)
})

test('a suspect is left out until its time is over; all of them suspect is as good as none', () => {
  const { hosts, counted, clock, chosen } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  const [one, two] = hosts.all as [RuntimeHost, RuntimeHost]
  for (let i = 0; i < 3; i++) one.onConnectFailure(false)
  assert.deepEqual([chosen(), counted().membership_suspect], [[2], 1])
  clock.now = 500
  for (let i = 0; i < 3; i++) two.onConnectFailure(true)
  assert.deepEqual(chosen(), [1, 2])
  clock.now = 1_000
  assert.deepEqual([chosen(), counted().membership_suspect], [[1], 1])
  clock.now = 1_500
  assert.deepEqual([chosen(), counted().membership_suspect], [[1, 2], 0])
})

test('a suspect that can be connected to is used at once', () => {
  const { hosts, chosen } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  const [one] = hosts.all as [RuntimeHost]
  for (let i = 0; i < 3; i++) one.onConnectFailure(false)
  one.onConnected()
  assert.deepEqual(chosen(), [1, 2])
})

test('suspicion survives an update of the endpoints', () => {
  const { hosts, chosen } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  for (let i = 0; i < 3; i++) hosts.all[0]!.onConnectFailure(false)
  hosts.replace([endpoint(1), endpoint(2), endpoint(3)])
  assert.deepEqual(chosen(), [2, 3])
})

test('a suspect of which the control plane says that it is healthy again is used at once', () => {
  const { hosts, chosen } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  for (let i = 0; i < 3; i++) hosts.all[0]!.onConnectFailure(false)
  hosts.replace([endpoint(1, { health: 'unhealthy' }), endpoint(2)])
  assert.deepEqual(chosen(), [2])
  hosts.replace([endpoint(1), endpoint(2)])
  assert.deepEqual(chosen(), [1, 2])
})

test('hosts that were tried are avoided', () => {
  const { hosts } = hostSet()
  hosts.replace([endpoint(1), endpoint(2)])
  const [one, two] = hosts.all
  for (let i = 0; i < 4; i++) assert.equal(hosts.choose([one]), two)
})

test('a retry that leaves priorities goes to the next one with a healthy host; without one it goes where all go', () => {
  const { hosts } = hostSet()
  hosts.replace([endpoint(1), endpoint(2), endpoint(11, { priority: 1 }), endpoint(21, { priority: 2, health: 'unhealthy' })])
  const ports = (avoid: readonly number[]) => [...new Set(Array.from({ length: 6 }, () => hosts.choose([], undefined, avoid)?.address.port ?? 0))].sort((one, other) => one - other)
  assert.deepEqual(ports([]), [1, 2])
  assert.deepEqual(ports([0]), [11])
  assert.deepEqual(ports([0, 0, 1]), [1, 2])
  hosts.replace([endpoint(1), endpoint(12, { priority: 1 })])
  assert.deepEqual(ports([0]), [12], 'what was found for the hosts before is forgotten')
  hosts.replace([endpoint(1)])
  assert.deepEqual(ports([0]), [1])
})
