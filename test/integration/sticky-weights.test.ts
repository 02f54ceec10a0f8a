// Sessions that survive weights: what the control plane makes of the annotation goes over the wire into two proxies' routers,
// and weights are moved under 10,000 keys.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { HeaderList } from '../../src/codec/header-list.ts'
import { createSnapshot } from '../../src/control/snapshot.ts'
import { readProxyNode } from '../../src/control/translate/proxy-node.ts'
import { ProxyResources } from '../../src/control/translate/proxy-resources.ts'
import { BuildCache } from '../../src/control/translate/translator.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { compileRoutes } from '../../src/proxy/http/router/compile.ts'
import { chooseTarget } from '../../src/proxy/http/router/forward.ts'
import type { DrawingRequest, ForwardAction } from '../../src/proxy/http/router/forward.ts'
import { bookinfo, resource } from '../support/bookinfo-world.ts'
import { seededRandom } from '../support/routed-request.ts'
import { HttpWorld } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { setUseHashPolicy } from '../../src/xds/use-hash-policy.ts'
import { create } from '@bufbuild/protobuf'
import { WeightedClusterSchema } from '../../src/proto/gen/envoy/config/route/v3/route_components_pb.ts'

const keys = Array.from({ length: 10_000 }, (_, i) => `user-${i}`)

type Weights = Readonly<Record<string, number>>
type ConsistentHash = Readonly<Record<string, unknown>>

/** The route to reviews as it comes out of a control plane, in bytes. */
function routeBytes(weights: Weights, consistentHash: ConsistentHash, sticky = 'true'): Uint8Array {
  const world = bookinfo(
    resource('DestinationRule', 'reviews', {
      host: 'reviews', subsets: Object.keys(weights).map((name) => ({ name, labels: { version: name } })), trafficPolicy: { loadBalancer: { consistentHash } },
    }),
    resource('VirtualService', 'reviews', {
      hosts: ['reviews'], gateways: ['mesh'], http: [{ route: Object.entries(weights).map(([subset, weight]) => ({ destination: { host: 'reviews', subset }, weight })) }],
    }, { annotations: { 'trysail.dev/sticky-weights': sticky } }),
  )
  const node = readProxyNode({ id: 'sidecar~127.1.0.1~productpage.default~default.svc.cluster.local' })
  const built = new ProxyResources(node, new BuildCache(), ({ message }) => assert.fail(message)).get('RDS', '9080', createSnapshot(world))
  return built!.bytes
}

/** A proxy of its own: it compiles the bytes by itself, and its draws are its own. */
function proxyWith(bytes: Uint8Array, seed: number): (key: string) => string {
  const table = compileRoutes(fromBinary(RouteConfigurationSchema, bytes))
  const action = table.findVirtualHost('reviews')!.routes[0]!.action as ForwardAction
  const random = seededRandom(seed)
  return (key) => chooseTarget(action, random, requestOf(key)).clusterName.split('|')[2]!
}

/** Every way to say who it is at once: the policy looks at one. */
function requestOf(key: string): DrawingRequest {
  const number = Number(key.slice('user-'.length))
  const host = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
  return {
    requestHeaders: HeaderList.of('x-user', key, 'cookie', `session=${key}`), query: `user=${key}`, hash: undefined, addCookie() {},
    connection: { remoteAddress: { host, port: 1 }, remoteAddressText: `${host}:1`, originalDestinationText: '10.0.0.1:80' },
  }
}

let proxies = 0
/** Each call is another proxy, whose draws are of its own. */
const subsetsOf = (weights: Weights, hash: ConsistentHash): readonly string[] => keys.map(proxyWith(routeBytes(weights, hash), ++proxies))
const moved = (before: readonly string[], after: readonly string[]) => keys.flatMap((_, i) => (before[i] === after[i] ? [] : [`${before[i]} to ${after[i]}`]))
const near = (count: number, share: number) => assert.ok(Math.abs(count - share * keys.length) < 0.02 * keys.length, `${count} of ${keys.length}, not ${share * 100} %`)

const policies: Readonly<Record<string, ConsistentHash>> = {
  'a header': { httpHeaderName: 'x-user' }, 'a cookie': { httpCookie: { name: 'session', ttl: 0 } },
  'a query parameter': { httpQueryParameterName: 'user' }, 'the source address': { useSourceIp: true },
}

for (const [by, hash] of Object.entries(policies)) {
  test(`with hashes by ${by}, weights that move take along only the keys that must move, and none comes back`, () => {
    const steps = [[90, 10], [80, 20], [50, 50], [0, 100]].map(([v1 = 0, v2 = 0]) => subsetsOf({ v1, v2 }, hash))
    for (const [i, share] of [0.1, 0.2, 0.5, 1].entries()) near(steps[i]!.filter((subset) => subset === 'v2').length, share)
    for (const [i, share] of [0.1, 0.3, 0.5].entries()) {
      const changes = moved(steps[i]!, steps[i + 1]!)
      near(changes.length, share)
      assert.deepEqual([...new Set(changes)], ['v1 to v2'])
    }
  })
}

test('two proxies agree on every key, and weights of another sum or order change nothing', () => {
  const hash = policies['a header']!
  const one = subsetsOf({ v1: 90, v2: 10 }, hash)
  for (const weights of [{ v1: 90, v2: 10 }, { v1: 9, v2: 1 }, { v2: 10, v1: 90 }, { v1: 900, v2: 100 }]) {
    assert.deepEqual(moved(one, subsetsOf(weights, hash)), [])
  }
})

test('a third version takes its keys from those beside it by name', () => {
  const hash = policies['a header']!
  const changes = moved(subsetsOf({ v1: 80, v2: 20 }, hash), subsetsOf({ v1: 80, v2: 10, v3: 10 }, hash))
  near(changes.length, 0.1)
  assert.deepEqual([...new Set(changes)], ['v2 to v3'])
})

test('without the annotation the subset is drawn anew for each request, as in Istio', () => {
  const choose = proxyWith(routeBytes({ v1: 50, v2: 50 }, policies['a header']!, 'false'), 1)
  assert.equal(new Set(Array.from({ length: 50 }, () => choose('user-1'))).size, 2)
})

test('requests without a key are drawn by weight', () => {
  const choose = proxyWith(routeBytes({ v1: 75, v2: 25 }, { httpHeaderName: 'x-absent' }), 1)
  near(keys.map(choose).filter((subset) => subset === 'v2').length, 0.25)
})

test('a new client gets its cookie and its subset at once: every later request with the cookie meets the same one', async () => {
  await using one = await RawPeer.start(() => ok('one'))
  await using two = await RawPeer.start(() => ok('two'))
  const weighted = setUseHashPolicy(create(WeightedClusterSchema, { clusters: [{ name: 'one', weight: 500_000 }, { name: 'two', weight: 500_000 }] }))
  await using world = await HttpWorld.start({
    clusters: { one: [one.address], two: [two.address] },
    routes: [{
      match: { pathSpecifier: { case: 'prefix', value: '/' } },
      action: { case: 'route', value: {
        clusterSpecifier: { case: 'weightedClusters', value: weighted },
        hashPolicy: [{ policySpecifier: { case: 'cookie', value: { name: 'session', ttl: {} } } }],
      } },
    }],
  })
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) {
    // A connection of its own: the cookie is made of its addresses.
    const first = await world.exchange('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    const cookies = [...first.matchAll(/^set-cookie: (session="[0-9a-f]{16}")/gm)]
    assert.equal(cookies.length, 1, first)
    const again = await world.exchange(`GET / HTTP/1.1\r\nhost: a\r\ncookie: ${cookies[0]![1]!}\r\nconnection: close\r\n\r\n`)
    assert.equal(again.slice(-3), first.slice(-3))
    seen.add(first.slice(-3))
  }
  assert.deepEqual([...seen].sort(), ['one', 'two'])
})

test('a number that a header says is drawn by several proxies in a row alike', () => {
  const action = compileRoutes(fromBinary(RouteConfigurationSchema, routeBytes({ v1: 50, v2: 50 }, policies['a header']!))).findVirtualHost('reviews')!.routes[0]!.action as ForwardAction
  const by = (number: string) => chooseTarget({ ...action, drawHeader: 'x-draw' }, () => 0, { ...requestOf('user-1'), requestHeaders: HeaderList.of('x-draw', number) }).clusterName
  assert.match(by('499999'), /\|v1\|/)
  assert.match(by('500000'), /\|v2\|/)
  assert.match(by('18446744073709551615'), /\|v2\|/)
})
