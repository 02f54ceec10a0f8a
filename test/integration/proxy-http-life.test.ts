// Connections over their life: draining, closing, a route table that changes under load, many that do nothing, and what
// a request costs in writes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessLogEntry } from '../../src/telemetry/access-log-entry.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'

const get = (path = '/') => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

test('a drain ends idle connections and lets the others finish, who are told to close', async () => {
  await using peer = await RawPeer.start(() => undefined)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using idle = await world.client()
  await using busy = await world.client()
  busy.send(get())
  await peer.until(() => peer.requests.length === 1)
  await idle.until(() => world.service.active === 2)
  world.service.drain()
  assert.equal(await idle.closed(), '')
  assert.equal(busy.state, 'open')
  peer.requests[0]!.connection.send(ok('last'))
  assert.match(await busy.closed(), /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\ncontent-length: 4\r\n\r\nlast$/s)
  await busy.until(() => world.service.active === 0)
})

test('a drain under load fails no request: clients between two requests are told with the next response', async () => {
  await using peer = await RawPeer.start(() => ok('x'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  const clients = await Promise.all(Array.from({ length: 16 }, () => world.client()))
  const load = clients.map(async (client) => {
    for (;;) {
      client.send(get())
      await client.until(() => client.text.endsWith('\r\n\r\nx') || client.state !== 'open')
      const text = client.take()
      assert.match(text, /^HTTP\/1\.1 200 OK/)
      if (text.includes('connection: close')) return
    }
  })
  await peer.until(() => peer.requests.length > 200)
  world.service.drain()
  await Promise.all(load)
  for (const client of clients) assert.equal(await client.closed(), '')
})

test('what arrives while draining is served once, and told to close', async () => {
  await using peer = await RawPeer.start(() => ok('x'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  world.service.drain()
  assert.match(await world.exchange(get()), /connection: close\r\ncontent-length: 1\r\n\r\nx$/)
})

test('a response that has begun before the drain is finished', async () => {
  await using peer = await RawPeer.start(() => 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf')
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get())
  await client.has('half')
  world.service.drain()
  peer.requests[0]!.connection.send('half')
  assert.match(await client.closed(), /halfhalf$/)
})

const upgrade = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
const agreed = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

test('who lives long is told that the end is near: a WebSocket between two frames, an event stream by its end; who waits is answered at the last moment', async () => {
  const answers: Readonly<Record<string, string | undefined>> = { '/chat': agreed, '/events': 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\n\n\r\n', '/download': 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf' }
  await using peer = await RawPeer.start(({ line }) => answers[line.split(' ')[1]!])
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { upgradeConfigs: [{ upgradeType: 'websocket' }] } })
  await using quiet = await world.client()
  await using talking = await world.client()
  await using events = await world.client()
  await using download = await world.client()
  await using waiting = await world.client()
  for (const client of [quiet, talking]) {
    client.send(upgrade)
    await client.has('\r\n\r\n')
    client.take()
  }
  const server = peer.requests[1]!.connection
  server.send(Buffer.from([0x81, 4, 0x61, 0x62]))
  await talking.has('ab')
  events.send(get('/events'))
  await events.has('a\n\n')
  download.send(get('/download'))
  await download.has('half')
  waiting.send(get('/waiting'))
  await peer.until(() => peer.requests.length === 5)

  world.service.drain()
  world.service.announceEnd(false)
  const close = '\x88\x02\x03\xe9'
  await quiet.until(() => quiet.text === close)
  assert.match(await events.closed(), /\r\n0\r\n\r\n$/)
  assert.equal(talking.text, '\x81\x04ab')
  server.send(Buffer.from([0x63, 0x64, 0x81, 1, 0x65]))
  await talking.until(() => talking.text === `\x81\x04abcd${close}`)
  // The client's own close frame goes to the server, which ends the connection.
  const answer = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])
  talking.send(answer)
  await server.until(() => server.text.endsWith(answer.toString('latin1')))
  server.socket.end()
  assert.equal(await talking.closed(), `\x81\x04abcd${close}`)
  assert.deepEqual([waiting.text, download.state], ['', 'open'])

  world.service.announceEnd(true)
  assert.match(await waiting.closed(), /^HTTP\/1\.1 503 .*connection: close\r\n.*the proxy ends$/s)
  assert.deepEqual([world.last.responseCodeDetails, download.state], ['proxy_ends', 'open'])
})

test('close ends everything at once, and every exchange is told', async () => {
  await using peer = await RawPeer.start(() => undefined)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get())
  await peer.until(() => peer.requests.length === 1)
  world.service.close()
  await client.closed()
  await peer.until(() => peer.open === 0)
  assert.equal(world.ended.length, 1)
  assert.equal(world.last.responseFlags, 'LR')
})

test('a route table that is replaced under load fails no request', async () => {
  await using one = await RawPeer.start(() => ok('one'))
  await using two = await RawPeer.start(() => ok('two'))
  await using world = await HttpWorld.start({ clusters: { one: [one.address], two: [two.address] }, routes: [routeTo('one')] })
  const clients = await Promise.all(Array.from({ length: 16 }, () => world.client()))
  let stop = false
  const load = clients.map(async (client) => {
    while (!stop) {
      client.send(get())
      await client.until(() => client.text.endsWith('one') || client.text.endsWith('two'))
      client.take()
    }
  })
  for (let swap = 0; swap < 200; swap++) {
    world.setRoutes([routeTo(swap % 2 === 0 ? 'two' : 'one')])
    await new Promise((resolve) => setImmediate(resolve))
  }
  stop = true
  await Promise.all(load)
  for (const client of clients) client.socket.destroy()
  assert.ok(one.requests.length > 20 && two.requests.length > 20, `${one.requests.length} and ${two.requests.length}`)
  assert.deepEqual([...new Set(world.ended.map(({ responseCode }) => responseCode))], [200])
})

test('a change of routes is seen by the next request of a connection', async () => {
  await using one = await RawPeer.start(() => ok('one'))
  await using two = await RawPeer.start(() => ok('two'))
  await using world = await HttpWorld.start({ clusters: { one: [one.address], two: [two.address] }, routes: [routeTo('one')] })
  await using client = await world.client()
  client.send(get())
  await client.has('one')
  world.setRoutes([routeTo('two')])
  client.send(get())
  await client.has('two')
})

test('2,000 idle connections cost little and all end with a drain', async () => {
  await using world = await HttpWorld.start({})
  const clients = await Promise.all(Array.from({ length: 2_000 }, () => world.client()))
  await clients[0]!.until(() => world.service.active === clients.length)
  world.service.drain()
  await Promise.all(clients.map((client) => client.closed()))
  await clients[0]!.until(() => world.service.active === 0)
  for (const { socket } of clients) socket.destroy()
})

test('head and small body leave in one write, both ways', async () => {
  await using peer = await RawPeer.start(() => ok('hello'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody')
  await client.has('hello')
  assert.equal(client.pieces.length, 1)
  assert.equal(peer.connections[0]!.pieces.length, 1)
})

test('the access log hears of every exchange, with what it was', async () => {
  const entries: AccessLogEntry[] = []
  await using peer = await RawPeer.start(() => ok('hello'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, deps: { accessLog: () => (entry) => entries.push(entry) } })
  await using client = await world.client()
  client.send('POST /p?q HTTP/1.1\r\nHost: shop\r\nUser-Agent: t\r\nContent-Length: 4\r\n\r\nbody')
  await client.has('hello')
  assert.equal(entries.length, 1)
  const { method, path, authority, protocol, responseCode, responseFlags, responseCodeDetails, bytesReceived, bytesSent, upstreamHost, upstreamCluster } = entries[0]!
  assert.deepEqual(
    { method, path, authority, protocol, responseCode, responseFlags, responseCodeDetails, bytesReceived, bytesSent, upstreamHost, upstreamCluster },
    { method: 'POST', path: '/p?q', authority: 'shop', protocol: 'HTTP/1.1', responseCode: 200, responseFlags: '', responseCodeDetails: 'via_upstream', bytesReceived: 4, bytesSent: 5, upstreamHost: `127.0.0.1:${peer.address.port}`, upstreamCluster: 'up' },
  )
  assert.equal(entries[0]!.requestHeader('user-agent'), 't')
  assert.match(entries[0]!.responseHeader('x-envoy-upstream-service-time')!, /^\d+$/)
  assert.equal(entries[0]!.downstreamRemoteAddress, `127.0.0.1:${client.socket.localPort}`)
})

test('a client that sends requests ahead and leaves is noticed while the first still waits', async () => {
  await using peer = await RawPeer.start(() => undefined)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  const client = await world.client()
  client.send(get() + get() + get())
  await peer.until(() => peer.requests.length === 1)
  client.socket.destroy()
  await peer.until(() => peer.open === 0)
  await world.untilEnded(1)
  assert.equal(world.last.responseFlags, 'DC')
})

test('a client that sends requests ahead without end has to wait', async () => {
  await using peer = await RawPeer.start(() => undefined)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  const many = get('/ahead').repeat(500_000)
  client.send(many)
  await peer.until(() => peer.requests.length === 1)
  let before = -1
  while (client.socket.bytesWritten - client.socket.writableLength !== before) {
    before = client.socket.bytesWritten - client.socket.writableLength
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(client.socket.writableLength > many.length / 2, `${client.socket.writableLength} of ${many.length} wait`)
})

test('a client that asks and asks and does not read is not answered further, and gets everything once it reads', async () => {
  const body = 'x'.repeat(4_000)
  await using world = await HttpWorld.start({ routes: [{
    match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'directResponse', value: { status: 200, body: { specifier: { case: 'inlineString', value: body } } } },
  }] })
  const count = 20_000
  await using client = await world.client()
  client.socket.removeAllListeners('data')
  client.socket.pause()
  client.send(get().repeat(count))
  let before = -1
  while (before !== world.ended.length) {
    before = world.ended.length
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(before > 0 && before < count * 0.75, `${before} of ${count} were answered`)
  let got = 0
  client.socket.on('data', (bytes: Buffer) => (got += bytes.length))
  client.socket.resume()
  await client.until(() => world.ended.length === count && got > count * body.length, 60_000)
})
