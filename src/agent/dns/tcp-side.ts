// DNS over TCP (RFC 7766): many queries on one connection, answered as they are done. A connection is closed when it is
// silent, and is not read while it has too much under way or does not read itself.
import { DnsFrames, framed } from '../../codec/dns/frames.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { listen } from '../../net/listen.ts'
import type { Listening } from '../../net/listen.ts'
import type { Transport } from '../../net/transport.ts'

/** Resolves with the response, or undefined for none. */
export type Answer = (message: Buffer, from: Address) => Promise<Buffer | undefined>

/** RFC 7766 asks for some seconds; clients that have more to ask come back. */
const silenceMs = 10_000
const maxConnections = 250
/** Under way on one connection. */
const maxUnderWay = 64

export async function listenTcp(place: { readonly address: Address; readonly reusePort: boolean }, clock: Clock, answer: Answer): Promise<Listening> {
  return await listen({
    ...place, maxConnections,
    onConnection: (inbound) => {
      new TcpClient(inbound.plain(), clock, answer).start()
    },
  })
}

class TcpClient {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #answer: Answer
  readonly #frames = new DnsFrames()
  #underWay = 0
  #ended = false
  #drained = true
  #cancelSilence: () => void = () => {}

  constructor(transport: Transport, clock: Clock, answer: Answer) {
    this.#transport = transport
    this.#clock = clock
    this.#answer = answer
  }

  start(): void {
    this.#transport.handler = {
      onData: (bytes, length) => {
        this.#frames.push(bytes.subarray(0, length))
        this.#settle()
      },
      onDrain: () => {
        this.#drained = true
        this.#settle()
      },
      onEnd: () => {
        this.#ended = true
        this.#settle()
      },
      onClose: () => this.#cancelSilence(),
    }
    this.#settle()
  }

  /** What is not begun yet stays where it is. */
  #begin(): void {
    while (this.#isReady()) {
      const message = this.#frames.next()
      if (message === undefined) return
      this.#underWay++
      this.#answer(Buffer.from(message), this.#transport.remoteAddress).then((response) => this.#write(response), () => this.#transport.destroy())
    }
  }

  #isReady(): boolean {
    return this.#underWay < maxUnderWay && this.#drained
  }

  /** No response is how those are told who do not speak DNS. */
  #write(response: Buffer | undefined): void {
    this.#underWay--
    if (this.#transport.destroyed) return
    if (response === undefined) return this.#transport.destroy()
    const frame = framed(response)
    this.#drained = this.#transport.write(frame, 0, frame.length) && this.#drained
    this.#settle()
  }

  #settle(): void {
    if (this.#transport.destroyed) return
    this.#cancelSilence()
    this.#begin()
    if (this.#ended && this.#underWay === 0) return this.#transport.end()
    if (this.#isReady()) this.#transport.resume()
    else this.#transport.pause()
    // Also for a client that does not read what it is sent.
    this.#cancelSilence = this.#clock.after(silenceMs, () => this.#underWay === 0 || !this.#drained ? this.#transport.destroy() : undefined)
  }
}
