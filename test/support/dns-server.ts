// A small DNS server on loopback (RFC 1035): A records with a time to live, and the ways in which servers fail. And a
// look-up that asks it, in the place of the system's.
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { Resolver } from 'node:dns/promises'
import type { ResolveName } from '../../src/net/resolve.ts'
import { MeshError } from '../../src/lib/errors.ts'

export interface Records {
  readonly ttl: number
  readonly addresses: readonly string[]
}

export type Mood = 'answer' | 'server failure' | 'silent'

export class DnsServer implements AsyncDisposable {
  readonly records = new Map<string, Records>()
  /** Names as they were asked for. */
  readonly asked: string[] = []
  mood: Mood = 'answer'
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (query, from) => {
      const answer = this.#answer(query)
      if (answer !== undefined) socket.send(answer, from.port, from.address)
    })
  }

  static async start(records: Readonly<Record<string, Records>> = {}): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const server = new DnsServer(socket)
    for (const [name, one] of Object.entries(records)) server.records.set(name, one)
    return server
  }

  readonly resolve: ResolveName = async (host, { timeoutMs }) => {
    const resolver = new Resolver({ timeout: Math.min(timeoutMs, 500), tries: 2 })
    resolver.setServers([`127.0.0.1:${this.#socket.address().port}`])
    try {
      const found = await resolver.resolve4(host, { ttl: true })
      return { addresses: found.map(({ address }) => address), ttlMs: Math.min(...found.map(({ ttl }) => ttl * 1000)) }
    } catch (error) {
      throw new MeshError('net/name', `${host} was not found`, error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #answer(query: Buffer): Buffer | undefined {
    const { name, end } = readName(query, 12)
    this.asked.push(name)
    if (this.mood === 'silent') return undefined
    const found = this.mood === 'answer' ? this.records.get(name.toLowerCase()) : undefined
    const code = this.mood === 'answer' ? (found === undefined ? 3 : 0) : 2
    const addresses = found?.addresses ?? []
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(addresses.length, 6)
    // Each answer points back to the name in the question.
    const answers = addresses.map((address) => {
      const one = Buffer.alloc(16)
      one.writeUInt16BE(0xc00c, 0)
      one.writeUInt32BE(0x00010001, 2)
      one.writeUInt32BE(found!.ttl, 6)
      one.writeUInt16BE(4, 10)
      Buffer.from(address.split('.').map(Number)).copy(one, 12)
      return one
    })
    return Buffer.concat([head, query.subarray(12, end + 4), ...answers])
  }
}

function readName(query: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = []
  let at = from
  while (query[at] !== 0 && at < query.length) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!))
    at += 1 + query[at]!
  }
  return { name: labels.join('.'), end: at + 1 }
}
