// Pools and connections of clusters against real servers: reuse, limits, and every way in which a request fails.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Socket } from 'node:net'
import { chooseTransports } from '../../src/net/transports.ts'
import { HeaderList } from '../../src/codec/header-list.ts'
import type { ResetReason } from '../../src/proxy/upstream/types.ts'
import { freePort } from '../support/hosts.ts'
import { httpPeer, onHeads, plainAnswer, scriptedPeer } from '../support/http-peers.ts'
import type { Handler } from '../support/http-peers.ts'
import { until } from '../support/until.ts'
import { manualClock } from '../support/manual-clock.ts'
import { Asked, UpstreamWorld, ask, choose, connectThrough, failureOf, httpOptions, limits, staticCluster, tlsSocket } from '../support/upstream-world.ts'
import type { Transport } from '../../src/net/transport.ts'
import { Recorder } from '../support/connection-pair.ts'
import type { Failed } from '../support/upstream-world.ts'

for (const rawHandles of [true, false]) describe(rawHandles ? 'over raw handles' : 'over node sockets', () => {
  before(() => chooseTransports({ rawHandles }))

  test('a connection is kept and used again', async () => {
    await using peer = await httpPeer('hello')
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const first = await ask(cluster)
    const second = await ask(cluster)
    assert.deepEqual([first.status, first.body, first.reused, second.reused], [200, 'hello', false, true])
    assert.equal(peer.connections.length, 1)
  })

  test('the connection used last is used next, so that the others can go', async () => {
    const held: (() => void)[] = []
    await using peer = await httpPeer((_request, response) => void held.push(() => response.end()))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const both = [new Asked(cluster), new Asked(cluster)]
    await until(() => held.length === 2)
    held[0]!()
    const firstDone = await Promise.race(both.map(({ answer }) => answer))
    held[1]!()
    const answers = await Promise.all(both.map(({ answer }) => answer))
    const lastPort = answers.find(({ localPort }) => localPort !== firstDone.localPort)!.localPort
    for (let i = 0; i < 3; i++) {
      const next = new Asked(cluster)
      await until(() => held.length === 3 + i)
      held[2 + i]!()
      assert.equal((await next.answer).localPort, lastPort)
    }
  })

  test('over the limit of connections requests wait, and are served in the order in which they came', async () => {
    const held: (() => void)[] = []
    const paths: string[] = []
    await using peer = await httpPeer((request, response) => {
      paths.push(request.url!)
      held.push(() => response.end())
    })
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], limits({ maxConnections: 1 })))
    const asked = [0, 1, 2].map((i) => new Asked(cluster, { path: `/${i}` }))
    for (let i = 0; i < 3; i++) {
      await until(() => held.length === i + 1)
      held[i]!()
      await asked[i]!.answer
    }
    assert.deepEqual(paths, ['/0', '/1', '/2'])
    assert.equal(peer.connections.length, 1)
    assert.ok(world.stat('cluster.c.upstream_cx_overflow') >= 1)
  })

  test('requests that find the queue full fail with overflow at once, and never count against the host', async () => {
    const held: (() => void)[] = []
    await using peer = await httpPeer((_request, response) => void held.push(() => response.end()))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], limits({ maxConnections: 1, maxPendingRequests: 1 })))
    const served = new Asked(cluster)
    await until(() => held.length === 1)
    const waits = new Asked(cluster)
    const failure = await failureOf(ask(cluster))
    assert.deepEqual([failure.reason, failure.begun], ['overflow', false])
    assert.equal(world.stat('cluster.c.upstream_rq_pending_overflow'), 1)
    held[0]!()
    await served.answer
    await until(() => held.length === 2)
    held[1]!()
    assert.equal((await waits.answer).status, 200)
  })

  test('more requests at once than allowed fail with overflow although a connection is free', async () => {
    const held: (() => void)[] = []
    await using peer = await httpPeer((_request, response) => void held.push(() => response.end()))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], limits({ maxRequests: 1 })))
    const first = new Asked(cluster)
    await until(() => held.length === 1)
    assert.equal((await failureOf(ask(cluster))).reason, 'overflow')
    held[0]!()
    await first.answer
    const again = new Asked(cluster)
    await until(() => held.length === 2)
    held[1]!()
    assert.equal((await again.answer).status, 200)
  })

  test('a host always gets one connection, however full the cluster is', async () => {
    const held: (() => void)[] = []
    const hold: Handler = (_request, response) => void held.push(() => response.end())
    await using one = await httpPeer(hold)
    await using other = await httpPeer(hold)
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [one.address, other.address], limits({ maxConnections: 1 })))
    const hosts = world.clusters.statuses()[0]!.hosts
    const asked = hosts.map((host) => new Asked(cluster, { host }))
    await until(() => held.length === 2)
    for (const finish of held) finish()
    await Promise.all(asked.map(({ answer }) => answer))
  })

  const connectFailures: [string, (world: UpstreamWorld) => Promise<Failed>, RegExp][] = [
    ['refuses', async (world) => await failureOf(ask(world.serve(staticCluster('c', [{ host: '127.0.0.1', port: await freePort() }])))), /^delayed connect error: Connection refused$/],
    ['is unreachable', async (world) => await failureOf(ask(world.serve(staticCluster('c', [{ host: '255.255.255.255', port: 9 }])))), /unreachable|cannot connect/i],
  ]
  for (const [title, fail, detail] of connectFailures) {
    test(`a host that ${title} fails the request before any byte of it was sent`, async () => {
      using world = new UpstreamWorld()
      const failure = await fail(world)
      assert.deepEqual([failure.reason, failure.begun], ['connection-failure', false])
      assert.match(failure.detail, detail)
      assert.equal(world.stat('cluster.c.upstream_cx_connect_fail'), 1)
      assert.equal(world.stat('cluster.c.upstream_rq_pending_active'), 0)
    })
  }

  test('a host that does not answer in time fails with a timeout, and all who waited for it go elsewhere', async () => {
    await using silent = await scriptedPeer(() => {})
    using world = new UpstreamWorld()
    const message = staticCluster('c', [silent.address], { connectTimeout: { nanos: 50_000_000 }, transportSocket: tlsSocket({}) })
    const cluster = world.serve(message)
    const failures = await Promise.all([1, 2, 3].map(() => failureOf(ask(cluster))))
    assert.deepEqual(failures.map(({ reason }) => reason), Array(3).fill('connection-timeout'))
    assert.equal(world.stat('cluster.c.upstream_cx_connect_timeout'), 3)
  })

  test('a connection that has lived long enough carries no further request, and none is cut off for it', async () => {
    const held: (() => void)[] = []
    await using peer = await httpPeer((_request, response) => void held.push(() => response.end('whole')))
    const clock = manualClock()
    using world = new UpstreamWorld({ clock })
    const cluster = world.serve(staticCluster('c', [peer.address], httpOptions({ commonHttpProtocolOptions: { maxConnectionDuration: { seconds: 30n } } })))
    const slow = new Asked(cluster)
    await until(() => held.length === 1)
    clock.pass(31_000)
    held[0]!()
    assert.equal((await slow.answer).body, 'whole')
    await until(() => peer.open === 0)
    const next = new Asked(cluster)
    await until(() => held.length === 2)
    held[1]!()
    assert.equal((await next.answer).reused, false)
    clock.pass(31_000)
    await until(() => peer.open === 0)
    assert.equal(world.stat('cluster.c.upstream_cx_max_duration_reached'), 2)
  })

  test('an idle connection is closed when its time is over, and never used after it', async () => {
    await using peer = await httpPeer()
    const clock = manualClock()
    using world = new UpstreamWorld({ clock })
    const cluster = world.serve(staticCluster('c', [peer.address], httpOptions({ commonHttpProtocolOptions: { idleTimeout: { seconds: 30n } } })))
    await ask(cluster)
    clock.pass(29_000)
    assert.equal((await ask(cluster)).reused, true)
    clock.pass(30_000)
    assert.equal((await ask(cluster)).reused, false)
    clock.pass(31_000)
    await until(() => peer.open === 0)
    assert.equal(world.stat('cluster.c.upstream_cx_idle_timeout'), 2)
    assert.equal(world.stat('cluster.c.upstream_cx_active'), 0)
  })

  for (const [value, kept, gone] of [['timeout=5', 3_900, 4_000], ['Timeout=1, max=7', 400, 500], ['timeout=0', -1, 0]] as const) {
    test(`a connection whose peer says Keep-Alive: ${value} is not used when that is nearly over`, async () => {
      await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.write(plainAnswer('x', `Keep-Alive: ${value}\r\n`))))
      const clock = manualClock()
      using world = new UpstreamWorld({ clock })
      const cluster = world.serve(staticCluster('c', [peer.address]))
      await ask(cluster)
      if (kept >= 0) {
        clock.pass(kept)
        assert.equal((await ask(cluster)).reused, true)
      }
      clock.pass(gone)
      assert.equal((await ask(cluster)).reused, false)
    })
  }

  test('what a peer closes idle is not used when that is nearly over the next time, and again once one has lasted longer', async () => {
    await using peer = await httpPeer()
    const clock = manualClock()
    using world = new UpstreamWorld({ clock })
    const cluster = world.serve(staticCluster('c', [peer.address]))
    await ask(cluster)
    clock.pass(20_000)
    peer.connections[0]!.destroy()
    await until(() => world.stat('cluster.c.upstream_cx_active') === 0)
    await ask(cluster)
    clock.pass(18_900)
    assert.equal((await ask(cluster)).reused, true)
    clock.pass(19_100)
    assert.equal((await ask(cluster)).reused, false)
    clock.pass(25_000)
    assert.equal((await ask(cluster)).reused, true)
  })

  test('a request that cannot be asked twice goes out on a connection that is long idle only where others have lasted', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.write(plainAnswer('x'))))
    const clock = manualClock()
    using world = new UpstreamWorld({ clock })
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const after = async (idleMs: number): Promise<boolean> => (clock.pass(idleMs), (await ask(cluster, { method: 'POST', caution: 'sure' })).reused)
    const seen: boolean[] = []
    for (const idleMs of [0, 400, 5_000, 5_000, 5_000, 9_000]) seen.push(await after(idleMs))
    assert.deepEqual(seen, [false, true, false, true, true, true])
  })

  test('a connection that is kept but not lent makes room where the cluster may have no more', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.write(plainAnswer('x'))))
    const clock = manualClock()
    using world = new UpstreamWorld({ clock })
    const cluster = world.serve(staticCluster('c', [peer.address], limits({ maxConnections: 1 })))
    await ask(cluster)
    clock.pass(5_000)
    assert.equal((await ask(cluster, { method: 'POST', caution: 'sure' })).reused, false)
    assert.equal(world.stat('cluster.c.upstream_cx_active'), 1)
  })

  test('a connection carries no more requests than it is allowed to', async () => {
    await using peer = await httpPeer()
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], httpOptions({ commonHttpProtocolOptions: { maxRequestsPerConnection: 2 } })))
    const reused: boolean[] = []
    for (let i = 0; i < 5; i++) reused.push((await ask(cluster)).reused)
    assert.deepEqual(reused, [false, true, false, true, false])
    assert.equal(world.stat('cluster.c.upstream_cx_max_requests'), 2)
  })

  const endings: [string, string, ResetReason][] = [
    ['nothing', '', 'connection-termination'],
    ['half a head', 'HTTP/1.1 200', 'connection-termination'],
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345', 'connection-termination'],
    ['an unfinished chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123', 'connection-termination'],
    ['what is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'protocol-error'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n1', 'protocol-error'],
    ['an upgrade that was not asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'protocol-error'],
  ]
  for (const [title, bytes, reason] of endings) {
    test(`a peer that answers ${title} and closes resets the request with ${reason}`, async () => {
      await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.end(bytes)))
      using world = new UpstreamWorld()
      const failure = await failureOf(ask(world.serve(staticCluster('c', [peer.address]))))
      assert.deepEqual([failure.reason, failure.begun], [reason, true])
      assert.deepEqual(['upstream_rq_active', 'upstream_cx_active'].map((name) => world.stat(`cluster.c.${name}`)), [0, 0])
    })
  }

  for (const [title, answer] of [['Connection: close', plainAnswer('x', 'Connection: close\r\n')], ['HTTP/1.0', plainAnswer('x').replace('1.1', '1.0')]] as const) {
    test(`a peer that says ${title} is not asked again on that connection`, async () => {
      await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.write(answer)))
      using world = new UpstreamWorld()
      const cluster = world.serve(staticCluster('c', [peer.address]))
      assert.deepEqual([(await ask(cluster)).body, (await ask(cluster)).reused], ['x', false])
      assert.equal(peer.connections.length, 2)
    })
  }

  test('an opaque connection counts until it closes, whoever closes it', async () => {
    const sockets: Socket[] = []
    await using peer = await scriptedPeer((socket) => sockets.push(socket.resume()))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const host = choose(cluster)
    const active = () => [host.active, world.stat('cluster.c.upstream_cx_active')]
    for (const end of [(transport: Transport) => transport.destroy(), (transport: Transport) => (transport.resume(), sockets.at(-1)!.resetAndDestroy())]) {
      const transport = await connectThrough(cluster, host)
      const recorder = new Recorder(transport)
      await until(() => sockets.length > 0 && sockets.at(-1)!.remotePort === transport.localAddress.port)
      assert.deepEqual(active(), [1, 1])
      end(transport)
      await recorder.until(() => recorder.closes === 1)
      await until(() => host.active === 0)
      assert.deepEqual(active(), [0, 0])
    }
  })

  test('a body that ends with the connection is whole, and the connection is not used again', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    assert.equal((await ask(cluster)).body, 'all of it')
    assert.equal((await ask(cluster)).reused, false)
  })

  // One that has only said its last word may read on; to one that has closed, or reset, the request never comes. Node has let
  // go of a socket before it says that it was reset: then nobody can tell.
  for (const [how, begun] of [['end', true], ['destroy', false], ['resetAndDestroy', !rawHandles]] as const) {
    test(`a request that meets a connection which the server is closing says that it was reused and whether it had begun (${how})`, async () => {
      let closing: Socket | undefined
      await using peer = await scriptedPeer((socket) => {
        onHeads(socket, (head) => {
          if (head.startsWith('GET /second')) return
          socket.write(plainAnswer('first'))
          closing = socket
        })
      })
      using world = new UpstreamWorld()
      const cluster = world.serve(staticCluster('c', [peer.address]))
      await ask(cluster, { path: '/first' })
      // In one turn: the server's FIN or RST is on its way while the request goes out.
      closing![how]()
      const asked = new Asked(cluster, { path: '/second' })
      const failure = await failureOf(asked.answer)
      assert.deepEqual([failure.reason, failure.begun, asked.stream!.reused], ['connection-termination', begun, true])
      assert.equal(world.stat('cluster.c.upstream_cx_connect_fail'), 0)
    })
  }

  test('a connection that was closed while it was idle is not offered again', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.end(plainAnswer('x'))))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    await ask(cluster)
    await until(() => world.stat('cluster.c.upstream_cx_active') === 0)
    assert.equal((await ask(cluster)).reused, false)
  })

  test('bytes on an idle connection, or before the request was sent, are never taken for its answer', async () => {
    const stray = 'HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n'
    let first: Socket | undefined
    await using peer = await scriptedPeer((socket) => {
      first ??= socket
      onHeads(socket, () => socket.write(plainAnswer('mine')))
    })
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    await ask(cluster)
    const asked = new Asked(cluster, {}, false)
    const stream = await asked.started
    assert.equal(stream.reused, true)
    first!.write(stray)
    const failure = await failureOf(asked.answer)
    assert.deepEqual([failure.reason, failure.begun, asked.heads], ['connection-termination', false, []])
    assert.equal((await ask(cluster)).body, 'mine')
  })

  test('a request that is cancelled while it waits is forgotten, and its connection serves the next', async () => {
    await using peer = await httpPeer('x')
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const cancelled = new Asked(cluster)
    cancelled.cancel()
    cancelled.cancel()
    assert.equal((await ask(cluster)).status, 200)
    assert.equal(cancelled.stream, undefined)
    assert.equal(world.stat('cluster.c.upstream_rq_cancelled'), 1)
    assert.equal(world.stat('cluster.c.upstream_rq_pending_active'), 0)
  })

  test('a request that is given up closes its connection and hears nothing more', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome')))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const asked = new Asked(cluster)
    await until(() => asked.heads.length === 1)
    asked.stream!.reset()
    asked.stream!.reset()
    await until(() => peer.open === 0 || peer.connections[0]!.readableEnded)
    assert.equal(world.stat('cluster.c.upstream_rq_tx_reset'), 1)
    assert.deepEqual(['upstream_rq_active', 'upstream_cx_active'].map((name) => world.stat(`cluster.c.${name}`)), [0, 0])
  })

  test('an answer before the request is done is handed on, and the connection is not used again', async () => {
    await using peer = await scriptedPeer((socket) => socket.once('data', () => socket.write('HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n')))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    const asked = new Asked(cluster, {}, false)
    const stream = await asked.started
    stream.sendHead({ method: 'POST', path: '/', authority: 'a', headers: new HeaderList(), bodyLength: 1000, sendZeroLength: false })
    stream.sendBody(Buffer.from('only some'), 0, 9)
    assert.equal((await asked.answer).status, 413)
    assert.equal(stream.sendBody(Buffer.from('more'), 0, 4), true, 'what comes later is dropped')
    stream.sendEnd(undefined)
    assert.equal(world.stat('cluster.c.upstream_cx_active'), 0)
  })

  test('a large body waits while the peer does not read, and goes on when it does', async () => {
    const total = 8 * 1024 * 1024
    let received = 0
    let readOn = (): void => {}
    await using peer = await scriptedPeer((socket) => {
      socket.pause()
      socket.on('data', (bytes: Buffer) => {
        received += bytes.length
        if (received > total) socket.write(plainAnswer('thanks'))
      })
      readOn = () => socket.resume()
    })
    using world = new UpstreamWorld()
    const asked = new Asked(world.serve(staticCluster('c', [peer.address])), {}, false)
    const stream = await asked.started
    stream.sendHead({ method: 'PUT', path: '/', authority: 'a', headers: new HeaderList(), bodyLength: total, sendZeroLength: false })
    const piece = Buffer.alloc(64 * 1024)
    let sent = 0
    let stops = 0
    while (sent < total) {
      const before = asked.writable
      sent += piece.length
      if (stream.sendBody(piece, 0, piece.length)) continue
      stops++
      readOn()
      await until(() => asked.writable > before)
    }
    stream.sendEnd(undefined)
    assert.equal((await asked.answer).body, 'thanks')
    assert.ok(stops > 0)
  })

  test('a large answer is not read on while nobody takes it', async () => {
    const size = 32 * 1024 * 1024
    await using peer = await httpPeer((_request, response) => {
      response.writeHead(200, { 'content-length': size })
      response.end(Buffer.alloc(size, 'x'))
    })
    using world = new UpstreamWorld()
    let received = 0
    let ended = false
    const slow = new (class extends Asked {
      override onData(_bytes: Buffer, at: number, end: number): void {
        received += end - at
        this.stream!.pauseResponse()
      }

      override onEnd(): void {
        ended = true
        super.onEnd()
      }
    })(world.serve(staticCluster('c', [peer.address])))
    await until(() => received > 0)
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(received <= 256 * 1024, `${received} bytes came after the pause`)
    while (!ended) {
      slow.stream!.resumeResponse()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(received, size)
  })

  test('a chunked request body arrives whole with its trailers', async () => {
    let got = ''
    await using peer = await scriptedPeer((socket) => socket.on('data', (bytes: Buffer) => {
      got += bytes.toString()
      if (got.endsWith('\r\n\r\n') && got.includes('\r\n0\r\n')) socket.write(plainAnswer('ok'))
    }))
    using world = new UpstreamWorld()
    const asked = new Asked(world.serve(staticCluster('c', [peer.address])), {}, false)
    const stream = await asked.started
    const trailers = new HeaderList()
    trailers.add('x-sum', '42')
    stream.sendHead({ method: 'POST', path: '/p', authority: 'a.test', headers: new HeaderList(), bodyLength: -1, sendZeroLength: false })
    stream.sendBody(Buffer.from('..hello..'), 2, 7)
    stream.sendBody(Buffer.alloc(0), 0, 0)
    stream.sendEnd(trailers)
    await asked.answer
    assert.equal(got, 'POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n')
  })

  test('the bodiless answer to HEAD, informational answers and trailers leave the connection usable', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, (head) => {
      if (head.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n')
      else socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: y\r\n\r\n')
    }))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    assert.equal((await ask(cluster, { method: 'HEAD' })).body, '')
    const hinted = new Asked(cluster)
    assert.deepEqual([(await hinted.answer).body, (await hinted.answer).reused], ['hi', true])
    assert.deepEqual(hinted.heads, [103, 200])
    assert.equal((await ask(cluster)).reused, true)
  })

  test('a hundred requests at once are all answered, and their connections kept', async () => {
    await using peer = await httpPeer('x')
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address]))
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => ask(cluster)))
      assert.equal(answers.filter(({ status }) => status === 200).length, 100)
    }
    assert.ok(peer.connections.length <= 100, String(peer.connections.length))
    assert.deepEqual(['upstream_rq_active', 'upstream_rq_pending_active'].map((name) => world.stat(`cluster.c.${name}`)), [0, 0])
    assert.equal(world.stat('cluster.c.upstream_rq_total'), 300)
  })

  test('when everything is closed, those who wait and those who are served hear of it once', async () => {
    await using peer = await scriptedPeer((socket) => onHeads(socket, () => {}))
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [peer.address], limits({ maxConnections: 1 })))
    const served = new Asked(cluster)
    await served.started
    const waits = new Asked(cluster)
    world.clusters.close()
    const failures = await Promise.all([failureOf(served.answer), failureOf(waits.answer)])
    assert.deepEqual(failures.map(({ reason }) => reason), ['connection-termination', 'local-reset'])
    assert.equal((await failureOf(ask(cluster))).reason, 'local-reset')
    assert.equal((await failureOf(connectThrough(cluster))).reason, 'local-reset')
    assert.equal(peer.connections.length, 1)
    await until(() => peer.connections.every((socket) => socket.readableEnded || socket.destroyed))
  })

  test('requests for other server names have connections of their own, and none waits for the name of another', async () => {
    await using peer = await httpPeer((request, response) => void response.end(request.headers.host))
    using world = new UpstreamWorld()
    const options = httpOptions({ upstreamHttpProtocolOptions: { autoSni: true } })
    const cluster = world.serve(staticCluster('c', [peer.address], { ...options, ...limits({ maxConnections: 1 }) }))
    const authorities = ['a.test', 'b.test:8080', 'a.test', 'B.test', '127.0.0.1:99']
    const answers = await Promise.all(authorities.map((authority) => ask(cluster, { authority })))
    assert.deepEqual(answers.map(({ body }) => body), authorities)
    assert.ok(peer.connections.length <= 3, 'a.test, b.test and no name at all')
  })
})
