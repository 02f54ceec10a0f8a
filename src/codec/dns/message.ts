// DNS messages as far as somebody in between has to read them (RFC 1035 4, RFC 6891): the head, the one question, where each
// record is, and what EDNS says. Everything else passes as the bytes that it is.
import { readName, skipName } from './name.ts'

export const dnsType = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, OPT: 41, IXFR: 251, AXFR: 252 } as const
export const dnsClass = { IN: 1 } as const
export const rcode = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const

/** Bits of the second 16 of a head. */
export const flag = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080, checkingDisabled: 0x0010 } as const

export const headBytes = 12
/** What fits into a frame over TCP. */
export const maxMessageBytes = 65_535
/** Without EDNS, no more than this is to be sent in a datagram. */
export const plainUdpBytes = 512

export interface Edns {
  /** What the sender takes in a datagram. */
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
  /** Cookies, client subnets and the like: the answer may be for nobody else. */
  readonly hasOptions: boolean
}

export interface DnsQuery {
  readonly id: number
  readonly flags: number
  /** 0: a look-up. */
  readonly opcode: number
  readonly name: string
  readonly type: number
  readonly class: number
  /** Where its question ends. */
  readonly questionEnd: number
  readonly edns: Edns | undefined
  /** It is a question and nothing else: what is answered to one client may be answered to another. */
  readonly plain: boolean
}

/** Not a query, or not one that can be read; what has an id can be told so. */
export type ReadQuery = { readonly kind: 'query'; readonly query: DnsQuery } | { readonly kind: 'unreadable' } | { readonly kind: 'not-a-query' }

export interface DnsRecord {
  readonly section: 'answer' | 'authority' | 'additional'
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly ttlAt: number
  readonly dataAt: number
  readonly dataBytes: number
}

const idOf = (bytes: Buffer): number => bytes.readUInt16BE(0)
export const flagsOf = (bytes: Buffer): number => bytes.readUInt16BE(2)
export const rcodeOf = (bytes: Buffer): number => bytes.readUInt16BE(2) & 0xf

/** Responses, and what is shorter than a head, are no queries: whoever answered them could be made to answer himself. */
export function readQuery(bytes: Buffer): ReadQuery {
  if (bytes.length < headBytes || (flagsOf(bytes) & flag.response) !== 0) return { kind: 'not-a-query' }
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes) : undefined
  const records = question === undefined ? undefined : recordsIn(bytes, question.end)
  if (question === undefined || records === undefined) return { kind: 'unreadable' }
  const { name, type, class: of, end } = question
  const flags = flagsOf(bytes)
  return { kind: 'query', query: { id: idOf(bytes), flags, opcode: (flags >> 11) & 0xf, name, type, class: of, questionEnd: end, ...extrasOf(records) } }
}

interface Question {
  readonly name: string
  readonly type: number
  readonly class: number
  readonly end: number
}

function readQuestion(bytes: Buffer): Question | undefined {
  const read = readName(bytes, headBytes)
  if (read === undefined || read.end + 4 > bytes.length) return undefined
  return { name: read.name, type: bytes.readUInt16BE(read.end), class: bytes.readUInt16BE(read.end + 2), end: read.end + 4 }
}

/** Every record of a message, of which the questions end at `from`. Undefined when one is cut off, or when there is more. */
export function recordsIn(bytes: Buffer, from: number): readonly DnsRecord[] | undefined {
  const answers = bytes.readUInt16BE(6)
  const authorities = answers + bytes.readUInt16BE(8)
  const all = authorities + bytes.readUInt16BE(10)
  const records: DnsRecord[] = []
  let at = from
  for (let index = 0; index < all; index++) {
    const head = skipName(bytes, at)
    if (head < 0 || head + 10 > bytes.length) return undefined
    const dataBytes = bytes.readUInt16BE(head + 8)
    at = head + 10 + dataBytes
    if (at > bytes.length) return undefined
    records.push({
      section: index < answers ? 'answer' : index < authorities ? 'authority' : 'additional',
      type: bytes.readUInt16BE(head), class: bytes.readUInt16BE(head + 2), ttl: bytes.readUInt32BE(head + 4), ttlAt: head + 4, dataAt: head + 10, dataBytes,
    })
  }
  return at === bytes.length ? records : undefined
}

const extrasOf = (records: readonly DnsRecord[]): Pick<DnsQuery, 'edns' | 'plain'> => {
  const edns = ednsOf(records)
  return { edns, plain: records.length === (edns === undefined ? 0 : 1) && edns?.hasOptions !== true }
}

/** Of an OPT record the class is a size, and the time to live is version and flags. */
function ednsOf(records: readonly DnsRecord[]): Edns | undefined {
  const opt = records.find(({ section, type }) => section === 'additional' && type === dnsType.OPT)
  return opt && { udpBytes: opt.class, version: (opt.ttl >>> 16) & 0xff, dnssecOk: (opt.ttl & 0x8000) !== 0, hasOptions: opt.dataBytes > 0 }
}

/** Whether a message is a response to exactly this query as it was sent. A failure need not repeat the question. */
export function isAnswerTo(sent: Buffer, { opcode, name, type, class: of }: DnsQuery, bytes: Buffer): boolean {
  if (bytes.length < headBytes || bytes[0] !== sent[0] || bytes[1] !== sent[1]) return false
  const flags = flagsOf(bytes)
  if ((flags & flag.response) === 0 || ((flags >> 11) & 0xf) !== opcode) return false
  if (bytes.readUInt16BE(4) === 0) return bytes.length === headBytes && (flags & 0xf) !== 0
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes) : undefined
  return question !== undefined && question.name === name && question.type === type && question.class === of
}
