import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RoundRobinBalancer } from './balancer/round-robin.ts'
import type { EndpointSettings } from './endpoints.ts'
import { RuntimeHost } from './host.ts'
import { HostSet } from './host-set.ts'
import { ClusterStats } from './stats.ts'

function endpoint(port: number, over: Partial<EndpointSettings> = {}): EndpointSettings {
  const address = { host: '10.0.0.1', port }
  return { address, name: `10.0.0.1:${port}`, connectTo: address, weight: 1, health: 'healthy', priority: 0, workload: '', socketLabels: {}, ...over }
}

function hostSet(panicPercent = 0) {
  const stats = new ClusterStats()
  const retired: string[] = []
  const clock = { now: 0 }
  const hosts: HostSet = new HostSet({
    balancer: new RoundRobinBalancer(() => 0),
    stats, panicPercent,
    now: () => clock.now,
    create: (settings) => new RuntimeHost(settings, { stats, tls: undefined, now: () => clock.now, onSuspicion: () => hosts.refresh() }),
    retire: (host) => retired.push(host.name),
  })
  const chosen = (count = 6) => [...new Set(Array.from({ length: count }, () => hosts.choose([])?.address.port ?? 0))].sort((one, other) => one - other)
  const counted = () => (hosts.count(), stats)
  return { hosts, counted, retired, clock, chosen }
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
  const { hosts, chosen } = hostSet(50)
  hosts.replace([endpoint(1), endpoint(2, { health: 'unhealthy' }), endpoint(3, { health: 'unhealthy' }), endpoint(4, { priority: 1 })])
  assert.deepEqual(chosen(), [1])
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
