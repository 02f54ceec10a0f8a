// Responses that are made here: addresses for a name, also behind an alias; nothing; and refusals. Names in answers are
// pointers to where they stand already.
import { dnsClass, dnsType, flag, flagsOf, headBytes } from './message.ts'
import type { DnsQuery } from './message.ts'
import { nameBytes } from './name.ts'

export interface Answers {
  /** The name that the one asked for stands for; undefined when it is the one. */
  readonly alias: string | undefined
  /** Of the type that was asked for, as bytes; none where the name has none of it. */
  readonly addresses: readonly Uint8Array[]
  readonly ttl: number
}

/** What we take in a datagram, on a path that may be a network: no fragments (DNS flag day 2020). */
const ownUdpBytes = 1232
const optBytes = 11
const questionName = 0xc000 + headBytes

/** Addresses that do not fit into `limit` bytes are left out, and the response says that it is truncated. */
export function addressResponse(asked: Buffer, query: DnsQuery, { alias, addresses, ttl }: Answers, limit: number): Buffer {
  const target = alias === undefined ? undefined : nameBytes(alias)
  const head = Buffer.from(asked.subarray(0, query.questionEnd))
  const aliasRecord = target === undefined ? [] : [recordOf(questionName, dnsType.CNAME, ttl, target)]
  const opt = query.edns === undefined ? [] : [optOf(query, 0)]
  const owner = target === undefined ? questionName : 0xc000 + query.questionEnd + recordHeadBytes
  const taken = head.length + lengthOf(aliasRecord) + lengthOf(opt)
  const fit = Math.max(0, Math.floor((limit - taken) / (recordHeadBytes + (addresses[0]?.length ?? 0))))
  const records = [...aliasRecord, ...addresses.slice(0, fit).map((address) => recordOf(owner, query.type, ttl, address))]
  const truncated = fit < addresses.length ? flag.truncated : 0
  head.writeUInt16BE(ownFlags(query.flags) | flag.authoritative | truncated, 2)
  setCounts(head, 1, records.length, opt.length)
  return Buffer.concat([head, ...records, ...opt])
}

/** A refusal with its reason; of a query that cannot be read, only the id is repeated. */
export function errorResponse(asked: Buffer, query: DnsQuery | undefined, code: number): Buffer {
  const head = Buffer.from(asked.subarray(0, query?.questionEnd ?? headBytes))
  const opt = query?.edns === undefined ? [] : [optOf(query, code >> 4)]
  head.writeUInt16BE(ownFlags(flagsOf(asked)) | (code & 0xf), 2)
  setCounts(head, query === undefined ? 0 : 1, 0, opt.length)
  return Buffer.concat([head, ...opt])
}

/** A response that is too long for a datagram: only its head and question, and that there is more. */
export function truncatedResponse(response: Buffer, query: DnsQuery): Buffer {
  const head = Buffer.from(response.subarray(0, query.questionEnd))
  const opt = query.edns === undefined ? [] : [optOf(query, 0)]
  head.writeUInt16BE(flagsOf(response) | flag.truncated, 2)
  setCounts(head, 1, 0, opt.length)
  return Buffer.concat([head, ...opt])
}

/** What the client said is said again: kind of query, whether recursion is wanted, whether signatures are its own business. */
const ownFlags = (asked: number): number => flag.response | flag.recursionAvailable | (asked & (0x7800 | flag.recursionDesired | flag.checkingDisabled))

function setCounts(head: Buffer, questions: number, answers: number, additional: number): void {
  head.writeUInt16BE(questions, 4)
  head.writeUInt16BE(answers, 6)
  head.writeUInt16BE(0, 8)
  head.writeUInt16BE(additional, 10)
}

const recordHeadBytes = 12

function recordOf(owner: number, type: number, ttl: number, data: Uint8Array): Buffer {
  const record = Buffer.alloc(recordHeadBytes + data.length)
  record.writeUInt16BE(owner, 0)
  record.writeUInt16BE(type, 2)
  record.writeUInt16BE(dnsClass.IN, 4)
  record.writeUInt32BE(ttl, 6)
  record.writeUInt16BE(data.length, 10)
  record.set(data, recordHeadBytes)
  return record
}

/** `high`: the upper bits of a code that has more than four. */
function optOf({ edns }: DnsQuery, high: number): Buffer {
  const opt = Buffer.alloc(optBytes)
  opt.writeUInt16BE(dnsType.OPT, 1)
  opt.writeUInt16BE(ownUdpBytes, 3)
  opt.writeUInt8(high, 5)
  if (edns?.dnssecOk === true) opt.writeUInt16BE(0x8000, 7)
  return opt
}

const lengthOf = (parts: readonly Buffer[]): number => parts.reduce((sum, one) => sum + one.length, 0)
