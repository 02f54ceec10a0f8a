// Fuzz targets for the HTTP/2 session: the cut of the input never matters, only H2Error escapes, nothing that is kept or
// written grows beyond what came in, and what one of our sessions sends the other one reports.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HeaderList } from '../../src/codec/header-list.ts'
import { defaultH2Limits } from '../../src/codec/h2/limits.ts'
import { createClientSession, createServerSession } from '../../src/codec/h2/session.ts'
import type { H2Events, H2Stream } from '../../src/codec/h2/types.ts'
import {
  END_HEADERS, END_STREAM, PADDED, block, continuation, data, field, frame, get, goAway, headers, indexed, ok, ping, post, preface, priority, rst, settings,
  windowUpdate,
} from '../support/h2-frames.ts'
import { H2Peer } from '../support/h2-peer.ts'

const parameters = { numRuns: 1000 }
const id = fc.constantFrom(0, 1, 1, 1, 2, 3, 3, 5)
const flags = fc.constantFrom(0, END_STREAM, END_HEADERS, END_STREAM | END_HEADERS, END_STREAM | END_HEADERS, PADDED, 0xff)
const fieldBlock = fc.constantFrom(
  get, post, ok, block(':status', '103'), Buffer.concat([get, field('x-a', 'b', 0x40)]), Buffer.concat([get, indexed(62)]), Buffer.concat([post, block('content-length', '3')]),
  block('x-t', '1'), block('X-T', '1'), Buffer.alloc(0), Buffer.from([0xff]), get.subarray(0, 9), get.subarray(9),
)
const text = fc.constantFrom('', 'a', 'abc', '\x02ab\0\0', '\x09', 'x'.repeat(300))

/** Frames, right and wrong, that random bytes would never come upon. */
const oneFrame = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(id, fieldBlock, flags).map(([stream, fields, bits]) => headers(stream, fields, bits)) },
  { weight: 4, arbitrary: fc.tuple(id, text, flags).map(([stream, body, bits]) => data(stream, body, bits)) },
  { weight: 2, arbitrary: fc.tuple(id, fieldBlock, flags).map(([stream, fields, bits]) => continuation(stream, fields, bits)) },
  { weight: 2, arbitrary: fc.tuple(id, fc.constantFrom(0, 1, 70_000, 0x7fffffff)).map(([stream, by]) => windowUpdate(stream, by)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 8, 99), fc.constantFrom(0, 1, 2, 100, 16_384, 0x7fffffff, 0xffffffff)).map(([key, to]) => settings(key, to)) },
  { weight: 1, arbitrary: id.map((stream) => rst(stream)) },
  { weight: 1, arbitrary: fc.constantFrom(ping(), ping('1'), goAway(1), goAway(0x7fffffff), settings(), preface, priority(1), priority(3, [1])) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(255), fc.nat(255), id, fc.uint8Array({ maxLength: 20 })).map(([type, bits, stream, body]) => frame(type, bits, stream, body)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)) },
)
/** Alone most of it ends at the first frame; behind a good beginning more is seen. */
const beginning = fc.constantFrom<readonly Buffer[]>([], [headers(1, post, END_HEADERS)], [headers(1, post, END_HEADERS), headers(3, get)], [settings(4, 100), headers(1, ok, END_HEADERS), headers(3, ok, END_HEADERS)])
const soup = fc.tuple(beginning, fc.array(oneFrame, { maxLength: 20 })).map((parts) => parts.flat())
const role = fc.constantFrom('server' as const, 'client' as const)

interface Run {
  readonly log: readonly string[]
  readonly written: readonly string[]
  readonly error: string | undefined
}

/** A session whose user answers, sends back and resets by what came, not by how it was cut: the same bytes must make it do the same. */
function run(side: 'server' | 'client', frames: readonly Buffer[], pieces: number): Run {
  const events: Partial<H2Events<string>> = {
    onRequest(stream, head) {
      if (head.tooLarge) stream.sendResponse(431, new HeaderList(), true)
      else if (head.method === 'GET') stream.sendResponse(200, head.headers, true)
      else stream.sendResponse(200, head.headers, false)
    },
    onData(stream, bytes, at, end) {
      stream.sendData(bytes, at, end)
    },
    onEnd(stream, trailers) {
      if (trailers === undefined) stream.sendEnd(undefined)
      else stream.reset(8)
    },
  }
  const peer = new H2Peer(side, { pieces, events, limits: { maxHeaderListBytes: 400, maxConcurrentStreams: 2, maxControlFramesPerSecond: 30 } })
  if (side === 'client') for (const method of ['GET', 'POST', 'HEAD']) if (peer.session.available > 0) peer.request(method, method !== 'POST')
  peer.frames()
  peer.send(...frames)
  const input = frames.reduce((sum, one) => sum + one.length, 0)
  assert.ok(peer.writtenBytes <= 200 + 12 * input, `${peer.writtenBytes} bytes written for ${input}`)
  assert.ok(peer.session.openStreams <= 3)
  const written = joinData(peer.written())
  peer.session.onClosed()
  assert.equal(peer.session.openStreams, 0)
  for (const stream of peer.streams.values()) assert.ok(stream.closed)
  return { log: [...peer.log], written, error: peer.error?.message }
}

/** DATA that was sent back as it came in pieces goes out in more frames; what matters is where it ends. */
function joinData(lines: readonly string[]): string[] {
  return lines.filter((line) => !/^DATA \d+ [1-9]\d* bytes$/.test(line))
}

test('any split of any frames gives the same events and the same answers, and only H2Error escapes', () => {
  fc.assert(
    fc.property(soup, role, fc.integer({ min: 2, max: 40 }), (frames, side, pieces) => {
      const whole = run(side, frames, 0)
      assert.deepEqual(run(side, frames, 1), whole)
      assert.deepEqual(run(side, frames, pieces), whole)
    }),
    parameters,
  )
})

const valid = [
  headers(1, Buffer.concat([post, field('x-a', 'b', 0x40), block('content-length', '6')]), END_HEADERS), data(1, 'abc'), ping(), data(1, Buffer.from('\x02def\0\0', 'latin1'), PADDED),
  headers(3, Buffer.concat([get, indexed(62)]).subarray(0, 12), END_STREAM), continuation(3, Buffer.concat([get, indexed(62)]).subarray(12)), settings(4, 10, 1, 0),
  headers(1, block('x-t', '1')), windowUpdate(0, 100), priority(5), headers(5, get), rst(5), goAway(0),
]

test('a valid conversation with bytes changed gives the same events whatever the split', () => {
  const bytes = Buffer.concat(valid)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 40 }), (changes, pieces) => {
      const changed = Buffer.from(bytes)
      for (const [at, byte] of changes) changed[at] = byte
      assert.deepEqual(run('server', [changed], pieces), run('server', [changed], 0))
    }),
    parameters,
  )
})

interface Told {
  head: readonly string[]
  body: string
  trailers: readonly string[] | undefined
  ended: boolean
}

interface Pipe {
  bytes: Buffer
}

/** Two sessions of ours, joined by pipes that hold so many bytes a turn. */
function pair(windows: number, perTurn: number) {
  const pipes: readonly [Pipe, Pipe] = [{ bytes: Buffer.alloc(0) }, { bytes: Buffer.alloc(0) }]
  const output = (pipe: Pipe) => ({
    write(bytes: Uint8Array, at: number, end: number): boolean {
      pipe.bytes = Buffer.concat([pipe.bytes, bytes.subarray(at, end)])
      return pipe.bytes.length < 30_000
    },
  })
  const told = (stream: H2Stream<Told>): Told => (stream.user ??= { head: [], body: '', trailers: undefined, ended: false })
  const events: H2Events<Told> = {
    onRequest(stream, { method, scheme, authority, path, headers: fields }, end) {
      told(stream).head = [method, scheme, authority, path, ...fields.flat]
      if (end) events.onEnd(stream, undefined)
    },
    onResponse(stream, { status, headers: fields }, end) {
      told(stream).head = [String(status), ...fields.flat]
      told(stream).ended = end
    },
    onData: (stream, bytes, at, end) => void (told(stream).body += bytes.toString('latin1', at, end)),
    onEnd(stream, trailers) {
      const seen = told(stream)
      seen.trailers = trailers?.flat.slice()
      seen.ended = true
      if (seen.head.length >= 4 && !/^\d/.test(seen.head[0]!)) answer(stream, seen)
    },
    onWritable() {},
    onReset: (stream, code) => assert.fail(`stream ${stream.id} was reset: ${code}`),
    onClosed() {},
    onGoAway() {},
    onPong() {},
    onPeerSettings() {},
  }
  /** The request back as a response. */
  function answer(stream: H2Stream<Told>, seen: Told): void {
    stream.sendResponse(200, HeaderList.of('x-line', seen.head.slice(0, 4).join(' '), ...seen.head.slice(4)), false)
    stream.sendData(Buffer.from(seen.body, 'latin1'), 0, seen.body.length)
    stream.sendEnd(seen.trailers === undefined ? undefined : HeaderList.of(...seen.trailers))
  }
  const limits = { ...defaultH2Limits, initialStreamWindow: windows, initialConnectionWindow: windows }
  const client = createClientSession<Told>(output(pipes[0]), events, limits)
  const server = createServerSession<Told>(output(pipes[1]), events, limits)
  const turn = (): boolean => {
    let moved = false
    for (const [pipe, to, from] of [[pipes[0], server, client], [pipes[1], client, server]] as const) {
      const piece = Buffer.from(pipe.bytes.subarray(0, perTurn))
      pipe.bytes = pipe.bytes.subarray(piece.length)
      if (piece.length > 0) to.receive(piece, piece.length, 0)
      if (pipe.bytes.length === 0) from.onDrain()
      moved ||= piece.length > 0
    }
    return moved
  }
  return { client, turn }
}

const headerName = fc.oneof(fc.constantFrom('accept', 'cookie', 'authorization', 'user-agent', 'x-request-id'), fc.stringMatching(/^x-[a-z0-9-]{1,10}$/))
const headerValue = fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f).map((code) => String.fromCharCode(code)), maxLength: 30 })
const headerFields = fc.uniqueArray(fc.tuple(headerName, headerValue), { maxLength: 6, selector: ([name]) => name }).map((pairs) => pairs.flat())
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'DELETE'),
  path: fc.stringMatching(/^\/[!-~]{0,20}$/),
  fields: headerFields,
  body: fc.integer({ min: 0, max: 80_000 }),
  trailers: fc.option(headerFields.filter((flat) => flat.length > 0), { nil: undefined }),
})

test('what one session sends the other one reports: many streams at once, small windows, any split', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 6 }), fc.constantFrom(65_535, 100_000), fc.constantFrom(500, 7000, 1 << 20), (requests, windows, perTurn) => {
      const { client, turn } = pair(windows, perTurn)
      const streams = requests.map(({ method, path, fields, body, trailers }, n) => {
        const stream = client.open({ head: [], body: '', trailers: undefined, ended: false })!
        stream.sendRequest(method, 'http', 'a.test', path, HeaderList.of(...fields), false)
        stream.sendData(Buffer.alloc(body, 97 + n), 0, body)
        stream.sendEnd(trailers === undefined ? undefined : HeaderList.of(...trailers))
        return stream
      })
      while (turn());
      requests.forEach(({ method, path, fields, body, trailers }, n) => {
        const { head, body: back, trailers: last, ended } = streams[n]!.user!
        assert.deepEqual({ head, last, ended }, { head: ['200', 'x-line', `${method} http a.test ${path}`, ...fields], last: trailers, ended: true })
        assert.ok(back === String.fromCharCode(97 + n).repeat(body), `body ${n}`)
      })
      assert.equal(client.openStreams, 0)
    }),
    { numRuns: 150 },
  )
})

/** What a peer, a transport and the users of three streams may do, in any order. */
const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), stream: fc.nat(2), by: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('window' as const), stream: fc.integer({ min: -1, max: 2 }), by: fc.integer({ min: 1, max: 50_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('initial' as const), stream: fc.constant(0), by: fc.nat(70_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('frame' as const), stream: fc.constant(0), by: fc.integer({ min: 16_384, max: 70_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('full' as const, 'drain' as const), stream: fc.constant(0), by: fc.constant(0) }) },
)

test('no DATA goes beyond a window or a frame size, whoever does what in which order, and all of it arrives in order', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const peer = new H2Peer('server').send(headers(1, get), headers(3, get), headers(5, get))
      for (const stream of peer.streams.values()) stream.sendResponse(200, new HeaderList(), false)
      const state = { connection: 65_535, initial: 65_535, frame: 16_384, streams: [65_535, 65_535, 65_535], sent: [0, 0, 0], got: [0, 0, 0], ended: [false, false, false] }
      const read = (): void => {
        for (const { type, id: stream, payload, flags: bits } of peer.frames()) {
          if (type !== 0) continue
          const n = (stream - 1) / 2
          assert.ok(payload.length <= state.frame, `a frame of ${payload.length}, ${state.frame} allowed`)
          state.connection -= payload.length
          state.streams[n]! -= payload.length
          assert.ok(payload.length === 0 || (state.connection >= 0 && state.streams[n]! >= 0), 'a window was overrun')
          for (const byte of payload) assert.equal(byte, state.got[n]!++ % 251)
          state.ended[n] ||= (bits & END_STREAM) !== 0
        }
      }
      const send = (n: number, length: number): void => {
        const bytes = Buffer.alloc(length)
        for (let i = 0; i < length; i++) bytes[i] = state.sent[n]!++ % 251
        peer.streams.get(2 * n + 1)!.sendData(bytes, 0, length)
      }
      const widen = (stream: number, by: number): void => {
        if (stream < 0) state.connection += by
        else state.streams[stream]! += by
        peer.send(windowUpdate(stream < 0 ? 0 : 2 * stream + 1, by))
      }
      for (const { kind, stream, by } of acts) {
        if (kind === 'send') send(stream, by)
        else if (kind === 'window') widen(stream, by)
        else if (kind === 'initial') {
          state.streams.forEach((_, n) => (state.streams[n]! += by - state.initial))
          state.initial = by
          peer.send(settings(4, by))
        } else if (kind === 'frame') {
          state.frame = by
          peer.send(settings(5, by))
        } else {
          peer.full = kind === 'full'
          if (!peer.full) peer.session.onDrain()
        }
        read()
      }
      for (const stream of peer.streams.values()) stream.sendEnd(undefined)
      peer.full = false
      peer.session.onDrain()
      for (const n of [-1, 0, 1, 2]) widen(n, 5_000_000)
      read()
      assert.deepEqual([peer.error, state.got, state.ended], [undefined, state.sent, [true, true, true]])
      assert.equal(peer.session.openStreams, 0)
    }),
    { numRuns: 200 },
  )
})
