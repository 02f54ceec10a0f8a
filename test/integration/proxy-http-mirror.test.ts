// Copies of requests: what mirrors see of them, and that the request itself never notices, whatever its mirrors do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpCounters } from '../../src/proxy/http/http-counters.ts'
import { freePort } from '../support/hosts.ts'
import { scriptedPeer } from '../support/http-peers.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit, HttpWorldOptions } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { Http2Client, Http2Peer } from '../support/http2-peers.ts'
import { until } from '../support/until.ts'
import { httpOptions } from '../support/upstream-world.ts'

type MirrorInit = NonNullable<ActionInit['requestMirrorPolicies']>[number]

const fraction = (numerator: number): MirrorInit => ({ runtimeFraction: { defaultValue: { numerator, denominator: 0 }, runtimeKey: '' } })

async function worldWith(mirrors: readonly MirrorInit[], options: HttpWorldOptions, action: ActionInit = {}) {
  const counters = new HttpCounters()
  const world = await HttpWorld.start({
    ...options, deps: { counters, ...options.deps }, routes: [routeTo('up', '/', { requestMirrorPolicies: [...mirrors], timeout: { seconds: 0n, nanos: 0 }, ...action })],
  })
  return { world, counters }
}

test('a mirror gets the request as it goes upstream, head and body, with -shadow behind the host; its answer goes nowhere', async () => {
  await using up = await RawPeer.start(() => ok('main'))
  await using copy = await RawPeer.start(() => ok('nobody reads this'))
  const { world, counters } = await worldWith([{ cluster: 'copy' }], { clusters: { up: [up.address], copy: [copy.address] } }, { prefixRewrite: '/v2/' })
  await using _ = world
  const answer = await fetch(`${world.url}/x?q=1`, { method: 'PUT', headers: { 'x-own': 'a' }, body: 'hello' })
  assert.equal(await answer.text(), 'main')
  await copy.until(() => copy.requests.length === 1)
  const [seen] = copy.requests
  assert.equal(seen!.line, 'PUT /v2/x?q=1 HTTP/1.1')
  assert.equal(seen!.body, 'hello')
  assert.equal(seen!.headers.get('host'), `127.0.0.1-shadow:${world.address.port}`)
  assert.equal(seen!.headers.get('x-own'), 'a')
  assert.equal(seen!.headers.get('x-envoy-internal'), 'true')
  assert.equal(seen!.headers.get('x-request-id'), up.requests[0]!.headers.get('x-request-id'))
  assert.equal(up.requests[0]!.headers.get('x-envoy-internal'), undefined)
  await until(() => counters.mirrorsOpen === 0)
  assert.deepEqual([counters.mirrored, counters.mirrorsDropped], [1, 0])
})

test('a mirror that speaks what its clients speak is asked in what the client of the request speaks', async () => {
  await using up = await Http2Peer.start()
  await using copy = await Http2Peer.start()
  const { world } = await worldWith([{ cluster: 'copy' }], {
    clusters: { up: [up.address], copy: [copy.address] }, cluster: httpOptions({ upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: {} } }),
  })
  await using _ = world
  await using client = await Http2Client.connect(world.address)
  assert.equal((await client.ask({ ':method': 'POST' }, 'hello')).body, 'peer')
  await until(() => copy.requests[0]?.body === 'hello')
})

test('the host of a copy stays where the policy says so, which is what Istio does', async () => {
  await using up = await RawPeer.start()
  const { world } = await worldWith([{ cluster: 'up', disableShadowHostSuffixAppend: true }], { clusters: { up: [up.address] } })
  await using _ = world
  await (await fetch(world.url)).text()
  await up.until(() => up.requests.length === 2)
  assert.deepEqual(up.requests.map(({ headers }) => headers.get('host')), Array.from({ length: 2 }, () => `127.0.0.1:${world.address.port}`))
})

test('each of several mirrors gets its own share', async () => {
  await using up = await RawPeer.start()
  await using peers = new AsyncDisposableStack()
  const [all, half, none] = await Promise.all([1, 2, 3].map(async () => peers.use(await RawPeer.start())))
  let draw = 0
  const { world, counters } = await worldWith([{ cluster: 'all' }, { cluster: 'half', ...fraction(50) }, { cluster: 'none', ...fraction(0) }], {
    clusters: { up: [up.address], all: [all!.address], half: [half!.address], none: [none!.address] }, deps: { random: () => (draw++ % 100) / 100 },
  })
  await using _ = world
  for (let i = 0; i < 40; i++) await (await fetch(world.url)).text()
  await until(() => counters.mirrorsOpen === 0)
  assert.equal(all!.requests.length, 40)
  assert.ok(half!.requests.length > 5 && half!.requests.length < 35, `${half!.requests.length} of 40`)
  assert.equal(none!.requests.length, 0)
})

test('a mirror that is down, without hosts, or no cluster at all costs the request nothing', async () => {
  await using up = await RawPeer.start(() => ok('main'))
  const { world, counters } = await worldWith([{ cluster: 'down' }, { cluster: 'empty' }, { cluster: 'unknown' }], {
    clusters: { up: [up.address], down: [{ host: '127.0.0.1', port: await freePort() }], empty: [] },
  })
  await using _ = world
  const answer = await fetch(world.url)
  assert.deepEqual([answer.status, await answer.text()], [200, 'main'])
  await until(() => counters.mirrorsDropped === 3)
  assert.equal(counters.mirrorsOpen, 0)
  assert.equal(world.last.responseFlags, '')
})

test('a mirror that reads nothing does not slow a long upload: its copy is given up and counted', async () => {
  const size = 24 * 1024 * 1024
  let received = 0
  await using up = await scriptedPeer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length
      if (received >= size) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmain')
    })
  })
  await using stuck = await scriptedPeer((socket) => void socket.pause())
  const { world, counters } = await worldWith([{ cluster: 'stuck' }], { clusters: { up: [up.address], stuck: [stuck.address] } })
  await using _ = world
  const answer = await fetch(world.url, { method: 'POST', body: Buffer.alloc(size) })
  assert.equal(await answer.text(), 'main')
  assert.ok(received >= size)
  await until(() => counters.mirrorsOpen === 0)
  assert.equal(counters.mirrorsDropped, 1)
})

test('a body that arrives in pieces goes to the mirror whole, with its trailers', async () => {
  await using up = await RawPeer.start(() => ok('main'))
  await using copy = await RawPeer.start()
  const { world } = await worldWith([{ cluster: 'copy' }], { clusters: { up: [up.address], copy: [copy.address] } })
  await using _ = world
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n')
  await up.until(() => up.connections.length === 1)
  client.send('4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n')
  await client.has('main')
  await copy.until(() => copy.requests.length === 1)
  assert.equal(copy.requests[0]!.body, 'abcdefg')
  assert.equal(copy.requests[0]!.trailers, 'x-sum: 7')
})

test('a copy outlives its request, but not its time; one whose request is cut off ends with it', async () => {
  await using up = await RawPeer.start(() => ok('main'))
  await using silent = await RawPeer.start(() => undefined)
  const { world, counters } = await worldWith([{ cluster: 'silent' }], { clusters: { up: [up.address], silent: [silent.address] } }, { timeout: { seconds: 0n, nanos: 300_000_000 } })
  await using _ = world
  assert.equal(await (await fetch(world.url)).text(), 'main')
  assert.equal(counters.mirrorsOpen, 1)
  await until(() => counters.mirrorsOpen === 0)
  assert.equal(counters.mirrorsDropped, 1)
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nbegin')
  await until(() => counters.mirrorsOpen === 1)
  client.reset()
  await until(() => counters.mirrorsOpen === 0)
  assert.equal(counters.mirrorsDropped, 2)
})

test('retries are of the request alone: a mirror gets one copy', async () => {
  let asked = 0
  await using up = await RawPeer.start(() => (++asked < 3 ? 'HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n' : ok('main')))
  await using copy = await RawPeer.start()
  const { world, counters } = await worldWith([{ cluster: 'copy' }], { clusters: { up: [up.address], copy: [copy.address] } }, { retryPolicy: { retryOn: '5xx', numRetries: 3 } })
  await using _ = world
  assert.equal(await (await fetch(world.url, { method: 'POST', body: 'x' })).text(), 'main')
  await until(() => counters.mirrorsOpen === 0)
  assert.deepEqual([asked, copy.requests.length], [3, 1])
})

test('a route with a stat_prefix counts its traffic by it', async () => {
  await using up = await RawPeer.start(({ line }) => (line.includes('/bad') ? 'HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n' : ok('')))
  const counters = new HttpCounters()
  await using world = await HttpWorld.start({ clusters: { up: [up.address] }, deps: { counters }, routes: [routeTo('up', '/a', {}, { statPrefix: 'checkout' }), routeTo('up')] })
  for (const path of ['/a', '/a/bad', '/a', '/other']) await (await fetch(world.url + path)).text()
  await world.untilEnded(4)
  world.setRoutes([routeTo('up', '/a', {}, { statPrefix: 'checkout' })])
  await (await fetch(`${world.url}/a`)).text()
  await world.untilEnded(5)
  const lines = Object.fromEntries(counters.lines().map(({ name, value }) => [name, value]))
  const at = 'vhost.all.route.checkout.upstream_rq'
  assert.deepEqual([lines[`${at}_completed`], lines[`${at}_2xx`], lines[`${at}_5xx`], lines[`${at}_retry`]], [4, 3, 1, 0])
})
