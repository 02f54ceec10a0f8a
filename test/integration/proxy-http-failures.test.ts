// Clients and upstreams that vanish, stall, break off or cannot keep up: who sees what, with which flag, and that it is
// told exactly once.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import type { SeenRequest } from '../support/raw-peer.ts'

const get = (path = '/') => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const ms = (value: number) => ({ seconds: BigInt(Math.floor(value / 1000)), nanos: (value % 1000) * 1_000_000 })
const silent = () => undefined
const contextBody = 'upstream connect error or disconnect/reset before headers. '

test('a client that vanishes while it waits: DC, and the upstream connection is given up', async () => {
  await using peer = await RawPeer.start(silent)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  const client = await world.client()
  client.send(get())
  await peer.until(() => peer.requests.length === 1)
  client.reset()
  await peer.until(() => peer.open === 0)
  await world.untilEnded(1)
  const { responseFlags, responseCode, responseCodeDetails, endTime } = world.last
  assert.deepEqual({ responseFlags, responseCode, responseCodeDetails }, { responseFlags: 'DC', responseCode: 0, responseCodeDetails: 'downstream_remote_disconnect' })
  assert.ok(endTime > 0)
})

test('a client that vanishes in the middle of its body: DC, and the upstream sees no end of it', async () => {
  await using peer = await RawPeer.start(silent)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  const client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  await peer.until(() => peer.connections[0]?.text.includes('hello') === true)
  client.socket.destroy()
  await peer.until(() => peer.open === 0)
  assert.doesNotMatch(peer.connections[0]!.text, /\r\n0\r\n/)
  assert.equal(peer.requests.length, 0)
  await world.untilEnded(1)
  assert.equal(world.last.responseFlags, 'DC')
  assert.equal(world.last.bytesReceived, 5)
})

test('a client that vanishes in the middle of the response: DC with the code that it has seen', async () => {
  await using peer = await RawPeer.start(() => 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart')
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  const client = await world.client()
  client.send(get())
  await client.has('part')
  client.reset()
  await peer.until(() => peer.open === 0)
  await world.untilEnded(1)
  assert.equal(world.last.responseFlags, 'DC')
  assert.equal(world.last.responseCode, 200)
  assert.equal(world.last.bytesSent, 4)
})

for (const [how, head] of [['a length', 'content-length: 100'], ['chunks', 'transfer-encoding: chunked']] as const) {
  test(`an upstream that closes in the middle of a response with ${how}: the client gets what came and sees that it was cut`, async () => {
    await using peer = await RawPeer.start(({ connection }) => {
      connection.socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${how === 'chunks' ? '4\r\npart\r\n' : 'part'}`)
      return undefined
    })
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
    await using client = await world.client()
    client.send(get())
    const text = await client.closed()
    assert.match(text, /200 OK/)
    assert.match(text, /part/)
    assert.doesNotMatch(text, /0\r\n\r\n$/)
    assert.equal(world.last.responseFlags, 'UC')
    assert.equal(world.last.responseCodeDetails, 'upstream_reset_after_response_started{connection_termination}')
    await assert.rejects(world.curl('/'), { code: 18 }, 'curl says: transfer closed with outstanding data')
  })
}

test('a response without end to an HTTP/1.0 client that breaks off: only a reset can say so', async () => {
  await using peer = await RawPeer.start(({ connection }) => {
    connection.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n')
    return undefined
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { httpProtocolOptions: { acceptHttp10: true } } })
  await using client = await world.client()
  client.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  await client.has('part')
  peer.connections[0]!.reset()
  await client.closed()
  assert.equal(client.state, 'reset')
})

test('an upstream that breaks the protocol: 502 UPE before the head, a cut after it', async () => {
  await using peer = await RawPeer.start(({ line }) => (line.includes('late') ? 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nnonsense\r\n' : 'what?\r\n\r\n'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get())
  assert.match(await client.has('protocol error'), new RegExp(`^HTTP/1\\.1 502 Bad Gateway.*${contextBody}reset reason: protocol error$`, 's'))
  assert.equal(world.last.responseFlags, 'UPE')
  assert.equal(world.last.responseCodeDetails, 'upstream_reset_before_response_started{protocol_error}')
  client.take()
  client.send(get('/late'))
  assert.match(await client.closed(), /4\r\npart\r\n$/)
  assert.equal(world.last.responseFlags, 'UPE')
})

test('an upstream that closes without an answer: 503 UC, and the client may go on', async () => {
  await using peer = await RawPeer.start(({ connection }) => {
    connection.socket.destroy()
    return undefined
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get())
  assert.match(await client.has('termination'), new RegExp(`^HTTP/1\\.1 503 .*content-type: text/plain\r\n.*\r\n\r\n${contextBody}reset reason: connection termination$`, 's'))
  assert.equal(world.last.responseFlags, 'UC')
  client.take()
  peer.answer = () => ok('back')
  client.send(get())
  await client.has('back')
})

test('an upstream that nobody listens on: 503 UF with the reason; none at all: 503 UH; an unknown cluster: 503 NC; no route: 404 NR', async () => {
  const gone = await RawPeer.start()
  const { address } = gone
  await gone[Symbol.asyncDispose]()
  await using world = await HttpWorld.start({
    clusters: { refused: [address], empty: [] },
    routes: [routeTo('refused', '/refused'), routeTo('empty', '/empty'), routeTo('unknown', '/unknown')],
  })
  await using client = await world.client()
  const rows: [string, string, string, string, string][] = [
    ['/refused', '503 Service Unavailable', 'UF', `${contextBody}reset reason: remote connection failure`, 'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}'],
    ['/empty', '503 Service Unavailable', 'UH', 'no healthy upstream', 'no_healthy_upstream'],
    ['/unknown', '503 Service Unavailable', 'NC', '', 'cluster_not_found'],
    ['/else', '404 Not Found', 'NR', '', 'route_not_found'],
  ]
  for (const [path, status, flags, body, details] of rows) {
    client.take()
    client.send(get(path))
    const text = await client.has(`content-length: ${body.length}\r\n\r\n${body}`)
    assert.ok(text.startsWith(`HTTP/1.1 ${status}\r\n`), text)
    assert.equal(world.last.responseFlags, flags)
    assert.equal(world.last.responseCodeDetails, details)
  }
})

test('gRPC clients get a status of their own instead', async () => {
  await using world = await HttpWorld.start({ clusters: { empty: [] }, routes: [routeTo('empty')] })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc+proto\r\nContent-Length: 0\r\n\r\n')
  const text = await client.has('\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/grpc\r\ngrpc-status: 14\r\ngrpc-message: no healthy upstream\r\n/)
  assert.match(text, /content-length: 0\r\n\r\n$/)
  assert.equal(world.last.grpcStatus, '14')
})

test('an upstream that never answers: 504 UT after the route\'s time, counted from the end of the request', async () => {
  await using peer = await RawPeer.start(silent)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', { timeout: ms(150) })] })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na')
  await peer.until(() => peer.connections[0]?.text.endsWith('a') === true)
  await new Promise((resolve) => setTimeout(resolve, 250))
  assert.equal(world.ended.length, 0, 'the client is not done yet')
  client.send('bc')
  assert.match(await client.has('timeout'), /^HTTP\/1\.1 504 Gateway Timeout\r\n.*\r\n\r\nupstream request timeout$/s)
  assert.equal(world.last.responseFlags, 'UT')
  assert.equal(world.last.responseCodeDetails, 'response_timeout')
  await peer.until(() => peer.open === 0)
  assert.equal(peer.requests[0]!.headers.get('x-envoy-expected-rq-timeout-ms'), '150')
})

test('time that is up in the middle of a response cuts it', async () => {
  await using peer = await RawPeer.start(() => 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart')
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', { timeout: ms(100) })] })
  await using client = await world.client()
  client.send(get())
  assert.match(await client.closed(), /part$/)
  assert.equal(world.last.responseFlags, 'UT')
})

test('a request in which nothing moves: 408 while it is incomplete, 504 after it, a cut after the head', async () => {
  await using peer = await RawPeer.start(({ line }) => (line.includes('part') ? 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart' : undefined))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { streamIdleTimeout: ms(100) } })
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na'), /^HTTP\/1\.1 408 .*stream timeout$/s)
  await using client = await world.client()
  client.send(get())
  assert.match(await client.has('stream timeout'), /^HTTP\/1\.1 504 /)
  client.take()
  client.send(get('/part'))
  assert.match(await client.closed(), /part$/)
  assert.deepEqual(world.ended.map(({ responseFlags }) => responseFlags), ['SI', 'SI', 'SI'])
  assert.equal(world.last.responseCodeDetails, 'stream_idle_timeout')
})

test('a body that does not come in time: 408', async () => {
  await using peer = await RawPeer.start(silent)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { requestTimeout: ms(200) } })
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na'), /^HTTP\/1\.1 408 .*request timeout$/s)
  assert.equal(world.last.responseCodeDetails, 'request_overall_timeout')
})

test('a head that does not come in time: 408; a connection without a request: closed', async () => {
  await using world = await HttpWorld.start({ manager: { requestHeadersTimeout: ms(300), commonHttpProtocolOptions: { idleTimeout: ms(300) } } })
  assert.match(await world.exchange('GET / HTTP/1.1\r\nHo'), /^HTTP\/1\.1 408 .*request header timeout$/s)
  assert.equal(await world.exchange(''), '')
  assert.equal(world.ended.length, 1)
})

test('a client that never closes after our FIN is closed after a moment', async () => {
  await using world = await HttpWorld.start({})
  await using client = await world.client()
  client.send(get().replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
  await client.closed()
  assert.equal(client.state, 'end')
  const timer = setInterval(() => client.send('more'), 50)
  await client.until(() => world.service.active === 0)
  clearInterval(timer)
})

test('requests per connection and its age are limited: the last response says close', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { commonHttpProtocolOptions: { maxRequestsPerConnection: 2 } } })
  const text = await world.exchange(get() + get() + get())
  assert.equal(text.split('200 OK').length, 3)
  assert.match(text, /connection: close\r\ncontent-length: 0\r\n\r\n$/)
  assert.doesNotMatch(text.slice(0, text.indexOf('\r\n\r\n')), /connection: close/)
})

// --- Flow control ---

const megabyte = 1024 * 1024
const piece = Buffer.alloc(64 * 1024, 'x')

/** Memory that is ours: the heap and what buffers hold outside it. */
const memory = () => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('a client that does not read stops the upstream, and gets everything in the end, even after the upstream is done', async () => {
  const total = 64 * megabyte
  let sent = 0
  await using peer = await RawPeer.start(({ connection }) => {
    connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`)
    const more = (): void => {
      while (sent < total) {
        sent += piece.length
        if (!connection.socket.write(piece)) return void connection.socket.once('drain', more)
      }
    }
    more()
    return undefined
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.socket.pause()
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(sent < total / 2, `the upstream was not stopped: ${sent} of ${total} were taken`)
  client.socket.removeAllListeners('data')
  let got = 0
  client.socket.on('data', (bytes: Buffer) => (got += bytes.length))
  client.socket.resume()
  await client.until(() => client.state !== 'open', 60_000)
  assert.equal(client.state, 'end')
  assert.ok(got > total)
  assert.equal(world.last.bytesSent, total)
  assert.equal(world.last.responseFlags, '')
})

test('an upstream that does not read stops the client', async () => {
  await using peer = await RawPeer.start(silent)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  const total = 64 * megabyte
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`)
  await peer.until(() => peer.connections.length === 1)
  const upstream = peer.connections[0]!.socket
  upstream.removeAllListeners('data')
  upstream.pause()
  let sent = 0
  const more = (): void => {
    while (sent < total) {
      sent += piece.length
      if (!client.socket.write(piece)) return void client.socket.once('drain', more)
    }
  }
  more()
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(sent < total / 2, `the client was not stopped: ${sent} of ${total} were taken`)
  let got = 0
  upstream.on('data', (bytes: Buffer) => {
    got += bytes.length
    if (got >= total) upstream.write(ok('all'))
  })
  upstream.resume()
  await client.has('all')
  assert.equal(world.last.bytesReceived, total)
})

/** 256 MB by default: test/e2e/run-load.test.ts sends the whole gigabyte through a mesh. */
const bodyBytes = Number(process.env['TRYSAIL_TEST_BODY_MB'] ?? 256) * megabyte

test(`a body of ${bodyBytes / megabyte} MB streams up and down with flat memory`, async () => {
  const echo = createServer((socket) => {
    let head = ''
    const onHead = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      socket.off('data', onHead)
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      socket.write(head.slice(end + 4), 'latin1')
      socket.pipe(socket)
    }
    socket.on('data', onHead).on('error', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  await using world = await HttpWorld.start({ clusters: { up: [{ host: '127.0.0.1', port: (echo.address() as AddressInfo).port }] } })
  await using client = await world.client()
  client.socket.removeAllListeners('data')
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
  let sent = 0
  const more = (): void => {
    while (sent < bodyBytes) {
      sent += piece.length
      if (!client.socket.write(chunk)) return void client.socket.once('drain', more)
    }
    client.socket.write('0\r\n\r\n')
  }
  let got = 0
  let peak = 0
  const start = memory()
  client.socket.on('data', (bytes: Buffer) => {
    got += bytes.length
    peak = Math.max(peak, memory() - start)
  })
  more()
  await client.until(() => world.ended.length === 1, 120_000)
  assert.equal(world.last.bytesReceived, bodyBytes)
  assert.equal(world.last.bytesSent, bodyBytes)
  assert.ok(peak < 96 * megabyte, `memory grew by ${Math.round(peak / megabyte)} MB`)
  echo.close()
})

test('body that comes while a connection is made waits within limits', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({
    clusters: { up: [peer.address] },
    routes: [routeTo('up', '/', { retryPolicy: { retryOn: 'connect-failure' } })],
  })
  const body = 'b'.repeat(900_000)
  peer.answer = (request: SeenRequest) => ok(String(request.body.length))
  await using client = await world.client()
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await client.has('900000')
})
