// Fuzz targets for DNS: bytes of any kind are read without an exception and in time that grows with them only; what is made here
// can be read, also by another implementation; what passes is not changed.
import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { aged, keepable } from '../../src/codec/dns/cacheable.ts'
import { isAnswerTo, readQuery, recordsIn } from '../../src/codec/dns/message.ts'
import { nameBytes, readName, skipName } from '../../src/codec/dns/name.ts'
import { addressResponse, errorResponse, truncatedResponse } from '../../src/codec/dns/response.ts'
import { query as ask, reply } from '../support/dns-peers.ts'

const parameters = { numRuns: 3000 }
const label = fc.uint8Array({ minLength: 1, maxLength: 63 })
const wireName = fc.array(label, { maxLength: 4 }).map((labels) => Buffer.concat([...labels.flatMap((one) => [Buffer.from([one.length]), Buffer.from(one)]), Buffer.from([0])])).filter(({ length }) => length <= 255)
/** Lengths, pointers, counts and types that mean something. */
const meaningful = fc.array(fc.constantFrom(0, 1, 2, 3, 5, 6, 12, 28, 41, 63, 64, 0x80, 0xc0, 0xff, 0x61), { maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const hostile = fc.oneof(fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)), meaningful)
/** A good message with some bytes replaced, cut off or added. */
const damaged = fc.tuple(wireName, fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), fc.nat(250), fc.uint8Array({ maxLength: 12 })).map(([name, changes, length, rest]) => {
  const good = reply(Buffer.concat([Buffer.from('123401000001000000000000', 'hex'), name, Buffer.from('00010001', 'hex')]), { answers: [{ type: 1, ttl: 9, data: Buffer.alloc(4) }] })
  for (const [at, byte] of changes) if (at < good.length) good[at] = byte
  return Buffer.concat([length < 20 ? good.subarray(0, length) : good, rest])
})

test('bytes of any kind are read without an exception', () => {
  fc.assert(fc.property(fc.oneof(hostile, damaged), fc.nat(20), (bytes, from) => {
    const read = readQuery(bytes)
    readName(bytes, from)
    skipName(bytes, from)
    if (bytes.length >= 12) recordsIn(bytes, Math.min(from + 12, bytes.length))
    if (read.kind === 'unreadable') assert.equal(errorResponse(bytes, undefined, 1).length, 12)
    const asked = ask('a.example')
    const query = readQuery(asked)
    assert.ok(query.kind === 'query')
    if (bytes.length >= 12) keepable(bytes, query.query)
    isAnswerTo(asked, query.query, bytes)
    if (read.kind !== 'query') return
    assert.ok(read.query.questionEnd <= bytes.length)
    assert.ok(addressResponse(bytes, read.query, { alias: 'x.y', addresses: [Buffer.alloc(4), Buffer.alloc(4)], ttl: 1 }, 512).length <= 512)
    assert.ok(truncatedResponse(bytes, read.query).length <= 512 && errorResponse(bytes, read.query, 16).length <= 512)
  }), parameters)
})

test('a name that was read is written as the same name, whatever is in it, and different names stay different', () => {
  fc.assert(fc.property(wireName, wireName, (one, other) => {
    const lower = (bytes: Buffer) => Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)))
    const read = readName(one, 0)
    assert.equal(read?.end, one.length)
    // A length is a byte as well, but none above 63 is one of a letter.
    assert.deepEqual(nameBytes(read!.name), lower(one))
    assert.equal(read!.name === readName(other, 0)!.name, lower(one).equals(lower(other)))
  }), parameters)
})

test('what is kept comes back with nothing changed but id, letters and times', () => {
  fc.assert(fc.property(damaged, fc.nat(100), (bytes, age) => {
    const asked = ask('a.example', 1, { id: 0x1234 })
    const read = readQuery(asked)
    assert.ok(read.kind === 'query')
    const response = Buffer.concat([asked.subarray(0, 2), Buffer.from('81800001', 'hex'), bytes.subarray(6, 12), asked.subarray(12), bytes.subarray(12)])
    const keep = response.length >= read.query.questionEnd ? keepable(response, read.query) : undefined
    if (keep === undefined) return
    const later = aged(response, keep, asked, read.query, age)
    for (const at of keep.ttlsAt) later.writeUInt32BE(response.readUInt32BE(at), at)
    assert.deepEqual(later, response)
  }), parameters)
})

test('c-ares reads every response that is made here', async () => {
  let next: { readonly alias: string | undefined; readonly addresses: readonly Buffer[] } = { alias: undefined, addresses: [] }
  const socket = createSocket('udp4').on('message', (bytes, from) => {
    const read = readQuery(bytes)
    if (read.kind === 'query') socket.send(addressResponse(bytes, read.query, { ...next, ttl: 30 }, 4096), from.port, from.address)
  })
  await once(socket.bind(0, '127.0.0.1'), 'listening')
  const resolver = new Resolver({ timeout: 5000, tries: 1 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes))
  const alias = fc.option(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9](\.[a-z][a-z0-9]{1,9}){0,3}$/), { nil: undefined })
  await fc.assert(fc.asyncProperty(alias, fc.array(v4, { minLength: 1, maxLength: 30 }), async (name, addresses) => {
    next = { alias: name, addresses }
    assert.deepEqual(await resolver.resolve4('some.host.example', { ttl: true }), addresses.map((one) => ({ address: one.join('.'), ttl: 30 })))
  }), { numRuns: 100 })
  socket.close()
})
