// Leads look-ups in datagrams (DNS) on to one of several servers, and the answers back. Of what they say only that is looked at
// whether a server refuses or fails: whoever else answers first of those that were asked has answered.
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { headBytes, rcode, rcodeOf } from '../codec/dns/message.ts'
import type { Address } from '../model/address.ts'

export interface DatagramRelayOptions {
  /** Bound already. */
  readonly socket: Socket
  /** As they are now. One that refuses, fails, or is silent for `patienceMs`, is followed by the next for the same question. */
  servers(): readonly Address[]
  /** Questions without an answer so far; more are dropped, as a full network would. */
  readonly maxOpen?: number
  readonly patienceMs?: number
  readonly timeoutMs?: number
}

export interface DatagramRelay {
  /** Who is asked first: the one that answered last. */
  readonly server: Address | undefined
  close(): void
}

export function startDatagramRelay({ socket, servers, maxOpen = 512, patienceMs = 800, timeoutMs = 5000 }: DatagramRelayOptions): DatagramRelay {
  const open = new Set<Question>()
  let first = 0
  let closed = false
  const ask = (bytes: Buffer, from: RemoteInfo): void => {
    const all = servers()
    if (all.length === 0 || open.size >= maxOpen) return
    const question: Question = new Question(bytes, turned(all, first), { patienceMs, timeoutMs }, (answer, server) => {
      open.delete(question)
      if (answer === undefined || server === undefined || closed) return
      first = all.indexOf(server)
      socket.send(answer, from.port, from.address)
    })
    open.add(question)
    question.next()
  }
  socket.on('error', () => {}) // one datagram could not be sent
  socket.on('message', ask)
  return {
    get server() {
      const all = servers()
      return all[first % Math.max(1, all.length)]
    },
    close() {
      closed = true
      socket.close()
      for (const question of open) question.end()
    },
  }
}

const turned = (all: readonly Address[], first: number): readonly Address[] => all.map((_, at) => all[(first + at) % all.length]!)

/** One question until it is answered or its time is over. */
class Question {
  readonly #bytes: Buffer
  readonly #patienceMs: number
  readonly #done: (answer: Buffer | undefined, server: Address | undefined) => void
  readonly #asked = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #waiting: readonly Address[]
  /** Kept in case that nobody has anything better. */
  #refusal: { readonly answer: Buffer; readonly server: Address } | undefined
  #patience: NodeJS.Timeout | undefined
  #ended = false

  constructor(bytes: Buffer, servers: readonly Address[], { patienceMs, timeoutMs }: { readonly patienceMs: number; readonly timeoutMs: number }, done: (answer: Buffer | undefined, server: Address | undefined) => void) {
    this.#bytes = bytes
    this.#patienceMs = patienceMs
    this.#done = done
    this.#waiting = servers
    this.#timer = setTimeout(() => this.end(), timeoutMs)
  }

  /** Asks one more, if there is one more. */
  next(): void {
    clearTimeout(this.#patience)
    const [server, ...rest] = this.#waiting
    if (this.#ended) return
    if (server === undefined) return this.#awaitSilent()
    this.#waiting = rest
    const asking = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4')
    this.#asked.add(asking)
    const instead = (): void => {
      if (this.#asked.delete(asking)) asking.close()
      this.next()
    }
    asking.on('error', instead)
    asking.once('message', (answer) => {
      if (!isRefusal(answer)) return this.end(answer, server)
      this.#refusal = { answer, server }
      instead()
    })
    // Connected: an answer from anybody else is not taken, and a server that is not there is known at once.
    asking.connect(server.port, server.host, () => asking.send(this.#bytes))
    this.#patience = setTimeout(() => this.next(), this.#patienceMs)
  }

  /** Those that said nothing so far. Where others have refused, not for as long as if there were nobody else. */
  #awaitSilent(): void {
    if (this.#asked.size === 0) this.end()
    else if (this.#refusal !== undefined) this.#patience = setTimeout(() => this.end(), this.#patienceMs)
  }

  /** Without an answer: with the last refusal, if there was one. */
  end(answer = this.#refusal?.answer, server = this.#refusal?.server): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    clearTimeout(this.#patience)
    for (const asking of this.#asked) asking.close()
    this.#asked.clear()
    this.#done(answer, server)
  }
}

const isRefusal = (answer: Buffer): boolean => answer.length >= headBytes && (rcodeOf(answer) === rcode.serverFailure || rcodeOf(answer) === rcode.refused)
