// Connections that become another protocol, WebSocket most of all: over HTTP/1.1 and HTTP/2, on either side.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { HttpWorldOptions, ManagerInit } from '../support/http-world.ts'
import { Http2Client } from '../support/http2-peers.ts'
import { RawConnection, RawPeer, ok } from '../support/raw-peer.ts'
import { speaksHttp2 } from '../support/upstream-world.ts'

const asksFor = (to = 'websocket', path = '/chat', more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`
const agrees = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
const websocket: ManagerInit = { upgradeConfigs: [{ upgradeType: 'websocket' }] }

async function open(answer: () => string | undefined = () => agrees, options: HttpWorldOptions = {}) {
  const peer = await RawPeer.start(answer)
  const world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: websocket, ...options })
  const client = await world.client()
  return { peer, world, client, async [Symbol.asyncDispose]() {
    for (const one of [client, world, peer]) await one[Symbol.asyncDispose]()
  } }
}

/** Behind the proxy: a server that agrees to the first request of each connection, and leaves the rest to the test. */
async function tunnel(options: HttpWorldOptions = {}) {
  const servers: RawConnection[] = []
  const listener = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    servers.push(new RawConnection(socket))
    socket.once('data', () => socket.write(agrees))
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const world = await HttpWorld.start({ clusters: { up: [{ host: '127.0.0.1', port: (listener.address() as AddressInfo).port }] }, manager: websocket, ...options })
  const client = await world.client()
  client.send(asksFor())
  await client.has('\r\n\r\n')
  const [server] = servers as [RawConnection]
  return { server, world, client, async [Symbol.asyncDispose]() {
    for (const one of [client, world, server]) await one[Symbol.asyncDispose]()
    await new Promise((resolve) => listener.close(resolve))
  } }
}

describe('an upgrade over HTTP/1.1', () => {
  test('is agreed to by the server, and then bytes pass both ways as they are', async () => {
    await using at = await open()
    at.client.send(asksFor())
    const head = await at.client.has('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n.*connection: upgrade\r\nupgrade: websocket\r\n\r\n$/s)
    assert.match(head, /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/)
    assert.doesNotMatch(head, /transfer-encoding|content-length/)
    const [seen] = at.peer.requests
    assert.deepEqual([seen!.headers.get('upgrade'), seen!.headers.get('connection'), seen!.headers.get('sec-websocket-key')], ['websocket', 'upgrade', 'dGhlIHNhbXBsZSBub25jZQ=='])
    assert.deepEqual([seen!.headers.get('transfer-encoding'), seen!.headers.get('content-length')], [undefined, undefined])
  })

  test('then bytes pass both ways as they are, and either side may finish first', async () => {
    await using at = await tunnel()
    const { client, server } = at
    client.take()
    server.take()
    client.send('GET / HTTP/1.1\r\n\r\n')
    await server.has('GET / HTTP/1.1\r\n\r\n')
    server.send('HTTP/1.1 nothing of the kind\r\n\r\n')
    await client.has('nothing of the kind\r\n\r\n')
    client.socket.end()
    await server.until(() => server.state === 'end')
    server.send('the last word')
    await client.has('the last word')
    server.socket.end()
    assert.match(await client.closed(), /the last word$/)
    await at.world.untilEnded(1)
    const { responseCode, responseFlags, bytesReceived, bytesSent, protocol } = at.world.last
    assert.deepEqual([responseCode, responseFlags, bytesReceived, bytesSent, protocol], [101, '', 18, 45, 'HTTP/1.1'])
  })

  test('a server that finishes first ends it', async () => {
    await using at = await tunnel()
    at.server.send('bye')
    at.server.socket.end()
    assert.match(await at.client.closed(), /bye$/)
    assert.equal(at.client.state, 'end')
  })

  test('what the client says too early waits, and is never read as a request', async () => {
    await using at = await open(() => undefined)
    at.client.send(`${asksFor()}GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n`)
    await at.peer.until(() => at.peer.requests.length === 1)
    const server = at.peer.requests[0]!.connection
    server.take()
    server.send(`${agrees}first`)
    await at.client.has('first')
    await server.has('GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n')
  })

  test('a server that does not agree answers as always, and the connection ends after it', async () => {
    await using at = await open(() => ok('no websocket here'))
    at.client.send(`${asksFor()}GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n`)
    assert.match(await at.client.closed(), /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n.*no websocket here$/s)
    assert.equal(at.peer.requests.length, 1)
  })

  test('is refused where nothing allows it, and a route may say otherwise in both directions', async () => {
    const routes = [
      routeTo('up', '/on', { upgradeConfigs: [{ upgradeType: 'websocket' }] }), routeTo('up', '/off', { upgradeConfigs: [{ upgradeType: 'WebSocket', enabled: false }] }), routeTo('up'),
    ]
    const askAt = async (path: string, manager: ManagerInit, to?: string): Promise<string> => {
      await using at = await open(undefined, { manager, routes })
      at.client.send(asksFor(to, path))
      return (await at.client.has('\r\n\r\n')).slice(9, 12)
    }
    assert.deepEqual(await Promise.all([askAt('/', {}), askAt('/on', {}), askAt('/off', websocket), askAt('/', websocket), askAt('/', websocket, 'other')]), ['403', '101', '403', '101', '403'])
  })

  test('a request with a body is no upgrade', async () => {
    await using at = await open(() => ok('plain'))
    at.client.send(`POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nxy`)
    assert.match(await at.client.has('plain'), /^HTTP\/1\.1 200 OK/)
    assert.equal(at.peer.requests[0]!.headers.get('upgrade'), undefined)
  })

  test('it may be silent for as long as the stream idle timeout, and is then ended', async () => {
    await using at = await open(undefined, { manager: { ...websocket, streamIdleTimeout: { seconds: 0n, nanos: 400_000_000 } } })
    at.client.send(asksFor())
    await at.client.has('\r\n\r\n')
    await at.client.closed().catch(() => undefined)
    assert.deepEqual([at.world.last.responseFlags, at.world.last.responseCode], ['SI', 101])
  })

  test('the timeout of its route does not end it', async () => {
    await using at = await tunnel({ routes: [routeTo('up', '/', { timeout: { seconds: 0n, nanos: 200_000_000 } })] })
    at.client.socket.end()
    await new Promise((resolve) => setTimeout(resolve, 500))
    at.server.send('still here')
    await at.client.has('still here')
  })

  test('a drain waits for it, and what is left at the end of the drain is closed, not reset', async () => {
    await using at = await open()
    at.client.send(asksFor())
    await at.client.has('\r\n\r\n')
    at.world.service.drain()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.deepEqual([at.client.state, at.world.service.active], ['open', 1])
    at.peer.requests[0]!.connection.send('more')
    await at.client.has('more')
    at.world.service.close()
    await at.client.closed()
    assert.equal(at.client.state, 'end')
  })

  test('a reset of the server is one of the client', async () => {
    await using at = await open()
    at.client.send(asksFor())
    await at.client.has('\r\n\r\n')
    at.peer.requests[0]!.connection.reset()
    await at.client.closed()
    assert.equal(at.client.state, 'reset')
    assert.equal(at.world.last.responseFlags, 'UC')
  })

  test('who reads slowly is not buffered for without end, in either direction', async () => {
    await using at = await tunnel()
    const all = Buffer.alloc(64 * 1024 * 1024, 'x')
    for (const [from, to] of [[at.server.socket, at.client], [at.client.socket, at.server]] as const) {
      to.socket.removeAllListeners('data')
      to.socket.pause()
      from.write(all)
      await new Promise((resolve) => setTimeout(resolve, 500))
      assert.ok(from.writableLength > 16 * 1024 * 1024, 'most of it waits at its sender')
      to.socket.on('data', () => undefined)
      to.socket.resume()
      await once(from, 'drain')
    }
  })
})

/** node's own server of HTTP/1.1 that agrees to an upgrade, and says everything back. */
async function echoServer() {
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('upgrade', (asked, socket: Socket) => {
    assert.ok(asked.headers['sec-websocket-key'] !== undefined, 'without a key it is no WebSocket of HTTP/1.1')
    socket.write(agrees)
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, async [Symbol.asyncDispose]() {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  } }
}

describe('WebSocket over HTTP/2 (RFC 8441)', () => {
  test('becomes an upgrade to a server of HTTP/1.1', async () => {
    await using echo = await echoServer()
    await using world = await HttpWorld.start({ clusters: { up: [echo.address] }, manager: websocket })
    await using client = await Http2Client.connect(world.address)
    if (!client.session.remoteSettings.enableConnectProtocol) await once(client.session, 'remoteSettings')
    const stream = client.session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':scheme': 'http', ':authority': 'a', 'sec-websocket-version': '13' })
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    assert.equal(head[':status'], 200)
    for (const text of ['one', 'two']) {
      stream.write(text)
      assert.equal(String((await once(stream, 'data'))[0]), text)
    }
    stream.end()
    stream.resume()
    await once(stream, 'close')
    await world.untilEnded(1)
    assert.deepEqual([world.last.responseCode, world.last.bytesReceived, world.last.bytesSent], [101, 6, 6])
  })

  test('is refused where nothing allows it', async () => {
    await using echo = await echoServer()
    await using world = await HttpWorld.start({ clusters: { up: [echo.address] } })
    await using client = await Http2Client.connect(world.address)
    if (!client.session.remoteSettings.enableConnectProtocol) await once(client.session, 'remoteSettings')
    const stream = client.session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', ':authority': 'a' })
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    assert.equal(head[':status'], 403)
  })

  test('is what an upgrade becomes to a server of HTTP/2', async () => {
    const server = createHttp2Server({ settings: { enableConnectProtocol: true } })
    server.on('stream', (stream, headers) => {
      assert.deepEqual([headers[':method'], headers[':protocol'], headers['upgrade'], headers['connection']], ['CONNECT', 'websocket', undefined, undefined])
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using _closing = { async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    } }
    await using world = await HttpWorld.start({ clusters: { up: [{ host: '127.0.0.1', port: (server.address() as AddressInfo).port }] }, cluster: speaksHttp2(), manager: websocket })
    await using client = await world.client()
    client.send(asksFor())
    assert.match(await client.has('\r\n\r\n'), /^HTTP\/1\.1 101 Switching Protocols\r\n.*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/s)
    client.take()
    client.send('hello')
    await client.has('hello')
    client.socket.end()
    await client.closed()
    world.upstream.close()
  })
})
