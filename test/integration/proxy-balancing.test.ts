// What a DestinationRule's balancing looks like to clients on real sockets: requests that stay with their host, hosts that are
// left out after errors, and limits that answer at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { freePort } from '../support/hosts.ts'
import { httpPeer } from '../support/http-peers.ts'
import type { Peer } from '../support/http-peers.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit } from '../support/http-world.ts'
import { until } from '../support/until.ts'

async function peers(count: number, statusOf: (index: number) => number = () => 200) {
  const all = await Promise.all(Array.from({ length: count }, (_, i) => httpPeer((_request, response) => {
    response.statusCode = statusOf(i)
    response.end(`host ${i}`)
  })))
  return { all, addresses: all.map(({ address }) => address), [Symbol.asyncDispose]: async () => void (await Promise.all(all.map((one: Peer) => one[Symbol.asyncDispose]()))) }
}

async function ask(world: HttpWorld, headers: Record<string, string> = {}, path = '/') {
  const response = await fetch(world.url + path, { headers })
  return { status: response.status, body: await response.text(), cookies: response.headers.getSetCookie(), headers: response.headers }
}

const times = async <Value>(count: number, work: () => Promise<Value>): Promise<Value[]> => {
  const found: Value[] = []
  for (let i = 0; i < count; i++) found.push(await work())
  return found
}

const hosts = (answers: readonly { readonly body: string }[]) => new Set(answers.map(({ body }) => body))
const hashed = (policy: NonNullable<ActionInit['hashPolicy']>[number]['policySpecifier']): ActionInit => ({ hashPolicy: [{ policySpecifier: policy }] as NonNullable<ActionInit['hashPolicy']> })

for (const [name, lbPolicy] of [['a ring', LbPolicy.RING_HASH], ['a table', LbPolicy.MAGLEV]] as const) {
  test(`by header in ${name}: a value stays with its host, other values spread, and none at all is spread too`, async () => {
    await using up = await peers(4)
    await using world = await HttpWorld.start({
      clusters: { up: up.addresses }, cluster: { lbPolicy }, routes: [routeTo('up', '/', hashed({ case: 'header', value: { headerName: 'x-user' } }))],
    })
    for (const user of ['ann', 'bob', 'cyd']) assert.equal(hosts(await times(10, () => ask(world, { 'x-user': user }))).size, 1)
    let user = 0
    assert.equal(hosts(await times(100, () => ask(world, { 'x-user': `u${user++}` }))).size, 4)
    assert.equal(hosts(await times(100, () => ask(world))).size, 4)
  })
}

test('a cookie is made once, is kept by the client, and leads it to where its first request went', async () => {
  await using up = await peers(5)
  await using world = await HttpWorld.start({
    clusters: { up: up.addresses }, cluster: { lbPolicy: LbPolicy.RING_HASH },
    routes: [routeTo('up', '/', hashed({ case: 'cookie', value: { name: 'sid', ttl: { seconds: 60n }, path: '/', attributes: [{ name: 'SameSite', value: 'Lax' }] } }))],
  })
  const first = await ask(world)
  assert.match(first.cookies[0]!, /^sid="[0-9a-f]{16}"; Max-Age=60; Path=\/; SameSite=Lax; HttpOnly$/)
  const cookie = first.cookies[0]!.split(';')[0]!
  const later = await times(10, () => ask(world, { cookie }))
  assert.deepEqual([[...hosts(later)], later.flatMap(({ cookies }) => cookies)], [[first.body], []])
})

test('a host that answers 5xx in a row is left out, as long as that leaves enough, and is named in the stats', async () => {
  await using up = await peers(3, (i) => (i === 0 ? 503 : 200))
  await using world = await HttpWorld.start({
    clusters: { up: up.addresses },
    cluster: { lbPolicy: LbPolicy.ROUND_ROBIN, outlierDetection: { consecutive5xx: 2, maxEjectionPercent: 100, enforcingSuccessRate: 0 } },
  })
  await times(6, () => ask(world))
  const after = await times(20, () => ask(world))
  assert.deepEqual([...hosts(after)].sort(), ['host 1', 'host 2'])
  const stats = new Map(world.upstream.stats().map(({ name, value }) => [name, value]))
  assert.equal(stats.get('cluster.up.outlier_detection.ejections_active'), 1)
  assert.equal(stats.get('cluster.up.membership_healthy'), 2)
  const [host] = world.upstream.statuses()[0]!.hosts
  assert.equal(host!.ejection, 'ejected for 30 s after 2 consecutive 5xx errors')
})

test('one of three may not be ejected when at most 10 % may', async () => {
  await using up = await peers(3, (i) => (i === 0 ? 500 : 200))
  await using world = await HttpWorld.start({ clusters: { up: up.addresses }, cluster: { lbPolicy: LbPolicy.ROUND_ROBIN, outlierDetection: { consecutive5xx: 1, enforcingSuccessRate: 0 } } })
  const answers = await times(12, () => ask(world))
  assert.equal(answers.filter(({ status }) => status === 500).length, 4)
})

test('two refused connections eject a host whose own answers are told apart', async () => {
  await using up = await peers(1)
  const dead = { host: '127.0.0.1', port: await freePort() }
  await using world = await HttpWorld.start({
    clusters: { up: [dead, ...up.addresses] },
    cluster: {
      lbPolicy: LbPolicy.ROUND_ROBIN,
      outlierDetection: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: 2, maxEjectionPercent: 100, enforcingSuccessRate: 0 },
    },
  })
  const answers = await times(20, () => ask(world))
  assert.equal(answers.filter(({ status }) => status === 503).length, 2)
  assert.match(world.upstream.statuses()[0]!.hosts[0]!.ejection!, /after 2 consecutive failures to reach it/)
})

test('over the limits requests are answered at once, with UO, and no host is blamed for it', async () => {
  const held: (() => void)[] = []
  await using peer = await httpPeer((_request, response) => void held.push(() => response.end('ok')))
  await using world = await HttpWorld.start({
    clusters: { up: [peer.address] },
    cluster: { circuitBreakers: { thresholds: [{ maxConnections: 1, maxPendingRequests: 1 }] }, outlierDetection: { consecutive5xx: 1, maxEjectionPercent: 100, enforcingSuccessRate: 0 } },
  })
  const asked = Array.from({ length: 20 }, () => ask(world))
  await until(() => world.ended.length === 18)
  for (let served = 0; served < 2; served++) {
    await until(() => held.length > 0)
    held.pop()!()
  }
  const answers = await Promise.all(asked)
  const overflown = answers.filter(({ status }) => status === 503)
  assert.equal(overflown.length, 18)
  assert.ok(overflown.every(({ headers }) => headers.get('x-envoy-overloaded') === 'true'))
  assert.equal(world.ended.filter(({ responseFlags }) => responseFlags === 'UO').length, 18)
  assert.equal(world.upstream.statuses()[0]!.hosts[0]!.ejection, undefined)
})
