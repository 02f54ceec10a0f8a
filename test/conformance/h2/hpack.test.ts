// RFC 7541: the examples of appendix C, and every rule of the format that a peer can break or that its table shows.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HpackDecoder } from '../../../src/codec/hpack/decoder.ts'
import { HpackError } from '../../../src/codec/hpack/errors.ts'
import { codeLengths, codes } from '../../../src/codec/hpack/huffman-code.ts'
import { decodeHuffman, encodeHuffman, huffmanLength } from '../../../src/codec/hpack/huffman.ts'
import { field, indexed, integer } from '../../support/h2-frames.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

function decode(decoder: HpackDecoder, bytes: Buffer): string[] {
  const fields: string[] = []
  decoder.decode(bytes, 0, bytes.length, { onField: (name, value, _kind, sensitive) => fields.push(`${sensitive ? '!' : ''}${name}`, value) })
  return fields
}

const date21 = 'Mon, 21 Oct 2013 20:13:21 GMT'
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
const request1 = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com']
const request2 = [...request1, 'cache-control', 'no-cache']
const request3 = [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com', 'custom-key', 'custom-value']
const response1 = [':status', '302', 'cache-control', 'private', 'date', date21, 'location', 'https://www.example.com']
const response2 = [':status', '307', ...response1.slice(2)]
const response3 = [':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', 'location', 'https://www.example.com', 'content-encoding', 'gzip', 'set-cookie', cookie]

/** Blocks of one connection in turn, each with its fields, and the table's size and entries after it. */
type Example = readonly [title: string, tableSize: number, blocks: readonly (readonly [block: string, fields: readonly string[], size: number, count: number])[]]

const examples: readonly Example[] = [
  ['C.2.1 literal with indexing', 4096, [['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', ['custom-key', 'custom-header'], 55, 1]]],
  ['C.2.2 literal without indexing', 4096, [['040c 2f73 616d 706c 652f 7061 7468', [':path', '/sample/path'], 0, 0]]],
  ['C.2.3 literal never indexed', 4096, [['1008 7061 7373 776f 7264 0673 6563 7265 74', ['!password', 'secret'], 0, 0]]],
  ['C.2.4 indexed', 4096, [['82', [':method', 'GET'], 0, 0]]],
  ['C.3 requests, plain', 4096, [
    ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', request1, 57, 1],
    ['8286 84be 5808 6e6f 2d63 6163 6865', request2, 110, 2],
    ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', request3, 164, 3],
  ]],
  ['C.4 requests in Huffman code', 4096, [
    ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', request1, 57, 1],
    ['8286 84be 5886 a8eb 1064 9cbf', request2, 110, 2],
    ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', request3, 164, 3],
  ]],
  ['C.5 responses, plain, with eviction', 256, [
    ['4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', response1, 222, 4],
    ['4803 3330 37c1 c0bf', response2, 222, 4],
    ['88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31', response3, 215, 3],
  ]],
  ['C.6 responses in Huffman code, with eviction', 256, [
    ['4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3', response1, 222, 4],
    ['4883 640e ffc1 c0bf', response2, 222, 4],
    ['88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07', response3, 215, 3],
  ]],
]

describe('RFC 7541 appendix C', () => {
  for (const [title, tableSize, blocks] of examples) {
    test(title, () => {
      const decoder = new HpackDecoder(4096)
      const update = tableSize === 4096 ? Buffer.alloc(0) : integer(tableSize, 5, 0x20)
      blocks.forEach(([block, fields, size, count], n) => {
        assert.deepEqual(decode(decoder, n === 0 ? Buffer.concat([update, hex(block)]) : hex(block)), fields)
        assert.deepEqual([decoder.size, decoder.count], [size, count])
      })
    })
  }
})

test('appendix B: the code is complete, and every byte comes through it', () => {
  assert.equal(codeLengths.reduce((sum, length) => sum + 2 ** (30 - length), 0), 2 ** 30)
  assert.deepEqual([codes[0], codes[0x30], codes[0x5c], codes[255], codes[256]], [0x1ff8, 0, 0x7fff0, 0x3ffffee, 0x3fffffff])
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
  const coded = Buffer.alloc(huffmanLength(all))
  assert.equal(encodeHuffman(all, coded, 0), coded.length)
  const out = Buffer.alloc(256)
  assert.equal(decodeHuffman(coded, 0, coded.length, out, 0), 256)
  assert.equal(out.toString('latin1'), all)
})

type Refused = readonly [title: string, bytes: Buffer, code: HpackError['code']]
const literal = (...bytes: number[]): Buffer => Buffer.from([0x00, 1, 0x61, ...bytes])

const refused: readonly Refused[] = [
  ['2.3.3 an index beyond both tables', indexed(62), 'hpack/bad-index'],
  ['2.3.3 a far index', indexed(100_000), 'hpack/bad-index'],
  ['6.1 index 0', Buffer.from([0x80]), 'hpack/bad-index'],
  ['6.2.1 a name by an index beyond both tables', Buffer.from([0x7f, 0x00, 1, 0x61]), 'hpack/bad-index'],
  ['5.1 an integer that ends with the block', Buffer.from([0xff]), 'hpack/truncated'],
  ['5.1 an integer that goes on and ends with the block', Buffer.from([0xff, 0x80, 0x80]), 'hpack/truncated'],
  ['5.1 an integer of too many bytes', Buffer.from([0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), 'hpack/bad-integer'],
  ['5.1 an integer of more than 32 bits', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), 'hpack/bad-integer'],
  ['5.2 a string longer than the block', Buffer.from([0x00, 5, 0x61]), 'hpack/truncated'],
  ['5.2 a name without a value', Buffer.from([0x00, 1, 0x61]), 'hpack/truncated'],
  ['5.2 a coded string longer than the block', literal(0x85, 0xff), 'hpack/truncated'],
  ['5.2 padding of more than seven bits', literal(0x82, 0x1f, 0xff), 'hpack/bad-huffman'],
  ['5.2 padding of a byte of ones', literal(0x81, 0xff), 'hpack/bad-huffman'],
  ['5.2 padding that is not the beginning of EOS', literal(0x81, 0x18), 'hpack/bad-huffman'],
  ['5.2 EOS in a string', literal(0x84, 0xff, 0xff, 0xff, 0xff), 'hpack/bad-huffman'],
  ['4.2 a size update behind a field', Buffer.from([0x82, 0x20]), 'hpack/bad-size-update'],
  ['4.2 three size updates', Buffer.from([0x20, 0x21, 0x22]), 'hpack/bad-size-update'],
  ['6.3 a size update beyond the limit', integer(4097, 5, 0x20), 'hpack/bad-size-update'],
]

describe('RFC 7541: what is refused as a compression error', () => {
  for (const [title, bytes, code] of refused) {
    test(title, () => assert.throws(() => decode(new HpackDecoder(4096), bytes), (error) => error instanceof HpackError && error.code === code))
  }

  test('every beginning of a good block either is a block too or is refused', () => {
    const whole = hex(examples.at(-1)![2][0]![0])
    for (let end = 0; end < whole.length; end++) {
      try {
        decode(new HpackDecoder(4096), whole.subarray(0, end))
      } catch (error) {
        assert.ok(error instanceof HpackError)
      }
    }
  })
})

describe('RFC 7541 section 4: the dynamic table', () => {
  const indexing = (name: string, value: string): Buffer => field(name, value, 0x40)

  test('4.4 an entry larger than the table empties it and is no error', () => {
    const decoder = new HpackDecoder(4096)
    decode(decoder, Buffer.concat([integer(64, 5, 0x20), indexing('a', 'b')]))
    assert.equal(decoder.count, 1)
    assert.deepEqual(decode(decoder, indexing('a', 'x'.repeat(64))), ['a', 'x'.repeat(64)])
    assert.deepEqual([decoder.count, decoder.size], [0, 0])
  })

  test('4.4 a name may be taken from the entry that the new one pushes out', () => {
    const decoder = new HpackDecoder(4096)
    decode(decoder, Buffer.concat([integer(40, 5, 0x20), indexing('name', 'v')]))
    assert.deepEqual(decode(decoder, Buffer.concat([integer(62, 6, 0x40), Buffer.from([1, 0x77])])), ['name', 'w'])
    assert.deepEqual(decode(decoder, indexed(62)), ['name', 'w'])
  })

  test('4.3 a size of 0 empties the table, and the size may grow again in the same block', () => {
    const decoder = new HpackDecoder(4096)
    decode(decoder, indexing('a', 'b'))
    assert.deepEqual(decode(decoder, Buffer.concat([Buffer.from([0x20]), integer(4096, 5, 0x20), indexing('c', 'd')])), ['c', 'd'])
    assert.deepEqual([decoder.count, decoder.size], [1, 34])
  })

  test('4.2 after we allow less, the next block must begin by using less', () => {
    const decoder = new HpackDecoder(4096)
    decode(decoder, indexing('a', 'b'))
    decoder.setLimit(100)
    assert.throws(() => decode(decoder, indexed(2)), { code: 'hpack/bad-size-update' })
    const other = new HpackDecoder(4096)
    other.setLimit(100)
    assert.deepEqual(decode(other, Buffer.concat([integer(100, 5, 0x20), indexed(2)])), [':method', 'GET'])
    assert.throws(() => decode(other, integer(101, 5, 0x20)), { code: 'hpack/bad-size-update' })
  })

  test('the table never holds more than its size, whatever is put in', () => {
    const decoder = new HpackDecoder(4096)
    for (let n = 0; n < 5000; n++) decode(decoder, indexing(`n${n}`, 'v'.repeat(n % 200)))
    assert.ok(decoder.size <= 4096 && decoder.count <= 4096 / 32)
    assert.deepEqual(decode(decoder, indexed(62)), ['n4999', 'v'.repeat(4999 % 200)])
  })

  test('2.3.2 entries may be there twice, and the newest has the lowest index', () => {
    const decoder = new HpackDecoder(4096)
    decode(decoder, Buffer.concat([indexing('a', '1'), indexing('a', '2'), indexing('a', '1')]))
    assert.equal(decoder.count, 3)
    assert.deepEqual(decode(decoder, Buffer.concat([indexed(62), indexed(63), indexed(64)])), ['a', '1', 'a', '2', 'a', '1'])
  })
})
