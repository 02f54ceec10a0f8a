// Fuzz targets for the HTTP/1.1 codec: the cut of the input never matters, only H1Error escapes, and what the writer
// writes the parser reads back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HeaderList } from '../../src/codec/header-list.ts'
import { chunkEnd, chunkStart, chunkedBody, lastChunk, noBody, requestHead, responseHead } from '../../src/codec/h1/writer.ts'
import { parseEvents } from '../support/h1-events.ts'
import type { H1Event } from '../support/h1-events.ts'

const parameters = { numRuns: 2000 }

/** Pieces of HTTP, right and wrong, that random bytes would never come upon. */
const fragment = fc.constantFrom(
  'GET / HTTP/1.1\r\n', 'POST /a HTTP/1.1\r\n', 'GET / HTTP/1.0\r\n', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n', 'HTTP/1.1 304 \r\n',
  'Host: a\r\n', 'Content-Length: 3\r\n', 'content-length: 0\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', 'X: \t y \r\n', ' fold\r\n',
  'Expect: 100-continue\r\n', '\r\n', '\r', '\n', '\0', ':', ' ', 'abc', '3\r\nabc\r\n', 'a;b=c\r\n0123456789\r\n', '0\r\n\r\n', '0\r\nT: v\r\n\r\n', 'ffff',
)
const soup = fc.array(fc.oneof({ weight: 9, arbitrary: fragment }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) }), { maxLength: 24 })
const cuts = fc.array(fc.nat(400), { maxLength: 12 })
const role = fc.constantFrom('request' as const, 'response' as const)
const limits = { maxHeadBytes: 120, maxHeaders: 4, maxTrailerBytes: 40 }

test('any split of any input gives the same events, and only H1Error escapes', () => {
  fc.assert(
    fc.property(soup, cuts, role, fc.boolean(), fc.boolean(), (pieces, at, side, finish, tight) => {
      const input = Buffer.from(pieces.join(''), 'latin1')
      const options = { role: side, finish, ...(tight ? { limits } : {}) }
      const whole = parseEvents(input, options)
      assert.deepEqual(parseEvents(input, { ...options, cuts: at.filter((n) => n < input.length) }), whole)
      assert.deepEqual(parseEvents(input, { ...options, cuts: input.keys().toArray().slice(1) }), whole)
    }),
    parameters,
  )
})

test('a valid conversation with one byte changed gives the same events whatever the split', () => {
  const valid = 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: v\r\n\r\nPUT /b HTTP/1.1\r\nhost: b\r\ncontent-length: 3\r\n\r\nxyzGET / HTTP/1.1\r\nHost: c\r\n\r\n'
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), cuts, (at, byte, split) => {
      const input = Buffer.from(valid, 'latin1')
      input[at] = byte
      assert.deepEqual(parseEvents(input, { cuts: split.filter((n) => n < input.length) }), parseEvents(input))
    }),
    parameters,
  )
})

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/).map((text) => `x-${text}`)
const value = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) => String.fromCharCode(code)), maxLength: 40 })
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''))
const fields = fc.array(fc.tuple(token, value), { maxLength: 8 }).map((pairs) => pairs.flat())
const target = fc.stringMatching(/^\/[!-~]{0,30}$/)
const body = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 50 }), { maxLength: 5 })

test('a request that was written is read back as it was', () => {
  fc.assert(
    fc.property(fc.constantFrom('GET', 'POST', 'DELETE'), target, fields, body, fc.constantFrom('none', 'length', 'chunked'), cuts, (method, path, flat, pieces, framing, split) => {
      const length = pieces.join('').length
      const head = requestHead(method, path, 'a.test:80', HeaderList.of(...flat), framing === 'none' ? noBody : framing === 'chunked' ? chunkedBody : length)
      const text = head + framed(framing, pieces, undefined)
      const events = parseEvents(text, { cuts: split.filter((n) => n < text.length), finish: true })
      const added = framing === 'none' ? [] : framing === 'chunked' ? ['transfer-encoding', 'chunked'] : ['content-length', String(length)]
      const expectedFraming = framing === 'length' ? `length ${length}` : framing
      assert.deepEqual(events, message(`${method} ${path} 1.1`, ['host', 'a.test:80', ...flat, ...added], expectedFraming, framing === 'none' ? [] : pieces, undefined))
    }),
    parameters,
  )
})

test('a response that was written is read back as it was, trailers too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304), fields, body, fields, cuts, (status, flat, pieces, trailers, split) => {
      const list = trailers.length === 0 ? undefined : HeaderList.of(...trailers)
      const text = responseHead(status, 'Because', HeaderList.of(...flat), chunkedBody, 'default') + framed('chunked', pieces, list)
      const events = parseEvents(text, { role: 'response', cuts: split.filter((n) => n < text.length), finish: true })
      assert.deepEqual(events, message(`${status} Because 1.1`, [...flat, 'transfer-encoding', 'chunked'], 'chunked', pieces, list?.flat))
    }),
    parameters,
  )
})

function framed(framing: string, pieces: readonly string[], trailers: HeaderList | undefined): string {
  if (framing === 'none') return ''
  if (framing === 'length') return pieces.join('')
  return pieces.map((piece) => chunkStart(piece.length) + piece + chunkEnd).join('') + lastChunk(trailers)
}

function message(head: string, headers: readonly string[], framing: string, pieces: readonly string[], trailers: readonly string[] | undefined): H1Event[] {
  const text = pieces.join('')
  return [{ head, headers, framing, keepAlive: true }, ...(text === '' ? [] : [{ body: text }]), { end: trailers }]
}
