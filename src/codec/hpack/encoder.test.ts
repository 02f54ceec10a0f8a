import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { fieldKind } from './field-kind.ts'

/** The block for the fields, and what a decoder with the same history reads in it. */
function pair(limit = 4096): { encode: (...flat: string[]) => Buffer; decoder: HpackDecoder; encoder: HpackEncoder; marks: boolean[] } {
  const encoder = new HpackEncoder(limit)
  const decoder = new HpackDecoder(4096)
  const marks: boolean[] = []
  const encode = (...flat: string[]): Buffer => {
    encoder.begin(0)
    for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!, false)
    const block = Buffer.from(encoder.bytes.subarray(0, encoder.at))
    encoder.finish()
    const read: string[] = []
    marks.length = 0
    decoder.decode(block, 0, block.length, {
      onField: (name, value, _kind, sensitive) => {
        read.push(name, value)
        marks.push(sensitive)
      },
    })
    assert.deepEqual(read, flat)
    return block
  }
  return { encode, decoder, encoder, marks }
}

test('a field that comes again is one byte', () => {
  const { encode } = pair()
  encode('x-a', 'b', 'user-agent', 'curl')
  assert.equal(encode('x-a', 'b', 'user-agent', 'curl').length, 2)
})

test('a name that the table has goes by its index', () => {
  const { encode } = pair()
  encode('x-a-long-name', '1')
  assert.ok(encode('x-a-long-name', '2').length <= 4)
})

test('values that differ from message to message are sent literally, and their names by index', () => {
  const { encode, decoder } = pair()
  encode(':path', '/a', 'content-length', '3', 'x-request-id', 'r-1', 'traceparent', 't-1')
  assert.equal(decoder.count, 2)
  for (let n = 0; n < 100; n++) assert.equal(encode('x-request-id', `r-${n % 10}`, 'traceparent', `t-${n % 10}`).length, 2 * 'ii3r-1'.length)
  assert.equal(decoder.count, 2)
})

test('secrets do not enter the table, and say so', () => {
  const { encode, decoder, marks } = pair()
  encode('authorization', 'Bearer x', 'cookie', 'id=1')
  assert.deepEqual([decoder.count, marks], [0, [true, true]])
  encode('cookie', 'session=0123456789abcdef')
  assert.equal(decoder.count, 1)
})

test('a field that came as never indexed goes on as never indexed', () => {
  const { encoder, decoder } = pair()
  encoder.begin(0)
  encoder.field('x-key', 'secret', true)
  const sensitive: boolean[] = []
  decoder.decode(Buffer.from(encoder.bytes.subarray(0, encoder.at)), 0, encoder.at, { onField: (_name, _value, _kind, mark) => sensitive.push(mark) })
  assert.deepEqual([sensitive, decoder.count], [[true], 0])
})

test('literals that come again are read as they are, beside others of the same length and under other names', () => {
  const { encode } = pair()
  for (const path of ['/one', '/one', '/two', '/one', '/onx', '', '/one', '/o'.repeat(40), '/o'.repeat(40)]) {
    encode(':path', path, 'x-request-id', path, 'content-length', '4', 'etag', path)
  }
})

test('a malformed literal is malformed each time, whatever came before', () => {
  const { decoder } = pair()
  const kinds: number[] = []
  const read = (value: string): void => {
    const block = Buffer.from(`\x04${String.fromCharCode(value.length)}${value}`, 'latin1')
    decoder.decode(block, 0, block.length, { onField: (_name, _value, kind) => kinds.push(kind) })
  }
  for (const path of ['/a', '/\n', '/\n', '/a']) read(path)
  assert.deepEqual(kinds, [fieldKind.path, fieldKind.malformed, fieldKind.malformed, fieldKind.path])
})

test('fields in an order that always changes', () => {
  const { encode } = pair(100)
  const names = ['accept', 'x-a', 'x-b', 'cookie', 'x-c', 'x-a']
  for (let n = 0; n < 500; n++) encode(...names.flatMap((_, i) => [names[(n * (i + 3)) % names.length]!, `${n % 7}`]), `x-${n % 90}`, 'once')
})

test('a name whose values never come again stops being indexed, so that it does not push out the others', () => {
  const { encode, decoder } = pair()
  encode('x-good', 'stays')
  for (let n = 0; n < 1000; n++) encode('x-serial', String(n), 'x-good', 'stays')
  assert.ok(decoder.count <= 10, `${decoder.count} entries`)
  assert.equal(encode('x-good', 'stays').length, 1)
})

test('a value that changes slowly is indexed anew each time', () => {
  const { encode } = pair()
  for (let second = 0; second < 200; second++) {
    encode('date', `Wed, 25 Nov 2026 12:00:${second}`)
    for (let n = 0; n < 3; n++) assert.equal(encode('date', `Wed, 25 Nov 2026 12:00:${second}`).length, 1)
  }
})

test('connection-specific fields are not written', () => {
  const encoder = new HpackEncoder(4096)
  encoder.begin(0)
  for (const name of ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']) encoder.field(name, 'x', false)
  assert.equal(encoder.at, 0)
})

test('a name that was of use for long is given up, too, once its values come no more', () => {
  const { encode, decoder } = pair()
  for (let n = 0; n < 1000; n++) encode('x-serial', 'same')
  for (let n = 0; n < 1000; n++) encode('x-serial', String(n))
  assert.ok(decoder.count <= 10, `${decoder.count} entries`)
})

test('a table smaller than the initial one is announced in the first block', () => {
  assert.deepEqual([...pair(64).encode('x-a', 'b').subarray(0, 2)], [0x3f, 64 - 31])
})

test('what the encoder remembers is bounded, whatever names it meets', () => {
  const { encode, encoder, decoder } = pair()
  for (let n = 0; n < 3000; n++) encode(`x-${n}`, 'v'.repeat(n % 60))
  assert.ok(encoder.size <= 4096 && encoder.count <= 128 && decoder.size === encoder.size)
})

test('a smaller table is announced before it is used, and a table that was small for a while is announced too', () => {
  const { encode, encoder, decoder } = pair()
  encode('x-a', 'b')
  encoder.setMaxSize(0)
  assert.equal(encode('x-a', 'b')[0], 0x20)
  assert.equal(decoder.count, 0)
  encoder.setMaxSize(100)
  encoder.setMaxSize(0)
  encoder.setMaxSize(4096)
  assert.deepEqual([...encode('x-a', 'b').subarray(0, 4)], [0x20, 0x3f, 0xe1, 0x1f])
  assert.equal(decoder.count, 1)
})

test('our own limit on the table holds where the peer allows more', () => {
  const { encode, encoder, decoder } = pair(64)
  encoder.setMaxSize(1 << 20)
  for (let n = 0; n < 20; n++) encode(`x-${n}`, '')
  assert.ok(encoder.size <= 64 && decoder.size <= 64)
})

test('characters that a byte cannot carry do not become control characters', () => {
  const encoder = new HpackEncoder(4096)
  encoder.begin(0)
  encoder.field(':path', '/\u010d\u010a', false)
  encoder.field('x-indexed', '\u010d\u010a', false)
  assert.ok(!encoder.bytes.subarray(0, encoder.at).includes(0x0d) && !encoder.bytes.subarray(0, encoder.at).includes(0x0a))
})

test('long values come out as they went in, and what no byte can carry as question marks', () => {
  const { encode, encoder, decoder } = pair()
  const long = 'x'.repeat(500)
  for (const value of [long, `${long}\u00e9`, `\u00ff${long}`, '\u00e9'.repeat(500), long]) encode('authorization', value, ':path', `/${value}`)
  for (const wide of [`${long}\u010d`, `\u{1f600}${long}`, `${long}\ud800`, `\u20ac${long}`]) {
    encoder.begin(0)
    encoder.field('authorization', wide, false)
    const read: string[] = []
    decoder.decode(Buffer.from(encoder.bytes.subarray(0, encoder.at)), 0, encoder.at, { onField: (_name, value) => read.push(value) })
    assert.deepEqual(read, [wide.replaceAll(/[^\0-\xff]/g, '?')])
  }
})

test('a value larger than the shared buffer is written whole', () => {
  const { encode } = pair()
  encode('x-large', 'v'.repeat(100_000), 'x-b', 'c')
})
