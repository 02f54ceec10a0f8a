// Sends queries on to the workload's resolvers: the next one when one fails or is slow, each answer kept for as long as it
// holds, equal questions asked once. What comes back is the resolver's bytes, but for the client's id.
import { rcode, rcodeOf } from '../../codec/dns/message.ts'
import type { DnsQuery } from '../../codec/dns/message.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import { AnswerCache, cacheKey } from './answer-cache.ts'
import { ask } from './ask.ts'
import type { Asked, Over } from './ask.ts'
import type { DnsCounts } from './counts.ts'

export interface ForwarderOptions {
  /** Asked for each query: they may change. */
  readonly servers: () => readonly Address[]
  /** For one query, whatever is tried. */
  readonly timeoutMs: number
  /** All resolvers at once. */
  readonly parallel: boolean
  /** Under way at a time; ten times as many clients may wait for them. */
  readonly maxQueries: number
  readonly clock: Clock
  readonly counts: DnsCounts
}

/** Undefined: nobody answered. */
export type Forwarded = { readonly from: 'cache' | 'upstream'; readonly response: Buffer } | { readonly from: 'failed' | 'too-many' }

/** A resolver that is this slow has lost the datagram, or is not there. Clients themselves give up after 5 s. */
const patienceMs = 1000
/** On average: equal questions are asked once. */
const clientsPerQuery = 10
const tries: Readonly<Record<Over, number>> = { udp: 2, tcp: 1 }

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #cache: AnswerCache
  readonly #running = new Set<Question>()
  /** Plain questions under way, by what they are. */
  readonly #shared = new Map<string, Promise<Buffer | undefined>>()
  #waiting = 0
  /** The resolver that answered last. */
  #good = ''

  constructor(options: ForwarderOptions) {
    this.#options = options
    this.#cache = new AnswerCache(options.clock)
  }

  async forward(asked: Buffer, query: DnsQuery, over: Over): Promise<Forwarded> {
    const kept = this.#cache.get(asked, query)
    if (kept !== undefined) return { from: 'cache', response: kept }
    const key = `${over} ${cacheKey(query)}`
    const known = query.plain ? this.#shared.get(key) : undefined
    const { maxQueries } = this.#options
    if (known === undefined ? this.#running.size >= maxQueries : this.#waiting >= maxQueries * clientsPerQuery) return { from: 'too-many' }
    this.#waiting++
    const response = await (known ?? this.#ask(asked, query, over, key)).finally(() => this.#waiting--)
    return response === undefined ? { from: 'failed' } : { from: 'upstream', response: forClient(response, asked, query) }
  }

  /** Whether a query with this source was sent from here: then it has come back. */
  isOwn({ port }: Address): boolean {
    for (const question of this.#running) if (question.isFrom(port)) return true
    return false
  }

  close(): void {
    for (const question of this.#running) question.end(undefined)
  }

  async #ask(asked: Buffer, query: DnsQuery, over: Over, key: string): Promise<Buffer | undefined> {
    const { counts, clock } = this.#options
    counts.upstreamRequests.add(1)
    const question = new Question(this.#options, { asked, query, over, servers: this.#order() })
    this.#running.add(question)
    if (query.plain) this.#shared.set(key, question.response)
    const before = clock.now()
    const response = await question.response
    this.#running.delete(question)
    if (query.plain) this.#shared.delete(key)
    counts.upstreamSeconds.record(Math.max(0, clock.now() - before) / 1000)
    if (response === undefined) counts.upstreamFailures.add(1)
    else this.#cache.put(response, query)
    this.#good = question.answeredBy
    return response
  }

  /** The one that answered last, then the others in any order. */
  #order(): readonly Address[] {
    const servers = shuffled(this.#options.servers())
    return [...servers.filter((one) => formatAddress(one) === this.#good), ...servers.filter((one) => formatAddress(one) !== this.#good)]
  }
}

interface QuestionParts {
  readonly asked: Buffer
  readonly query: DnsQuery
  readonly over: Over
  readonly servers: readonly Address[]
}

/** One question until it is answered or given up, to one resolver after the other. */
class Question {
  readonly response: Promise<Buffer | undefined>
  answeredBy = ''
  readonly #options: ForwarderOptions
  readonly #parts: QuestionParts
  readonly #resolve: (response: Buffer | undefined) => void
  readonly #open = new Set<Asked>()
  #waiting: readonly Address[]
  /** A refusal, kept in case that nobody has anything better. */
  #refusal: Buffer | undefined
  #cancelNext: () => void = () => {}
  readonly #cancelEnd: () => void
  #ended = false

  constructor(options: ForwarderOptions, parts: QuestionParts) {
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
    this.response = promise
    this.#resolve = resolve
    this.#options = options
    this.#parts = parts
    this.#waiting = Array.from({ length: tries[parts.over] }, () => parts.servers).flat()
    this.#cancelEnd = options.clock.after(options.timeoutMs, () => this.end(this.#refusal))
    if (options.parallel) for (const _ of parts.servers) this.#next()
    else this.#next()
  }

  isFrom(port: number): boolean {
    for (const { localPort } of this.#open) if (localPort === port) return true
    return false
  }

  end(response: Buffer | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelNext()
    this.#cancelEnd()
    for (const asked of this.#open) asked.cancel()
    this.#open.clear()
    this.#resolve(response)
  }

  #next(): void {
    this.#cancelNext()
    const [server, ...rest] = this.#waiting
    if (server === undefined) {
      if (this.#open.size === 0) this.end(this.#refusal)
      return
    }
    this.#waiting = rest
    const { asked, query, over } = this.#parts
    const { timeoutMs, counts, clock } = this.#options
    const one = ask({
      server, asked, query, over, timeoutMs,
      onMismatch: () => counts.upstreamMismatched.add(1),
      done: (response) => this.#done(one, server, response),
    })
    this.#open.add(one)
    this.#cancelNext = clock.after(patienceMs, () => this.#next())
  }

  #done(one: Asked, server: Address, response: Buffer | undefined): void {
    if (this.#ended) return
    this.#open.delete(one)
    const refuses = response !== undefined && (rcodeOf(response) === rcode.serverFailure || rcodeOf(response) === rcode.refused)
    if (response !== undefined && !refuses) {
      this.answeredBy = formatAddress(server)
      return this.end(response)
    }
    this.#refusal ??= response
    // Whoever answers so, or is not there, is not asked again.
    this.#waiting = this.#waiting.filter((waiting) => waiting !== server)
    this.#next()
  }
}

/** Of a shared answer: with the client's own id, and its question in its own letters. */
function forClient(response: Buffer, asked: Buffer, { questionEnd }: DnsQuery): Buffer {
  const copy = Buffer.from(response)
  asked.copy(copy, 0, 0, 2)
  if (copy.readUInt16BE(4) === 1) asked.copy(copy, 12, 12, questionEnd)
  return copy
}

export function shuffled<Item>(items: readonly Item[]): Item[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const held = mixed[last]!
    mixed[last] = mixed[other]!
    mixed[other] = held
  }
  return mixed
}
