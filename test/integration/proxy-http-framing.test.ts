// HTTP/1 between a client and an upstream, in exact bytes: framing, keep-alive, pipelining, old versions, bad input.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { RawPeer, ok, response } from '../support/raw-peer.ts'

const get = (path = '/', ...headers: string[]) => [`GET ${path} HTTP/1.1`, 'Host: a', ...headers, '', ''].join('\r\n')

test('a request goes on as it should be, and its response comes back on a connection that stays', async () => {
  await using peer = await RawPeer.start(() => ok('hello', 'X-One: 1'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('GET /a?b=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n')
  const first = await client.has('hello')
  assert.match(first, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(first, /\r\nx-one: 1\r\n/)
  assert.match(first, /\r\nserver: envoy\r\n/)
  assert.match(first, /\r\ndate: [^\r]+GMT\r\n/)
  assert.match(first, /\r\nx-envoy-upstream-service-time: \d+\r\n/)
  assert.match(first, /\r\ncontent-length: 5\r\n\r\nhello$/)
  client.take()
  client.send(get('/second'))
  await client.has('hello')
  const [one, two] = peer.requests
  assert.equal(one!.line, 'GET /a?b=1 HTTP/1.1')
  assert.equal(one!.headers.get('host'), 'a.example')
  assert.equal(one!.headers.get('accept'), '*/*')
  assert.equal(one!.headers.get('x-forwarded-proto'), 'http')
  assert.match(one!.headers.get('x-request-id')!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.notEqual(one!.headers.get('x-request-id'), two!.headers.get('x-request-id'))
  assert.equal(one!.headers.get('content-length'), undefined, 'a GET without a body says nothing of one')
  assert.equal(one!.connection, two!.connection, 'the upstream connection is used again')
})

test('pipelined requests are answered in order, one upstream request at a time', async () => {
  await using peer = await RawPeer.start(({ line }) => ok(line.split(' ')[1]!))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get('/1') + get('/2') + 'POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc' + get('/4'))
  const text = await client.has('/4')
  assert.deepEqual([...text.matchAll(/\r\n\r\n(\/\d)/g)].map(([, path]) => path), ['/1', '/2', '/3', '/4'])
  assert.equal(peer.requests[2]!.body, 'abc')
  assert.equal(peer.connections.length, 1)
})

test('pipelined requests that the proxy answers itself are answered in order too', async () => {
  await using world = await HttpWorld.start({ routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'directResponse', value: { status: 200, body: { specifier: { case: 'inlineString', value: 'me' } } } } }] })
  await using client = await world.client()
  client.send(get('/1').repeat(50))
  await client.until(() => client.text.split('\r\n\r\nme').length === 51)
  assert.equal(world.ended.length, 50)
})

test('chunks, trailers and their hop are passed on in both directions', async () => {
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n'
  await using peer = await RawPeer.start(() => chunked)
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\nX-End: now\r\n\r\n')
  const text = await client.has('x-sum: 7\r\n\r\n')
  assert.match(text, /\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n$/)
  assert.equal(peer.requests[0]!.body, 'xyz')
  assert.match(peer.requests[0]!.trailers, /x-end: now/)
  assert.equal(peer.requests[0]!.headers.get('te'), 'trailers')
  assert.equal(world.last.bytesSent, 7)
  assert.equal(world.last.bytesReceived, 3)
})

test('HEAD, 204 and 304 have no body, and HEAD and 304 keep the length that they tell', async () => {
  const answers: Record<string, string> = {
    '/head': 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n',
    '/204': 'HTTP/1.1 204 No Content\r\n\r\n',
    '/304': 'HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\netag: "x"\r\n\r\n',
  }
  await using peer = await RawPeer.start(({ line }) => answers[line.split(' ')[1]!])
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.has('\r\n\r\n'), /content-length: 1000\r\n/)
  client.take()
  client.send(get('/204'))
  assert.doesNotMatch(await client.has('\r\n\r\n'), /content-length|transfer-encoding/)
  client.take()
  client.send(get('/304'))
  assert.match(await client.has('\r\n\r\n'), /content-length: 77\r\n/)
  client.take()
  client.send('HEAD /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await peer.until(() => peer.requests.length === 4)
  peer.requests[3]!.connection.send('HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n')
  assert.match(await client.closed(), /^HTTP\/1\.1 404 Not Found\r\n.*\r\n\r\n$/s)
})

test('an upstream that ends its body by closing is passed on in chunks', async () => {
  await using peer = await RawPeer.start(({ connection }) => {
    connection.socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
    return undefined
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get())
  assert.match(await client.has('0\r\n\r\n'), /transfer-encoding: chunked\r\n\r\na\r\nto the end\r\n0\r\n\r\n$/)
})

test('HTTP/1.0 is told to upgrade unless it is accepted', async () => {
  await using world = await HttpWorld.start({})
  assert.match(await world.exchange('GET / HTTP/1.0\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 426 Upgrade Required\r\n.*connection: close/s)
  assert.equal(world.last.responseCodeDetails, 'low_version')
})

test('an accepted HTTP/1.0 client gets a body that ends with the connection, or a length and keep-alive', async () => {
  await using peer = await RawPeer.start(({ line }) => (line.includes('/chunks') ? 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n' : ok('hello')))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { httpProtocolOptions: { acceptHttp10: true, defaultHostForHttp10: 'old' } } })
  const closed = await world.exchange('GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  assert.match(closed, /connection: close\r\n\r\nhi$/)
  assert.doesNotMatch(closed, /transfer-encoding|content-length/)
  assert.equal(peer.requests[0]!.headers.get('host'), 'old')
  await using client = await world.client()
  client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  assert.match(await client.has('hello'), /connection: keep-alive\r\ncontent-length: 5/)
  client.send('GET / HTTP/1.0\r\n\r\n')
  assert.match(await client.closed(), /connection: close\r\ncontent-length: 5\r\n\r\nhello$/)
})

test('a client that asks first hears 100 from the proxy, and only once', async () => {
  await using peer = await RawPeer.start(() => 'HTTP/1.1 100 Continue\r\n\r\n' + ok('thanks'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
  assert.equal(await client.has('100 Continue\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  client.send('body')
  const text = await client.has('thanks')
  assert.equal(text.split('100 Continue').length, 2)
  assert.equal(peer.requests[0]!.headers.get('expect'), undefined)
  assert.match(await world.curl('/', '-H', 'Expect: 100-continue', '-d', 'x'.repeat(2000)), /thanks/)
})

test('with proxy_100_continue the upstream decides, and early hints pass', async () => {
  await using peer = await RawPeer.start()
  peer.answer = () => 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n' + ok('done')
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { proxy100Continue: true } })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody')
  assert.match(await client.has('done'), /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>\r\n\r\nHTTP\/1\.1 200/)
  assert.equal(peer.requests[0]!.headers.get('expect'), '100-continue')
})

test('a request that is refused at once hears no 100', async () => {
  await using world = await HttpWorld.start({ routes: [routeTo('nowhere')] })
  const text = await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 503 .*connection: close/s)
})

test('upgrades and CONNECT are refused, and h2c is not taken up', async () => {
  await using peer = await RawPeer.start(() => ok('plain'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  for (const [request, status, details] of [[get('/', 'Connection: Upgrade', 'Upgrade: websocket'), 403, 'upgrade_failed'], ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 404, 'route_not_found']] as const) {
    await using refused = await world.client()
    refused.send(request)
    assert.match(await refused.closed(), new RegExp(`^HTTP/1\\.1 ${status} .*\\r\\n(?:.*\\r\\n)*connection: close\\r\\n`))
    assert.equal(world.last.responseCodeDetails, details)
  }
  assert.equal(peer.requests.length, 0)
  await using client = await world.client()
  client.send(get('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'))
  assert.match(await client.has('plain'), /200 OK/)
  for (const name of ['upgrade', 'connection', 'http2-settings']) assert.equal(peer.requests[0]!.headers.has(name), false, name)
})

test('what Connection names stays on its hop, but not what the proxy rests on', async () => {
  await using peer = await RawPeer.start(() => ok('x', 'Connection: X-Secret', 'X-Secret: 1', 'X-Open: 1', 'Keep-Alive: timeout=50', 'Proxy-Connection: x'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(get('/', 'Connection: X-Mine, Content-Length, Host, X-Forwarded-Proto', 'X-Mine: 1', 'X-Forwarded-Proto: https', 'Proxy-Connection: x', 'Keep-Alive: 5'))
  const text = await client.has('\r\n\r\nx')
  assert.doesNotMatch(text, /x-secret|keep-alive|proxy-connection/)
  assert.match(text, /x-open: 1/)
  const { headers } = peer.requests[0]!
  for (const name of ['x-mine', 'connection', 'proxy-connection', 'keep-alive']) assert.equal(headers.has(name), false, name)
  assert.equal(headers.get('host'), 'a')
  assert.equal(headers.get('x-forwarded-proto'), 'https')
})

test('an absolute target wins over Host', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('GET http://real.example:81/x?y HTTP/1.1\r\nHost: other\r\n\r\n')
  await client.has('\r\n\r\n')
  assert.equal(peer.requests[0]!.line, 'GET /x?y HTTP/1.1')
  assert.equal(peer.requests[0]!.headers.get('host'), 'real.example:81')
})

const refused: [string, string, number][] = [
  ['both Content-Length and Transfer-Encoding', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde', 400],
  ['Transfer-Encoding that does not end in chunked', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 400],
  ['a space before the colon', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 400],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n', 400],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a bad authority in the target', 'GET http://a|b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
  ['a fragment after the query', 'GET /a?c#b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
  ['a version that begins like the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n', 505],
  ['something else', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['101 headers', `GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(100)}\r\n`, 431],
]

for (const [what, bytes, status] of refused) {
  test(`${what}: ${status}, the connection ends, and nothing reaches the upstream`, async () => {
    await using peer = await RawPeer.start()
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
    const text = await world.exchange(bytes)
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.match(text, /\r\nconnection: close\r\n/)
    assert.equal(text.split('HTTP/1.1').length, 2, 'one answer')
    assert.equal(peer.connections.length, 0)
    assert.equal(world.ended.length, 1)
  })
}

test('a chunk that is broken after the head went on: 400, and the upstream connection is given up', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  await peer.until(() => peer.connections[0]?.text.includes('abc') === true)
  client.send('zz\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.closed(), /^HTTP\/1\.1 400 Bad Request\r\n/)
  await peer.until(() => peer.open === 0)
  assert.equal(peer.requests.length, 0)
  assert.equal(world.last.responseFlags, 'DPE')
})

test('a malformed request after HEAD is answered with a body that its head names', async () => {
  await using peer = await RawPeer.start(() => ok(''))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.has('\r\n\r\n')
  client.take()
  client.send('nonsense\r\n\r\n')
  assert.match(await client.closed(), /content-length: 11\r\n\r\nBad Request$/)
})

test('a head of 1 MB is refused with 431 and read no further', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await using client = await world.client()
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Big: ${'a'.repeat(1024 * 1024)}\r\n\r\n`)
  const text = await client.closed()
  assert.match(text, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n.*\r\n\r\nRequest Header Fields Too Large$/s)
  assert.equal(world.last.responseCodeDetails, 'http1.headers_too_large')
  assert.equal(world.last.responseFlags, 'DPE')
  assert.equal(peer.connections.length, 0)
})

test('an answer before the request is complete ends the connection, from upstream or our own', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/up'), routeTo('nowhere')] })
  await using early = await world.client()
  early.send('POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc')
  await peer.until(() => peer.connections[0]?.text.includes('abc') === true)
  peer.connections[0]!.send(response(413, 'too big'))
  assert.match(await early.closed(), /^HTTP\/1\.1 413 .*connection: close\r\ncontent-length: 7\r\n\r\ntoo big$/s)
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc'), /^HTTP\/1\.1 503 .*connection: close/s)
  await peer.until(() => peer.open === 0)
})

test('curl gets what it asks for, with and without a body, over one connection', async () => {
  await using peer = await RawPeer.start(({ body }) => ok(`got ${body.length}`))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  assert.match(await world.curl('/'), /^HTTP\/1\.1 200 OK\r\n.*got 0$/s)
  const big = 'x'.repeat(300_000)
  assert.match(await world.curl('/', '-H', 'Expect:', '--data', `${big.slice(0, 100_000)}`), /got 100000$/)
  assert.match(await world.curl('/a', '-H', 'Transfer-Encoding: chunked', '-d', 'abc'), /got 3$/)
  assert.match(await world.curl('/a', '-X', 'DELETE'), /got 0$/)
  assert.equal(world.ended.every(({ responseCode }) => responseCode === 200), true)
})
