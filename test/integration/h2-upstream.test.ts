// Clusters whose hosts speak HTTP/2: how connections are shared, how many there are, and what becomes of requests when a
// host resets them, refuses them, goes away or falls silent.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit } from '../support/http-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { Http2Client, Http2Peer } from '../support/http2-peers.ts'
import type { Http2Answer } from '../support/http2-peers.ts'
import { httpPeer } from '../support/http-peers.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { until } from '../support/until.ts'
import { Asked, UpstreamWorld, ask, httpOptions, limits, speaksHttp2, staticCluster, tlsSocket } from '../support/upstream-world.ts'

const say = (status = 200): Http2Answer => ({ stream }) => (stream.respond({ ':status': status }), stream.end('peer'))
const silent: Http2Answer = () => undefined
const second = (ms: number) => ({ seconds: 0n, nanos: ms * 1_000_000 })

describe('connections', () => {
  test('one carries many requests at once', async () => {
    await using peer = await Http2Peer.start()
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], speaksHttp2()))
    await ask(cluster)
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(cluster)))
    for (const { status, body } of answers) assert.deepEqual([status, body], [200, 'peer'])
    assert.deepEqual([peer.sessions.length, world.stat('cluster.c.upstream_cx_total'), world.stat('cluster.c.upstream_rq_total')], [1, 1, 61])
    assert.equal(world.stat('cluster.c.upstream_rq_active'), 0)
  })

  test('another one is opened when the streams of one are used up, by the peer or by our own limit', async () => {
    for (const [options, peerOptions] of [[{ maxConcurrentStreams: 2 }, {}], [{}, { settings: { maxConcurrentStreams: 2 } }]] as const) {
      await using peer = await Http2Peer.start(silent, peerOptions)
      using world = new UpstreamWorld()
      const cluster = world.serve(staticCluster('c', [peer.address], speaksHttp2(options)))
      const first = new Asked(cluster)
      await until(() => peer.requests.length === 1, 'the first request')
      const more = Array.from({ length: 4 }, () => new Asked(cluster))
      await until(() => peer.requests.length === 5, 'all requests')
      assert.equal(peer.sessions.length, 3)
      for (const { stream } of peer.requests) stream.respond({ ':status': 204 }, { endStream: true })
      for (const { status } of await Promise.all([first, ...more].map(({ answer }) => answer))) assert.equal(status, 204)
    }
  })

  test('max_requests_per_connection ends one after its last answer, and the next one takes over', async () => {
    await using peer = await Http2Peer.start()
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], speaksHttp2({}, { commonHttpProtocolOptions: { maxRequestsPerConnection: 2 } })))
    for (let i = 0; i < 5; i++) assert.equal((await ask(cluster)).status, 200)
    assert.equal(peer.sessions.length, 3)
    await until(() => peer.open === 1, 'worn out connections have ended')
    assert.equal(world.stat('cluster.c.upstream_cx_max_requests'), 2)
  })

  test('idle ones are closed in time, and so are those of a host that leaves', async () => {
    await using peer = await Http2Peer.start()
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], speaksHttp2({}, { commonHttpProtocolOptions: { idleTimeout: second(200) } })))
    await ask(cluster)
    await until(() => peer.open === 0, 'it was idle')
    assert.equal(world.stat('cluster.c.upstream_cx_idle_timeout'), 1)
    await ask(cluster)
    world.clusters.update([])
    await until(() => peer.open === 0, 'its cluster has gone')
  })

  test('circuit breakers count requests, and those that wait', async () => {
    await using peer = await Http2Peer.start(silent)
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], { ...speaksHttp2(), ...limits({ maxRequests: 2, maxPendingRequests: 2 }) }))
    const [one, two] = [new Asked(cluster), new Asked(cluster)]
    await until(() => peer.requests.length === 2, 'both are on their way')
    await assert.rejects(ask(cluster), { reason: 'overflow' })
    assert.equal(world.stat('cluster.c.upstream_rq_pending_overflow'), 1)
    for (const { stream } of peer.requests) stream.respond({ ':status': 200 }, { endStream: true })
    await Promise.all([one.answer, two.answer])
  })

  test('max_connections holds more requests back, and they are served when streams end', async () => {
    await using peer = await Http2Peer.start(silent)
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], { ...speaksHttp2({ maxConcurrentStreams: 1 }), ...limits({ maxConnections: 1 }) }))
    const asked = [new Asked(cluster), new Asked(cluster)]
    await until(() => peer.requests.length === 1, 'the first')
    peer.requests[0]!.stream.respond({ ':status': 200 }, { endStream: true })
    await until(() => peer.requests.length === 2, 'the second')
    peer.requests[1]!.stream.respond({ ':status': 200 }, { endStream: true })
    await Promise.all(asked.map(({ answer }) => answer))
    assert.deepEqual([peer.sessions.length, world.stat('cluster.c.upstream_cx_overflow') > 0], [1, true])
  })

  test('a host that takes no connections fails those who wait, all at once', async () => {
    const peer = await Http2Peer.start()
    const { address } = peer
    await peer[Symbol.asyncDispose]()
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [address], speaksHttp2()))
    for (const one of [ask(cluster), ask(cluster)]) await assert.rejects(one, { reason: 'connection-failure' })
  })
})

describe('what a host may do to a request', () => {
  test('reset it', async () => {
    await using peer = await Http2Peer.start(({ stream }) => stream.close(2))
    using world = new UpstreamWorld()
    await assert.rejects(ask(world.serve(staticCluster('c', [peer.address], speaksHttp2()))), { reason: 'remote-reset', begun: true })
    assert.equal(world.stat('cluster.c.upstream_rq_rx_reset'), 1)
  })

  test('refuse it', async () => {
    await using peer = await Http2Peer.start(({ stream }) => stream.close(7))
    using world = new UpstreamWorld()
    await assert.rejects(ask(world.serve(staticCluster('c', [peer.address], speaksHttp2()))), { reason: 'remote-refused', begun: false })
  })

  test('close the connection', async () => {
    await using peer = await Http2Peer.start(({ stream }) => stream.session!.destroy())
    using world = new UpstreamWorld()
    await assert.rejects(ask(world.serve(staticCluster('c', [peer.address], speaksHttp2()))), ({ reason }) => reason === 'connection-termination' || reason === 'remote-reset')
  })

  test('speak something else', async () => {
    await using peer = await RawPeer.start(() => ok('x'))
    using world = new UpstreamWorld()
    const refused = assert.rejects(ask(world.serve(staticCluster('c', [peer.address], speaksHttp2()))), { reason: 'protocol-error' })
    await until(() => peer.connections.length === 1, 'a connection')
    peer.connections[0]!.send('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    await refused
    assert.equal(world.stat('cluster.c.upstream_cx_protocol_error'), 1)
  })

  test('fall silent: who does not answer PING is gone', async () => {
    await using peer = await RawPeer.start(() => undefined)
    using world = new UpstreamWorld()
    const asked = ask(world.serve(staticCluster('c', [peer.address], speaksHttp2({ connectionKeepalive: { interval: second(100), timeout: second(200) } }))))
    await assert.rejects(asked, { reason: 'connection-termination' })
  })

  test('go away: requests in progress are answered, later ones go elsewhere', async () => {
    await using peer = await Http2Peer.start(silent)
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], speaksHttp2()))
    const first = new Asked(cluster)
    await until(() => peer.requests.length === 1, 'the first')
    peer.sessions[0]!.goaway(0, 2 ** 31 - 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const later = new Asked(cluster)
    await until(() => peer.requests.length === 2, 'the second')
    assert.equal(peer.sessions.length, 2)
    for (const { stream } of peer.requests) stream.respond({ ':status': 200 }, { endStream: true })
    await Promise.all([first.answer, later.answer])
    await until(() => world.stat('cluster.c.upstream_cx_active') === 1, 'the connection that went away has ended')
  })
})

describe('what the client sees', () => {
  async function through(answer: Http2Answer, action: ActionInit = {}) {
    const peer = await Http2Peer.start(answer)
    const world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: speaksHttp2(), routes: [routeTo('up', '/', action)] })
    return { peer, world, async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      await peer[Symbol.asyncDispose]()
    } }
  }
  const get = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

  test('a reset, with the flag and the words of Envoy', async () => {
    await using at = await through(({ stream }) => stream.close(2))
    assert.match(await at.world.exchange(get), /^HTTP\/1\.1 503 .*reset reason: remote reset$/s)
    assert.deepEqual([at.world.last.responseFlags, at.world.last.responseCodeDetails], ['UR', 'upstream_reset_before_response_started{remote_reset}'])
  })

  test('a refusal, which is tried again only where the route says so', async () => {
    await using plain = await through(({ stream }) => stream.close(7))
    assert.match(await plain.world.exchange(get), /reset reason: remote refused stream reset$/)
    assert.equal(plain.peer.requests.length, 1)
    let refused = 0
    await using retried = await through(({ stream }) => (refused++ === 0 ? stream.close(7) : say()({ stream } as never)), { retryPolicy: { retryOn: 'refused-stream' } })
    assert.match(await retried.world.exchange(get), /^HTTP\/1\.1 200 /)
    assert.equal(retried.world.last.attempts, 2)
  })

  for (const method of ['GET', 'POST']) {
    test(`a ${method} that a host which goes away did not look at is asked again by itself`, async () => {
      await using at = await through(({ stream, headers }) => {
        if (at.peer.sessions.length === 1 && headers[':path'] === '/lost') return stream.session!.goaway(0, stream.id! - 2)
        say()({ stream } as never)
      })
      await at.world.exchange(get)
      assert.match(await at.world.exchange(`${method} /lost HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`), /^HTTP\/1\.1 200 /)
      assert.deepEqual([at.world.last.attempts, at.peer.sessions.length], [1, 2])
    })
  }

  test('a response that is cut off after its head is cut off', async () => {
    await using at = await through(({ stream }) => {
      stream.respond({ ':status': 200 })
      stream.write('half')
      setTimeout(() => stream.destroy(new Error('cut off')), 50)
    })
    await using client = await Http2Client.connect(at.world.address)
    const reply = await client.ask()
    assert.deepEqual([reply.status, reply.body, reply.code], [200, 'half', 2])
    assert.equal(at.world.last.responseFlags, 'UR')
  })

  test('a client that leaves ends only its own stream', async () => {
    await using at = await through(silent)
    await using stays = await Http2Client.connect(at.world.address)
    const staying = stays.ask({ ':path': '/stays' })
    await using leaves = await Http2Client.connect(at.world.address)
    leaves.open({ ':path': '/leaves' }, true)
    await until(() => at.peer.requests.length === 2, 'both')
    const left = at.peer.requests.find(({ headers }) => headers[':path'] === '/leaves')!
    leaves.session.destroy()
    if (!left.stream.closed) await once(left.stream, 'close')
    assert.equal(left.stream.rstCode, 8)
    at.peer.requests.find(({ headers }) => headers[':path'] === '/stays')!.stream.respond({ ':status': 204 }, { endStream: true })
    assert.equal((await staying).status, 204)
    assert.equal(at.peer.sessions.length, 1)
  })
})

describe('which protocol', () => {
  test('that of the client, each with connections of its own', async () => {
    await using peer = await RawPeer.start(() => ok('h1'))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: httpOptions({ upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: {} } }) })
    assert.match(await world.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /h1$/)
    await using client = await Http2Client.connect(world.address)
    client.open({}, true)
    await peer.until(() => peer.connections.length === 2)
    await peer.connections[1]!.has('PRI * HTTP/2.0')
  })

  const authority = createAuthority()
  const { chain, key } = authority.issue('DNS:a.test')
  const automatic = httpOptions({ upstreamProtocolOptions: { case: 'autoConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } } })
  const tls = { transportSocket: tlsSocket({}, 'a.test') }

  test('what the host chooses by ALPN: HTTP/2 where it can', async () => {
    await using peer = await Http2Peer.start(undefined, { tls: { cert: chain, key } })
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], { ...automatic, ...tls }))
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(cluster)))
    for (const { status } of answers) assert.equal(status, 200)
    assert.equal(peer.sessions.length, 1)
  })

  test('what the host chooses by ALPN: HTTP/1.1 where it cannot', async () => {
    await using peer = await httpPeer('h1', { cert: chain, key })
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], { ...automatic, ...tls }))
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(cluster)))
    for (const { body } of answers) assert.equal(body, 'h1')
    assert.equal((await ask(cluster)).body, 'h1')
  })

  test('HTTP/2 over TLS is offered by ALPN', async () => {
    await using peer = await Http2Peer.start(undefined, { tls: { cert: chain, key } })
    using world = new UpstreamWorld()
    assert.equal((await ask(world.serve(staticCluster('c', [peer.address], { ...speaksHttp2(), ...tls })))).body, 'peer')
  })
})
