import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBalancer } from './balancer/create.ts'
import type { EndpointSettings } from './endpoints.ts'
import { RuntimeHost } from './host.ts'
import { HostSet } from './host-set.ts'
import { ClusterStats } from './stats.ts'
import { fleetOf } from './zone-aware.ts'
import type { Fleet, ZoneAwareSettings } from './zone-aware.ts'

const place = (zone: string) => `r/${zone}/`
let next = 1

/** `a3b2`: three in zone a, two in zone b. */
function endpoints(text: string, over: Partial<EndpointSettings> = {}): EndpointSettings[] {
  return [...text.matchAll(/([a-z])(\d+)/g)].flatMap(([, zone, count]) => Array.from({ length: Number(count) }, () => {
    const address = { host: '10.0.0.1', port: next++ }
    return { address, name: `10.0.0.1:${address.port}`, connectTo: address, weight: 1, health: 'healthy' as const, priority: 0, locality: place(zone!), localityWeight: 0, workload: '', socketLabels: {}, ...over }
  }))
}

function hostSet(fleet: Fleet | undefined, settings: Partial<ZoneAwareSettings> = {}, panicPercent = 0) {
  // The same numbers in every run (Park and Miller).
  let state = 42
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const stats = new ClusterStats()
  const hosts: HostSet = new HostSet({
    stats, panicPercent, localities: 'none', warmUp: undefined, random, zoneAware: { routed: 100, minHosts: 1, failsInPanic: false, ...settings }, fleet: () => fleet,
    createBalancer: () => createBalancer({ kind: 'round-robin' }, random),
    now: () => 0,
    create: (one) => new RuntimeHost(one, { stats, socket: { tls: undefined, proxyProtocol: undefined }, now: () => 0, onSuspicion: () => hosts.refresh() }),
    retire: () => {},
  })
  /** Per cent of the choices by zone, to the nearest five. */
  const shares = () => {
    const counts: Record<string, number> = {}
    for (let i = 0; i < 20_000; i++) {
      const zone = hosts.choose([])!.locality.split('/')[1]!
      counts[zone] = (counts[zone] ?? 0) + 1
    }
    return Object.fromEntries(Object.entries(counts).map(([zone, count]) => [zone, 5 * Math.round(count / 1_000)] as const))
  }
  return { hosts, stats, shares }
}

const fleet = (text: string, own = 'a') => fleetOf(endpoints(text), place(own))

const cases: [title: string, fleet: string, hosts: string, wanted: Record<string, number>][] = [
  ['all stays where the own zone has as many hosts as proxies, in proportion', 'a2b2', 'a3b3', { a: 100 }],
  ['all stays where it has more', 'a1b3', 'a2b2', { a: 100 }],
  ['what the own zone cannot carry goes to the one that has room', 'a3b1', 'a2b2', { a: 65, b: 35 }],
  ['and is divided by how much room each has', 'a2', 'a2b1c1', { a: 50, b: 25, c: 25 }],
  ['zones that have fewer hosts than proxies get nothing from others', 'a4b2c0', 'a2b1c3', { a: 50, c: 50 }],
  ['without a host in the own zone everything leaves it', 'a1b1', 'b3c3', { c: 100 }],
]
for (const [title, proxies, hosts, wanted] of cases) {
  test(title, () => {
    const { hosts: set, shares } = hostSet(fleet(proxies))
    set.replace(endpoints(hosts))
    assert.deepEqual(shares(), wanted)
  })
}

test('every host carries the same when all proxies of a fleet do so', () => {
  const load: Record<string, number> = {}
  for (const [zone, proxies] of [['a', 3], ['b', 1]] as const) {
    const { hosts, shares } = hostSet(fleet('a3b1', zone))
    hosts.replace(endpoints('a2b2'))
    for (const [to, share] of Object.entries(shares())) load[to] = (load[to] ?? 0) + proxies * share
  }
  assert.deepEqual(load, { a: 195, b: 205 })
})

const flat: [title: string, () => Record<string, number>][] = [
  ['fewer hosts than the least', () => {
    const { hosts, shares } = hostSet(fleet('a1b1'), { minHosts: 5 })
    hosts.replace(endpoints('a2b2'))
    return shares()
  }],
  ['proxies that are not known', () => {
    const { hosts, shares } = hostSet(undefined)
    hosts.replace(endpoints('a2b2'))
    return shares()
  }],
  ['a fleet without a proxy in the own zone', () => {
    const { hosts, shares } = hostSet(fleet('b2', 'a'))
    hosts.replace(endpoints('a2b2'))
    return shares()
  }],
  ['a fleet in a panic', () => {
    const sick = fleetOf([...endpoints('a1'), ...endpoints('b3', { health: 'unhealthy' })], place('a'))
    const { hosts, shares } = hostSet(sick, {}, 50)
    hosts.replace(endpoints('a2b2'))
    return shares()
  }],
]
for (const [title, shares] of flat) test(`zones do not matter with ${title}`, () => assert.deepEqual(shares(), { a: 50, b: 50 }))

test('only some of the requests are treated so, where only some are asked for', () => {
  const { hosts, shares, stats } = hostSet(fleet('a1b1'), { routed: 50 })
  hosts.replace(endpoints('a2b2'))
  const { a = 0 } = shares()
  assert.ok(a >= 65 && a <= 85, `${a} %`)
  assert.ok(stats.lb_zone_routing_all_directly > 9_000 && stats.lb_zone_routing_all_directly < 11_000)
})

test('hosts that fail leave their zone with less, and the rest spills over', () => {
  const { hosts, shares } = hostSet(fleet('a2b2'))
  const [first, ...others] = endpoints('a2b2')
  hosts.replace([{ ...first!, health: 'unhealthy' }, ...others])
  assert.deepEqual(shares(), { a: 65, b: 35 })
})

test('in a panic no host is chosen where that is wanted', () => {
  for (const [failsInPanic, found] of [[true, false], [false, true]] as const) {
    const { hosts } = hostSet(fleet('a2b2'), { failsInPanic }, 50)
    hosts.replace([...endpoints('a1'), ...endpoints('b3', { health: 'unhealthy' })])
    assert.equal(hosts.choose([]) !== undefined, found)
  }
})
