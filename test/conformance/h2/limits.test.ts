// What a hostile HTTP/2 peer can do, and what it costs us: each attack is ended by its limit, and what is kept of it is
// counted in entries and bytes, never in time. Honest traffic that looks like it goes on.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HpackDecoder } from '../../../src/codec/hpack/decoder.ts'
import { HeaderList } from '../../../src/codec/header-list.ts'
import { ClosedStreams } from '../../../src/codec/h2/closed-streams.ts'
import { FrameReader } from '../../../src/codec/h2/frame-reader.ts'
import { KeptBytes } from '../../../src/codec/h2/kept-bytes.ts'
import { defaultH2Limits } from '../../../src/codec/h2/limits.ts'
import {
  ACK, END_HEADERS, END_STREAM, PADDED, block, continuation, data, field, frame, get, headers, indexed, ok, ping, post, preface, priority, rst, settings, settingsAck,
  windowUpdate,
} from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'
import type { PeerOptions, Role } from '../../support/h2-peer.ts'

const few = { maxControlFramesPerSecond: 50, maxResetsPerSecond: 20 }
const none = new HeaderList()
const open = headers(1, post, END_HEADERS)

/** Sends rounds until the connection is ended; how many that took. */
function flood(peer: H2Peer, round: (n: number) => readonly Buffer[], most = 1000): number {
  for (let n = 0; n < most; n++) {
    peer.send(...round(n))
    if (peer.error !== undefined) return n
  }
  return most
}

/** Title, what each round sends, how many rounds may pass, and what comes first. */
type Flood = readonly [title: string, round: (n: number) => readonly Buffer[], rounds: number, before?: readonly Buffer[], options?: PeerOptions & { readonly role?: Role }]

const id = (n: number): number => 2 * n + 1
const cancelling: PeerOptions = { events: { onRequest: (stream) => stream.sendResponse(200, none, false) } }

const floods: readonly Flood[] = [
  ['SETTINGS (CVE-2019-9515)', () => [settings()], 50],
  ['SETTINGS acknowledgements', () => [settingsAck], 50],
  ['PING (CVE-2019-9512)', () => [ping()], 50],
  ['PING acknowledgements', () => [ping('12345678', ACK)], 50],
  ['PRIORITY (CVE-2019-9513)', (n) => [priority(n + 1)], 50],
  ['unknown frames', () => [frame(0xfe, 0, 0, 'x')], 50],
  ['empty DATA (CVE-2019-9518)', () => [data(1)], 60, [open]],
  ['DATA of padding only', () => [data(1, Buffer.from([3, 0, 0, 0]), PADDED)], 60, [open]],
  ['WINDOW_UPDATE on the connection', () => [windowUpdate(0, 1)], 50],
  ['WINDOW_UPDATE on a stream', () => [windowUpdate(1, 1)], 60, [open]],
  ['WINDOW_UPDATE on a stream that is gone', () => [windowUpdate(1, 1)], 60, [open, rst(1)]],
  ['RST_STREAM on a stream that is gone', () => [rst(1)], 60, [open, rst(1)]],
  ['DATA on a stream that we have reset', () => [data(1, 'a')], 60, [open], { events: { onRequest: (stream) => stream.reset(8) } }],
  ['GOAWAY', () => [frame(7, 0, 0, Buffer.alloc(8))], 50],
  ['interim responses', () => [headers(1, block(':status', '103'), END_HEADERS)], 60, [], { role: 'client' }],
  ['rapid reset (CVE-2023-44487)', (n) => [headers(id(n), get), rst(id(n))], 20],
  ['rapid reset of streams that were being answered', (n) => [headers(id(n), get), rst(id(n))], 20, [], cancelling],
  ['streams that it makes us reset (CVE-2025-8671): a window of zero', (n) => [headers(id(n), get), windowUpdate(id(n), 0)], 20, [], cancelling],
  ['streams that it makes us reset: a window too large', (n) => [headers(id(n), get), windowUpdate(id(n), 0x7fffffff)], 20, [], cancelling],
  ['streams that it makes us reset: HEADERS after the end', (n) => [headers(id(n), get), headers(id(n), get)], 20],
  ['streams that it makes us reset: PRIORITY of a wrong length', (n) => [headers(id(n), get), priority(id(n), [0])], 20, [], cancelling],
  ['malformed requests', (n) => [headers(id(n), block(':method', 'GET'))], 20],
  ['more streams than are allowed', (n) => [headers(id(n), get)], 21, [], { limits: { ...few, maxConcurrentStreams: 1 } }],
]

describe('A flood is ended by ENHANCE_YOUR_CALM', () => {
  for (const [title, round, rounds, before = [], options = {}] of floods) {
    test(title, () => {
      const peer = new H2Peer(options.role ?? 'server', { limits: few, ...options })
      if (options.role === 'client') peer.request()
      peer.send(...before)
      const passed = flood(peer, round)
      assert.equal(peer.error?.code, 'h2/enhance-your-calm')
      assert.ok(passed <= rounds, `${passed} rounds`)
      assert.equal(peer.written().at(-1)?.split(' ')[2], 'ENHANCE_YOUR_CALM')
    })
  }

  test('CONTINUATION without end (CVE-2024-27316), of empty frames', () => {
    const peer = new H2Peer('server').send(headers(1, get, END_STREAM))
    assert.equal(flood(peer, () => [continuation(1, Buffer.alloc(0), 0)]), defaultH2Limits.maxContinuationFrames)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })

  test('CONTINUATION without end, of full frames', () => {
    const peer = new H2Peer('server').send(headers(1, Buffer.alloc(16_384, 0x82), END_STREAM))
    assert.ok(flood(peer, () => [continuation(1, Buffer.alloc(16_384, 0x82), 0)]) <= 8)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })

  test('a header block of more bytes than twice the largest section, in few frames', () => {
    const peer = new H2Peer('server', { limits: { maxHeaderListBytes: 10_000, maxContinuationFrames: 100 } }).send(headers(1, Buffer.alloc(15_000, 0x82), END_STREAM))
    assert.equal(flood(peer, () => [continuation(1, Buffer.alloc(1000, 0x82), 0)]), 5)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })

  test('what useful frames have earned does not last for ever', () => {
    const peer = new H2Peer('server', { limits: few, events: { onRequest: (stream) => stream.sendResponse(204, none, true) } })
    for (let n = 0; n < 1000; n++) peer.send(headers(id(n), get))
    assert.ok(flood(peer, () => [ping()]) <= 8 * 50)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })

  test('questions of a peer that reads no answers', () => {
    const peer = new H2Peer('server', { limits: { maxControlFramesPerSecond: 50 } })
    peer.full = true
    peer.send(headers(1, get))
    peer.streams.get(1)!.sendResponse(200, none, true)
    const before = peer.writtenBytes
    const passed = flood(peer, () => {
      peer.now += 1000 // slow enough for the other limit
      return [ping()]
    })
    assert.ok(passed <= 60, `${passed} rounds`)
    assert.ok(peer.writtenBytes - before < 60 * 17 + 100)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })

  test('a window that is opened byte by byte, to make us send frames of one byte (CVE-2019-9511)', () => {
    const peer = new H2Peer('server', { limits: few }).send(settings(4, 0), headers(1, get))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, false)
    stream.sendData(Buffer.alloc(10_000), 0, 10_000)
    assert.ok(flood(peer, () => [windowUpdate(1, 1)]) <= 60)
    assert.equal(peer.error?.code, 'h2/enhance-your-calm')
  })
})

describe('SETTINGS that are not acknowledged (6.5.3)', () => {
  const codeOf = ({ error }: H2Peer) => error?.code
  const bare = (role: Role): H2Peer => new H2Peer(role, { bare: true }).send(...(role === 'server' ? [preface] : []), settings())

  for (const role of ['server', 'client'] as const) {
    test(`a peer of a ${role} that goes on talking for 30 s without it is told, and sent away`, () => {
      const peer = bare(role)
      peer.now += 30_000
      peer.send(ping())
      assert.equal(codeOf(peer), undefined)
      peer.now += 1
      peer.frames()
      peer.send(ping())
      assert.equal(codeOf(peer), 'h2/settings-timeout')
      assert.match(peer.written().join(' '), /GOAWAY.*SETTINGS_TIMEOUT/i)
    })
  }

  test('one that has done so may take all the time it wants, and an acknowledgement may come with the first words', () => {
    const peer = new H2Peer('server', { bare: true })
    peer.now += 60_000
    peer.send(preface, settings(), settingsAck)
    peer.now += 60_000
    peer.send(ping())
    assert.equal(peer.error, undefined)
  })
})

describe('Honest traffic is no flood', () => {
  const patient = (peer: H2Peer, round: (n: number) => readonly Buffer[], rounds: number): void => {
    assert.equal(flood(peer, round, rounds), rounds)
    assert.equal(peer.error, undefined)
  }

  test('a few frames that bring nothing, every second', () => {
    const peer = new H2Peer('server', { limits: few })
    patient(peer, () => {
      peer.now += 100
      return [ping(), priority(1), settings()]
    }, 1000)
  })

  test('some streams that are given up at once, every second', () => {
    const peer = new H2Peer('server', { limits: few })
    patient(peer, (n) => {
      if (n % 15 === 0) peer.now += 1000
      return [headers(id(n), get), rst(id(n))]
    }, 200)
  })

  test('as many streams that are given up at once as there are that finish', () => {
    const peer = new H2Peer('server', { limits: few, events: { onRequest: (stream, head) => void (head.method === 'GET' && stream.sendResponse(204, none, true)) } })
    patient(peer, (n) => [headers(id(2 * n), get), headers(id(2 * n + 1), post), rst(id(2 * n + 1))], 300)
  })

  test('a server that refuses all that it is asked', () => {
    const peer = new H2Peer('client', { limits: few })
    patient(peer, () => [rst(peer.request().id, 7)], 300)
  })

  test('a server whose answers are all malformed: each ends its own stream', () => {
    const peer = new H2Peer('client', { limits: few })
    patient(peer, () => [headers(peer.request().id, block('x-a', 'b'))], 300)
    assert.equal(peer.session.openStreams, 0)
  })

  test('window updates of a download, two for each frame', () => {
    const peer = new H2Peer('server', { limits: few }).send(headers(1, get))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, false)
    patient(peer, () => {
      stream.sendData(Buffer.alloc(1000), 0, 1000)
      return [windowUpdate(1, 1000), windowUpdate(0, 1000)]
    }, 1000)
  })

  test('a PING for each small message of a stream, as gRPC measures its line', () => {
    const peer = new H2Peer('server', { limits: few }).send(headers(1, post, END_HEADERS))
    const stream = peer.streams.get(1)!
    stream.sendResponse(200, none, false)
    patient(peer, () => {
      stream.sendData(Buffer.alloc(20), 0, 20)
      return [data(1, 'x'.repeat(20)), ping(), windowUpdate(0, 20), windowUpdate(1, 20)].slice(0, 2)
    }, 1000)
  })

  test('requests with a window update and a PING each', () => {
    const peer = new H2Peer('server', { limits: few, events: { onRequest: (stream) => stream.sendResponse(204, none, true) } })
    patient(peer, (n) => [headers(id(n), get), windowUpdate(0, 1), ping()], 1000)
  })

  test('answers with a window update and a PING each', () => {
    const peer = new H2Peer('client', { limits: few })
    patient(peer, () => [headers(peer.request().id, ok), windowUpdate(0, 1), ping()], 1000)
  })

  test('streams that are given up after a second, and those that are given up once they were answered', () => {
    const slow = new H2Peer('server', { limits: few })
    patient(slow, (n) => {
      slow.send(headers(id(n), get))
      slow.now += 1000
      return [rst(id(n))]
    }, 200)
    const answered = new H2Peer('server', { limits: few, events: { onRequest: (stream) => stream.sendResponse(200, none, true) } })
    patient(answered, (n) => [headers(id(n), post, END_HEADERS), rst(id(n), 0)], 40)
  })
})

describe('What is kept is bounded', () => {
  test('an HPACK bomb: a block that unpacks to much more than it is', () => {
    const peer = new H2Peer('server')
    const bomb = Buffer.concat([get, field('x-bomb', 'v'.repeat(4000), 0x40), Buffer.alloc(12_000, 0xbe)])
    let kept = 0
    const counting = new H2Peer('server', { events: { onRequest: (_stream, head) => (kept = head.headers.flat.reduce((sum, text) => sum + text.length, 0)) } })
    for (const one of [peer, counting]) one.send(headers(1, bomb))
    assert.ok(peer.log[0]!.endsWith('too large end'))
    assert.ok(kept > 0 && kept <= defaultH2Limits.maxHeaderListBytes, `${kept} bytes`)
    assert.deepEqual(peer.send(headers(3, Buffer.concat([get, indexed(62)]))).log.at(-1)?.slice(0, 30), 'request 3 GET http a / [x-bomb')
  })

  test('cookies in a thousand crumbs', () => {
    const crumbs = Array.from({ length: 1200 }, () => field('cookie', 'v'.repeat(3)))
    const peer = new H2Peer('server').send(headers(1, Buffer.concat([get, ...crumbs])))
    assert.equal(peer.log.length, 1)
    const many = new H2Peer('server').send(headers(1, Buffer.concat([get, field('cookie', 'v'.repeat(200), 0x40), Buffer.alloc(5000, 0xbe)])))
    assert.ok(many.log[0]!.length < defaultH2Limits.maxHeaderListBytes && many.log[0]!.endsWith('too large end'))
  })

  test('a frame that never ends is kept as far as it has come, and never more than a frame', () => {
    const reader = new FrameReader({ onFrame() {}, onDataHead() {}, onDataPiece() {}, onDataEnd() {} }, 16_384)
    const whole = frame(1, 0, 1, Buffer.alloc(16_384))
    for (let at = 0; at < whole.length - 1; at++) {
      reader.read(whole, at, at + 1)
      assert.ok(reader.keptBytes <= at + 1)
    }
    reader.read(whole, whole.length - 1, whole.length)
    assert.equal(reader.keptBytes, 0)
  })

  test('DATA is never kept, however it is cut', () => {
    const reader = new FrameReader({ onFrame() {}, onDataHead() {}, onDataPiece() {}, onDataEnd() {} }, 16_384)
    const whole = data(1, Buffer.alloc(10_000))
    for (let at = 0; at < whole.length; at++) {
      reader.read(whole, at, at + 1)
      assert.ok(reader.keptBytes < 9)
    }
  })

  test('the streams that are remembered after they were reset', () => {
    const closed = new ClosedStreams()
    for (let n = 0; n < 10_000; n++) closed.add(2 * n + 1, 1)
    assert.equal(closed.count, 1024)
    assert.deepEqual([closed.how(1), closed.how(19_999)], [0, 1])
  })

  test('a slow reader: what waits on a stream, whatever its writer does', () => {
    const peer = new H2Peer('server', { limits: { maxStreamSendBytes: 50_000 } }).send(settings(4, 0))
    for (let n = 0; n < 10; n++) {
      peer.send(headers(id(n), get))
      const stream = peer.streams.get(id(n))!
      stream.sendResponse(200, none, false)
      for (let m = 0; m < 49; m++) assert.equal(stream.sendData(Buffer.alloc(1000), 0, 1000), false)
      assert.equal(stream.closed, false)
      for (let m = 0; m < 5; m++) stream.sendData(Buffer.alloc(1000), 0, 1000)
      assert.equal(stream.closed, true)
    }
  })

  test('many small writes take no more memory than their bytes and a block', () => {
    const kept = new KeptBytes()
    const blocks = new Set<Buffer>()
    for (let n = 0; n < 100_000; n++) kept.add(Buffer.from([n & 0xff]), 0, 1)
    let held = 0
    for (let n = 0; kept.length > 0; ) {
      if (!blocks.has(kept.block)) held += kept.block.length
      blocks.add(kept.block)
      const piece = kept.next(1000)
      for (let i = 0; i < piece; i++) assert.equal(kept.block[kept.at + i], n++ & 0xff)
      kept.sent(piece)
    }
    assert.ok(held <= 100_000 + 16_384 + 1024, `${held} bytes`)
  })

  test('open streams', () => {
    const peer = new H2Peer('server', { limits: { maxConcurrentStreams: 10, maxResetsPerSecond: 100 } })
    for (let n = 0; n < 100; n++) peer.send(headers(id(n), get))
    assert.equal(peer.session.openStreams, 10)
    assert.equal(peer.written().filter((line) => line.endsWith('REFUSED_STREAM')).length, 90)
  })

  test('a table that the peer fills with names of no use', () => {
    const decoder = new HpackDecoder(4096)
    const sink = { onField() {} }
    const one = Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x40, 0, 0])))
    for (let n = 0; n < 100; n++) decoder.decode(one, 0, one.length, sink)
    assert.ok(decoder.size <= 4096 && decoder.count <= 128)
  })
})
