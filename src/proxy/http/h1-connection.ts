// One HTTP/1.1 connection from a client: reads requests one after the other, answers them in order. While a request is
// in progress nothing of the next one is taken; what arrives meanwhile waits within a limit, and then so does the client.
import { H1Error } from '../../codec/h1/errors.ts'
import { H1Parser } from '../../codec/h1/parser.ts'
import type { H1Events, H1Head } from '../../codec/h1/types.ts'
import { HeaderList } from '../../codec/header-list.ts'
import { highWaterBytes } from '../../net/transport-options.ts'
import type { Transport, TransportHandler } from '../../net/transport.ts'
import { drainIdleMs } from './connection-life.ts'
import type { ConnectionLife, ConnectionOwner, ServedConnection } from './connection-life.ts'
import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { flag } from './flags.ts'
import { startRequest } from './request-start.ts'
import { malformed, slowHead, slowRequest } from './rescue.ts'
import { ResponseWriter, unreadable } from './response-writer.ts'
import type { HttpRuntime } from './runtime.ts'
import { HttpStream } from './stream.ts'

/** Of requests that come too early. Reading goes on so far, since only who reads hears that the client has left. */
const maxWaitingBytes = 64 * 1024

export class Http1Connection implements TransportHandler, H1Events, Downstream, ServedConnection {
  readonly #owner: ConnectionOwner
  readonly #runtime: HttpRuntime
  readonly #transport: Transport
  readonly #life: ConnectionLife
  readonly #parser: H1Parser
  /** The request in progress. */
  #stream: HttpStream | undefined = undefined
  /** Bytes of the next request that came too early. */
  #waiting: Buffer | undefined = undefined
  #parsing = false
  /** The request in progress has more body than can be passed on now. */
  #held = false
  /** The client has not taken the last response yet: the next request waits until it has. */
  #behind = false
  readonly #writer: ResponseWriter
  #requestStart = 0
  /** The request in progress wants to become another protocol; it has. */
  #upgrading = false
  #tunnel = false
  listIndex = -1

  constructor(owner: ConnectionOwner, life: ConnectionLife) {
    const { runtime, transport } = life
    this.#owner = owner
    this.#runtime = runtime
    this.#transport = transport
    this.#life = life
    this.#writer = new ResponseWriter(transport)
    this.#parser = new H1Parser('request', this, runtime.config.limits)
    transport.handler = this
    transport.resume()
  }

  get idle(): boolean {
    return this.#stream === undefined && !this.#life.closing && this.#parser.idle
  }

  /** Ends with its next response, or once it has been idle for a while. */
  drain(): void {
    this.#writer.closes = true
    if (this.idle && this.#life.now() - this.#life.since >= drainIdleMs) this.#endWhenIdle()
  }

  /** Ends it at once. */
  close(): void {
    this.#stream?.onGone(flag.LR, 'connection_closed_by_proxy')
    this.#transport.destroy()
  }

  eachStream(visit: (stream: HttpStream) => void): void {
    if (this.#stream !== undefined) visit(this.#stream)
  }

  // --- From the transport ---

  onData(bytes: Buffer, length: number): void {
    if (this.#life.closing) return
    if (this.#tunnel) return this.#stream?.onBody(bytes, 0, length)
    if (this.#waiting !== undefined) return this.#wait(Buffer.concat([this.#waiting, bytes.subarray(0, length)]))
    if (this.#parser.idle) this.#life.touch()
    this.#parse(bytes, length)
  }

  onDrain(): void {
    if (!this.#behind) return this.#stream?.onWritable()
    this.#behind = false
    this.#readOn()
  }

  /** A client that has finished sending is treated as gone, as Envoy does, unless nothing of it is left to do. */
  onEnd(): void {
    if (this.#tunnel) return this.#stream?.onRequestEnd(undefined)
    if (this.#stream === undefined && this.#waiting === undefined) return this.#endConnection()
    this.#stream?.onGone(flag.DC, 'downstream_remote_disconnect')
    this.#transport.destroy()
  }

  onClose(): void {
    this.#life.closing = true
    this.#stream?.onGone(flag.DC, 'downstream_remote_disconnect')
    this.#stream = undefined
    this.#waiting = undefined
    this.#owner.onClosed(this)
  }

  // --- From the parser ---

  onHead(head: H1Head): void {
    const { config, deps } = this.#runtime
    this.#writer.begin(head)
    this.#life.requests++
    this.#requestStart = this.#life.since
    const stream = this.#newStream(head.headers)
    this.#parser.pause()
    const refusal = startRequest(stream.exchange, head, this.#life.headerSettings)
    if (refusal !== undefined) {
      // Who asks for what cannot be read may mean something else by what follows.
      this.#writer.closes = true
      return stream.reply(refusal)
    }
    this.#upgrading = stream.exchange.upgrade !== ''
    const continues = head.expectContinue && !config.proxy100Continue
    if (config.requestTimeoutMs > 0) this.#requestStart = deps.clock.now()
    stream.begin()
    // A request that is refused already needs no body.
    if (continues && !stream.headSent) this.#writer.continue()
  }

  onBody(bytes: Buffer, at: number, end: number): void {
    this.#stream?.onBody(bytes, at, end)
  }

  /** What wants to become another protocol has no end yet. */
  onMessageEnd(trailers: HeaderList | undefined): void {
    if (!this.#upgrading) this.#stream?.onRequestEnd(trailers)
  }

  #newStream(headers: HeaderList): HttpStream {
    const exchange = new Exchange(this.#life.facts, this.#runtime.deps.clock.now(), headers, noSlots)
    return (this.#stream = new HttpStream(this.#runtime, exchange, this))
  }

  // --- Reading ---

  #parse(bytes: Buffer, length: number): void {
    this.#parsing = true
    let taken = length
    try {
      taken = this.#parser.execute(bytes, 0, length)
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      this.#onMalformed(error)
    } finally {
      this.#parsing = false
    }
    if (taken < length && !this.#life.closing) this.#wait(Buffer.from(bytes.subarray(taken, length)))
  }

  #wait(early: Buffer): void {
    this.#waiting = early
    if (early.length >= maxWaitingBytes) this.#transport.pause()
  }

  #onMalformed({ status, code }: H1Error): void {
    if (this.#life.closing) return
    const reply = malformed(status, code)
    const stream = this.#stream
    if (stream === undefined) return this.#refuse(reply)
    this.#writer.closes = true
    if (!stream.headSent) return stream.reply(reply)
    stream.onGone(flag.DPE, reply.details)
    this.abort()
  }

  #readOn(): void {
    this.#held = false
    this.#parser.resume()
    if (this.#parsing) return
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      this.#life.touch()
      this.#parse(waiting, waiting.length)
    }
    this.#resumeReading()
  }

  pauseRequest(): void {
    this.#held = true
    this.#transport.pause()
  }

  resumeRequest(): void {
    this.#held = false
    this.#resumeReading()
  }

  #resumeReading(): void {
    if (this.#held || this.#life.closing) return
    if (this.#waiting === undefined || this.#waiting.length < maxWaitingBytes) this.#transport.resume()
  }

  // --- Writing ---

  writeInformational(status: number, headers: HeaderList): void {
    this.#writer.informational(status, headers)
  }

  writeHead(status: number, headers: HeaderList, bodyLength: number): void {
    if (this.#upgrading) return this.#writeAgreed(status, headers, bodyLength)
    if (this.#owner.draining || this.#life.wornOut || !this.#isRead()) this.#writer.closes = true
    this.#writer.head(status, headers, bodyLength)
  }

  /** Whether the upgrade was agreed to or not: after it this connection carries no further request, as in Envoy. */
  #writeAgreed(status: number, headers: HeaderList, bodyLength: number): void {
    const stream = this.#stream!
    this.#upgrading = false
    this.#writer.closes = true
    if (status !== 101) {
      stream.onRequestEnd(undefined)
      return this.#writer.head(status, headers, bodyLength)
    }
    this.#writer.upgrade(headers, stream.exchange.upgrade)
    this.#tunnel = true
    const early = this.#waiting
    this.#waiting = undefined
    if (early !== undefined) stream.onBody(early, 0, early.length)
    this.#resumeReading()
  }

  /** A request that is answered before all of it is there cannot be told from the next one any more (Envoy does the same). */
  #isRead(): boolean {
    const exchange = this.#stream?.exchange
    return exchange === undefined || exchange.requestComplete || exchange.bodyLength === 0
  }

  writeData(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#writer.data(bytes, at, end)
  }

  writeEnd(trailers: HeaderList | undefined): void {
    this.#writer.end(trailers)
    this.#stream = undefined
    if (this.#writer.closes) return this.#endConnection()
    this.#life.touch()
    this.#behind = this.#transport.writableLength >= highWaterBytes
    if (!this.#behind) this.#readOn()
  }

  /** What was written still arrives where its framing shows that something is missing; else only RST can show it. */
  abort(): void {
    this.#stream = undefined
    if (this.#writer.cutShows) return this.#endConnection()
    this.#life.closing = true
    this.#transport.destroy(true)
  }

  /**
   * What the client has sent meanwhile is read first: timers run before sockets, and those of a busy process are late. What
   * comes after the FIN is not taken, not even by the system: so the client can know that nobody has seen it.
   */
  #endWhenIdle(): void {
    setImmediate(() => {
      if (!this.idle) return
      this.#endConnection()
      setImmediate(() => this.#transport.destroy())
    })
  }

  #endConnection(): void {
    this.#waiting = undefined
    this.#life.end()
  }

  // --- Time ---

  onTick(now: number): void {
    const { config } = this.#runtime
    if (this.#life.closing) this.#life.checkClosing(now)
    else if (this.#stream !== undefined) this.#checkRequestTime(now)
    else if (!this.#parser.idle) {
      if (now - this.#life.since >= config.headTimeoutMs && config.headTimeoutMs > 0) this.#refuse(slowHead)
    } else if (this.#life.isIdleTooLong(now, this.#owner.draining) || this.#life.wornOut) this.#endWhenIdle()
  }

  #checkRequestTime(now: number): void {
    const { requestTimeoutMs } = this.#runtime.config
    const stream = this.#stream!
    if (requestTimeoutMs === 0 || stream.headSent || stream.exchange.requestComplete || now - this.#requestStart < requestTimeoutMs) return
    this.#writer.closes = true
    stream.reply(slowRequest)
  }

  /** Nothing of the request can be used. */
  #refuse(reply: LocalReply): void {
    this.#writer.begin(unreadable)
    this.#newStream(new HeaderList()).reply(reply)
  }
}

/** A chain with filters brings its own. */
const noSlots: unknown[] = []
