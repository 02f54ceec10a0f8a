// RFC 9113: what we send ourselves. Frame sizes, the order of settings and answers, ids, GOAWAY, and how streams end. The peer is
// scripted, so that it can be as slow and as strict as the RFC allows. Windows are in windows.test.ts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeaderList } from '../../../src/codec/header-list.ts'
import { answered, ask, bytes, none, send, sizes } from '../../support/h2-answered.ts'
import { END_HEADERS, END_STREAM, block, data, describeFrame, field, get, goAway, headers, indexed, ok, ping, post, preface, rst, settings, windowUpdate } from '../../support/h2-frames.ts'
import type { Frame } from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'

describe('RFC 9113 section 3.4 and 6.5: the beginning', () => {
  test('a client sends the preface and then SETTINGS that refuse push', () => {
    const peer = new H2Peer('client', { bare: true })
    const first = peer.frames()[0]!
    assert.equal(describeFrame(first), 'SETTINGS')
    assert.deepEqual([...first.payload.subarray(0, 6)], [0, 2, 0, 0, 0, 0])
  })

  test('a server begins with SETTINGS: streams, extended CONNECT, window, header list', () => {
    const peer = new H2Peer('server', { bare: true })
    const { payload } = peer.frames()[0]!
    const pairs = Array.from({ length: payload.length / 6 }, (_, n) => [payload.readUInt16BE(6 * n), payload.readUInt32BE(6 * n + 2)])
    assert.deepEqual(pairs, [[3, 1024], [8, 1], [1, 4096], [4, 262_144], [5, 16_384], [6, 61_440]])
  })

  test('no window or frame size is announced below what a peer may use before it has read it', () => {
    const { payload } = new H2Peer('server', { bare: true, limits: { initialStreamWindow: 10, initialConnectionWindow: 10, maxFrameSize: 10 } }).frames()[0]!
    assert.deepEqual([payload.readUInt32BE(6 * 3 + 2), payload.readUInt32BE(6 * 4 + 2)], [65_535, 16_384])
  })

  test('each SETTINGS is acknowledged, each PING is answered with its payload, in order', () => {
    const peer = new H2Peer('server').send(settings(3, 1), ping('aaaaaaaa'), settings(), ping('bbbbbbbb'))
    assert.deepEqual(peer.written(), ['SETTINGS ACK', 'PING ACK aaaaaaaa', 'SETTINGS ACK', 'PING ACK bbbbbbbb'])
  })

  test('our PING is reported when it is answered', () => {
    const peer = new H2Peer('client')
    peer.session.ping()
    const payload = peer.frames()[0]!.payload.toString('latin1')
    assert.deepEqual(peer.send(ping(payload, 1), ping(payload, 1), ping('not ours', 1)).log, ['pong'])
  })
})

describe('RFC 9113: frames that we send', () => {
  test('6.5.2: frames are no larger than SETTINGS_MAX_FRAME_SIZE, and as large where it helps', () => {
    const { peer, stream } = answered({}, settings(5, 20_000, 4, 1_000_000), windowUpdate(0, 1_000_000))
    send(stream, 50_000)
    assert.deepEqual(sizes(peer), [20_000, 20_000, 10_000])
  })

  test('4.3: a long header block goes out as HEADERS and CONTINUATION, END_STREAM on the first', () => {
    const peer = new H2Peer('server').send(ask)
    peer.streams.get(1)!.sendResponse(200, HeaderList.of('x-a', 'v'.repeat(40_000)), true)
    const frames = peer.frames()
    assert.deepEqual(frames.map(({ type, flags, payload }) => [type, flags, payload.length > 16_384]), [[1, END_STREAM, false], [9, 0, false], [9, END_HEADERS, false]])
    const whole = { ...frames[0]!, payload: Buffer.concat(frames.map(({ payload }) => payload)) }
    assert.deepEqual(peer.fieldsOf(whole), [':status', '200', 'x-a', 'v'.repeat(40_000)])
  })

  test('6.5.2: a peer that allows no table is told so, and gets literals', () => {
    const { peer } = answered({}, settings(1, 0))
    for (const id of [3, 5]) {
      peer.send(headers(id, get))
      peer.streams.get(id)!.sendResponse(200, HeaderList.of('x-a', 'b'), true)
      assert.deepEqual(peer.frames()[0]!.payload.at(-1), 'b'.charCodeAt(0))
    }
  })

  for (const [what, frames] of [['in one frame', [settings(1, 0, 1, 4096)]], ['in two frames', [settings(1, 0), settings(1, 4096)]]] as const) {
    test(`RFC 7541 4.2: a table that was made smaller and larger again ${what}: the next block says both`, () => {
      const { peer, stream } = answered({}, ...frames)
      stream.sendEnd(undefined)
      peer.send(headers(3, get))
      const before = new H2Peer('server').send(...frames, ask)
      before.frames()
      before.streams.get(1)!.sendResponse(200, none, true)
      assert.deepEqual([...before.frames()[0]!.payload.subarray(0, 4)], [0x20, 0x3f, 0xe1, 0x1f])
      peer.streams.get(3)!.sendResponse(200, none, true)
      assert.notEqual(peer.frames().at(-1)!.payload[0]! & 0xe0, 0x20, 'said once')
    })
  }

  test('8.1: interim responses, then the final one, then nothing more', () => {
    const peer = new H2Peer('server').send(ask)
    const stream = peer.streams.get(1)!
    stream.sendResponse(100, none, false)
    stream.sendResponse(103, none, false)
    stream.sendResponse(200, none, true)
    stream.sendResponse(200, none, true)
    stream.sendData(bytes(1), 0, 1)
    stream.sendEnd(undefined)
    stream.reset(8)
    assert.deepEqual(peer.written(), ['HEADERS 1', 'HEADERS 1', 'HEADERS 1 END_STREAM'])
    assert.deepEqual([stream.closed, peer.session.openStreams, peer.log.at(-1)], [true, 0, 'closed 1'])
  })

  test('8.1: a server that wants no more of a request says NO_ERROR after its answer', () => {
    const peer = new H2Peer('server').send(headers(1, post, END_HEADERS))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, true)
    assert.equal(stream.closed, false)
    stream.reset(0)
    assert.deepEqual(peer.written(), ['HEADERS 1 END_STREAM', 'RST_STREAM 1 NO_ERROR'])
  })

  test('8.1: NO_ERROR waits for an answer that waits for a window, and what comes of the request meanwhile is dropped', () => {
    const peer = new H2Peer('server').send(settings(4, 0), headers(1, post, END_HEADERS))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, false)
    send(stream, 10)
    stream.sendEnd(undefined)
    stream.reset(0)
    peer.frames()
    assert.deepEqual(peer.send(data(1, 'abc'), windowUpdate(1, 10)).written(), ['DATA 1 10 bytes END_STREAM', 'RST_STREAM 1 NO_ERROR'])
    assert.deepEqual(peer.log.slice(1), ['closed 1'])
  })

  test('8.5: CONNECT has neither :scheme nor :path, an extended one has both', () => {
    const peer = new H2Peer('client')
    peer.session.open('')!.sendRequest('CONNECT', 'http', 'a:1', '/', none, false)
    peer.session.open('')!.sendRequest('CONNECT', 'http', 'a:1', '/', none, false, 'websocket')
    const [plain, extended] = peer.frames().map((frame) => peer.fieldsOf(frame))
    assert.deepEqual(plain, [':method', 'CONNECT', ':authority', 'a:1'])
    assert.deepEqual(extended, [':method', 'CONNECT', ':scheme', 'http', ':path', '/', ':protocol', 'websocket', ':authority', 'a:1'])
  })
})

describe('RFC 9113: every frame that we write', () => {
  /** Types and the flags that each may have (section 6); PRIORITY and PUSH_PROMISE are never written. */
  const flagsOf: Readonly<Record<number, number>> = { 0: END_STREAM, 1: END_STREAM | END_HEADERS, 3: 0, 4: 1, 6: 1, 7: 0, 8: 0, 9: END_HEADERS }

  /** All that a server and a client write in a long conversation. */
  function everything(): Frame[] {
    const server = new H2Peer('server', { bare: true }).send(preface, settings(), ping(), headers(1, post, END_HEADERS), data(1, bytes(16_000)), data(1, bytes(16_000), END_STREAM), headers(3, get), headers(5, block(':method', 'GET')))
    const stream = server.streams.get(1)!
    stream.sendResponse(100, none, false)
    stream.sendResponse(200, HeaderList.of('x-a', 'v'.repeat(40_000)), false)
    send(stream, 20_000)
    stream.sendEnd(HeaderList.of('x-t', '1'))
    server.streams.get(3)!.sendResponse(204, none, true)
    server.session.ping()
    server.session.goAway()
    server.send(windowUpdate(0, 0))
    const asking = new H2Peer('client', { bare: true }).send(settings())
    asking.request('POST', false).sendEnd(HeaderList.of('x-t', '1'))
    asking.request().reset(8)
    return [...server.frames(), ...asking.frames()]
  }

  test('4.1: the reserved bit is not set, nor any flag that its type does not define', () => {
    const frames = everything()
    for (const { type, flags, id } of frames) {
      assert.ok(type in flagsOf, `a frame of type ${type}`)
      assert.deepEqual([id >>> 31, flags & ~flagsOf[type]!], [0, 0], `type ${type}`)
    }
    assert.deepEqual([...new Set(frames.map(({ type }) => type))].sort((one, other) => one - other), [0, 1, 3, 4, 6, 7, 8, 9])
  })

  test('6.1, 6.2: there is no padding, so none that is not zero', () => {
    assert.ok(everything().every(({ type, flags }) => (type !== 0 && type !== 1) || (flags & 8) === 0))
  })

  test('6.5.2: SETTINGS_ENABLE_PUSH is not said by a server, and no push is ever promised', () => {
    const [first] = new H2Peer('server', { bare: true }).frames()
    assert.ok(Array.from({ length: first!.payload.length / 6 }, (_, at) => first!.payload.readUInt16BE(6 * at)).every((id) => id !== 2))
    assert.ok(everything().every(({ type }) => type !== 5))
  })

  test('6.4: nothing more on a stream that the peer has reset', () => {
    const { peer, stream } = answered()
    peer.send(rst(1))
    send(stream, 10)
    stream.sendEnd(HeaderList.of('x-t', '1'))
    stream.reset(8)
    assert.deepEqual(peer.written(), [])
    const waiting = answered({}, settings(4, 0))
    send(waiting.stream, 10)
    waiting.stream.sendEnd(undefined)
    assert.deepEqual(waiting.peer.send(rst(1), windowUpdate(0, 1000), settings(4, 1000)).written(), ['SETTINGS ACK'])
  })

  test('8.2.2: fields of connections are not written, in heads and trailers, and a value keeps its bytes', () => {
    const peer = new H2Peer('server').send(ask)
    const fields = ['connection', 'x', 'keep-alive', 'x', 'proxy-connection', 'x', 'transfer-encoding', 'chunked', 'upgrade', 'x', 'x-a', 'b']
    peer.streams.get(1)!.sendResponse(200, HeaderList.of(...fields), false)
    peer.streams.get(1)!.sendEnd(HeaderList.of(...fields))
    const [head, trailers] = peer.frames()
    assert.deepEqual([peer.fieldsOf(head!), peer.fieldsOf(trailers!)], [[':status', '200', 'x-a', 'b'], ['x-a', 'b']])
  })

  test('8.3: pseudo-header fields come first, each once, and only those of the direction', () => {
    const server = new H2Peer('server').send(ask)
    server.streams.get(1)!.sendResponse(404, HeaderList.of('x-a', 'b'), true)
    assert.deepEqual(server.fieldsOf(server.frames()[0]!), [':status', '404', 'x-a', 'b'])
    const client = new H2Peer('client')
    client.session.open('')!.sendRequest('PUT', 'https', 'a', '/p', HeaderList.of('x-a', 'b'), true)
    assert.deepEqual(client.fieldsOf(client.frames()[0]!), [':method', 'PUT', ':scheme', 'https', ':path', '/p', ':authority', 'a', 'x-a', 'b'])
  })
})

describe('RFC 9113 section 5.1: streams of a client', () => {
  test('5.4.2: RST_STREAM is not answered by RST_STREAM, whatever state the stream is in', () => {
    const peer = new H2Peer('server').send(headers(1, get), rst(1), rst(1))
    peer.send(headers(3, post, END_HEADERS))
    peer.streams.get(3)!.reset(8)
    assert.deepEqual(peer.written(), ['RST_STREAM 3 CANCEL'])
    peer.send(rst(3), rst(3), ping())
    assert.deepEqual(peer.written().map((line) => line.split(' ')[0]), ['PING'])
  })

  test('5.1.1: ids are odd and rise, in the order of requests', () => {
    const peer = new H2Peer('client')
    const [first, second] = [peer.session.open('')!, peer.session.open('')!]
    second.sendRequest('GET', 'http', 'a', '/', none, true)
    first.sendRequest('GET', 'http', 'a', '/', none, true)
    assert.deepEqual([second.id, first.id, peer.written()], [1, 3, ['HEADERS 1 END_STREAM', 'HEADERS 3 END_STREAM']])
  })

  test('5.1.2: no more streams than the peer allows, opened ones included', () => {
    const peer = new H2Peer('client').send(settings(3, 2))
    assert.equal(peer.session.available, 2)
    const unsent = peer.session.open('')!
    peer.request()
    assert.deepEqual([peer.session.available, peer.session.open('')], [0, undefined])
    unsent.reset(8)
    assert.equal(peer.session.available, 1)
    peer.send(headers(1, ok))
    assert.deepEqual([peer.session.available, peer.session.openStreams], [2, 0])
    assert.deepEqual(peer.written(), ['SETTINGS ACK', 'HEADERS 1 END_STREAM'])
  })

  test('6.8: GOAWAY gives back the streams that the server has not taken, and the others go on', () => {
    const peer = new H2Peer('client')
    for (let n = 0; n < 3; n++) peer.request()
    peer.send(goAway(1))
    assert.deepEqual(peer.log, ['reset 3 REFUSED_STREAM by the peer', 'closed 3', 'reset 5 REFUSED_STREAM by the peer', 'closed 5', 'goaway 1 NO_ERROR'])
    assert.deepEqual([peer.session.closing, peer.session.open('')], [true, undefined])
    assert.deepEqual(peer.send(headers(1, ok)).log.slice(-2), ['response 1 200 [] end', 'closed 1'])
  })

  test('6.8: a stream that was opened and not used before GOAWAY came is refused, and nothing is sent', () => {
    const peer = new H2Peer('client')
    const stream = peer.session.open('')!
    peer.send(goAway(0))
    peer.log.length = 0
    stream.sendRequest('GET', 'http', 'a', '/', none, true)
    assert.deepEqual([peer.log, peer.written(), peer.session.openStreams], [['reset 0 REFUSED_STREAM by the peer', 'closed 0'], [], 0])
  })

  test('a request that ends while its answer is reported closes the stream once', () => {
    const peer = new H2Peer('client', { events: { onResponse: (stream) => stream.sendEnd(undefined) } })
    peer.request('POST', false)
    assert.deepEqual(peer.send(headers(1, ok)).log, ['response 1 200 [] end', 'closed 1'])
  })

  test('8.1: an answer before the request has ended, and NO_ERROR after it', () => {
    const peer = new H2Peer('client')
    const stream = peer.request('POST', false)
    peer.send(headers(1, ok))
    assert.equal(stream.closed, false)
    peer.send(rst(1, 0))
    assert.deepEqual([peer.log, stream.closed], [['response 1 200 [] end', 'reset 1 NO_ERROR by the peer', 'closed 1'], true])
  })
})

describe('RFC 9113 section 6.8: our GOAWAY', () => {
  test('the graceful one takes everything first, and then names the last stream', () => {
    const peer = new H2Peer('server').send(ask)
    peer.session.goAway()
    peer.send(headers(3, get))
    peer.session.goAway(0, true)
    peer.send(headers(5, get), data(5, 'x'), windowUpdate(5, 1), rst(5))
    assert.equal(peer.error, undefined)
    peer.streams.get(1)!.sendResponse(204, none, true)
    assert.deepEqual(peer.written(), ['GOAWAY 2147483647 NO_ERROR', 'GOAWAY 3 NO_ERROR', 'HEADERS 1 END_STREAM'])
    assert.deepEqual([...peer.streams.keys()], [1, 3])
  })

  test('6.8: streams above it are still counted and decoded: the table and the window of the connection go on', () => {
    const peer = new H2Peer('server', { limits: { initialConnectionWindow: 100_000 } }).send(headers(1, post, END_HEADERS))
    peer.session.goAway(0, true)
    peer.frames()
    peer.send(headers(3, Buffer.concat([post, field('x-a', 'b', 0x40)]), END_HEADERS), ...Array.from({ length: 5 }, () => data(3, bytes(12_000))), headers(1, indexed(62)))
    assert.deepEqual([peer.written(), peer.log], [['WINDOW_UPDATE 0 +60000'], ['request 1 POST http a / []', 'end 1 [x-a b]']])
  })

  test('6.8: the last stream that is named never rises', () => {
    const peer = new H2Peer('server').send(ask)
    peer.session.goAway(0, true)
    peer.send(headers(5, get))
    peer.session.goAway(0, true)
    peer.session.goAway()
    const last = peer.written().filter((line) => line.startsWith('GOAWAY')).map((line) => Number(line.split(' ')[1]))
    assert.deepEqual(last, [1, 1, 1])
  })

  test('a client opens nothing after it', () => {
    const peer = new H2Peer('client')
    peer.session.goAway()
    assert.deepEqual([peer.session.available, peer.session.open(''), peer.written()], [0, undefined, ['GOAWAY 0 NO_ERROR']])
  })

  test('an error names the last stream that was taken, and says why', () => {
    const peer = new H2Peer('server').send(ask, headers(5, get), windowUpdate(0, 0))
    const frame = peer.frames().at(-1)!
    assert.deepEqual([describeFrame(frame), frame.payload.toString('latin1', 8)], ['GOAWAY 5 PROTOCOL_ERROR', 'WINDOW_UPDATE of zero'])
    assert.deepEqual([peer.error?.code, peer.error?.origin], ['h2/protocol-error', 'local'])
  })
})
