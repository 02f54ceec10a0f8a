// RFC 9113 sections 5.2 and 6.9: windows, the peer's and our own, and a transport that takes no more.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeaderList } from '../../../src/codec/header-list.ts'
import { Stream } from '../../../src/codec/h2/stream.ts'
import { answered, bytes, none, send, sizes, total } from '../../support/h2-answered.ts'
import { END_HEADERS, END_STREAM, data, get, headers, ping, post, settings, windowUpdate } from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'

describe('RFC 9113 section 6.9: windows of the peer', () => {
  test('no more than the initial window goes out, in frames of the initial size', () => {
    const { peer, stream } = answered()
    assert.equal(send(stream, 100_000), false)
    assert.deepEqual(sizes(peer), [16_384, 16_384, 16_384, 16_383])
  })

  test('each window alone holds DATA back, and the rest follows when both are open', () => {
    const { peer, stream } = answered()
    send(stream, 100_000)
    peer.frames()
    assert.deepEqual(sizes(peer.send(windowUpdate(1, 50_000))), [])
    assert.deepEqual(sizes(peer.send(windowUpdate(0, 10))), [10])
    assert.equal(total(peer.send(windowUpdate(0, 50_000))), 100_000 - 65_535 - 10)
    assert.deepEqual(peer.log, ['writable 1'])
  })

  test('a stream that waits for its own window does not hold up another', () => {
    const { peer, stream } = answered({}, windowUpdate(0, 1_000_000))
    send(stream, 100_000)
    peer.frames()
    peer.send(headers(3, get))
    const other = peer.streams.get(3)!
    other.sendResponse(200, none, false)
    assert.equal(send(other, 1000), true)
    assert.deepEqual(sizes(peer), [1000])
  })

  test('SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams, below zero too', () => {
    const { peer, stream } = answered()
    send(stream, 60_000)
    peer.frames()
    peer.send(settings(4, 50_000)) // the window is -10,000 now
    assert.equal(send(stream, 5000), false)
    assert.deepEqual(sizes(peer.send(windowUpdate(1, 10_000))), [])
    assert.deepEqual(sizes(peer.send(windowUpdate(1, 1))), [1])
    assert.deepEqual(sizes(peer.send(settings(4, 60_000))), [4999])
  })

  test('new streams begin with the peer\'s SETTINGS_INITIAL_WINDOW_SIZE', () => {
    const { peer, stream } = answered({}, settings(4, 0))
    send(stream, 10)
    assert.deepEqual(sizes(peer), [])
    assert.deepEqual(sizes(peer.send(windowUpdate(1, 4))), [4])
  })

  test('a client\'s request that was opened before SETTINGS came has the window that they gave', () => {
    const peer = new H2Peer('client')
    const stream = peer.session.open('')!
    peer.send(settings(4, 7))
    stream.sendRequest('POST', 'http', 'a', '/', none, false)
    assert.equal(send(stream, 10), false)
    assert.deepEqual(sizes(peer), [7])
  })

  test('an empty DATA that ends the stream needs no window', () => {
    const { peer, stream } = answered({}, settings(4, 0))
    stream.sendEnd(undefined)
    assert.deepEqual(peer.written(), ['DATA 1 0 bytes END_STREAM'])
  })

  test('trailers without a field are no trailers', () => {
    const { peer, stream } = answered()
    stream.sendEnd(new HeaderList())
    assert.deepEqual(peer.written(), ['DATA 1 0 bytes END_STREAM'])
  })

  test('END_STREAM goes with the last bytes that were kept, and trailers after them', () => {
    const { peer, stream } = answered({}, settings(4, 0))
    send(stream, 10)
    stream.sendEnd(undefined)
    assert.deepEqual(peer.send(windowUpdate(1, 100)).written(), ['DATA 1 10 bytes END_STREAM'])
    const other = answered({}, settings(4, 0))
    send(other.stream, 10)
    other.stream.sendEnd(HeaderList.of('x-t', '1'))
    assert.deepEqual(other.peer.send(windowUpdate(1, 100)).written(), ['DATA 1 10 bytes', 'HEADERS 1 END_STREAM'])
    assert.deepEqual(other.peer.log, ['closed 1'])
  })

  test('streams take turns, a frame each', () => {
    const peer = new H2Peer('server').send(settings(4, 1_000_000), headers(1, get), headers(3, get), headers(5, get))
    for (const stream of peer.streams.values()) {
      stream.sendResponse(200, none, false)
      send(stream, 100_000)
    }
    peer.frames()
    const order = peer.send(windowUpdate(0, 6 * 16_384)).frames().map(({ id }) => id)
    assert.deepEqual([new Set(order.slice(0, 3)), new Set(order.slice(3, 6))], [new Set([1, 3, 5]), new Set([1, 3, 5])])
  })
})

describe('RFC 9113 section 6.9: our own windows', () => {
  const limits = { initialStreamWindow: 100_000, initialConnectionWindow: 200_000 }
  const piece = data(1, bytes(10_000))
  const open = headers(1, post, END_HEADERS)
  const pieces = (count: number): Buffer[] => Array.from({ length: count }, () => piece)

  test('the connection\'s window is widened at the beginning', () => {
    assert.deepEqual(new H2Peer('server', { bare: true, limits }).written(), ['SETTINGS', `WINDOW_UPDATE 0 +${200_000 - 65_535}`])
  })

  test('windows are given back by halves', () => {
    const peer = new H2Peer('server', { limits }).send(open, ...pieces(4))
    assert.deepEqual(peer.written(), [])
    assert.deepEqual(peer.send(piece).written(), ['WINDOW_UPDATE 1 +50000'])
    assert.deepEqual(peer.send(...pieces(5)).written(), ['WINDOW_UPDATE 0 +100000', 'WINDOW_UPDATE 1 +50000'])
  })

  test('a paused stream gets nothing back until it is resumed; the connection does', () => {
    const peer = new H2Peer('server', { limits }).send(open)
    peer.streams.get(1)!.pause()
    assert.deepEqual(peer.send(...pieces(10)).written(), ['WINDOW_UPDATE 0 +100000'])
    peer.streams.get(1)!.resume()
    assert.deepEqual(peer.written(), ['WINDOW_UPDATE 1 +100000'])
  })

  test('a stream that the peer has ended gets nothing back any more', () => {
    const peer = new H2Peer('server', { limits }).send(open)
    peer.streams.get(1)!.pause()
    peer.send(...pieces(6), data(1, '', END_STREAM))
    peer.streams.get(1)!.resume()
    assert.deepEqual(peer.written(), [])
  })

  test('DATA of streams that are gone counts for the connection', () => {
    const peer = new H2Peer('server', { limits, events: { onRequest: (stream) => stream.reset(8) } }).send(open, ...pieces(10))
    assert.deepEqual(peer.written(), ['RST_STREAM 1 CANCEL', 'WINDOW_UPDATE 0 +100000'])
  })
})

describe('A transport that takes no more', () => {
  test('DATA waits, answers do not, and its writer hears of it', () => {
    const { peer, stream } = answered()
    peer.full = true
    assert.equal(send(stream, 10), false)
    assert.equal(send(stream, 10), false)
    assert.deepEqual(peer.send(ping()).written(), ['DATA 1 10 bytes', 'PING ACK 12345678'])
    peer.full = false
    peer.session.onDrain()
    assert.deepEqual([peer.written(), peer.log], [['DATA 1 10 bytes'], ['writable 1']])
  })

  test('every writer hears that it may go on, also when nothing was kept', () => {
    const peer = new H2Peer('server').send(headers(1, get), headers(3, get))
    for (const stream of peer.streams.values()) stream.sendResponse(200, none, false)
    peer.log.length = 0
    peer.full = true
    assert.deepEqual([...peer.streams.values()].map((stream) => send(stream, 10)), [false, false])
    peer.full = false
    peer.session.onDrain()
    assert.deepEqual(peer.log, ['writable 1', 'writable 3'])
  })

  test('a writer that has ended its stream meanwhile hears nothing', () => {
    const peer = new H2Peer('server').send(headers(1, post, END_HEADERS))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, false)
    peer.log.length = 0
    peer.full = true
    send(stream, 10)
    stream.sendEnd(undefined)
    peer.full = false
    peer.session.onDrain()
    assert.deepEqual([peer.log, stream.closed], [[], false])
  })

  test('who writes on regardless finds the stream reset, and its bytes gone', () => {
    const { peer, stream } = answered({ limits: { maxStreamSendBytes: 100_000 } })
    for (let n = 0; n < 100; n++) send(stream, 10_000)
    assert.deepEqual(peer.log, ['reset 1 CANCEL by us', 'closed 1'])
    assert.equal(total(peer), 65_535)
    assert.ok(stream instanceof Stream && stream.keptLength === 0)
  })
})
