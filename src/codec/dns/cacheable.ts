// How long a response may be kept (RFC 2181 5.2, RFC 2308 5), and what it is like some time later.
import { dnsType, flag, flagsOf, rcode, rcodeOf, recordsIn } from './message.ts'
import type { DnsQuery } from './message.ts'

export interface Keepable {
  readonly seconds: number
  /** That there is no such name, or nothing of the type. */
  readonly negative: boolean
  /** Where the times to live are, OPT's left out: its are flags. */
  readonly ttlsAt: readonly number[]
}

/** Undefined for what must not be kept: truncated, failed, without a time to live, or not to be read. */
export function keepable(response: Buffer, { questionEnd }: DnsQuery): Keepable | undefined {
  const code = rcodeOf(response)
  if ((flagsOf(response) & flag.truncated) !== 0 || (code !== rcode.noError && code !== rcode.nameError)) return undefined
  const records = recordsIn(response, questionEnd)?.filter(({ type }) => type !== dnsType.OPT)
  if (records === undefined) return undefined
  const negative = code === rcode.nameError || !records.some(({ section }) => section === 'answer')
  const seconds = negative ? negativeSeconds(response, records) : Math.min(...records.map(({ ttl }) => ttl))
  return seconds === undefined || seconds <= 0 || seconds > 0x7fff_ffff ? undefined : { seconds, negative, ttlsAt: records.map(({ ttlAt }) => ttlAt) }
}

/** The last field of the zone's SOA, if it came along. */
function negativeSeconds(response: Buffer, records: NonNullable<ReturnType<typeof recordsIn>>): number | undefined {
  const soa = records.find(({ section, type, dataBytes }) => section === 'authority' && type === dnsType.SOA && dataBytes >= 22)
  return soa && Math.min(soa.ttl, response.readUInt32BE(soa.dataAt + soa.dataBytes - 4), ...records.map(({ ttl }) => ttl))
}

/** A copy for another query of the same question, in its own letters, `age` seconds later. */
export function aged(response: Buffer, { ttlsAt }: Keepable, asked: Buffer, { questionEnd }: DnsQuery, age: number): Buffer {
  const copy = Buffer.from(response)
  asked.copy(copy, 0, 0, 2)
  asked.copy(copy, 12, 12, questionEnd)
  for (const at of ttlsAt) copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(at) - age), at)
  return copy
}
