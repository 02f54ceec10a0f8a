import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Deframer } from './deframer.ts'
import { GrpcCodecError } from './errors.ts'
import { frameMessage, messagePrefix } from './frame.ts'
import { decodeGrpcMessage, encodeGrpcMessage } from './message.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from './timeout.ts'

function deframe(chunks: readonly Uint8Array[], max = 1 << 20): Buffer[] {
  const messages: Buffer[] = []
  const deframer = new Deframer(max, (message) => messages.push(Buffer.from(message)))
  for (const chunk of chunks) deframer.push(chunk)
  deframer.end()
  return messages
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

describe('frames', () => {
  test('a message goes behind a zero flag and its length in big-endian', () => {
    assert.deepEqual([...frameMessage(Uint8Array.of(7, 8))], [0, 0, 0, 0, 2, 7, 8])
    assert.deepEqual([...messagePrefix(0x01020304)], [0, 1, 2, 3, 4])
    assert.deepEqual([...messagePrefix(0xffffffff)], [0, 255, 255, 255, 255])
  })

  test('any split of the bytes gives the same messages', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 })
    fc.assert(fc.property(messages, fc.array(fc.nat(2000), { maxLength: 20 }), (all, cuts) => {
      const bytes = Buffer.concat(all.map(frameMessage))
      assert.deepEqual(deframe(split(bytes, cuts)), all.map((one) => Buffer.from(one)))
    }))
  })

  test('a large message that comes byte by byte is whole', () => {
    const message = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251)
    assert.deepEqual(deframe([...frameMessage(message)].map((byte) => Uint8Array.of(byte))), [Buffer.from(message)])
  })

  test('only codec errors come of random bytes', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      try {
        deframe(chunks, 64)
      } catch (error) {
        assert.ok(error instanceof GrpcCodecError)
      }
    }))
  })

  const refused = [
    { title: 'a message above the limit', bytes: [0, 0, 0, 0, 65], code: 'grpc/too-large' },
    { title: 'the largest length there is', bytes: [0, 255, 255, 255, 255], code: 'grpc/too-large' },
    { title: 'a compressed message', bytes: [1, 0, 0, 0, 1, 0], code: 'grpc/compressed' },
    { title: 'an unknown flag', bytes: [2, 0, 0, 0, 0], code: 'grpc/flag' },
    { title: 'an end inside the prefix', bytes: [0, 0], code: 'grpc/truncated' },
    { title: 'an end inside a message', bytes: [0, 0, 0, 0, 2, 1], code: 'grpc/truncated' },
  ]
  for (const { title, bytes, code } of refused) {
    test(`${title} is refused`, () => assert.throws(() => deframe([Uint8Array.from(bytes)], 64), { code }))
  }

  test('a message of exactly the limit is taken', () => {
    assert.equal(deframe([frameMessage(new Uint8Array(64))], 64)[0]?.length, 64)
  })
})

describe('grpc-message', () => {
  test('printable ASCII stands for itself, the rest is percent-encoded UTF-8', () => {
    assert.equal(encodeGrpcMessage('no such host: "a"'), 'no such host: "a"')
    assert.equal(encodeGrpcMessage('100%\r\n\u00e9'), '100%25%0D%0A%C3%A9')
  })

  test('what was encoded is what is decoded', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const encoded = encodeGrpcMessage(text)
      assert.match(encoded, /^[ -~]*$/)
      assert.equal(decodeGrpcMessage(encoded), text.toWellFormed())
    }))
  })

  test('broken encodings stand for themselves', () => {
    assert.equal(decodeGrpcMessage('50% of %zz %4'), '50% of %zz %4')
    assert.equal(decodeGrpcMessage('a\u00e9'), 'a\u00e9')
  })

  test('a long text is cut between characters', () => {
    const encoded = encodeGrpcMessage('\u00e9'.repeat(10_000))
    assert.ok(encoded.length <= 4096)
    assert.match(decodeGrpcMessage(encoded), /^\u00e9+$/)
  })
})

describe('grpc-timeout', () => {
  const cases: readonly [string, number | undefined][] = [
    ['1H', 3_600_000], ['2M', 120_000], ['3S', 3000], ['250m', 250], ['1u', 1], ['1500u', 2], ['99999999n', 100], ['0m', 0],
    ['', undefined], ['5', undefined], ['m', undefined], ['123456789m', undefined], ['-1S', undefined], ['1.5S', undefined], ['1s', undefined], [' 1S', undefined],
  ]
  for (const [text, ms] of cases) {
    test(`${JSON.stringify(text)} is ${ms === undefined ? 'no timeout' : `${ms} ms`}`, () => assert.equal(parseGrpcTimeout(text), ms))
  }

  test('what is formatted is at least what was asked for', () => {
    fc.assert(fc.property(fc.double({ min: 0, max: 3e14, noNaN: true }), (ms) => {
      assert.ok(parseGrpcTimeout(formatGrpcTimeout(ms))! >= ms)
    }))
  })
})
