// The DNS proxy of a workload (traffic spec 3.7): names of the mesh are answered here, every other query goes on to the
// workload's resolvers and comes back unchanged. UDP and TCP on the same port.
import { dnsClass, dnsType, flagsOf, maxMessageBytes, plainUdpBytes, rcode, rcodeOf, readQuery } from '../../codec/dns/message.ts'
import type { DnsQuery } from '../../codec/dns/message.ts'
import { addressResponse, errorResponse, truncatedResponse } from '../../codec/dns/response.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { hasCode, spawn } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import { listenUdp } from '../../net/udp.ts'
import type { UdpListening } from '../../net/udp.ts'
import type { Listening } from '../../net/listen.ts'
import type { NameTable } from '../../proxy/main.ts'
import type { Over } from './ask.ts'
import { DnsCounts } from './counts.ts'
import type { Outcome } from './counts.ts'
import { Forwarder, shuffled } from './forwarder.ts'
import { MeshNames } from './names.ts'
import type { FoundName } from './names.ts'
import type { ResolvConf } from './resolv-conf.ts'
import { listenTcp } from './tcp-side.ts'

export interface DnsProxySettings {
  /** Where it listens, by UDP and TCP; of several with port 0 all get the same one. All but the first may be missing on this machine. */
  readonly addresses: readonly Address[]
  /** Of the workload. */
  readonly namespace: string
  readonly domain: string
  /**
   * Its resolvers and search domains, asked for again and again. Undefined: they are not known. Without any server, there are
   * no names but the mesh's.
   */
  readonly resolvers: () => ResolvConf | undefined
  readonly forwardTimeoutMs?: number
  /** Asks all resolvers at once. */
  readonly forwardParallel?: boolean
  /** Shares the port with the process before, which has it until it ends. */
  readonly joins?: boolean
  readonly clock?: Clock
  /** One line for people. */
  readonly log?: (line: string) => void
}

export interface DnsProxy extends AsyncDisposable {
  readonly addresses: readonly Address[]
  /** Once the first table has come. Before that nothing is answered but SERVFAIL. */
  readonly whenNamed: Promise<void>
  /** The names of the mesh, from now on. */
  take(names: NameTable): void
  /** What a look-up of a name finds in the mesh. */
  find(name: string): FoundName | undefined
  readonly counts: DnsCounts
  close(): Promise<void>
}

const ttlSeconds = 30
const defaultTimeoutMs = 5_000
/** Each may have a socket of its own. */
const maxForwarded = 1000
/** On loopback nothing is fragmented; a client that takes more gets more by TCP. */
const maxUdpBytes = 4096
/** The port of UDP may be taken for TCP. */
const portTries = 20

export async function startDnsProxy(settings: DnsProxySettings): Promise<DnsProxy> {
  const proxy = new RunningDnsProxy(settings)
  try {
    await proxy.listen()
    return proxy
  } catch (error) {
    await proxy.close()
    throw error
  }
}

class RunningDnsProxy implements DnsProxy {
  readonly counts = new DnsCounts()
  readonly whenNamed: Promise<void>
  readonly #settings: DnsProxySettings
  readonly #clock: Clock
  readonly #forwarder: Forwarder
  readonly #named: () => void
  #udp: readonly UdpListening[] = []
  #tcp: readonly Listening[] = []
  #table: NameTable | undefined
  #names: MeshNames | undefined
  #search = ''
  #saidLoop = false

  constructor(settings: DnsProxySettings) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.whenNamed = promise
    this.#named = resolve
    this.#settings = settings
    this.#clock = settings.clock ?? systemClock
    this.#forwarder = new Forwarder({
      servers: () => this.#servers() ?? [], timeoutMs: settings.forwardTimeoutMs ?? defaultTimeoutMs, parallel: settings.forwardParallel ?? false,
      maxQueries: maxForwarded, clock: this.#clock, counts: this.counts,
    })
  }

  get addresses(): readonly Address[] {
    return this.#udp.map(({ address }) => address)
  }

  async listen(): Promise<void> {
    let port = 0
    for (const [index, address] of this.#settings.addresses.entries()) {
      port = await this.#listenAt({ host: address.host, port: address.port === 0 ? port : address.port }).catch((error: unknown) => {
        if (index > 0 && hasCode(error, 'net/listen')) return port
        throw error
      })
    }
  }

  take(names: NameTable): void {
    this.#table = names
    this.#compile()
    this.#named()
  }

  find(name: string): FoundName | undefined {
    return this.#names?.find(name.toLowerCase().replace(/\.$/, ''))
  }

  async close(): Promise<void> {
    for (const one of this.#udp) one.close()
    for (const one of this.#tcp) {
      await one.close()
      one.destroyConnections()
    }
    this.#forwarder.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Both on one port, which by UDP is any that is free where none is given. */
  async #listenAt(address: Address): Promise<number> {
    const reusePort = address.port !== 0
    if (reusePort && this.#settings.joins !== true) await requireFree(address)
    for (let left = portTries; ; left--) {
      const udp = await listenUdp({ address, reusePort }, (bytes, from) => this.#onDatagram(udp, bytes, from))
      try {
        const tcp = await listenTcp({ address: udp.address, reusePort }, this.#clock, (message, from) => this.#answer(message, from, 'tcp'))
        this.#udp = [...this.#udp, udp]
        this.#tcp = [...this.#tcp, tcp]
        return udp.address.port
      } catch (error) {
        udp.close()
        if (address.port !== 0 || left === 0 || !hasCode(error, 'net/in-use')) throw error
      }
    }
  }

  #onDatagram(udp: UdpListening, bytes: Buffer, from: Address): void {
    spawn('a look-up', this.#answer(bytes, from, 'udp').then((response) => {
      if (response !== undefined) udp.send(response, from)
    }))
  }

  /** Without itself: nothing may go round in circles. */
  #servers(): readonly Address[] | undefined {
    const own = new Set(this.addresses.map(formatAddress))
    const known = this.#settings.resolvers()
    if (known === undefined) return undefined
    if ((known.search[0] ?? '') !== this.#search) this.#compile()
    return known.servers.filter((one) => !own.has(formatAddress(one)))
  }

  #compile(): void {
    const { namespace, domain, resolvers } = this.#settings
    this.#search = resolvers()?.search[0] ?? ''
    if (this.#table !== undefined) this.#names = new MeshNames(this.#table, { namespace, domain, search: this.#search })
  }

  async #answer(bytes: Buffer, from: Address, over: Over): Promise<Buffer | undefined> {
    this.counts.requests.add(1)
    const read = readQuery(bytes)
    if (read.kind === 'not-a-query') return this.#end('not-a-query', undefined)
    if (read.kind === 'unreadable') return this.#end('malformed', errorResponse(bytes, undefined, rcode.formatError))
    const { query } = read
    if (this.#forwarder.isOwn(from)) return this.#end('loop', this.#loops(bytes, query))
    if (query.opcode !== 0 || query.class !== dnsClass.IN) return await this.#forward(bytes, query, over, undefined)
    if (this.#names === undefined) return this.#end('not-ready', errorResponse(bytes, query, rcode.serverFailure))
    const found = this.#names.find(query.name)
    if (found === undefined || (query.type !== dnsType.A && query.type !== dnsType.AAAA)) return await this.#forward(bytes, query, over, found)
    if ((query.edns?.version ?? 0) > 0) return this.#end('refused', errorResponse(bytes, query, rcode.badVersion))
    const { v4, v6 } = found.addresses
    const addresses = shuffled(query.type === dnsType.A ? v4 : v6)
    return this.#end('mesh', addressResponse(bytes, query, { alias: found.alias, addresses, ttl: ttlSeconds }, limitOf(query, over)))
  }

  /** A mesh name without records of this type is no name that does not exist. */
  async #forward(bytes: Buffer, query: DnsQuery, over: Over, found: FoundName | undefined): Promise<Buffer> {
    // A zone is many messages, and nobody's business behind a sidecar.
    if (over === 'tcp' && (query.type === dnsType.AXFR || query.type === dnsType.IXFR)) return this.#end('refused', errorResponse(bytes, query, rcode.refused))
    if (this.#servers()?.length === 0) return this.#end('failed', this.#withoutResolvers(bytes, query, found))
    const forwarded = await this.#forwarder.forward(bytes, query, over)
    if (!('response' in forwarded)) return this.#end(forwarded.from, errorResponse(bytes, query, rcode.serverFailure))
    const { from, response } = forwarded
    if (found !== undefined && rcodeOf(response) === rcode.nameError) response.writeUInt16BE(flagsOf(response) & ~0xf, 2)
    return this.#end(from, response.length > limitOf(query, over) ? truncatedResponse(response, query) : response)
  }

  /** Where nobody else is asked, the mesh's names are all there are. */
  #withoutResolvers(bytes: Buffer, query: DnsQuery, found: FoundName | undefined): Buffer {
    if (found !== undefined) return addressResponse(bytes, query, { alias: undefined, addresses: [], ttl: ttlSeconds }, plainUdpBytes)
    return errorResponse(bytes, query, query.opcode === 0 ? rcode.nameError : rcode.notImplemented)
  }

  #loops(bytes: Buffer, query: DnsQuery): Buffer {
    if (!this.#saidLoop) this.#settings.log?.(`DNS: a query that was sent on has come back: the resolvers ${(this.#servers() ?? []).map(formatAddress).join(', ')} lead here; name others (--dns-resolvers), or run it as the user whose queries are not captured`)
    this.#saidLoop = true
    return errorResponse(bytes, query, rcode.serverFailure)
  }

  #end<Response extends Buffer | undefined>(outcome: Outcome, response: Response): Response {
    this.counts.ended(outcome)
    return response
  }
}

/** A port that can be shared would be shared with anybody by mistake. */
async function requireFree(address: Address): Promise<void> {
  const trial = await listenUdp({ address, reusePort: false }, () => {})
  trial.close()
}

function limitOf({ edns }: DnsQuery, over: Over): number {
  if (over === 'tcp') return maxMessageBytes
  return edns === undefined ? plainUdpBytes : Math.min(maxUdpBytes, Math.max(plainUdpBytes, edns.udpBytes))
}
