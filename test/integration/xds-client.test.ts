// The proxy's xDS client against a server that follows a script, over real sockets.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { connect as connectSocket, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { create, toBinary } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { frameMessage } from '../../src/codec/grpc/frame.ts'
import { NodeSchema } from '../../src/proto/gen/envoy/config/core/v3/base_pb.ts'
import { ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { givenIdentity } from '../../src/proxy/identity/given.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import type { XdsUpdate } from '../../src/proxy/main-updates.ts'
import { openXdsStream } from '../../src/proxy/xds/client.ts'
import type { XdsClientOptions } from '../../src/proxy/xds/client.ts'
import { typeUrls } from '../../src/xds/types.ts'
import { createAuthority } from '../support/certificates.ts'
import { manualClock } from '../support/manual-clock.ts'
import { Arrivals, startXdsPeer } from '../support/scripted-xds.ts'
import type { PeerStream, XdsPeer } from '../support/scripted-xds.ts'

const { CDS, EDS, LDS, RDS } = typeUrls
const nobody: Secrets = { certificate: () => undefined, trust: () => undefined, onChange: () => () => undefined }
const node = create(NodeSchema, { id: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local' })

interface OpenClient {
  readonly stream: ReturnType<typeof openXdsStream>
  readonly updates: Arrivals<XdsUpdate>
  readonly lines: Arrivals<string>
  [Symbol.dispose](): void
}

function openClient(port: number, over: Partial<XdsClientOptions> = {}, answer: (update: XdsUpdate) => string | undefined = () => undefined): OpenClient {
  const updates = new Arrivals<XdsUpdate>()
  const lines = new Arrivals<string>()
  const options: XdsClientOptions = { address: { host: '127.0.0.1', port }, tls: undefined, identity: nobody, protocol: 'delta', log: (line) => lines.push(line), ...over }
  const stream = openXdsStream(options, node, (update) => {
    updates.push(update)
    return answer(update)
  })
  return { stream, updates, lines, [Symbol.dispose]: () => stream.close() }
}

function cluster(name: string): Any {
  return create(AnySchema, { typeUrl: CDS, value: toBinary(ClusterSchema, create(ClusterSchema, { name })) })
}

const resource = (name: string, version: string) => ({ name, version, resource: cluster(name) })
const names = (update: XdsUpdate): readonly string[] => update.resources.map(({ name }) => name)

/** The two requests that every delta stream begins with. */
async function begin(peer: XdsPeer) {
  const stream = await peer.streams.next('a stream')
  return { stream, cds: await stream.delta(), lds: await stream.delta() }
}

test('a delta stream begins with all clusters and all listeners, and says once who asks', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port, { bearer: () => 'let-me-in' })
  const { stream, cds, lds } = await begin(peer)
  assert.equal(stream.headers[':path'], '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources')
  assert.equal(stream.headers['authorization'], 'Bearer let-me-in')
  assert.deepEqual([cds.typeUrl, lds.typeUrl], [CDS, LDS])
  assert.deepEqual([cds.node?.id, lds.node], [node.id, undefined])
  assert.deepEqual([cds.resourceNamesSubscribe, cds.initialResourceVersions], [[], {}])
  assert.equal(client.updates.count, 0)
})

test('what is accepted is acknowledged by its nonce, what is not with the reason, and the stream goes on', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port, {}, ({ version }) => (version === '2' ? 'bad: no such thing' : undefined))
  const { stream } = await begin(peer)
  stream.sendDelta({ typeUrl: CDS, systemVersionInfo: '1', nonce: 'n1', resources: [resource('a', 'v1')], removedResources: ['gone'] })
  const update = await client.updates.next()
  assert.deepEqual({ ...update, resources: update.resources.map(({ name, version, any }) => [name, version, Buffer.from(any.value)]) }, {
    typeUrl: CDS, version: '1', resources: [['a', 'v1', Buffer.from(cluster('a').value)]], removed: ['gone'],
  })
  const ack = await stream.delta()
  assert.deepEqual([ack.typeUrl, ack.responseNonce, ack.errorDetail, ack.node], [CDS, 'n1', undefined, undefined])
  stream.sendDelta({ typeUrl: CDS, systemVersionInfo: '2', nonce: 'n2', resources: [resource('b', 'v1')] })
  const nack = await stream.delta()
  assert.deepEqual([nack.responseNonce, nack.errorDetail?.code, nack.errorDetail?.message], ['n2', 3, 'bad: no such thing'])
  stream.sendDelta({ typeUrl: LDS, systemVersionInfo: '3', nonce: 'n3' })
  assert.deepEqual([(await stream.delta()).responseNonce, client.lines.count], ['n3', 0])
})

test('an update that makes the proxy throw is rejected and ends nothing', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port, {}, () => {
    throw new Error('a bug')
  })
  const { stream } = await begin(peer)
  stream.sendDelta({ typeUrl: CDS, nonce: 'n1' })
  assert.equal((await stream.delta()).errorDetail?.message, 'cannot be taken: a bug')
  assert.equal(client.updates.count, 1)
})

test('names are subscribed by their difference, and a type is not asked for before it has one', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port)
  const { stream } = await begin(peer)
  client.stream.subscribe(EDS, [])
  client.stream.subscribe(EDS, ['a', 'b'])
  client.stream.subscribe(EDS, ['b', 'a'])
  client.stream.subscribe(EDS, ['b', 'c'])
  client.stream.subscribe(RDS, ['80'])
  client.stream.subscribe(EDS, [])
  const asked = [await stream.delta(), await stream.delta(), await stream.delta(), await stream.delta()]
  assert.deepEqual(asked.map((one) => [one.typeUrl, one.resourceNamesSubscribe, one.resourceNamesUnsubscribe]), [
    [EDS, ['a', 'b'], []], [EDS, ['c'], ['a']], [RDS, ['80'], []], [EDS, [], ['b', 'c']],
  ])
})

test('what was unsubscribed while it was under way is not taken', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port)
  const { stream } = await begin(peer)
  client.stream.subscribe(EDS, ['a', 'b'])
  client.stream.subscribe(EDS, ['b'])
  stream.sendDelta({ typeUrl: EDS, nonce: 'n', resources: [resource('a', '1'), resource('b', '1'), { name: 'b', version: '2' }] })
  assert.deepEqual(names(await client.updates.next()), ['b'])
})

test('a new delta stream tells the versions that were accepted, and the names that are wanted by now', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port, {}, ({ version }) => (version === 'bad' ? 'no' : undefined))
  const { stream } = await begin(peer)
  client.stream.subscribe(EDS, ['x', 'y'])
  stream.sendDelta({ typeUrl: CDS, nonce: '1', resources: [resource('a', 'a1'), resource('b', 'b1'), resource('c', 'c1')] })
  stream.sendDelta({ typeUrl: CDS, nonce: '2', resources: [resource('a', 'a2')], removedResources: ['b'] })
  stream.sendDelta({ typeUrl: CDS, nonce: '3', systemVersionInfo: 'bad', resources: [resource('c', 'c2'), resource('d', 'd1')] })
  stream.sendDelta({ typeUrl: EDS, nonce: '4', resources: [resource('x', 'x1'), resource('y', 'y1')] })
  for (let i = 0; i < 4; i++) await client.updates.next()
  stream.end(14, 'going%20down')
  client.stream.subscribe(EDS, ['y', 'z'])
  const again = await peer.streams.next()
  const [cds, eds, lds] = [await again.delta(), await again.delta(), await again.delta()]
  assert.deepEqual({ ...cds.initialResourceVersions }, { a: 'a2', c: 'c1' })
  assert.equal(cds.node?.id, node.id)
  assert.deepEqual([eds.typeUrl, [...eds.resourceNamesSubscribe].sort(), { ...eds.initialResourceVersions }], [EDS, ['y', 'z'], { y: 'y1' }])
  assert.deepEqual([lds.typeUrl, { ...lds.initialResourceVersions }], [LDS, {}])
  again.sendDelta({ typeUrl: CDS, nonce: '5' })
  await client.updates.next()
  assert.equal(client.lines.count, 0, 'to be sent away once is nothing to talk about')
})

test('a control plane that does not take the proxy back is said to be away, and to be back when it is', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port)
  const { stream } = await begin(peer)
  stream.sendDelta({ typeUrl: CDS, nonce: '1' })
  await client.updates.next()
  stream.end(14)
  const second = await peer.streams.next()
  second.end(14, 'going%20down')
  assert.match(await client.lines.next(), /^control plane at 127.0.0.1:\d+ is away, what was accepted goes on serving: UNAVAILABLE: going down$/)
  const third = await peer.streams.next()
  third.sendDelta({ typeUrl: CDS, nonce: '2' })
  assert.match(await client.lines.next(), /is back$/)
})

test('a stream on which nothing new comes is a good one after a while', async () => {
  await using peer = await startXdsPeer()
  const clock = manualClock()
  using client = openClient(peer.port, { clock, random: () => 1, limits: { pingIntervalMs: 1e9 } })
  const { stream } = await begin(peer)
  stream.end(14, 'no')
  await client.lines.next()
  await clock.advance(100)
  await begin(peer)
  await clock.advance(15_000)
  assert.match(await client.lines.next(), /is back$/)
})

test('state of the world: every request says version, nonce and all names; a rejection keeps the version that serves', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port, { protocol: 'sotw' }, ({ version }) => (version === '2' ? 'no' : undefined))
  const stream = await peer.streams.next()
  assert.match(String(stream.headers[':path']), /StreamAggregatedResources$/)
  const first = await stream.sotw()
  assert.deepEqual([first.typeUrl, first.versionInfo, first.responseNonce, first.resourceNames, first.node?.id], [CDS, '', '', [], node.id])
  assert.equal((await stream.sotw()).typeUrl, LDS)
  const exchange = async (versionInfo: string, nonce: string, all: readonly string[]) => {
    stream.sendSotw({ typeUrl: CDS, versionInfo, nonce, resources: all.map(cluster) })
    const update = await client.updates.next()
    const { versionInfo: version, responseNonce, errorDetail } = await stream.sotw()
    return { names: names(update), removed: update.removed, answer: [version, responseNonce, errorDetail?.message] }
  }
  assert.deepEqual(await exchange('1', 'n1', ['a', 'b']), { names: ['a', 'b'], removed: [], answer: ['1', 'n1', undefined] })
  assert.deepEqual(await exchange('2', 'n2', ['b', 'c']), { names: ['b', 'c'], removed: ['a'], answer: ['1', 'n2', 'no'] })
  assert.deepEqual(await exchange('3', 'n3', ['d']), { names: ['d'], removed: ['b', 'c'], answer: ['3', 'n3', undefined] })
  client.stream.subscribe(EDS, ['x'])
  assert.deepEqual((await stream.sotw()).resourceNames, ['x'])
  client.stream.subscribe(EDS, ['x', 'y'])
  assert.deepEqual((await stream.sotw()).resourceNames, ['x', 'y'])
  stream.end(0)
  const again = await peer.streams.next()
  const [cds, eds] = [await again.sotw(), await again.sotw()]
  assert.deepEqual([cds.versionInfo, cds.responseNonce, eds.typeUrl, eds.resourceNames], ['3', '', EDS, ['x', 'y']])
  again.sendSotw({ typeUrl: CDS, versionInfo: '4', nonce: 'm1', resources: [] })
  assert.deepEqual((await client.updates.next()).removed, ['d'])
})

test('a server that restarts on its port is found again, and nothing is told to the proxy meanwhile', async () => {
  const peer = await startXdsPeer()
  using client = openClient(peer.port)
  await begin(peer)
  await peer.close()
  assert.match(await client.lines.next(), /has not answered yet, and nothing serves before it does/)
  await using restarted = await startXdsPeer({ port: peer.port })
  const { stream } = await begin(restarted)
  stream.sendDelta({ typeUrl: CDS, nonce: '1', resources: [resource('a', '1')] })
  assert.deepEqual(names(await client.updates.next()), ['a'])
  assert.equal(client.updates.count, 1)
})

test('after GOAWAY the stream is served to its end, and the next one comes on a new connection', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port)
  const { stream } = await begin(peer)
  stream.session.goaway(0)
  stream.sendDelta({ typeUrl: CDS, nonce: '1', resources: [resource('a', '1')] })
  assert.deepEqual(names(await client.updates.next()), ['a'])
  assert.equal((await stream.delta()).responseNonce, '1')
  stream.end(14)
  await begin(peer)
  assert.equal(peer.sessions.length, 2)
})

const misbehaviours: readonly { title: string; act: (stream: PeerStream) => void; says: RegExp; limits?: XdsClientOptions['limits'] }[] = [
  { title: 'sends what is no response', act: (stream) => stream.sendBytes(frameMessage(Uint8Array.of(0xff, 0xff, 0xff))), says: /a response cannot be read/ },
  { title: 'sends a broken frame', act: (stream) => stream.sendBytes(Uint8Array.of(9, 9, 9, 9, 9, 9)), says: /flag 9/ },
  { title: 'ends inside a message', act: (stream) => { stream.sendBytes(Uint8Array.of(0, 0, 0, 0, 9, 1)); stream.end(0) }, says: /the stream ended after 1 of 9 bytes/ },
  { title: 'announces a message above the limit', act: (stream) => stream.sendBytes(Uint8Array.of(0, 0, 1, 0, 0)), says: /65536 bytes is larger than the limit of 1000/, limits: { maxMessageBytes: 1000 } },
  { title: 'answers as a web server', act: (stream) => { stream.raw.respond({ ':status': 502, 'content-type': 'text/html' }); stream.raw.end('<h1>') }, says: /not gRPC: status 502, content type "text\/html"/ },
  { title: 'resets the stream', act: (stream) => stream.raw.close(11), says: /ENHANCE_YOUR_CALM|cut off/ },
  { title: 'drops the connection', act: (stream) => stream.session.destroy(), says: /cut off|stream failed/ },
  { title: 'refuses in trailers alone', act: (stream) => stream.raw.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16', 'grpc-message': 'who%3F' }, { endStream: true }), says: /UNAUTHENTICATED: who\?/ },
  { title: 'ends without a status', act: (stream) => { stream.raw.respond({ ':status': 200, 'content-type': 'application/grpc' }); stream.raw.end() }, says: /without a status/ },
]
for (const { title, act, says, limits } of misbehaviours) {
  test(`a server that ${title} is left and tried again`, async () => {
    await using peer = await startXdsPeer()
    using client = openClient(peer.port, limits === undefined ? {} : { limits })
    const { stream } = await begin(peer)
    act(stream)
    assert.match(await client.lines.next(), says)
    const again = await begin(peer)
    again.stream.sendDelta({ typeUrl: CDS, nonce: '1' })
    assert.equal((await again.stream.delta()).responseNonce, '1')
  })
}

test('tries become rarer up to 30 s while nothing answers, and the same reason is logged once', async () => {
  const clock = manualClock()
  const gone = await startXdsPeer()
  await gone.close()
  using client = openClient(gone.port, { clock, random: () => 1, limits: { pingIntervalMs: 1e9 } })
  await client.lines.next()
  for (const ms of [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]) {
    while (clock.waiting !== 1) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(ms - 1)
    assert.equal(clock.waiting, 1)
    await clock.advance(1)
  }
  assert.equal(client.lines.count, 1)
})

test('after a success the next wait is a short one again', async () => {
  await using peer = await startXdsPeer()
  const clock = manualClock()
  using client = openClient(peer.port, { clock, random: () => 1, limits: { pingIntervalMs: 1e9 } })
  for (const ms of [100, 200, 400]) {
    const { stream } = await begin(peer)
    stream.end(14, `no ${ms}`)
    await client.lines.next()
    await clock.advance(ms)
  }
  const { stream } = await begin(peer)
  stream.sendDelta({ typeUrl: CDS, nonce: '1' })
  await stream.delta()
  stream.end(3, 'off with you')
  await client.lines.next() // is back
  await client.lines.next()
  await clock.advance(100)
  await begin(peer)
})

test('a server that does not read what it is sent is left, before it costs memory without end', async () => {
  await using peer = await startXdsPeer()
  using client = openClient(peer.port)
  const { stream } = await begin(peer)
  stream.raw.pause()
  for (let i = 0; i < 50 && client.lines.count === 0; i++) client.stream.subscribe(EDS, [`${i}${'x'.repeat(500_000)}`])
  assert.match(await client.lines.next(), /the control plane does not read: 1\d{7} bytes wait for it/)
  const again = await peer.streams.next()
  assert.equal((await again.delta()).typeUrl, CDS)
})

test('nothing is sent and nothing is left behind once it is closed', async () => {
  await using peer = await startXdsPeer()
  const client = openClient(peer.port)
  const { stream } = await begin(peer)
  client.stream.close()
  client.stream.subscribe(EDS, ['a'])
  await stream.closed
  assert.deepEqual([stream.unread, client.lines.count], [0, 0])
})

/** Forwards to the peer until it is told to hold everything back. */
async function startFreezer(port: number) {
  const sockets: Socket[] = []
  const server = createServer((down) => {
    const up = connectSocket(port, '127.0.0.1')
    sockets.push(down, up)
    for (const socket of [down, up]) socket.on('error', () => undefined)
    down.pipe(up).pipe(down)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  return {
    port: typeof at === 'object' && at !== null ? at.port : 0,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a server that vanished without a word is noticed by pings', async () => {
  await using peer = await startXdsPeer()
  await using between = await startFreezer(peer.port)
  using client = openClient(between.port, { limits: { pingIntervalMs: 50, pingTimeoutMs: 1000 } })
  const { stream } = await begin(peer)
  const pings = new Arrivals<Buffer>()
  stream.session.on('ping', (payload: Buffer) => pings.push(payload))
  for (let i = 0; i < 3; i++) await pings.next('a ping')
  assert.equal(client.lines.count, 0)
  between.freeze()
  assert.match(await client.lines.next(), /did not answer a ping within 1000 ms/)
  await begin(peer)
})

test('a server that takes connections and says nothing is given up in time', async () => {
  const mute = createServer((socket) => void socket.on('error', () => undefined))
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const at = mute.address()
  const port = typeof at === 'object' && at !== null ? at.port : 0
  const trusted = authority.issue(`URI:${mine}`)
  {
    using client = openClient(port, { tls: { serverName: '' }, identity: givenIdentity({ ...trusted, roots: authority.roots }), limits: { connectTimeoutMs: 100 } })
    assert.match(await client.lines.next(), /no connection to 127.0.0.1:\d+ within 100 ms/)
  }
  mute.close()
})

const authority = createAuthority('mesh')
const stranger = createAuthority('stranger')
const mine = 'spiffe://cluster.local/ns/default/sa/a'
const server = { ...authority.issue('DNS:istiod.istio-system.svc'), roots: authority.roots }

function uriOf(stream: PeerStream): string | undefined {
  return (stream.session.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName
}

test('over TLS both ends show who they are', async () => {
  await using peer = await startXdsPeer({ tls: server })
  using client = openClient(peer.port, { tls: { serverName: 'istiod.istio-system.svc' }, identity: givenIdentity({ ...authority.issue(`URI:${mine}`), roots: authority.roots }) })
  const { stream } = await begin(peer)
  assert.equal(uriOf(stream), `URI:${mine}`)
  stream.sendDelta({ typeUrl: CDS, nonce: '1' })
  await client.updates.next()
})

const own = authority.issue(`URI:${mine}`)
const refusals = [
  { title: 'a control plane of another name', serverName: 'other.svc', roots: authority.roots, says: /does not match|altnames/ },
  { title: 'a control plane that does not have the address that was dialled', serverName: '', roots: authority.roots, says: /does not match|altnames|IP/ },
  { title: 'a control plane that no root vouches for', serverName: 'istiod.istio-system.svc', roots: stranger.roots, says: /unable to verify|self-signed|issuer/ },
]
for (const { title, serverName, roots, says } of refusals) {
  test(`${title} gets nothing, not even a token`, async () => {
    await using peer = await startXdsPeer({ tls: server })
    using client = openClient(peer.port, { tls: { serverName }, bearer: () => 'secret', identity: givenIdentity({ ...own, roots }) })
    assert.match(await client.lines.next(), says)
    assert.equal(peer.streams.count, 0)
  })
}

test('without roots, and in plaintext to another host, no connection is made', async () => {
  using noRoots = openClient(1, { tls: { serverName: '' } })
  assert.match(await noRoots.lines.next(), /no roots to verify the control plane by/)
  using plain = openClient(1, { address: { host: '192.0.2.1', port: 15010 } })
  assert.match(await plain.lines.next(), /plaintext to 192.0.2.1:15010 is refused/)
})

test('a proxy whose certificate the control plane does not trust gets nothing, until it has a new one', async () => {
  await using peer = await startXdsPeer({ tls: server })
  const identity = givenIdentity({ ...stranger.issue(`URI:${mine}`), roots: authority.roots })
  const clock = manualClock() // which stands still: nothing but the new certificate makes it try again
  using client = openClient(peer.port, { tls: { serverName: 'istiod.istio-system.svc' }, identity, clock })
  await client.lines.next()
  assert.equal(peer.streams.count, 0)
  identity.replace({ ...own, roots: authority.roots })
  const { stream } = await begin(peer)
  assert.equal(uriOf(stream), `URI:${mine}`)
})

test('a rotated certificate leaves the connection alone until the one that it was made with is nearly over', async () => {
  await using peer = await startXdsPeer({ tls: server })
  const clock = manualClock()
  const first = authority.issue(`URI:${mine}`, { from: -1, to: 1 })
  const later = authority.issue('URI:spiffe://cluster.local/ns/default/sa/later', { from: -1, to: 3 })
  const identity = givenIdentity({ ...first, roots: authority.roots })
  using client = openClient(peer.port, { tls: { serverName: 'istiod.istio-system.svc' }, identity, clock, limits: { pingIntervalMs: 1e10 } })
  const { stream } = await begin(peer)
  identity.replace({ ...later, roots: authority.roots })
  const left = Date.parse(new X509Certificate(first.chain).validTo) - clock.now()
  await clock.advance(left - 120_000)
  assert.equal(peer.sessions.length, 1)
  await clock.advance(70_000)
  const again = await begin(peer)
  await stream.closed
  assert.equal(uriOf(again.stream), 'URI:spiffe://cluster.local/ns/default/sa/later')
  assert.equal(client.lines.count, 0)
})

test('without a newer certificate a connection is kept: a new one would be no better', async () => {
  await using peer = await startXdsPeer({ tls: server })
  const clock = manualClock()
  using client = openClient(peer.port, { tls: { serverName: 'istiod.istio-system.svc' }, identity: givenIdentity({ ...own, roots: authority.roots }), clock, limits: { pingIntervalMs: 1e10 } })
  const { stream } = await begin(peer)
  await clock.advance(Date.parse(new X509Certificate(own.chain).validTo) - clock.now() + 60_000)
  stream.sendDelta({ typeUrl: CDS, nonce: '1' })
  assert.equal((await stream.delta()).responseNonce, '1')
  assert.deepEqual([peer.sessions.length, client.lines.count], [1, 0])
})
