// RFC 9113 on real sockets, with the proxy whole: connections that begin, connections that fail and are closed, as a server
// of a client that breaks the rules, and as a client of a server that does (test/support/h2-raw-server.ts).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HpackDecoder } from '../../../src/codec/hpack/decoder.ts'
import {
  END_HEADERS, block, continuation, data, describeFrame, frame, get, goAway, headers, ok, ping, preface, priority, readFrames, rst, settings, settingsAck, windowUpdate,
} from '../../support/h2-frames.ts'
import type { Code } from '../../support/h2-frames.ts'
import { RawH2Server } from '../../support/h2-raw-server.ts'
import { HttpWorld } from '../../support/http-world.ts'
import { RawPeer, ok as answer } from '../../support/raw-peer.ts'
import { speaksHttp2 } from '../../support/upstream-world.ts'

const written = (pieces: readonly Buffer[]): string[] => readFrames(Buffer.concat(pieces)).map(describeFrame)

/** What a client sends after its first frames, and the code of the GOAWAY after which the connection is closed. */
const clientFaults: readonly (readonly [section: string, title: string, frames: readonly Buffer[], code: Code])[] = [
  ['4.2', 'a frame larger than SETTINGS_MAX_FRAME_SIZE', [frame(0, 0, 1, Buffer.alloc(20_000))], 'FRAME_SIZE_ERROR'],
  ['4.3', 'a block that is no HPACK', [headers(1, Buffer.from([0x80]))], 'COMPRESSION_ERROR'],
  ['5.1', 'DATA on an idle stream', [data(1, 'a')], 'PROTOCOL_ERROR'],
  ['6.5', 'SETTINGS on a stream', [frame(4, 0, 1)], 'PROTOCOL_ERROR'],
  ['6.9', 'WINDOW_UPDATE of zero', [windowUpdate(0, 0)], 'PROTOCOL_ERROR'],
  ['6.9.1', 'a window beyond 2^31-1', [windowUpdate(0, 0x7fffffff)], 'FLOW_CONTROL_ERROR'],
]

describe('as a server, on a socket', () => {
  test('3.4: SETTINGS are the first that a client hears, and its own are acknowledged', async () => {
    await using world = await HttpWorld.start()
    await using client = await world.client()
    client.send(preface).send(settings())
    await client.until(() => client.received >= 9 + 6 * 6 + 9)
    const lines = written(client.pieces)
    assert.equal(lines[0], 'SETTINGS')
    assert.ok(lines.includes('SETTINGS ACK'))
  })

  for (const [section, title, frames, code] of clientFaults) {
    test(`5.4.1, ${section}: ${title}: GOAWAY, and the connection is closed`, async () => {
      await using world = await HttpWorld.start()
      await using client = await world.client()
      client.send(preface).send(settings())
      for (const one of frames) client.send(one)
      await client.closed()
      assert.equal(client.state, 'end')
      assert.match(written(client.pieces).at(-1)!, new RegExp(`^GOAWAY \\d+ ${code}$`))
    })
  }

  test('8.1.1: a malformed request is never handed on, and the next one is', async () => {
    await using peer = await RawPeer.start(() => answer('x'))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
    await using client = await world.client()
    client.send(preface).send(settings()).send(settingsAck)
    client.send(headers(1, Buffer.concat([get, block('x-a', 'b\r\nx-evil: 1')]))).send(headers(3, Buffer.concat([get, block('transfer-encoding', 'chunked')]))).send(headers(5, get))
    await client.until(() => written(client.pieces).some((line) => line === 'HEADERS 5'))
    assert.deepEqual(written(client.pieces).filter((line) => line.startsWith('RST')), ['RST_STREAM 1 PROTOCOL_ERROR', 'RST_STREAM 3 PROTOCOL_ERROR'])
    assert.equal(peer.requests.length, 1)
    assert.doesNotMatch(peer.requests[0]!.head, /evil|chunked/)
  })

  test('8.2.2: what an HTTP/1.1 server says of its connection ends here, TE too', async () => {
    await using peer = await RawPeer.start(() => answer('x', 'TE: trailers', 'Connection: x-hop', 'X-Hop: 1', 'Proxy-Connection: x', 'X-End: 1'))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: {} })
    const text = await world.curl('/', '--http2-prior-knowledge')
    assert.match(text, /x-end: 1/)
    assert.doesNotMatch(text, /^(te|connection|x-hop|proxy-connection):/m)
  })
})

const alive = (id: number): Buffer => headers(id, ok)
const end = ({ id }: { readonly id: number }): readonly Buffer[] => [alive(id)]

/** What a server answers the first request with, how the connection ends, and what the client of the proxy sees. */
const serverFaults: readonly (readonly [section: string, title: string, frames: readonly Buffer[], code: Code])[] = [
  ['4.2', 'a frame larger than SETTINGS_MAX_FRAME_SIZE', [headers(1, ok, END_HEADERS), data(1, 'x'.repeat(20_000))], 'FRAME_SIZE_ERROR'],
  ['4.3', 'a block that is no HPACK', [headers(1, Buffer.from([0x80]))], 'COMPRESSION_ERROR'],
  ['4.3', 'another frame within a header block', [headers(1, ok, 0), ping(), continuation(1, Buffer.alloc(0))], 'PROTOCOL_ERROR'],
  ['5.1', 'a response on a stream that nobody opened', [headers(3, ok)], 'PROTOCOL_ERROR'],
  ['5.1', 'DATA on a stream of its own', [data(2, 'x')], 'PROTOCOL_ERROR'],
  ['6.3', 'PRIORITY on stream 0', [priority(0)], 'PROTOCOL_ERROR'],
  ['6.4', 'RST_STREAM on a stream that nobody opened', [rst(5)], 'PROTOCOL_ERROR'],
  ['6.5.2', 'SETTINGS_ENABLE_PUSH of 1', [settings(2, 1)], 'PROTOCOL_ERROR'],
  ['6.6', 'PUSH_PROMISE', [frame(5, END_HEADERS, 1, Buffer.concat([Buffer.from([0, 0, 0, 2]), get]))], 'PROTOCOL_ERROR'],
  ['6.7', 'PING of seven bytes', [ping('1234567')], 'FRAME_SIZE_ERROR'],
  ['6.8', 'GOAWAY on a stream', [frame(7, 0, 1, Buffer.alloc(8))], 'PROTOCOL_ERROR'],
  ['6.9', 'WINDOW_UPDATE of zero on the connection', [windowUpdate(0, 0)], 'PROTOCOL_ERROR'],
  ['6.9.2', 'windows that SETTINGS make too large', [windowUpdate(1, 0x7fff0000), settings(4, 0x7fffffff)], 'FLOW_CONTROL_ERROR'],
  ['6.10', 'CONTINUATION without HEADERS', [continuation(1, ok)], 'PROTOCOL_ERROR'],
]

/** What resets only the stream. */
const badResponses: readonly (readonly [section: string, title: string, frames: readonly Buffer[]])[] = [
  ['8.1', 'DATA before the head', [data(1, 'x')]],
  ['8.2.1', 'a value with a line break', [headers(1, block(':status', '200', 'x-a', 'b\r\nset-cookie: evil'))]],
  ['8.2.2', 'a field of connections', [headers(1, block(':status', '200', 'connection', 'close'))]],
  ['8.3.2', 'no :status', [headers(1, block('x-a', 'b'))]],
  ['8.1.1', 'Content-Length and no body', [headers(1, block(':status', '200', 'content-length', '5'))]],
  ['8.6', '101', [headers(1, block(':status', '101'), END_HEADERS)]],
]

const plain = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

describe('as a client, on a socket', () => {
  const between = async (server: RawH2Server): Promise<HttpWorld> => HttpWorld.start({ clusters: { up: [server.address] }, cluster: speaksHttp2() })

  test('3.4, 6.5.3: the preface and SETTINGS that refuse push come first, and the SETTINGS of the server are acknowledged', async () => {
    await using server = await RawH2Server.start(end)
    await using world = await between(server)
    assert.match(await world.exchange(plain), /^HTTP\/1\.1 200/)
    assert.ok(Buffer.concat(server.connections[0]!.pieces).subarray(0, preface.length).equals(preface))
    const [first, ...later] = server.framesOf(1)
    assert.deepEqual([describeFrame(first!), [...first!.payload.subarray(0, 6)]], ['SETTINGS', [0, 2, 0, 0, 0, 0]])
    assert.ok(later.map(describeFrame).includes('SETTINGS ACK'))
  })

  test('3.4: a server that begins with anything else is left', async () => {
    await using server = await RawH2Server.start(end, [ping()])
    await using world = await between(server)
    assert.match(await world.exchange(plain), /^HTTP\/1\.1 50[23]/)
    await server.connections[0]!.closed()
    assert.match(server.framesOf(1).map(describeFrame).at(-1)!, /^GOAWAY 0 PROTOCOL_ERROR$/)
  })

  for (const [section, title, frames, code] of serverFaults) {
    test(`5.4.1, ${section}: ${title}: GOAWAY, the connection is closed, and the next request has another one`, async () => {
      await using server = await RawH2Server.start((request, number) => (number === 1 ? frames : end(request)))
      await using world = await between(server)
      assert.match(await world.exchange(plain), /^HTTP\/1\.1 (200|50[23]) /)
      await server.connections[0]!.closed()
      assert.match(server.framesOf(1).map(describeFrame).at(-1)!, new RegExp(`^GOAWAY 0 ${code}$`))
      assert.match(await world.exchange(plain), /^HTTP\/1\.1 200 /)
      assert.equal(server.connections.length, 2)
    })
  }

  for (const [section, title, frames] of badResponses) {
    test(`8.1.1, ${section}: ${title}: the client gets 502, the stream is reset, and the connection goes on`, async () => {
      await using server = await RawH2Server.start((request, number) => (number === 1 ? frames : end(request)))
      await using world = await between(server)
      const text = await world.exchange(plain)
      assert.match(text, /^HTTP\/1\.1 502 /)
      assert.doesNotMatch(text, /evil/)
      assert.match(await world.exchange(plain), /^HTTP\/1\.1 200 /)
      assert.deepEqual([server.connections.length, server.framesOf(1).map(describeFrame).filter((line) => line.startsWith('RST'))], [1, ['RST_STREAM 1 PROTOCOL_ERROR']])
    })
  }

  test('8.1: NO_ERROR after the answer, while the request goes on: the answer is whole', async () => {
    await using server = await RawH2Server.start(({ id }) => [headers(id, block(':status', '413', 'x-a', 'b')), rst(id, 0)])
    await using world = await between(server)
    await using client = await world.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbeginning')
    assert.match(await client.has('x-a: b'), /^HTTP\/1\.1 413 /)
  })

  test('6.8: after GOAWAY no stream is opened there, and what is open is answered', async () => {
    await using server = await RawH2Server.start(({ id }, number) => (number === 1 ? [goAway(id), headers(id, ok)] : end({ id })))
    await using world = await between(server)
    for (const connections of [1, 2]) {
      assert.match(await world.exchange(plain), /^HTTP\/1\.1 200 /)
      assert.equal(server.connections.length, connections)
    }
  })

  test('6.4: after RST_STREAM of the server nothing more is sent on the stream', async () => {
    await using server = await RawH2Server.start(({ id }, number) => (number === 1 ? [rst(id, 8)] : end({ id })))
    await using world = await between(server)
    await using client = await world.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n')
    await client.has('\r\n\r\n')
    client.send('x'.repeat(20))
    assert.match(await world.exchange(plain), /^HTTP\/1\.1 200 /)
    assert.deepEqual(server.framesOf(1).filter(({ id, type }) => id === 1 && type !== 1), [])
  })

  test('8.3.1: the authority goes in :authority and never in Host, and names are lower-case, those of routes too', async () => {
    await using server = await RawH2Server.start(end)
    await using world = await HttpWorld.start({
      clusters: { up: [server.address] }, cluster: speaksHttp2(),
      table: { name: 'table', virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'up' } } }, requestHeadersToAdd: [{ header: { key: 'X-Upper', value: '1' } }] }] }] },
    })
    await world.exchange('GET /a HTTP/1.1\r\nHost: b.test:81\r\nX-Mixed: 1\r\nConnection: close\r\n\r\n')
    const payload = server.framesOf(1).find(({ type }) => type === 1)!.payload
    const names = fieldsOf(payload)
    assert.deepEqual([names[':authority'], names['host'], names[':path'], names[':scheme'], names[':method']], ['b.test:81', undefined, '/a', 'http', 'GET'])
    assert.deepEqual([names['x-mixed'], names['x-upper']], ['1', '1'])
    assert.deepEqual(Object.keys(names).filter((name) => name !== name.toLowerCase()), [])
  })
})

function fieldsOf(block: Buffer): Record<string, string> {
  const fields: Record<string, string> = {}
  new HpackDecoder(4096).decode(block, 0, block.length, { onField: (name, value) => void (fields[name] = value) })
  return fields
}
