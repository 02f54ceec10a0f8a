import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { remainder, xxHash64, zeroHash } from './xxhash64.ts'
import type { Hash64 } from './xxhash64.ts'

const hex = ({ high, low }: Hash64): string => high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
const big = ({ high, low }: Hash64): bigint => (BigInt(high) << 32n) | BigInt(low)

/** Of the reference implementation (xxhsum and its documentation) and of Envoy's own test. */
const vectors: [text: string, hash: string][] = [
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['as', '1c330fb2d66be179'],
  ['asd', '631c37ce72a97393'],
  ['asdf', '415872f599cea71e'],
  ['abc', '44bc2cf5ad770999'],
  ['foo', '33bf00a859c4ba3f'],
  ['bar', '48a37c90ad27a659'],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', '02a2e85470d6fd96'],
]
for (const [text, hash] of vectors) test(`xxHash64 of ${JSON.stringify(text)} is the published one`, () => assert.equal(hex(xxHash64(text)), hash))

test('a seed changes the hash as it does in the reference', () => {
  assert.equal(hex(xxHash64('', { high: 0, low: 1 })), 'd5afba1336a3be4b')
  assert.notEqual(hex(xxHash64('x'.repeat(40), { high: 0, low: 1 })), hex(xxHash64('x'.repeat(40))))
})

// The algorithm as it is written down, without any cleverness.
const mask = (1n << 64n) - 1n
const [p1, p2, p3, p4, p5] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n] as const
const rotl = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & mask
const round = (acc: bigint, input: bigint) => (rotl((acc + input * p2) & mask, 31n) * p1) & mask

function reference(bytes: Buffer, seed: bigint): bigint {
  let at = 0
  let acc = (seed + p5) & mask
  if (bytes.length >= 32) {
    const lanes = [(seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask]
    for (; at + 32 <= bytes.length; at += 32) lanes.forEach((one, i) => (lanes[i] = round(one, bytes.readBigUInt64LE(at + 8 * i))))
    acc = (rotl(lanes[0]!, 1n) + rotl(lanes[1]!, 7n) + rotl(lanes[2]!, 12n) + rotl(lanes[3]!, 18n)) & mask
    for (const one of lanes) acc = ((acc ^ round(0n, one)) * p1 + p4) & mask
  }
  acc = (acc + BigInt(bytes.length)) & mask
  for (; at + 8 <= bytes.length; at += 8) acc = (rotl(acc ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4) & mask
  if (at + 4 <= bytes.length) {
    acc = (rotl(acc ^ ((BigInt(bytes.readUInt32LE(at)) * p1) & mask), 23n) * p2 + p3) & mask
    at += 4
  }
  for (; at < bytes.length; at++) acc = (rotl(acc ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask
  acc = ((acc ^ (acc >> 33n)) * p2) & mask
  acc = ((acc ^ (acc >> 29n)) * p3) & mask
  return acc ^ (acc >> 32n)
}

const half = fc.integer({ min: 0, max: 0xffffffff })

test('it is the written algorithm for bytes and seeds of any kind', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), half, half, (bytes, high, low) => {
    const buffer = Buffer.from(bytes)
    assert.equal(big(xxHash64(buffer.toString('latin1'), { high, low })), reference(buffer, big({ high, low })))
  }), { numRuns: 500 })
})

test('a remainder is that of the whole number', () => {
  fc.assert(fc.property(half, half, fc.integer({ min: 1, max: 5_000_011 }), (high, low, by) => {
    assert.equal(BigInt(remainder({ high, low }, by)), big({ high, low }) % BigInt(by))
  }))
  assert.equal(remainder(zeroHash, 7), 0)
})
