import assert from 'node:assert/strict'
import { test } from 'node:test'
import { query as ask, reply, soa, types } from '../../../test/support/dns-peers.ts'
import { aged, keepable } from './cacheable.ts'
import { DnsFrames, framed } from './frames.ts'
import { isAnswerTo, readQuery, recordsIn } from './message.ts'
import type { DnsQuery } from './message.ts'
import { nameBytes, readName, skipName } from './name.ts'
import { addressResponse, errorResponse, truncatedResponse } from './response.ts'

const queryOf = (bytes: Buffer): DnsQuery => {
  const read = readQuery(bytes)
  assert.ok(read.kind === 'query')
  return read.query
}

test('names are text that is equal for equal names, and odd bytes never make two names one', () => {
  const read = (hex: string) => readName(Buffer.from(hex, 'hex'), 0)
  assert.deepEqual(read('03575757016100'), { name: 'www.a', end: 7 })
  assert.deepEqual(read('00'), { name: '', end: 1 })
  assert.deepEqual(read('03612e6200')?.name, 'a\\046b')
  assert.deepEqual(read('045c30343600')?.name, '\\092046')
  assert.deepEqual(read('02ff0000')?.name, '\\255\\000')
  for (const name of ['www.a', '', 'a\\046b', '\\092046', '\\255\\000']) assert.equal(readName(nameBytes(name)!, 0)?.name, name)
})

test('names that are cut off, too long or compressed are not read in full, but compressed ones are skipped', () => {
  const long = Buffer.concat([...Array.from({ length: 4 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 97)])), Buffer.from([0])])
  for (const bytes of [Buffer.from('0361', 'hex'), Buffer.from('0361616', 'hex'), Buffer.from('0161c000', 'hex'), Buffer.from('4161', 'hex'), Buffer.alloc(0), long]) assert.equal(readName(bytes, 0), undefined)
  assert.equal(nameBytes('a'.repeat(64)), undefined)
  assert.equal(nameBytes('a..b'), undefined)
  assert.equal(skipName(Buffer.from('0161c00000', 'hex'), 0), 4)
  assert.equal(skipName(Buffer.from('c0', 'hex'), 0), -1)
  assert.equal(skipName(Buffer.from('8161', 'hex'), 0), -1)
  assert.equal(skipName(long, 0), -1)
})

test('a query is read with what EDNS says; responses are none', () => {
  const { name, type, flags, opcode, edns, plain } = queryOf(ask('API.example.com', types.AAAA, { flags: 0x0110, edns: { udpBytes: 4096, dnssecOk: true, version: 3 } }))
  assert.deepEqual({ name, type, flags, opcode, edns, plain }, { name: 'api.example.com', type: 28, flags: 0x0110, opcode: 0, plain: true, edns: { udpBytes: 4096, version: 3, dnssecOk: true, hasOptions: false } })
  assert.equal(queryOf(ask('a', 1, { edns: { options: Buffer.from('000a0000', 'hex') } })).plain, false)
  assert.equal(queryOf(ask('a')).edns, undefined)
  assert.equal(readQuery(reply(ask('a'))).kind, 'not-a-query')
  assert.equal(readQuery(Buffer.alloc(11)).kind, 'not-a-query')
  assert.equal(readQuery(Buffer.alloc(12)).kind, 'unreadable')
})

test('records are found behind compressed names, and a message with less or more than it says is refused', () => {
  const message = reply(ask('a'), { answers: [{ type: 1, ttl: 9, data: Buffer.from([1, 2, 3, 4]) }], authority: [soa(5, 6)] })
  const records = recordsIn(message, 19)!
  assert.deepEqual(records.map(({ section, type, ttl, dataBytes }) => [section, type, ttl, dataBytes]), [['answer', 1, 9, 4], ['authority', 6, 5, 22]])
  assert.equal(recordsIn(message.subarray(0, -1), 19), undefined)
  assert.equal(recordsIn(Buffer.concat([message, Buffer.from([0])]), 19), undefined)
})

test('an answer is one to this id, this question and this kind of query; a failure may be without the question', () => {
  const sent = ask('Example.com', types.A, { id: 77 })
  const query = queryOf(sent)
  const good = reply(sent)
  assert.ok(isAnswerTo(sent, query, good))
  assert.ok(isAnswerTo(sent, query, reply(ask('eXAMPLE.com', types.A, { id: 77 }))))
  const [otherId, otherKind, failure] = [Buffer.from(good), Buffer.from(good), Buffer.from(good.subarray(0, 12))]
  otherId.writeUInt16BE(78, 0)
  otherKind.writeUInt16BE(0xa980, 2)
  failure.writeUInt16BE(0x8181, 2)
  failure.writeUInt16BE(0, 4)
  assert.ok(isAnswerTo(sent, query, failure))
  for (const bad of [otherId, otherKind, sent, good.subarray(0, 12), good.subarray(0, 11), reply(ask('example.com', types.AAAA, { id: 77 })), reply(ask('other.com', types.A, { id: 77 })), reply(ask('example.com', types.A, { id: 77, class: 3 }))]) {
    assert.ok(!isAnswerTo(sent, query, bad))
  }
})

test('addresses are answered behind an alias, and what does not fit is left out and said', () => {
  const asked = ask('a.b.search', types.A, { edns: {} })
  const addresses = [Buffer.from([10, 0, 0, 1]), Buffer.from([10, 0, 0, 2])]
  const whole = addressResponse(asked, queryOf(asked), { alias: 'a.b', addresses, ttl: 30 }, 512)
  const found = recordsIn(whole, queryOf(asked).questionEnd)!
  assert.deepEqual(found.map(({ type, ttl }) => [type, ttl]), [[5, 30], [1, 30], [1, 30], [41, 0]])
  assert.equal(readName(whole, found[0]!.dataAt)?.name, 'a.b')
  assert.equal(whole.readUInt16BE(found[1]!.dataAt - 12), 0xc000 + found[0]!.dataAt, 'addresses are the alias\'s')
  const cut = addressResponse(asked, queryOf(asked), { alias: 'a.b', addresses, ttl: 30 }, whole.length - 1)
  assert.equal(cut.readUInt16BE(2) & 0x0200, 0x0200)
  assert.equal(cut.readUInt16BE(6), 2)
  const truncated = truncatedResponse(whole, queryOf(asked))
  assert.equal(recordsIn(truncated, queryOf(asked).questionEnd)?.length, 1)
  assert.equal(errorResponse(asked, undefined, 1).toString('hex'), '123481810000000000000000')
})

test('the shortest time to live counts, of what there is not the zone\'s own; flags of EDNS are none', () => {
  const asked = ask('a')
  const query = queryOf(asked)
  const kept = (message: Buffer) => keepable(message, query)?.seconds
  assert.equal(kept(reply(asked, { answers: [{ type: 1, ttl: 9, data: Buffer.alloc(4) }, { type: 1, ttl: 7, data: Buffer.alloc(4) }] })), 7)
  assert.equal(kept(reply(asked, { authority: [soa(50, 6)] })), 6)
  assert.equal(kept(reply(asked, { flags: 0x8183, authority: [soa(5, 60)] })), 5)
  for (const flags of [0x8182, 0x8185, 0x8380]) assert.equal(kept(reply(asked, { flags, answers: [{ type: 1, ttl: 9, data: Buffer.alloc(4) }] })), undefined)
  assert.equal(kept(reply(asked)), undefined)
  const message = reply(asked, { answers: [{ type: 1, ttl: 9, data: Buffer.alloc(4) }] })
  const opt = Buffer.from('0000290200000080000000', 'hex')
  const withOpt = Buffer.concat([message, opt])
  withOpt.writeUInt16BE(1, 10)
  assert.deepEqual(aged(withOpt, keepable(withOpt, query)!, ask('A', 1, { id: 5 }), query, 4).subarray(-opt.length), opt)
})

test('messages in a stream are taken out whole, one by one', () => {
  const frames = new DnsFrames()
  const all = Buffer.concat(['one', '', 'three'].map((text) => framed(Buffer.from(text))))
  const taken: string[] = []
  for (const byte of all) {
    frames.push(Buffer.from([byte]))
    for (let next = frames.next(); next !== undefined; next = frames.next()) taken.push(next.toString())
  }
  assert.deepEqual(taken, ['one', '', 'three'])
  frames.push(all)
  assert.equal(frames.next()?.toString(), 'one')
  frames.push(all)
  assert.deepEqual([frames.next(), frames.next(), frames.next()].map(String), ['', 'three', 'one'])
})
