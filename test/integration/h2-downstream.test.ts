// Connections of HTTP/2 from clients over their life: how they are recognised, what they may do, how their streams and they
// themselves end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { HttpConnectionManager_CodecType as CodecType } from '../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Http2ProtocolOptions } from '../../src/proto/gen/envoy/config/core/v3/protocol_pb.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { HttpWorldOptions, ManagerInit } from '../support/http-world.ts'
import { httpPeer } from '../support/http-peers.ts'
import { Http2Client, replyOn } from '../support/http2-peers.ts'
import { RawPeer, ok, rawClient } from '../support/raw-peer.ts'

type Options = Partial<Omit<Http2ProtocolOptions, '$typeName' | '$unknown'>>

async function open(answer: () => string | undefined = () => ok('x'), options: HttpWorldOptions = {}) {
  const peer = await RawPeer.start(answer)
  const world = await HttpWorld.start({ clusters: { up: [peer.address] }, ...options })
  const client = await Http2Client.connect(world.address)
  return { peer, world, client, async [Symbol.asyncDispose]() {
    for (const one of [client, world, peer]) await one[Symbol.asyncDispose]()
  } }
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const seconds = (n: number) => ({ seconds: BigInt(n), nanos: 0 })

describe('what a connection speaks', () => {
  test('its first bytes say it, however they are cut', async () => {
    await using at = await open()
    await using raw = await rawClient(at.world.address)
    for (const byte of `${preface}\0\0\0\x04\0\0\0\0\0`) {
      raw.send(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await raw.until(() => raw.received >= 9 && raw.pieces[0]![3] === 4)
  })

  test('a request that begins like the preface is one of HTTP/1.1', async () => {
    await using at = await open()
    await using raw = await rawClient(at.world.address)
    raw.send('PR')
    raw.send('OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await raw.has('\r\n\r\n'), /^HTTP\/1\.1 200 OK/)
    assert.equal(at.peer.requests[0]!.line, 'PROPFIND / HTTP/1.1')
  })

  test('codec_type HTTP1 takes no preface', async () => {
    await using world = await HttpWorld.start({ manager: { codecType: CodecType.HTTP1 } })
    assert.match(await world.exchange(preface), /^HTTP\/1\.1 505 /)
  })

  test('codec_type HTTP2 takes nothing else, and says so in its own way', async () => {
    await using world = await HttpWorld.start({ manager: { codecType: CodecType.HTTP2 } })
    const text = await world.exchange('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.doesNotMatch(text, /HTTP\/1/)
    assert.match(text, /not the preface/)
  })

  test('silent connections are idle ones', async () => {
    await using world = await HttpWorld.start({ manager: { commonHttpProtocolOptions: { idleTimeout: { seconds: 0n, nanos: 300_000_000 } } } })
    await using raw = await world.client()
    assert.equal(await raw.closed(), '')
  })
})

describe('how streams end', () => {
  test('one that the client gives up is given up upstream, with the flag that says so', async () => {
    await using at = await open(() => undefined)
    const stream = at.client.open({}, true)
    await at.peer.until(() => at.peer.requests.length === 1)
    stream.close(8)
    await at.world.untilEnded(1)
    assert.deepEqual([at.world.last.responseFlags, at.world.last.responseCodeDetails, at.world.last.responseCode], ['DR', 'http2.remote_reset', 0])
    await at.peer.until(() => at.peer.open === 0)
    at.peer.answer = () => ok('next')
    assert.equal((await at.client.ask()).body, 'next', 'the others go on')
  })

  test('all end when the client goes', async () => {
    await using at = await open(() => undefined)
    const socket = connect(at.world.address)
    await using client = await Http2Client.connect(at.world.address, { createConnection: () => socket })
    for (let i = 0; i < 5; i++) client.open({}, true)
    await at.peer.until(() => at.peer.requests.length === 5)
    socket.resetAndDestroy()
    await at.world.untilEnded(5)
    for (const { responseFlags, responseCodeDetails } of at.world.ended) assert.deepEqual([responseFlags, responseCodeDetails], ['DC', 'downstream_remote_disconnect'])
    await at.peer.until(() => at.peer.open === 0)
    assert.equal(at.world.service.active, 1, 'the other client')
  })

  test('an answer before the request is complete is whole, and its client is told to stop sending', async () => {
    await using at = await open(() => ok('x'), { routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'directResponse', value: { status: 403, body: { specifier: { case: 'inlineString', value: 'no' } } } } }] })
    const stream = at.client.open({ ':method': 'POST' })
    stream.write('some')
    const reply = await replyOn(stream)
    assert.deepEqual([reply.status, reply.body, reply.code], [403, 'no', 0])
  })

  test('a head that is too large is answered with 431, and the connection goes on', async () => {
    await using at = await open()
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'y']))
    assert.equal((await at.client.ask(many)).status, 431)
    assert.equal(at.world.last.responseFlags, 'DPE')
    assert.equal((await at.client.ask()).status, 200)
    assert.equal(at.peer.requests.length, 1)
  })

  test('a stream in which nothing moves is ended: 408 before its head, a reset after it', async () => {
    const manager: ManagerInit = { streamIdleTimeout: { seconds: 0n, nanos: 300_000_000 } }
    await using at = await open(() => 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab', { manager })
    const silent = await replyOn(at.client.open({ ':method': 'POST' }))
    assert.deepEqual([silent.status, at.world.last.responseFlags], [408, 'SI'])
    const begun = await replyOn(at.client.open({}, true))
    assert.deepEqual([begun.status, begun.body, begun.code], [200, 'ab', 2])
  })

  test('a request that takes too long to come is answered with 408', async () => {
    await using at = await open(() => ok('x'), { manager: { requestTimeout: { seconds: 0n, nanos: 200_000_000 } } })
    const reply = await replyOn(at.client.open({ ':method': 'POST' }))
    assert.deepEqual([reply.status, at.world.last.responseCodeDetails], [408, 'request_overall_timeout'])
  })

  test('CONNECT finds no route', async () => {
    await using at = await open()
    const stream = at.client.session.request({ ':method': 'CONNECT', ':authority': 'a:80' })
    assert.equal((await replyOn(stream)).status, 404)
    assert.equal(at.world.last.responseFlags, 'NR')
  })
})

describe('how connections end', () => {
  test('a drain says GOAWAY, lets what was asked finish, takes what was on its way, and then closes', async () => {
    await using at = await open(() => undefined)
    const first = at.client.ask({ ':path': '/first' })
    await at.peer.until(() => at.peer.requests.length === 1)
    at.world.service.drain()
    assert.equal(await at.client.goaway, 0)
    at.peer.requests[0]!.connection.send(ok('last'))
    assert.equal((await first).body, 'last')
    await at.client.closed
    await at.peer.until(() => at.world.service.active === 0)
  })

  test('an idle connection is closed by a drain, and no reset is seen', async () => {
    await using at = await open()
    await at.client.ask()
    at.world.service.drain()
    assert.equal(await at.client.goaway, 0)
    await at.client.closed
  })

  test('close ends everything at once, and every exchange is told', async () => {
    await using at = await open(() => undefined)
    for (let i = 0; i < 3; i++) at.client.open({}, true)
    await at.peer.until(() => at.peer.requests.length === 3)
    at.world.service.close()
    await at.world.untilEnded(3)
    assert.equal(at.world.last.responseFlags, 'LR')
    await at.client.closed
  })

  test('a connection that has served enough requests says so, and the one that was enough is answered', async () => {
    await using at = await open(() => ok('x'), { manager: { commonHttpProtocolOptions: { maxRequestsPerConnection: 2 } } })
    assert.equal((await at.client.ask()).status, 200)
    assert.equal((await at.client.ask()).status, 200)
    assert.equal(await at.client.goaway, 0)
    await at.client.closed
  })

  test('a connection that is old enough says so', async () => {
    await using at = await open(() => ok('x'), { manager: { commonHttpProtocolOptions: { maxConnectionDuration: { seconds: 0n, nanos: 300_000_000 } } } })
    assert.equal(await at.client.goaway, 0)
    await at.client.closed
  })

  test('an idle one is closed in time, and one with a stream is not idle', async () => {
    await using at = await open(() => undefined, { manager: { commonHttpProtocolOptions: { idleTimeout: { seconds: 0n, nanos: 400_000_000 } } } })
    const reply = at.client.ask()
    await at.peer.until(() => at.peer.requests.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    at.peer.requests[0]!.connection.send(ok('late'))
    assert.equal((await reply).body, 'late')
    await at.client.closed
  })

  test('a client that does not answer PING is gone', async () => {
    const http2ProtocolOptions: Options = { connectionKeepalive: { $typeName: 'envoy.config.core.v3.KeepaliveSettings', interval: { $typeName: 'google.protobuf.Duration', ...seconds(0), nanos: 100_000_000 }, timeout: { $typeName: 'google.protobuf.Duration', seconds: 0n, nanos: 200_000_000 } } }
    await using at = await open(() => ok('x'), { manager: { http2ProtocolOptions } })
    await using raw = await rawClient(at.world.address)
    raw.send(`${preface}\0\0\0\x04\0\0\0\0\0`)
    await raw.closed()
    assert.equal((await at.client.ask()).status, 200, 'who answers stays')
  })

  test('a client that breaks the protocol hears why', async () => {
    await using at = await open()
    await using raw = await rawClient(at.world.address)
    raw.send(`${preface}\0\0\0\x04\0\0\0\0\0\0\0\x01\x06\0\0\0\0\0x`)
    await raw.closed()
    assert.match(raw.text, /PING/)
  })
})

describe('clients that want to do harm', () => {
  test('streams that are opened and reset by the thousand end their connection, and reach the upstream only within a limit', async () => {
    await using at = await open(() => undefined)
    await using attacker = await Http2Client.connect(at.world.address)
    const code = attacker.goaway
    const started = performance.now()
    for (let i = 0; i < 5000 && !attacker.session.destroyed; i++) {
      attacker.open({}, true).close(8)
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(await code, 11)
    await attacker.closed
    // 500 for each second that the machine took over it, begun or whole.
    const allowed = 500 * (2 + Math.floor((performance.now() - started) / 1000))
    assert.ok(at.world.ended.length <= allowed, `${at.world.ended.length} requests were begun, ${allowed} are allowed`)
    assert.equal(at.world.upstream.stats().find(({ name }) => name === 'cluster.up.upstream_rq_active')?.value, 0)
    at.peer.answer = () => ok('x')
    assert.equal((await at.client.ask()).status, 200, 'others are served')
  })

  test('many streams whose answers nobody reads hold little', async () => {
    await using at = await open()
    const piece = Buffer.alloc(64 * 1024, 'x')
    let begun = 0
    // All of its pieces are the same one: what it holds itself is not counted.
    await using peer = await httpPeer((_request, response) => (begun++, Readable.from(Array.from({ length: 64 }, () => piece)).pipe(response)))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
    await using attacker = await Http2Client.connect(world.address, { settings: { initialWindowSize: 0 } })
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 100; i++) attacker.open({}, true)
    await at.peer.until(() => begun === 100)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const held = process.memoryUsage().arrayBuffers - before
    assert.ok(held < 100 * 256 * 1024, `${Math.round(held / 1024)} KiB`)
    await using honest = await Http2Client.connect(world.address)
    assert.equal((await honest.ask()).body.length, 64 * piece.length, 'others are served')
  })
})

test('streams beyond max_concurrent_streams are refused, and the client may try them again', async () => {
  await using at = await open(() => undefined, { manager: { http2ProtocolOptions: { maxConcurrentStreams: 2 } } })
  if (at.client.session.remoteSettings.maxConcurrentStreams !== 2) await once(at.client.session, 'remoteSettings')
  assert.equal(at.client.session.remoteSettings.maxConcurrentStreams, 2)
})

test('gRPC clients are answered in their own way by the proxy itself', async () => {
  await using at = await open(() => undefined, { clusters: {}, routes: [routeTo('nobody')] })
  const { status, headers, body } = await at.client.ask({ ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }, 'x')
  assert.deepEqual([status, headers['grpc-status'], headers['content-type'], body], [200, '14', 'application/grpc', ''])
})
