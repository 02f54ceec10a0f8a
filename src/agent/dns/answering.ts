// What becomes of one query: names of the mesh are answered here, every other query goes on to the workload's resolvers. No
// socket of clients is known here.
import { dnsClass, dnsType, flagsOf, maxMessageBytes, plainUdpBytes, rcode, rcodeOf, readQuery } from '../../codec/dns/message.ts'
import type { DnsQuery } from '../../codec/dns/message.ts'
import { addressResponse, errorResponse, truncatedResponse } from '../../codec/dns/response.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { NameTable } from '../../proxy/main.ts'
import type { Over } from './ask.ts'
import type { DnsCounts, Outcome } from './counts.ts'
import { Forwarder, shuffled } from './forwarder.ts'
import { MeshNames } from './names.ts'
import type { FoundName } from './names.ts'
import type { ResolvConf } from './resolv-conf.ts'

export interface AnsweringOptions {
  /** Of the workload. */
  readonly namespace: string
  readonly domain: string
  /**
   * Its resolvers and search domains, asked for again and again. Undefined: they are not known. Without any server, there are
   * no names but the mesh's.
   */
  readonly resolvers: () => ResolvConf | undefined
  /** Where queries come to: nothing may go round in circles. */
  readonly own: () => readonly Address[]
  readonly forwardTimeoutMs: number
  readonly forwardParallel: boolean
  readonly clock: Clock
  readonly counts: DnsCounts
  readonly log: (line: string) => void
}

interface Asking {
  readonly bytes: Buffer
  readonly query: DnsQuery
  readonly from: Address
  readonly over: Over
}

const ttlSeconds = 30
/** Each may have a socket of its own. */
const maxForwarded = 1000
/** On loopback nothing is fragmented; a client that takes more gets more by TCP. */
const maxUdpBytes = 4096

export class Answering {
  readonly #options: AnsweringOptions
  readonly #forwarder: Forwarder
  #table: NameTable | undefined
  #names: MeshNames | undefined
  #search = ''
  #saidLoop = false

  constructor(options: AnsweringOptions) {
    const { forwardTimeoutMs: timeoutMs, forwardParallel: parallel, clock, counts } = options
    this.#options = options
    this.#forwarder = new Forwarder({ servers: () => this.#servers() ?? [], timeoutMs, parallel, maxQueries: maxForwarded, clock, counts })
  }

  take(names: NameTable): void {
    this.#table = names
    this.#compile()
  }

  find(name: string): FoundName | undefined {
    return this.#names?.find(name)
  }

  close(): void {
    this.#forwarder.close()
  }

  /** Undefined: nothing is said to that. A look-up that fails in a way that nobody thought of is one look-up that fails. */
  async respond(bytes: Buffer, from: Address, over: Over): Promise<Buffer | undefined> {
    this.#options.counts.requests.add(1)
    try {
      return await this.#answer(bytes, from, over)
    } catch (error) {
      this.#options.log(`DNS: a query could not be answered: ${describe(error)}`)
      return this.#end('failed', errorResponse(bytes, undefined, rcode.serverFailure))
    }
  }

  async #answer(bytes: Buffer, from: Address, over: Over): Promise<Buffer | undefined> {
    const read = readQuery(bytes)
    if (read.kind === 'not-a-query') return this.#end('not-a-query', undefined)
    if (read.kind === 'unreadable') return this.#end('malformed', errorResponse(bytes, undefined, rcode.formatError))
    const { query } = read
    const asking: Asking = { bytes, query, from, over }
    if (query.opcode !== 0 || query.class !== dnsClass.IN) return await this.#forward(asking, undefined)
    if (this.#names === undefined) return this.#end('not-ready', errorResponse(bytes, query, rcode.serverFailure))
    const found = this.#names.find(query.name)
    if (found === undefined || (query.type !== dnsType.A && query.type !== dnsType.AAAA)) return await this.#forward(asking, found)
    if ((query.edns?.version ?? 0) > 0) return this.#end('refused', errorResponse(bytes, query, rcode.badVersion))
    const { v4, v6 } = found.addresses
    const addresses = shuffled(query.type === dnsType.A ? v4 : v6)
    return this.#end('mesh', addressResponse(bytes, query, { alias: found.alias, addresses, ttl: ttlSeconds }, limitOf(query, over)))
  }

  /** A mesh name without records of this type is no name that does not exist. */
  async #forward({ bytes, query, from: client, over }: Asking, found: FoundName | undefined): Promise<Buffer> {
    if (this.#forwarder.isOwn(client)) return this.#end('loop', this.#loops(bytes, query))
    // A zone is many messages, and nobody's business behind a sidecar.
    if (over === 'tcp' && (query.type === dnsType.AXFR || query.type === dnsType.IXFR)) return this.#end('refused', errorResponse(bytes, query, rcode.refused))
    if (this.#servers()?.length === 0) return this.#end('failed', withoutResolvers(bytes, query, found))
    const forwarded = await this.#forwarder.forward(bytes, query, over)
    if (!('response' in forwarded)) return this.#end(forwarded.from, errorResponse(bytes, query, rcode.serverFailure))
    const { from, response } = forwarded
    if (found !== undefined && rcodeOf(response) === rcode.nameError) response.writeUInt16BE(flagsOf(response) & ~0xf, 2)
    return this.#end(from, response.length > limitOf(query, over) ? truncatedResponse(response, query) : response)
  }

  #servers(): readonly Address[] | undefined {
    const own = new Set(this.#options.own().map(formatAddress))
    const known = this.#options.resolvers()
    if (known === undefined) return undefined
    if ((known.search[0] ?? '') !== this.#search) this.#compile()
    return known.servers.filter((one) => !own.has(formatAddress(one)))
  }

  #compile(): void {
    const { namespace, domain, resolvers } = this.#options
    this.#search = resolvers()?.search[0] ?? ''
    if (this.#table !== undefined) this.#names = new MeshNames(this.#table, { namespace, domain, search: this.#search })
  }

  #loops(bytes: Buffer, query: DnsQuery): Buffer {
    if (!this.#saidLoop) this.#options.log(`DNS: a query that was sent on has come back: the resolvers ${(this.#servers() ?? []).map(formatAddress).join(', ')} lead here; name others (--dns-resolvers), or run it as the user whose queries are not captured`)
    this.#saidLoop = true
    return errorResponse(bytes, query, rcode.serverFailure)
  }

  #end<Response extends Buffer | undefined>(outcome: Outcome, response: Response): Response {
    this.#options.counts.ended(outcome)
    return response
  }
}

/** Where nobody else is asked, the mesh's names are all there are. */
function withoutResolvers(bytes: Buffer, query: DnsQuery, found: FoundName | undefined): Buffer {
  if (found !== undefined) return addressResponse(bytes, query, { alias: undefined, addresses: [], ttl: ttlSeconds }, plainUdpBytes)
  return errorResponse(bytes, query, query.opcode === 0 ? rcode.nameError : rcode.notImplemented)
}

function limitOf({ edns }: DnsQuery, over: Over): number {
  if (over === 'tcp') return maxMessageBytes
  return edns === undefined ? plainUdpBytes : Math.min(maxUdpBytes, Math.max(plainUdpBytes, edns.udpBytes))
}
