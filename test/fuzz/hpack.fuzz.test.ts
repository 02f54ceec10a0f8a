// Fuzz targets for HPACK: what was encoded is decoded, on tables with any history; bytes of any kind only ever throw
// HpackError; and no table grows beyond its size.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HpackDecoder } from '../../src/codec/hpack/decoder.ts'
import { HpackEncoder } from '../../src/codec/hpack/encoder.ts'
import { HpackError } from '../../src/codec/hpack/errors.ts'
import { decodeHuffman, decodedBound, encodeHuffman, huffmanLength } from '../../src/codec/hpack/huffman.ts'

const parameters = { numRuns: 2000 }
const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 60 })
const name = fc.oneof(
  fc.constantFrom('accept', 'cookie', 'authorization', 'content-type', 'x-request-id', 'x-a', 'x-b', ':path', ':status', ':method', 'set-cookie'),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
)
const value = fc.oneof(fc.constantFrom('', '200', 'GET', 'gzip, deflate', 'a', 'application/json'), latin1, latin1.map((text) => text.repeat(40)))
const fields = fc.array(fc.tuple(name, value, fc.boolean()), { maxLength: 12 })

/** A block, or a new size of the table. */
const step = fc.oneof({ weight: 8, arbitrary: fields }, { weight: 1, arbitrary: fc.constantFrom(0, 50, 100, 1000, 4096, 100_000) })

test('header lists come back as they were, whatever blocks and table sizes came before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(0, 64, 4096), (steps, limit) => {
      const encoder = new HpackEncoder(limit)
      const decoder = new HpackDecoder(4096)
      for (const one of steps) {
        if (typeof one === 'number') {
          encoder.setMaxSize(one)
          continue
        }
        encoder.begin(9)
        for (const [text, content, sensitive] of one) encoder.field(text, content, sensitive)
        const block = Buffer.from(encoder.bytes.subarray(9, encoder.at))
        encoder.finish()
        const read: [string, string][] = []
        const marks: boolean[] = []
        decoder.decode(block, 0, block.length, {
          onField: (text, content, _kind, sensitive) => {
            read.push([text, content])
            marks.push(sensitive)
          },
        })
        assert.deepEqual(read, one.map(([text, content]) => [text, content]))
        one.forEach(([, , sensitive], n) => assert.ok(!sensitive || marks[n], 'a mark was lost'))
        assert.ok(encoder.size <= limit && decoder.size === encoder.size && decoder.count === encoder.count)
      }
    }),
    parameters,
  )
})

const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  // Bytes that mean something: indexes, literals, size updates, lengths, Huffman strings.
  fc.array(fc.constantFrom(0x82, 0xbe, 0xbf, 0xff, 0x40, 0x00, 0x10, 0x20, 0x3f, 0x7f, 0x01, 0x61, 0x81, 0x83, 0x1f, 0x3e), { maxLength: 120 }).map((bytes) => Uint8Array.from(bytes)),
)

test('bytes of any kind only ever throw HpackError, and the table stays within its size', () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 8 }), (blocks) => {
      const decoder = new HpackDecoder(4096)
      for (const bytes of blocks) {
        const block = Buffer.from(bytes)
        let fields = 0
        try {
          decoder.decode(block, 0, block.length, { onField: () => void fields++ })
        } catch (error) {
          assert.ok(error instanceof HpackError, String(error))
        }
        assert.ok(fields <= block.length && decoder.size <= 4096 && decoder.count <= 128)
      }
    }),
    parameters,
  )
})

test('Huffman code: every string comes back, no input writes beyond its bound, and what is accepted was coded so', () => {
  fc.assert(
    fc.property(fc.oneof(latin1, latin1.map((text) => text.toLowerCase())), fc.uint8Array({ maxLength: 80 }), (text, noise) => {
      const coded = Buffer.alloc(huffmanLength(text))
      assert.equal(encodeHuffman(text, coded, 0), coded.length)
      const out = Buffer.alloc(decodedBound(Math.max(coded.length, noise.length)) + 8, 0xee)
      assert.equal(out.toString('latin1', 0, decodeHuffman(coded, 0, coded.length, out, 0)), text)
      out.fill(0xee)
      const used = decodeHuffman(noise, 0, noise.length, out, 0)
      assert.ok(out.subarray(decodedBound(noise.length)).every((byte) => byte === 0xee))
      if (used < 0) return
      const again = Buffer.alloc(noise.length)
      encodeHuffman(out.toString('latin1', 0, used), again, 0)
      assert.deepEqual([...again], [...noise])
    }),
    parameters,
  )
})
