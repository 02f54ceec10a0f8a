// Both ends of DNS for tests: messages byte by byte, a client by UDP and TCP, and a resolver on loopback that does what a test
// says, right or wrong.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { DnsFrames, framed } from '../../src/codec/dns/frames.ts'
import { recordsIn } from '../../src/codec/dns/message.ts'
import { nameBytes } from '../../src/codec/dns/name.ts'
import type { Address } from '../../src/model/address.ts'

export const types = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, SRV: 33, HTTPS: 65, RRSIG: 46, AXFR: 252 } as const

export interface Asked {
  readonly id?: number
  readonly flags?: number
  readonly class?: number
  readonly edns?: { readonly udpBytes?: number; readonly version?: number; readonly dnssecOk?: boolean; readonly options?: Buffer }
}

const u16 = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 0xff])))
const u32 = (value: number): Buffer => u16(value >>> 16, value & 0xffff)

/** `name` in the letters that it is written in. */
export function query(name: string, type: number = types.A, { id = 0x1234, flags = 0x0100, class: of = 1, edns }: Asked = {}): Buffer {
  const opt = edns && Buffer.concat([
    Buffer.from([0]), u16(41, edns.udpBytes ?? 1232), Buffer.from([0, edns.version ?? 0]), u16(edns.dnssecOk === true ? 0x8000 : 0, edns.options?.length ?? 0), edns.options ?? Buffer.alloc(0),
  ])
  return Buffer.concat([u16(id, flags, 1, 0, 0, opt === undefined ? 0 : 1), nameBytes(name)!, u16(type, of), opt ?? Buffer.alloc(0)])
}

export interface Record {
  readonly type: number
  readonly ttl: number
  readonly data: Buffer
}

export const ip = (text: string): Buffer => Buffer.from(text.split('.').map(Number))
export const soa = (ttl: number, minimum: number): Record => ({ type: types.SOA, ttl, data: Buffer.concat([Buffer.from([0, 0]), u32(1), u32(2), u32(3), u32(4), u32(minimum)]) })

export interface Replied {
  readonly flags?: number
  readonly answers?: readonly Record[]
  readonly authority?: readonly Record[]
}

/** What a resolver says to a query; names are pointers to the question. */
export function reply(asked: Buffer, { flags = 0x8180, answers = [], authority = [] }: Replied = {}): Buffer {
  const question = asked.subarray(12, questionEnd(asked))
  const records = [...answers, ...authority].map(({ type, ttl, data }) => Buffer.concat([u16(0xc00c, type, 1), u32(ttl), u16(data.length), data]))
  return Buffer.concat([asked.subarray(0, 2), u16(flags, 1, answers.length, authority.length, 0), question, ...records])
}

function questionEnd(message: Buffer): number {
  let at = 12
  while (message[at] !== 0) at += 1 + message[at]!
  return at + 5
}

export interface Read {
  readonly rcode: number
  readonly flags: number
  /** `A 10.0.0.1`, `AAAA <hex>`, `CNAME`, with the time to live before it. */
  readonly answers: readonly string[]
  readonly edns: boolean
}

export function read(message: Buffer): Read {
  const records = recordsIn(message, questionEnd(message))
  assert.ok(records !== undefined, 'a response that can be read')
  const names = Object.fromEntries(Object.entries(types).map(([name, type]) => [type, name]))
  const shown = records.filter(({ section }) => section === 'answer').map(({ type, ttl, dataAt, dataBytes }) => {
    const data = message.subarray(dataAt, dataAt + dataBytes)
    return `${ttl} ${names[type] ?? type} ${type === types.A ? data.join('.') : data.toString('hex')}`
  })
  return { rcode: message[3]! & 0xf, flags: message.readUInt16BE(2), answers: shown, edns: records.some(({ type }) => type === 41) }
}

const patienceMs = 10_000

/** The first datagram that comes back. */
export async function askUdp(to: Address, message: Buffer): Promise<Buffer> {
  const socket = createSocket(to.host.includes(':') ? 'udp6' : 'udp4')
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(patienceMs) })
    socket.send(message, to.port, to.host)
    return (await answer as [Buffer])[0]
  } finally {
    socket.close()
  }
}

/** All messages on one connection, in pieces of `pieceBytes`; answers in the order in which they come. */
export async function askTcp(to: Address, messages: readonly Buffer[], pieceBytes = Infinity): Promise<readonly Buffer[]> {
  const socket = connect(to.port, to.host)
  const frames = new DnsFrames()
  const answers: Buffer[] = []
  const done = new Promise<void>((resolve, reject) => {
    socket.on('data', (bytes) => {
      frames.push(bytes)
      for (let message = frames.next(); message !== undefined; message = frames.next()) answers.push(Buffer.from(message))
      if (answers.length === messages.length) resolve()
    }).once('close', () => resolve()).once('error', reject)
    socket.setTimeout(patienceMs, () => reject(new Error(`${answers.length} of ${messages.length} answers came`)))
  })
  const all = Buffer.concat(messages.map(framed))
  for (let at = 0; at < all.length; at += pieceBytes) {
    socket.write(all.subarray(at, at + pieceBytes))
    if (pieceBytes !== Infinity) await new Promise((resolve) => setImmediate(resolve))
  }
  await done
  socket.destroy()
  return answers
}

export type Over = 'udp' | 'tcp'
/** Nothing, one message, or several. */
/** `send` is for later. */
export type Behaviour = (asked: Buffer, over: Over, send: (answer: Buffer) => void) => Buffer | readonly Buffer[] | undefined

export class Resolver implements AsyncDisposable {
  readonly address: Address
  /** As it was asked. */
  readonly asked: { readonly over: Over; readonly message: Buffer }[] = []
  behaviour: Behaviour
  readonly #udp: Socket
  readonly #tcp: Server
  #listeners: (() => void)[] = []

  private constructor(udp: Socket, tcp: Server, behaviour: Behaviour) {
    this.address = { host: '127.0.0.1', port: udp.address().port }
    this.behaviour = behaviour
    this.#udp = udp
    this.#tcp = tcp
    udp.on('message', (message, from) => this.#on(message, 'udp', (answer) => udp.send(answer, from.port, from.address)))
    tcp.on('connection', (socket) => {
      const frames = new DnsFrames()
      socket.on('error', () => {}).on('data', (bytes) => {
        frames.push(bytes)
        for (let message = frames.next(); message !== undefined; message = frames.next()) this.#on(message, 'tcp', (answer) => void socket.write(framed(answer)))
      })
    })
  }

  static async start(behaviour: Behaviour): Promise<Resolver> {
    for (;;) {
      const udp = createSocket('udp4')
      udp.bind(0, '127.0.0.1')
      await once(udp, 'listening')
      const tcp = createServer()
      const listening = once(tcp.listen(udp.address().port, '127.0.0.1'), 'listening')
      if (await listening.then(() => true, () => false)) return new Resolver(udp, tcp, behaviour)
      udp.close() // another process has the port by TCP
    }
  }

  /** Once it has been asked so often. */
  async untilAsked(times: number): Promise<void> {
    const end = AbortSignal.timeout(patienceMs)
    while (this.asked.length < times) {
      await new Promise<void>((resolve, reject) => {
        this.#listeners.push(resolve)
        end.addEventListener('abort', () => reject(new Error(`asked ${this.asked.length} times, not ${times}`)))
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close()
    this.#tcp.close()
  }

  #on(message: Buffer, over: Over, send: (answer: Buffer) => void): void {
    this.asked.push({ over, message: Buffer.from(message) })
    const answer = this.behaviour(message, over, send)
    if (answer !== undefined) for (const one of Array.isArray(answer) ? answer as readonly Buffer[] : [answer as Buffer]) send(one)
    const listeners = this.#listeners
    this.#listeners = []
    for (const told of listeners) told()
  }
}
