// RFC 9113, section 8 (and RFC 8441): which messages are malformed, and what is made of the good ones.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeaderList } from '../../../src/codec/header-list.ts'
import { END_HEADERS, END_STREAM, block, data, field, headers, ok, ping } from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'

const base = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'a' }

/** The usual request with fields replaced, left out (undefined) and added behind. */
function request(changes: Record<string, string | undefined> = {}, ...more: readonly string[]): Buffer {
  const flat: string[] = []
  for (const [name, value] of Object.entries({ ...base, ...changes })) if (value !== undefined) flat.push(name, value)
  return block(...flat, ...more)
}

const none = undefined
type Malformed = readonly [section: string, title: string, block: Buffer]

const malformedRequests: readonly Malformed[] = [
  ['8.2', 'an upper-case name', request({}, 'X-A', 'b')],
  ['8.2.1', 'an empty name', request({}, '', 'b')],
  ...[' ', '\0', '\t', '\r', '\n', '\x7f', '\x80', '\xff', '(', '"', ','].map((char): Malformed => ['8.2.1', `a name with ${JSON.stringify(char)}`, request({}, `x${char}a`, 'b')]),
  ['8.2.1', 'a name with a colon in it', request({}, 'x:a', 'b')],
  ...['\0', '\r', '\n', '\r\n', '\x01', '\x7f'].map((char): Malformed => ['8.2.1', `a value with ${JSON.stringify(char)}`, request({}, 'x-a', `b${char}c`)]),
  ...[' b', 'b ', '\tb', 'b\t', ' '].map((value): Malformed => ['8.2.1', `the value ${JSON.stringify(value)}`, request({}, 'x-a', value)]),
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map((name): Malformed => ['8.2.2', name, request({}, name, 'x')]),
  ['8.2.2', 'transfer-encoding: chunked', request({ ':method': 'POST' }, 'transfer-encoding', 'chunked')],
  ['8.2.2', 'TE other than trailers', request({}, 'te', 'gzip')],
  ['8.2.2', 'TE with more than trailers', request({}, 'te', 'trailers, gzip')],
  ['8.3', 'a pseudo-header field that nobody defined', request({ ':foo': 'x' })],
  ['8.3', 'a pseudo-header field of responses', request({ ':status': '200' })],
  ['8.3', 'a pseudo-header field behind a regular one', block(':method', 'GET', 'x-a', 'b', ':scheme', 'http', ':path', '/')],
  ...Object.entries(base).map(([name, value]): Malformed => ['8.3', `${name} twice`, Buffer.concat([field(name, value), request()])]),
  ['8.3.1', 'no :method', request({ ':method': none })],
  ['8.3.1', 'no :scheme', request({ ':scheme': none })],
  ['8.3.1', 'no :path', request({ ':path': none })],
  ['8.3.1', 'an empty :path', request({ ':path': '' })],
  ['8.3.1', 'an empty :method', request({ ':method': '' })],
  ['8.3.1', 'an empty :scheme', request({ ':scheme': '' })],
  ['8.3.1', 'an empty :authority', request({ ':authority': '' })],
  ['8.3.1', 'a :method with a space', request({ ':method': 'GET /x' })],
  ['8.3.1', 'a :scheme that is none', request({ ':scheme': 'http://b/?' })],
  ...['a', 'http://a/', '*', '/a b', '/\x00', '/\r\n', '/\t', '/a ', ' /a'].map((path): Malformed => ['8.3.1', `:path ${JSON.stringify(path)}`, request({ ':path': path })]),
  ...['a b', 'a/b', 'u@a', 'a:b', 'a:1:2', 'a:99999', 'a,b', 'a\r\nb', '[::1', 'a#', 'a?b', ':80'].map((authority): Malformed => ['8.3.1', `:authority ${JSON.stringify(authority)}`, request({ ':authority': authority })]),
  ['8.3.1', 'Host that is not :authority', request({}, 'host', 'b')],
  ['8.3.1', 'Host twice', request({}, 'host', 'a', 'host', 'a')],
  ['8.3.1', 'Host that is no host', request({ ':authority': none }, 'host', 'a/b')],
  ['8.1.1', 'Content-Length and END_STREAM', request({}, 'content-length', '3')],
  ['8.1.1', 'Content-Length twice', request({}, 'content-length', '0', 'content-length', '0')],
  ...['', '+0', '-1', '0x0', '0,0', '0 0', '9007199254740993'].map((length): Malformed => ['8.1.1', `Content-Length ${JSON.stringify(length)}`, request({}, 'content-length', length)]),
  ['8.5', 'CONNECT with :path', request({ ':method': 'CONNECT', ':scheme': none, ':authority': 'a:1' })],
  ['8.5', 'CONNECT with :scheme', request({ ':method': 'CONNECT', ':path': none, ':authority': 'a:1' })],
  ['8.5', 'CONNECT without :authority', request({ ':method': 'CONNECT', ':path': none, ':scheme': none, ':authority': none })],
  ['8.5', 'CONNECT with Host instead of :authority', request({ ':method': 'CONNECT', ':path': none, ':scheme': none, ':authority': none }, 'host', 'a:1')],
  ['8.5', 'CONNECT without a port', request({ ':method': 'CONNECT', ':path': none, ':scheme': none })],
  ['RFC 8441 4', ':protocol without CONNECT', request({ ':protocol': 'websocket' })],
  ['RFC 8441 4', 'extended CONNECT without :path', request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': none })],
  ['RFC 8441 4', 'extended CONNECT without :scheme', request({ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': none })],
  ['RFC 8441 4', 'an empty :protocol', request({ ':method': 'CONNECT', ':protocol': '' })],
]

describe('RFC 9113: a malformed request resets its stream and is not reported', () => {
  for (const [section, title, bytes] of malformedRequests) {
    test(`${section}: ${title}`, () => {
      const peer = new H2Peer('server').send(headers(1, bytes), headers(3, request()))
      assert.equal(peer.error, undefined)
      assert.deepEqual(peer.written(), ['RST_STREAM 1 PROTOCOL_ERROR'])
      assert.deepEqual(peer.log, ['request 3 GET http a / [] end'])
    })
  }
})

/** A field literally, its name and value as bytes of any kind. */
const oneByte = (byte: number): string => String.fromCharCode(byte)
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe('RFC 9113 section 8.2.1: bytes that no field may have, each', () => {
  const malformed = (fields: Buffer): boolean => {
    const peer = new H2Peer('server').send(headers(1, Buffer.concat([request(), fields])))
    return peer.error === undefined && peer.written().join() === 'RST_STREAM 1 PROTOCOL_ERROR' && peer.log.length === 0
  }

  test('8.2.1: in names: 0x00-0x20, 0x41-0x5a, 0x7f-0xff and the colon, at the beginning, in the middle and at the end', () => {
    const forbidden = [...range(0, 0x20), ...range(0x41, 0x5a), ...range(0x7f, 0xff), 0x3a]
    for (const byte of forbidden) {
      for (const name of [`${oneByte(byte)}x`, `x${oneByte(byte)}y`, `x${oneByte(byte)}`]) assert.ok(malformed(field(name, 'v')), JSON.stringify(name))
    }
  })

  test('8.2.1: in values: NUL, LF and CR anywhere, white space at either end, whether the name is indexed or not', () => {
    for (const byte of [0, 0x0a, 0x0d]) {
      for (const value of [`${oneByte(byte)}x`, `x${oneByte(byte)}y`, `x${oneByte(byte)}`]) {
        assert.ok(malformed(field('x-a', value)), JSON.stringify(value))
        assert.ok(malformed(Buffer.concat([Buffer.from([0x0f, 0x2b]), Buffer.from([value.length]), Buffer.from(value, 'latin1')])), `user-agent ${JSON.stringify(value)}`)
      }
    }
    for (const value of [' x', '\tx', 'x ', 'x\t', ' ', '\t']) assert.ok(malformed(field('x-a', value)), JSON.stringify(value))
  })

  test('8.2.1: one that came from the table is malformed again each time', () => {
    const peer = new H2Peer('server').send(headers(1, Buffer.concat([request(), field('x-a', 'b\0c', 0x40)])), headers(3, Buffer.concat([request(), Buffer.from([0xbe])])), headers(5, request()))
    assert.deepEqual(peer.written(), ['RST_STREAM 1 PROTOCOL_ERROR', 'RST_STREAM 3 PROTOCOL_ERROR'])
    assert.deepEqual(peer.log, ['request 5 GET http a / [] end'])
  })

  test('8.2.1: a malformed field of a response is never handed on', () => {
    for (const bytes of [field('x-a', 'b\r\nc'), field('X-A', 'b'), field('x-a', ' b')]) {
      const peer = new H2Peer('client')
      peer.request()
      peer.send(headers(1, Buffer.concat([ok, bytes])))
      assert.deepEqual(peer.log, ['reset 1 PROTOCOL_ERROR by us', 'closed 1'])
    }
  })
})

type Good = readonly [section: string, title: string, block: Buffer, line: string]

const goodRequests: readonly Good[] = [
  ['8.3.1', 'the usual one', request(), 'GET http a / []'],
  ['8.3.1', 'pseudo-header fields in another order', block(':path', '/', ':authority', 'a', ':scheme', 'https', ':method', 'PUT'), 'PUT https a / []'],
  ['8.3.1', 'Host instead of :authority', request({ ':authority': none }, 'host', 'b:80'), 'GET http b:80 / []'],
  ['8.3.1', 'Host that is :authority', request({}, 'host', 'A'), 'GET http a / []'],
  ['8.3.1', 'neither Host nor :authority is for the proxy to answer', request({ ':authority': none }), 'GET http  / []'],
  ['8.3.1', 'Host that is :authority, before it in another case, goes on as :authority', request({ ':authority': 'A' }, 'host', 'a'), 'GET http A / []'],
  ['8.3.1', 'OPTIONS *', request({ ':method': 'OPTIONS', ':path': '*' }), 'OPTIONS http a * []'],
  ['8.3.1', 'a path with a query and raw UTF-8', request({ ':path': '/\xc3\xa4?q=\xe2\x82\xac' }), 'GET http a /\xc3\xa4?q=\xe2\x82\xac []'],
  ['8.3.1', 'another scheme', request({ ':scheme': 'coap+tcp' }), 'GET coap+tcp a / []'],
  ['8.3.1', 'an IPv6 authority', request({ ':authority': '[::1]:8080' }), 'GET http [::1]:8080 / []'],
  ['8.2.1', 'an empty value, one with white space inside, and obs-text', request({}, 'x-a', '', 'x-b', 'c \t d', 'x-e', '\xe4'), 'GET http a / [x-a  x-b c \t d x-e \xe4]'],
  ['8.2.2', 'TE: trailers', request({}, 'te', 'trailers'), 'GET http a / [te trailers]'],
  ['8.2.3', 'cookies in crumbs', request({}, 'cookie', 'a=1', 'x-a', 'b', 'cookie', 'c=2', 'cookie', 'd=3'), 'GET http a / [cookie a=1; c=2; d=3 x-a b]'],
  ['8.1.1', 'Content-Length of 0 and END_STREAM', request({}, 'content-length', '0'), 'GET http a / [content-length 0]'],
  ['8.5', 'CONNECT', request({ ':method': 'CONNECT', ':scheme': none, ':path': none, ':authority': 'a:443' }), 'CONNECT  a:443 []'],
  ['RFC 8441 4', 'extended CONNECT', request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' }), 'CONNECT http a /chat websocket []'],
  ['9110 5.1', 'every token character in a name', request({}, "!#$%&'*+-.^_`|~09az", 'b'), "GET http a / [!#$%&'*+-.^_`|~09az b]"],
]

describe('RFC 9113: a good request is reported as it is', () => {
  for (const [section, title, bytes, line] of goodRequests) {
    test(`${section}: ${title}`, () => {
      const peer = new H2Peer('server').send(headers(1, bytes))
      assert.deepEqual(peer.log, [`request 1 ${line} end`])
      assert.deepEqual(peer.written(), [])
    })
  }
})

/** Frames after a request's head on stream 1, what is reported after it, and the code of RST_STREAM if any. */
type Body = readonly [section: string, title: string, fields: readonly string[], frames: readonly Buffer[], log: readonly string[], reset?: string]

const failed = (code = 'PROTOCOL_ERROR') => [`reset 1 ${code} by us`, 'closed 1']

const bodies: readonly Body[] = [
  ['8.1.1', 'DATA of Content-Length', ['content-length', '3'], [data(1, 'ab'), data(1, 'c', END_STREAM)], ['data 1 abc', 'end 1']],
  ['8.1.1', 'DATA of Content-Length, and an empty one that ends it', ['content-length', '3'], [data(1, 'abc'), data(1, '', END_STREAM)], ['data 1 abc', 'end 1']],
  ['8.1.1', 'DATA of Content-Length, and trailers', ['content-length', '3'], [data(1, 'abc'), headers(1, block('x-t', '1'))], ['data 1 abc', 'end 1 [x-t 1]']],
  ['8.1.1', 'more DATA than Content-Length', ['content-length', '3'], [data(1, 'ab'), data(1, 'cd')], ['data 1 ab', ...failed()], 'PROTOCOL_ERROR'],
  ['8.1.1', 'DATA where Content-Length is 0', ['content-length', '0'], [data(1, 'a')], failed(), 'PROTOCOL_ERROR'],
  ['8.1.1', 'less DATA than Content-Length', ['content-length', '3'], [data(1, 'ab', END_STREAM)], ['data 1 ab', ...failed()], 'PROTOCOL_ERROR'],
  ['8.1.1', 'less DATA than Content-Length, and trailers', ['content-length', '3'], [data(1, 'ab'), headers(1, block('x-t', '1'))], ['data 1 ab', ...failed()], 'PROTOCOL_ERROR'],
  ['8.1', 'trailers', [], [data(1, 'ab'), headers(1, block('x-t', '1', 'x-u', '2'))], ['data 1 ab', 'end 1 [x-t 1 x-u 2]']],
  ['8.1', 'trailers without DATA', [], [headers(1, block('x-t', '1'))], ['end 1 [x-t 1]']],
  ['8.1', 'an empty trailer section', [], [headers(1, Buffer.alloc(0))], ['end 1']],
  ['8.1', 'trailers that do not end the stream', [], [headers(1, block('x-t', '1'), END_HEADERS)], failed(), 'PROTOCOL_ERROR'],
  ['8.1', 'a pseudo-header field in trailers', [], [headers(1, block(':path', '/'))], failed(), 'PROTOCOL_ERROR'],
  ['8.1', ':status in trailers', [], [headers(1, block(':status', '200'))], failed(), 'PROTOCOL_ERROR'],
  ['8.2.2', 'a connection-specific field in trailers', [], [headers(1, block('connection', 'close'))], failed(), 'PROTOCOL_ERROR'],
  ['8.2.2', 'TE in trailers', [], [headers(1, block('te', 'trailers'))], failed(), 'PROTOCOL_ERROR'],
  ['8.2.1', 'an upper-case name in trailers', [], [headers(1, block('X-T', '1'))], failed(), 'PROTOCOL_ERROR'],
  ['9110 6.5.1', 'Content-Length in trailers', [], [headers(1, block('content-length', '1'))], failed(), 'PROTOCOL_ERROR'],
  ['9110 6.5.1', 'Host in trailers', [], [headers(1, block('host', 'b'))], failed(), 'PROTOCOL_ERROR'],
]

describe('RFC 9113: bodies and trailers of a request', () => {
  for (const [section, title, fields, frames, log, reset] of bodies) {
    test(`${section}: ${title}`, () => {
      const peer = new H2Peer('server').send(headers(1, request({ ':method': 'POST' }, ...fields), END_HEADERS))
      peer.log.length = 0
      peer.send(...frames)
      assert.deepEqual(peer.log, log)
      assert.deepEqual(peer.written(), reset === undefined ? [] : [`RST_STREAM 1 ${reset}`])
      assert.deepEqual(peer.send(ping('still up')).written(), ['PING ACK still up'])
    })
  }
})

/** Frames that answer a request of the method on stream 1. */
type Answer = readonly [section: string, title: string, method: string, frames: readonly Buffer[], log: readonly string[]]

const head = (...fields: readonly string[]): Buffer => headers(1, block(...fields), END_HEADERS)
const done = (...lines: readonly string[]) => [...lines, 'closed 1']

const answers: readonly Answer[] = [
  ['8.3.2', 'a response', 'GET', [headers(1, ok)], done('response 1 200 [] end')],
  ['8.3.2', 'a response with a body and trailers', 'GET', [head(':status', '200', 'x-a', 'b'), data(1, 'abc'), headers(1, block('grpc-status', '0'))], done('response 1 200 [x-a b]', 'data 1 abc', 'end 1 [grpc-status 0]')],
  ['8.1', 'interim responses', 'GET', [head(':status', '100'), head(':status', '103', 'link', '</a>'), headers(1, ok)], done('response 1 100 []', 'response 1 103 [link </a>]', 'response 1 200 [] end')],
  ['8.1', 'an interim response that ends the stream', 'GET', [headers(1, block(':status', '100'))], failed()],
  ['8.6', 'status 101', 'GET', [head(':status', '101')], failed()],
  ['8.1', 'DATA before the head', 'GET', [data(1, 'a')], failed()],
  ['8.1', 'DATA after an interim response', 'GET', [head(':status', '100'), data(1, 'a')], ['response 1 100 []', ...failed()]],
  ['8.3.2', 'no :status', 'GET', [headers(1, block('x-a', 'b'))], failed()],
  ...['', '20', '2000', 'abc', '+20', '099', '2 0'].map((status): Answer => ['8.3.2', `:status ${JSON.stringify(status)}`, 'GET', [headers(1, block(':status', status))], failed()]),
  ['8.3.2', ':status twice', 'GET', [headers(1, block(':status', '200', ':status', '200'))], failed()],
  ['8.3', 'a pseudo-header field of requests', 'GET', [headers(1, block(':status', '200', ':path', '/'))], failed()],
  ['8.3', ':status behind a regular field', 'GET', [headers(1, block('x-a', 'b', ':status', '200'))], failed()],
  ['8.2.2', 'a connection-specific field', 'GET', [headers(1, block(':status', '200', 'transfer-encoding', 'chunked'))], failed()],
  ['8.2.2', 'TE in a response', 'GET', [headers(1, block(':status', '200', 'te', 'trailers'))], failed()],
  ['8.2', 'an upper-case name', 'GET', [headers(1, block(':status', '200', 'Server', 'x'))], failed()],
  ['8.1.1', 'DATA of Content-Length', 'GET', [head(':status', '200', 'content-length', '2'), data(1, 'ab', END_STREAM)], done('response 1 200 [content-length 2]', 'data 1 ab', 'end 1')],
  ['8.1.1', 'more DATA than Content-Length', 'GET', [head(':status', '200', 'content-length', '2'), data(1, 'abc')], ['response 1 200 [content-length 2]', ...failed()]],
  ['8.1.1', 'less DATA than Content-Length', 'GET', [head(':status', '200', 'content-length', '2'), data(1, 'a', END_STREAM)], ['response 1 200 [content-length 2]', 'data 1 a', ...failed()]],
  ['8.1.1', 'Content-Length and END_STREAM', 'GET', [headers(1, block(':status', '200', 'content-length', '2'))], failed()],
  ['8.1.1', 'Content-Length of an answer to HEAD', 'HEAD', [headers(1, block(':status', '200', 'content-length', '2'))], done('response 1 200 [content-length 2] end')],
  ['8.1.1', 'an answer to HEAD that an empty DATA ends', 'HEAD', [head(':status', '200', 'content-length', '2'), data(1, '', END_STREAM)], done('response 1 200 [content-length 2]', 'end 1')],
  ['8.1.1', 'DATA in an answer to HEAD', 'HEAD', [head(':status', '200'), data(1, 'ab', END_STREAM)], ['response 1 200 []', ...failed()]],
  ['8.1.1', 'Content-Length of 304', 'GET', [headers(1, block(':status', '304', 'content-length', '2'))], done('response 1 304 [content-length 2] end')],
  ['8.1.1', 'DATA in 304', 'GET', [head(':status', '304'), data(1, 'a', END_STREAM)], ['response 1 304 []', ...failed()]],
  ['8.1.1', 'DATA in 204', 'GET', [head(':status', '204'), data(1, 'a', END_STREAM)], ['response 1 204 []', ...failed()]],
  ['8.1', 'HEADERS twice', 'GET', [head(':status', '200'), head(':status', '200')], ['response 1 200 []', ...failed()]],
  ['8.7', 'a refused stream', 'GET', [Buffer.concat([Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1]), Buffer.from([0, 0, 0, 7])])], ['reset 1 REFUSED_STREAM by the peer', 'closed 1']],
  ['8.3.2', 'Host is an ordinary field of responses', 'GET', [headers(1, block(':status', '200', 'host', 'b'))], done('response 1 200 [host b] end')],
]

describe('RFC 9113: responses, as a client sees them', () => {
  for (const [section, title, method, frames, log] of answers) {
    test(`${section}: ${title}`, () => {
      const peer = new H2Peer('client')
      peer.request(method)
      peer.send(...frames)
      assert.equal(peer.error, undefined)
      assert.deepEqual(peer.log, log)
    })
  }

  test('8.5: after CONNECT was answered, DATA go both ways whatever Content-Length says', () => {
    const peer = new H2Peer('client')
    const stream = peer.request('CONNECT', false)
    peer.frames()
    peer.send(headers(1, block(':status', '200', 'content-length', '1'), END_HEADERS), data(1, 'abc'))
    assert.equal(stream.sendData(Buffer.from('xyz'), 0, 3), true)
    assert.deepEqual([peer.log, peer.written()], [['response 1 200 [content-length 1]', 'data 1 abc'], ['DATA 1 3 bytes']])
  })
})

describe('RFC 9113 section 8.5: nothing but DATA goes through a tunnel', () => {
  const tunnel = request({ ':method': 'CONNECT', ':scheme': none, ':path': none, ':authority': 'a:443' })

  test('HEADERS of a client on a stream that it has connected', () => {
    const peer = new H2Peer('server').send(headers(1, tunnel, END_HEADERS), data(1, 'abc'), headers(1, block('x-t', '1')))
    assert.deepEqual(peer.log.slice(1), ['data 1 abc', ...failed()])
    assert.deepEqual(peer.written(), ['RST_STREAM 1 PROTOCOL_ERROR'])
  })

  test('HEADERS of a server after it has accepted', () => {
    const peer = new H2Peer('client')
    peer.request('CONNECT', false)
    peer.send(head(':status', '200'), data(1, 'abc'), headers(1, block('x-t', '1')))
    assert.deepEqual(peer.log, ['response 1 200 []', 'data 1 abc', ...failed()])
  })

  test('a server that refuses may send trailers', () => {
    const peer = new H2Peer('client')
    peer.request('CONNECT', false)
    peer.send(head(':status', '403'), data(1, 'abc'), headers(1, block('x-t', '1')))
    assert.deepEqual(peer.log, ['response 1 403 []', 'data 1 abc', 'end 1 [x-t 1]'])
  })

  test('the answer of a server that refuses is held to Content-Length', () => {
    const peer = new H2Peer('client')
    peer.request('CONNECT', false)
    peer.send(head(':status', '403', 'content-length', '2'), data(1, 'abc'))
    assert.deepEqual(peer.log, ['response 1 403 [content-length 2]', ...failed()])
  })

  test('each side may end its own half', () => {
    const peer = new H2Peer('server').send(headers(1, tunnel, END_HEADERS))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, new HeaderList(), false)
    peer.send(data(1, 'abc', END_STREAM))
    assert.deepEqual([stream.closed, stream.sendData(Buffer.from('xyz'), 0, 3)], [false, true])
    stream.sendEnd(undefined)
    assert.deepEqual([stream.closed, peer.log.slice(1)], [true, ['data 1 abc', 'end 1', 'closed 1']])
  })
})

test('6.2.3 of RFC 7541: a field that came as never indexed is marked for the next hop', () => {
  const lists: HeaderList[] = []
  const peer = new H2Peer('server', { events: { onRequest: (_stream, head) => lists.push(head.headers) } })
  peer.send(headers(1, Buffer.concat([request(), field('x-key', 'secret', 0x10), field('x-a', 'b')])))
  assert.deepEqual(lists[0]?.sensitive, ['x-key'])
  const next = new H2Peer('client')
  next.session.open('')!.sendRequest('GET', 'http', 'a', '/', lists[0]!, true)
  assert.ok(next.frames().some(({ payload }) => payload.includes(Buffer.concat([Buffer.from([0x10, 5]), Buffer.from('x-key')]))))
})
