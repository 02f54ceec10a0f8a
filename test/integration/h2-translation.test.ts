// HTTP/2 and HTTP/1.1 on the two sides of the proxy, in all four ways: what one says becomes what the other means by it,
// and nothing that was one message becomes two.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpWorld } from '../support/http-world.ts'
import { Http2Client, Http2Peer } from '../support/http2-peers.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { speaksHttp2 } from '../support/upstream-world.ts'

/** A client of HTTP/2 in front of servers of HTTP/1.1. */
async function downwards(answer: (line: string) => string | undefined, manager = {}) {
  const peer = await RawPeer.start(({ line }) => answer(line))
  const world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager })
  const client = await Http2Client.connect(world.address)
  return { peer, world, client, async [Symbol.asyncDispose]() {
    for (const one of [client, world, peer]) await one[Symbol.asyncDispose]()
  } }
}

/** Clients of HTTP/1.1 in front of servers of HTTP/2. */
async function upwards(answer?: Parameters<typeof Http2Peer.start>[0], manager = {}) {
  const peer = await Http2Peer.start(answer)
  const world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: speaksHttp2(), manager })
  return { peer, world, async [Symbol.asyncDispose]() {
    await world[Symbol.asyncDispose]()
    await peer[Symbol.asyncDispose]()
  } }
}

describe('from HTTP/2 to HTTP/1.1', () => {
  test('a request keeps its method, path, authority and fields, and its body is framed', async () => {
    await using at = await downwards(() => ok('hello', 'X-One: 1'))
    const reply = await at.client.ask({ ':method': 'POST', ':path': '/a?b=1', ':authority': 'a.example:81', 'x-two': '2' }, 'four')
    assert.deepEqual([reply.status, reply.body, reply.headers['x-one'], reply.headers['content-length'], reply.headers['server']], [200, 'hello', '1', '5', 'envoy'])
    assert.equal(reply.headers['connection'], undefined)
    const [seen] = at.peer.requests
    assert.equal(seen!.line, 'POST /a?b=1 HTTP/1.1')
    assert.deepEqual([seen!.headers.get('host'), seen!.headers.get('x-two'), seen!.headers.get('transfer-encoding'), seen!.body], ['a.example:81', '2', 'chunked', 'four'])
    assert.deepEqual([at.world.last.protocol, at.world.last.bytesReceived, at.world.last.bytesSent, at.world.last.responseFlags], ['HTTP/2', 4, 5, ''])
  })

  test('a body of a known length is sent by its length, and none at all by nothing', async () => {
    await using at = await downwards(() => ok(''))
    await at.client.ask({ ':method': 'PUT', 'content-length': '3' }, 'abc')
    await at.client.ask({ ':method': 'POST' })
    await at.client.ask()
    const [put, post, get] = at.peer.requests
    assert.deepEqual([put!.headers.get('content-length'), put!.headers.get('transfer-encoding'), put!.body], ['3', undefined, 'abc'])
    assert.equal(post!.headers.get('content-length'), '0')
    assert.deepEqual([get!.headers.get('content-length'), get!.headers.get('transfer-encoding')], [undefined, undefined])
    assert.equal(at.peer.connections.length, 1)
  })

  test('cookies that come apart are joined, and fields of one hop do not pass', async () => {
    await using at = await downwards(() => ok('', 'Connection: x-hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Upgrade: h3', 'X-End: 1'))
    const reply = await at.client.ask({ cookie: ['a=1', 'b=2'], te: 'trailers' })
    assert.equal(at.peer.requests[0]!.headers.get('cookie'), 'a=1; b=2')
    assert.equal(at.peer.requests[0]!.headers.get('te'), 'trailers')
    for (const name of ['connection', 'x-hop', 'keep-alive', 'upgrade', 'transfer-encoding']) assert.equal(reply.headers[name], undefined, name)
    assert.equal(reply.headers['x-end'], '1')
  })

  test('trailers pass in both directions', async () => {
    await using at = await downwards(() => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n')
    const reply = await at.client.ask({ ':method': 'POST' }, 'x', { 'x-late': 'yes' })
    assert.deepEqual([reply.body, reply.trailers['x-sum']], ['abc', '7'])
    assert.match(at.peer.requests[0]!.trailers, /^x-late: yes$/)
  })

  const bodiless = [
    { what: 'HEAD', headers: { ':method': 'HEAD' }, answer: 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n', status: 200, length: '1000' },
    { what: '204', headers: {}, answer: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204, length: undefined },
    { what: '304', headers: {}, answer: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n', status: 304, length: '77' },
  ]
  for (const { what, headers, answer, status, length } of bodiless) {
    test(`an answer to ${what} ends with its head, and says what a body would have`, async () => {
      await using at = await downwards(() => answer)
      const reply = await at.client.ask(headers)
      assert.deepEqual([reply.status, reply.headers['content-length'], reply.body, reply.code], [status, length, '', 0])
      assert.equal((await at.client.ask({ ':method': 'HEAD' })).status, status, 'the connection goes on')
    })
  }

  test('who expects 100 gets it before the body, once', async () => {
    await using at = await downwards(() => ok('done'))
    const stream = at.client.open({ ':method': 'POST', expect: '100-continue' })
    const informed = new Promise<number>((resolve) => stream.once('continue', () => resolve(100)))
    assert.equal(await informed, 100)
    stream.end('body')
    await at.peer.until(() => at.peer.requests.length === 1)
    assert.equal(at.peer.requests[0]!.headers.get('expect'), undefined)
    assert.equal(at.peer.requests[0]!.body, 'body')
    stream.close()
  })

  test('early hints pass where they are wanted, and never 101', async () => {
    await using at = await downwards(() => `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok('x')}`, { proxy100Continue: true })
    const reply = await at.client.ask()
    assert.deepEqual([reply.status, reply.informational], [200, [103]])
  })

  test('a server that ends its answer by closing is told apart from one that was cut off', async () => {
    await using at = await downwards((line) => (line.includes('/cut') ? 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc' : 'HTTP/1.1 200 OK\r\n\r\nabc'))
    const whole = at.client.ask({ ':path': '/whole' })
    await at.peer.until(() => at.peer.requests.length === 1)
    at.peer.connections[0]!.socket.end()
    assert.deepEqual(await whole.then(({ status, body, code }) => ({ status, body, code })), { status: 200, body: 'abc', code: 0 })
    const cut = at.client.ask({ ':path': '/cut' })
    await at.peer.until(() => at.peer.requests.length === 2)
    at.peer.connections[1]!.socket.end()
    const { status, code } = await cut
    assert.deepEqual([status, code], [200, 2])
    assert.equal(at.world.last.responseFlags, 'UC')
  })
})

describe('from HTTP/1.1 to HTTP/2', () => {
  test('a request becomes a stream, and its answer one of HTTP/1.1', async () => {
    await using at = await upwards(({ stream }) => (stream.respond({ ':status': 201, 'content-length': '5', 'x-one': '1' }), stream.end('hello')))
    const text = await at.world.exchange('POST /a?b=1 HTTP/1.1\r\nHost: a.example:81\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nCookie: a=1; b=2\r\nContent-Length: 4\r\n\r\nfour')
    assert.match(text, /^HTTP\/1\.1 201 Created\r\n.*x-one: 1\r\n.*content-length: 5\r\n\r\nhello$/s)
    const [{ headers, body }] = at.peer.requests as [(typeof at.peer.requests)[0]]
    assert.deepEqual([headers[':method'], headers[':path'], headers[':authority'], headers[':scheme'], headers['content-length'], body], ['POST', '/a?b=1', 'a.example:81', 'http', '4', 'four'])
    assert.deepEqual([headers['cookie'], headers['x-hop'], headers['connection'], headers['host']], ['a=1; b=2', undefined, undefined, undefined])
  })

  test('chunks become DATA, and trailers pass in both directions', async () => {
    await using at = await upwards(({ stream }) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }))
      stream.end('abc')
    })
    await using client = await at.world.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\nX-End: now\r\n\r\n')
    assert.match(await client.has('x-sum: 7\r\n\r\n'), /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n$/)
    assert.deepEqual([at.peer.requests[0]!.body, at.peer.requests[0]!.trailers?.['x-end']], ['xyz', 'now'])
    assert.equal(at.peer.requests[0]!.headers['te'], 'trailers')
  })

  test('many requests of many clients share one connection', async () => {
    await using at = await upwards()
    const texts = await Promise.all(Array.from({ length: 50 }, () => at.world.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')))
    for (const text of texts) assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    assert.equal(at.peer.sessions.length, 1)
  })

  test('HEAD and 304 keep the length that they tell, and 204 has none', async () => {
    await using at = await upwards(({ stream, headers }) => stream.respond({ ':status': Number(String(headers[':path']).slice(1)), 'content-length': headers[':path'] === '/204' ? undefined : '77' }, { endStream: true }))
    assert.match(await at.world.exchange('HEAD /200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /content-length: 77\r\n/)
    assert.match(await at.world.exchange('GET /304 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /content-length: 77\r\n.*\r\n\r\n$/s)
    assert.doesNotMatch(await at.world.exchange('GET /204 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /content-length/)
  })

  test('an offer of h2c is not taken up, and is not handed on', async () => {
    await using at = await upwards()
    const text = await at.world.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n')
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    for (const name of ['upgrade', 'http2-settings', 'connection']) assert.equal(at.peer.requests[0]!.headers[name], undefined, name)
  })
})

describe('nothing is smuggled', () => {
  const cases: { what: string; headers: Record<string, string>; body?: string }[] = [
    { what: 'a Content-Length that is shorter than the body', headers: { ':method': 'POST', 'content-length': '1' }, body: 'xGET /evil HTTP/1.1\r\n\r\n' },
    { what: 'a Content-Length that is longer than the body', headers: { ':method': 'POST', 'content-length': '100' }, body: 'x' },
  ]
  for (const { what, headers, body } of cases) {
    test(`${what} ends the stream, and no second request is seen`, async () => {
      await using at = await downwards(() => ok('x'))
      const stream = at.client.open(headers)
      const code = new Promise<number>((resolve) => stream.once('close', () => resolve(stream.rstCode ?? 0)))
      stream.end(body)
      assert.equal(await code, 1)
      assert.equal((await at.client.ask({ ':path': '/next' })).status, 200)
      assert.deepEqual(at.peer.requests.map(({ line }) => line).filter((line) => line !== 'POST / HTTP/1.1'), ['GET /next HTTP/1.1'])
      assert.equal(at.world.ended.find(({ method }) => method === 'POST')?.responseFlags, 'DPE')
    })
  }

  test('a length that an HTTP/1.1 server contradicts by chunks never reaches the client of HTTP/2', async () => {
    await using at = await downwards(() => 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
    const { status } = await at.client.ask()
    assert.equal(status, 502)
    assert.equal(at.world.last.responseFlags, 'UPE')
  })
})

test('from HTTP/2 to HTTP/2 a message is the same on both sides, and its connection is not', async () => {
  await using peer = await Http2Peer.start(({ stream, body }) => {
    stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-length': String(body.length) }))
    stream.end(body)
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: speaksHttp2() })
  const clients = await Promise.all([Http2Client.connect(world.address), Http2Client.connect(world.address)])
  const replies = await Promise.all(clients.flatMap((client) => Array.from({ length: 20 }, (_, i) => client.ask({ ':method': 'POST', ':path': `/${i}` }, 'x'.repeat(i * 1000)))))
  for (const [at, reply] of replies.entries()) {
    assert.deepEqual([reply.status, reply.body.length, reply.trailers['x-length']], [200, (at % 20) * 1000, String((at % 20) * 1000)])
    assert.deepEqual(reply.headers['set-cookie'], ['a=1', 'b=2'])
  }
  assert.equal(peer.sessions.length, 1)
  for (const client of clients) await client[Symbol.asyncDispose]()
})
