// Our HTTP/2 codec against node:http2 (nghttp2): each as client and as server of the other, on real sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { HeaderList } from '../../src/codec/header-list.ts'
import { defaultH2Limits } from '../../src/codec/h2/limits.ts'
import type { H2Limits } from '../../src/codec/h2/types.ts'
import { openSession, serveSession } from '../support/h2-socket.ts'
import type { Reactions } from '../support/h2-socket.ts'

const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 31) & 0xff))

async function ourServer(reactions: Reactions, limits: Partial<H2Limits> = {}): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => serveSession(socket, reactions, { ...defaultH2Limits, ...limits }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: () => close(server) }
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}

/** Answers with the request's body, its head as fields, an interim response before and trailers behind. */
const echo: Reactions = {
  onDone(stream, { head, body, trailers, reset }) {
    if (reset !== undefined) return
    stream.sendResponse(103, HeaderList.of('link', '</a>'), false)
    stream.sendResponse(200, HeaderList.of('x-head', head.join('|'), 'x-trailers', String(trailers)), false)
    stream.sendData(body, 0, body.length)
    stream.sendEnd(HeaderList.of('x-last', 'yes'))
  },
}

test('node:http2 as a client gets bodies, interim responses and trailers from our server', async () => {
  await using server = await ourServer(echo)
  const client = http2.connect(`http://127.0.0.1:${server.port}`)
  for (const body of [Buffer.alloc(0), Buffer.from('abc'), large]) {
    const request = client.request({ ':method': 'POST', ':path': '/x?y=1', 'x-a': 'b', cookie: ['a=1', 'b=2'] })
    const seen = { status: 0, interim: 0, head: '', last: '' }
    request.on('headers', (headers) => (seen.interim = Number(headers[':status'])))
    request.on('response', (headers) => {
      seen.status = Number(headers[':status'])
      seen.head = String(headers['x-head'])
    })
    request.on('trailers', (trailers) => (seen.last = String(trailers['x-last'])))
    request.end(body)
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    assert.deepEqual(seen, { status: 200, interim: 103, head: `POST|http|127.0.0.1:${server.port}|/x?y=1||x-a|b|cookie|a=1; b=2`, last: 'yes' })
    assert.ok(Buffer.concat(pieces).equals(body))
  }
  client.close()
  await once(client, 'close')
})

test('node:http2 as a server answers our client: bodies, interim responses, trailers, many streams at once', async () => {
  const server = http2.createServer({ settings: { maxConcurrentStreams: 200 } })
  server.on('stream', (stream, headers) => {
    stream.additionalHeaders({ ':status': 103 })
    stream.respond({ ':status': 201, 'x-path': headers[':path'], 'x-a': headers['x-a'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': 'yes' }))
    stream.pipe(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  {
    await using client = await openSession((server.address() as AddressInfo).port)
    for (const body of [undefined, Buffer.from('abc'), large]) {
      const seen = await client.ask('POST', '/p', ['x-a', 'b'], body)
      assert.deepEqual([seen.head[0], seen.interim, seen.trailers, seen.reset], ['201', [103], ['x-last', 'yes'], undefined])
      assert.deepEqual(seen.head.slice(1, 5), ['x-path', '/p', 'x-a', 'b'])
      assert.ok(seen.body.equals(body ?? Buffer.alloc(0)))
    }
    const all = await Promise.all(Array.from({ length: 100 }, (_, n) => client.ask('POST', `/${n}`, ['x-a', String(n)], large.subarray(0, 1000 * n))))
    all.forEach((seen, n) => assert.ok(seen.body.equals(large.subarray(0, 1000 * n)) && seen.head[2] === `/${n}`, `stream ${n}`))
    assert.equal(client.session.openStreams, 0)
  }
  await new Promise((resolve) => server.close(resolve))
})

/** Fields as anyone might send them: the same ones again, ones that differ by request, long ones, odd bytes. */
function fieldsOf(n: number): string[] {
  const odd = Array.from({ length: n % 90 }, (_, i) => String.fromCharCode(0x21 + ((n * 7 + i * 13) % 94))).join('')
  return ['x-same', 'always', 'x-turn', String(n % 3), 'x-serial', String(n), 'x-odd', odd, 'x-long', 'v'.repeat((n * 37) % 3000), 'user-agent', 'test', 'x-latin', '\xe4\xf6\xfc'.slice(0, n % 4)]
}

const rounds = Array.from({ length: 150 }, (_, n) => fieldsOf(n))

test('what our HPACK encoder writes nghttp2 reads, and the other way round, over 150 requests of one connection', async () => {
  const server = http2.createServer()
  server.on('stream', (stream, headers) => {
    const back: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) if (name.startsWith('x-') || name === 'user-agent') back[name] = String(value)
    stream.respond({ ':status': 200, ...back }, { endStream: true })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  {
    await using client = await openSession((server.address() as AddressInfo).port)
    for (const fields of rounds) {
      const { head } = await client.ask('GET', '/', fields)
      for (let i = 0; i < fields.length; i += 2) {
        const at = head.indexOf(fields[i]!)
        assert.equal(head[at + 1], fields[i + 1], fields[i])
      }
    }
  }
  await new Promise((resolve) => server.close(resolve))
})

test('what nghttp2\'s HPACK encoder writes we read, with a small table too', async () => {
  await using server = await ourServer({
    onDone(stream, { head }) {
      stream.sendResponse(200, HeaderList.of(...head.slice(5)), true)
    },
  })
  for (const headerTableSize of [4096, 100, 0]) {
    const client = http2.connect(`http://127.0.0.1:${server.port}`, { settings: { headerTableSize } })
    for (const fields of rounds) {
      const headers: Record<string, string> = {}
      for (let i = 0; i < fields.length; i += 2) headers[fields[i]!] = fields[i + 1]!
      const request = client.request(headers)
      const [response] = (await once(request, 'response')) as [http2.IncomingHttpHeaders]
      for (const [name, value] of Object.entries(headers)) assert.equal(response[name], value, name)
      request.resume()
      await once(request, 'close')
    }
    client.close()
    await once(client, 'close')
  }
})

/** Says the fields of the request back. */
const fieldsBack: Reactions = { onDone: (stream, { head, sensitive }) => stream.sendResponse(200, withSensitive(HeaderList.of(...head.slice(5)), sensitive), true) }

function withSensitive(headers: HeaderList, sensitive: readonly string[]): HeaderList {
  if (sensitive.length > 0) headers.sensitive = [...sensitive]
  return headers
}

/** What goes out comes back, field by field. */
async function roundTrip(client: http2.ClientHttp2Session, fields: readonly string[]): Promise<http2.IncomingHttpHeaders> {
  const headers: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) headers[fields[i]!] = fields[i + 1]!
  const request = client.request(headers)
  const [response] = (await once(request, 'response')) as [http2.IncomingHttpHeaders]
  for (const [name, value] of Object.entries(headers)) assert.equal(response[name], value, name)
  request.resume()
  if (!request.closed) await once(request, 'close')
  return response
}

test("a table whose size nghttp2 changes while the connection goes on, twice between two blocks too", async () => {
  await using server = await ourServer(fieldsBack)
  const client = http2.connect(`http://127.0.0.1:${server.port}`)
  for (const sizes of [[0], [4096], [0, 4096], [100, 65_536, 50, 2000], [0], [4096, 0, 300]]) {
    for (const headerTableSize of sizes) await new Promise((resolve) => client.settings({ headerTableSize }, resolve))
    for (const fields of rounds.slice(0, 25)) await roundTrip(client, fields)
  }
  client.close()
  await once(client, 'close')
})

test('a table that we allow to be small: nghttp2 says so before it uses it', async () => {
  for (const headerTableBytes of [0, 64, 1000, 4096, 65_536]) {
    await using server = await ourServer(fieldsBack, { headerTableBytes })
    const client = http2.connect(`http://127.0.0.1:${server.port}`)
    for (const fields of rounds.slice(0, 40)) await roundTrip(client, fields)
    client.close()
    await once(client, 'close')
  }
})

test('what is never indexed stays so, both ways', async () => {
  const marks: (readonly string[])[] = []
  await using server = await ourServer({ onDone: (stream, seen) => (marks.push(seen.sensitive), fieldsBack.onDone!(stream, seen)) })
  const client = http2.connect(`http://127.0.0.1:${server.port}`)
  for (const sensitive of [['x-key'], [], ['x-key', 'x-other']]) {
    const request = client.request({ 'x-key': 'secret', 'x-other': 'a', 'x-plain': 'b', [http2.sensitiveHeaders]: sensitive })
    const [response] = (await once(request, 'response')) as [http2.IncomingHttpHeaders]
    request.resume()
    assert.deepEqual([response['x-key'], response['x-other'], response['x-plain']], ['secret', 'a', 'b'])
    assert.deepEqual([marks.at(-1), Reflect.get(response, http2.sensitiveHeaders)], [sensitive, sensitive])
  }
  client.close()
  await once(client, 'close')
})

test('strings in Huffman code, both ways: they take fewer bytes than they have', async () => {
  await using server = await ourServer(fieldsBack)
  const client = http2.connect(`http://127.0.0.1:${server.port}`)
  await roundTrip(client, ['x-first', '1'])
  const { socket } = client
  const [sent, received] = [socket.bytesWritten, socket.bytesRead]
  // Five bits each; small enough for half of our table.
  await roundTrip(client, ['x-long', 'aeiost012'.repeat(150)])
  for (const [what, bytes] of [['sent', socket.bytesWritten - sent], ['received', socket.bytesRead - received]] as const) assert.ok(bytes < 1200, `${what} ${bytes} bytes for 1350`)
  client.close()
  await once(client, 'close')
})
