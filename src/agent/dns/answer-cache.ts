// Answers of resolvers, kept for as long as they say, and no longer than a mesh wants to be wrong about the world.
import { aged, keepable } from '../../codec/dns/cacheable.ts'
import type { Keepable } from '../../codec/dns/cacheable.ts'
import { flag } from '../../codec/dns/message.ts'
import type { DnsQuery } from '../../codec/dns/message.ts'
import type { Clock } from '../../lib/clock.ts'
import { RecentCache } from '../../lib/recent-cache.ts'

/** With the size below, 8 MB at most. A workload asks for some dozens. */
const maxEntries = 1000
const maxEntryBytes = 4096
/** Resolvers keep what they know themselves: this only saves the way to them. */
const maxSeconds = 300
const maxNegativeSeconds = 30

interface Entry {
  readonly response: Buffer
  readonly keep: Keepable
  readonly storedAt: number
  readonly endsAt: number
}

/** Bit of the head by which a client asks whether data is authenticated. */
const authenticData = 0x0020

/** All that an answer depends on. */
export function cacheKey({ name, type, class: of, flags, edns }: DnsQuery): string {
  const asked = flags & (flag.recursionDesired | flag.checkingDisabled | authenticData)
  return `${type} ${of} ${asked} ${edns === undefined ? '' : Number(edns.dnssecOk)} ${name}`
}

export class AnswerCache {
  readonly #clock: Clock
  readonly #entries = new RecentCache<string, Entry>(maxEntries / 2)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(asked: Buffer, query: DnsQuery): Buffer | undefined {
    const entry = query.plain ? this.#entries.get(cacheKey(query)) : undefined
    const now = this.#clock.now()
    if (entry === undefined || now >= entry.endsAt || now < entry.storedAt) return undefined
    return aged(entry.response, entry.keep, asked, query, Math.floor((now - entry.storedAt) / 1000))
  }

  put(response: Buffer, query: DnsQuery): void {
    if (!query.plain || response.length > maxEntryBytes) return
    const keep = keepable(response, query)
    if (keep === undefined) return
    const seconds = Math.min(keep.seconds, keep.negative ? maxNegativeSeconds : maxSeconds)
    const now = this.#clock.now()
    this.#entries.set(cacheKey(query), { response: Buffer.from(response), keep, storedAt: now, endsAt: now + seconds * 1000 })
  }
}
