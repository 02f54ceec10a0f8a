// One HTTP/1.1 connection from a client: reads requests one after the other, answers them in order. While a request is
// in progress nothing of the next one is taken; what arrives meanwhile waits, and then so does the client.
import { H1Error } from '../../codec/h1/errors.ts'
import { H1Parser } from '../../codec/h1/parser.ts'
import type { H1Events, H1Head } from '../../codec/h1/types.ts'
import { chunkEnd, chunkStart, continueHead, lastChunk, noBody, responseHead } from '../../codec/h1/writer.ts'
import type { Persistence } from '../../codec/h1/writer.ts'
import { HeaderList } from '../../codec/header-list.ts'
import type { Transport, TransportHandler } from '../../net/transport.ts'
import { clientCertElement } from './client-cert-header.ts'
import { ConnectionFacts } from './connection-facts.ts'
import type { Arrival } from './connection-facts.ts'
import type { Timed } from './deadlines.ts'
import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { flag } from './flags.ts'
import { prepareRequestHeaders } from './request-headers.ts'
import type { HeaderSettings } from './request-headers.ts'
import { readTarget } from './request-target.ts'
import { malformed, oldHttp, slowHead, slowRequest, unsupportedUpgrade } from './rescue.ts'
import type { HttpRuntime } from './runtime.ts'
import { HttpStream } from './stream.ts'

/** What the service does about its connections. */
export interface ConnectionOwner {
  readonly runtime: HttpRuntime
  readonly draining: boolean
  onClosed(connection: Http1Connection): void
}

export class Http1Connection implements TransportHandler, H1Events, Downstream, Timed {
  readonly #owner: ConnectionOwner
  readonly #runtime: HttpRuntime
  readonly #transport: Transport
  readonly #facts: ConnectionFacts
  readonly #headerSettings: HeaderSettings
  readonly #parser: H1Parser
  readonly #openedAt: number
  /** The request in progress. */
  #stream: HttpStream | undefined = undefined
  #requests = 0
  /** Bytes of the next request that came too early. */
  #waiting: Buffer | undefined = undefined
  #parsing = false
  /** Of the request in progress. */
  #method = ''
  #minor = 1
  #keepAlive = true
  #chunked = false
  #requestStart = 0
  /** After this response the connection ends. */
  #closeAfter = false
  /** Our last byte has been written; what the client still sends is not looked at. */
  #closing = false
  #since: number

  constructor(owner: ConnectionOwner, transport: Transport, arrival: Arrival) {
    const { runtime } = owner
    this.#owner = owner
    this.#runtime = runtime
    this.#transport = transport
    this.#facts = new ConnectionFacts(transport, arrival)
    this.#headerSettings = {
      config: runtime.config, clientCert: clientCertElement(transport.tls, runtime.config), newRequestId: runtime.newRequestId,
    }
    this.#parser = new H1Parser('request', this, runtime.config.limits)
    this.#openedAt = this.#since = runtime.deps.clock.now()
    transport.handler = this
    transport.resume()
  }

  get idle(): boolean {
    return this.#stream === undefined && !this.#closing && this.#parser.idle
  }

  /** Ends an idle connection now, a busy one after its response. */
  drain(): void {
    if (this.idle) this.#endConnection()
    else this.#closeAfter = true
  }

  /** Ends it at once. */
  close(): void {
    this.#stream?.onGone(flag.LR, 'connection_closed_by_proxy')
    this.#transport.destroy()
  }

  // --- From the transport ---

  onData(bytes: Buffer, length: number): void {
    if (this.#closing) return
    if (this.#waiting !== undefined) {
      this.#waiting = Buffer.concat([this.#waiting, bytes.subarray(0, length)])
      return
    }
    if (this.#parser.idle) this.#since = this.#runtime.deps.clock.now()
    this.#parse(bytes, length)
  }

  onDrain(): void {
    this.#stream?.onWritable()
  }

  /** A client that has finished sending is treated as gone, as Envoy does, unless nothing of it is left to do. */
  onEnd(): void {
    if (this.#stream === undefined && this.#waiting === undefined) return this.#endConnection()
    this.#stream?.onGone(flag.DC, 'downstream_remote_disconnect')
    this.#transport.destroy()
  }

  onClose(): void {
    this.#closing = true
    this.#stream?.onGone(flag.DC, 'downstream_remote_disconnect')
    this.#stream = undefined
    this.#waiting = undefined
    this.#owner.onClosed(this)
  }

  // --- From the parser ---

  onHead(head: H1Head): void {
    const { config, deps } = this.#runtime
    this.#method = head.method
    this.#minor = head.minor
    this.#keepAlive = head.keepAlive
    this.#requests++
    this.#requestStart = this.#since
    const exchange = this.#newExchange(head.headers)
    exchange.method = head.method
    exchange.minor = head.minor
    exchange.bodyLength = head.framing === 'chunked' ? -1 : head.contentLength
    exchange.sendZeroLength = head.framing === 'length' && head.contentLength === 0
    const stream = new HttpStream(this.#runtime, exchange, this)
    this.#stream = stream
    this.#parser.pause()
    const refusal = this.#refusalOf(head, exchange)
    if (refusal !== undefined) return stream.reply(refusal)
    if (head.expectContinue && !config.proxy100Continue) this.#transport.writeLatin1(continueHead)
    if (config.requestTimeoutMs > 0) this.#requestStart = deps.clock.now()
    stream.begin()
  }

  onBody(bytes: Buffer, at: number, end: number): void {
    this.#stream?.onBody(bytes, at, end)
  }

  onMessageEnd(trailers: HeaderList | undefined): void {
    this.#stream?.onRequestEnd(trailers)
  }

  #newExchange(headers: HeaderList): Exchange {
    return new Exchange(this.#facts, this.#runtime.deps.clock.now(), headers, [])
  }

  #refusalOf(head: H1Head, exchange: Exchange): LocalReply | undefined {
    const { config } = this.#runtime
    const refusal = readTarget(exchange, head, config)
    prepareRequestHeaders(exchange, this.#headerSettings)
    if (head.minor === 0 && !config.acceptHttp10) return oldHttp
    if (refusal !== undefined) return refusal
    return head.method === 'CONNECT' || (head.upgrade !== '' && head.upgrade.toLowerCase() !== 'h2c') ? unsupportedUpgrade : undefined
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
    if (taken < length && !this.#closing) {
      this.#waiting = Buffer.from(bytes.subarray(taken, length))
      this.#transport.pause()
    }
  }

  #onMalformed({ status, code }: H1Error): void {
    const reply = malformed(status, code)
    this.#closeAfter = true
    if (this.#stream?.headSent === true) {
      this.#stream.onGone(flag.DPE, reply.details)
      return this.abort()
    }
    const stream = this.#stream ?? new HttpStream(this.#runtime, this.#newExchange(new HeaderList()), this)
    this.#stream = stream
    stream.reply(reply)
  }

  #readOn(): void {
    this.#parser.resume()
    if (this.#parsing) return
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#since = this.#runtime.deps.clock.now()
    this.#parse(waiting, waiting.length)
    if (this.#waiting === undefined && !this.#closing) this.#transport.resume()
  }

  pauseRequest(): void {
    this.#transport.pause()
  }

  resumeRequest(): void {
    if (this.#waiting === undefined && !this.#closing) this.#transport.resume()
  }

  // --- Writing ---

  writeInformational(status: number, headers: HeaderList): void {
    if (this.#minor === 0) return
    this.#transport.writeLatin1(status === 100 ? continueHead : responseHead(status, '', headers, noBody))
  }

  writeHead(status: number, headers: HeaderList, bodyLength: number): void {
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304
    this.#chunked = hasBody && bodyLength === -1 && this.#minor === 1
    // HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
    if (!this.#keepAlive || (hasBody && bodyLength === -1 && !this.#chunked)) this.#closeAfter = true
    if (this.#owner.draining || this.#isWornOut() || this.#isUnread(bodyLength)) this.#closeAfter = true
    const length = !hasBody ? this.#lengthWithoutBody(headers, bodyLength) : bodyLength === -1 && !this.#chunked ? noBody : bodyLength
    this.#transport.writeLatin1(responseHead(status, '', headers, length, this.#persistence()))
  }

  /** HEAD may say how long the body would be. */
  #lengthWithoutBody(headers: HeaderList, bodyLength: number): number {
    return this.#method === 'HEAD' && bodyLength > 0 && !headers.has('content-length') ? bodyLength : noBody
  }

  #persistence(): Persistence {
    if (this.#closeAfter) return 'close'
    return this.#minor === 0 ? 'keep-alive' : 'default'
  }

  #isWornOut(): boolean {
    const { config, deps } = this.#runtime
    if (config.maxRequestsPerConnection > 0 && this.#requests >= config.maxRequestsPerConnection) return true
    return config.maxConnectionDurationMs > 0 && deps.clock.now() - this.#openedAt >= config.maxConnectionDurationMs
  }

  /** An answer of our own to a request that is still being sent: nobody would read the rest of it. */
  #isUnread(_bodyLength: number): boolean {
    const exchange = this.#stream?.exchange
    return exchange !== undefined && !exchange.requestComplete && exchange.bodyLength !== 0 && exchange.responseCodeDetails !== 'via_upstream'
  }

  writeData(bytes: Uint8Array, at: number, end: number): boolean {
    const transport = this.#transport
    if (!this.#chunked) return transport.write(bytes, at, end)
    if (end === at) return true
    transport.writeLatin1(chunkStart(end - at))
    transport.write(bytes, at, end)
    return transport.writeLatin1(chunkEnd)
  }

  writeEnd(trailers: HeaderList | undefined): void {
    if (this.#chunked) this.#transport.writeLatin1(lastChunk(trailers))
    this.#chunked = false
    const complete = this.#stream?.exchange.requestComplete === true || this.#stream?.exchange.bodyLength === 0
    this.#stream = undefined
    if (this.#closeAfter || !complete) return this.#endConnection()
    this.#since = this.#runtime.deps.clock.now()
    this.#readOn()
  }

  abort(): void {
    this.#stream = undefined
    this.#closing = true
    this.#transport.destroy(true)
  }

  /** FIN after what is queued. The client gets a moment to read it before the rest of what it sends is answered by RST. */
  #endConnection(): void {
    if (this.#closing) return
    this.#closing = true
    this.#waiting = undefined
    this.#since = this.#runtime.deps.clock.now()
    this.#transport.end()
    this.#transport.resume()
  }

  // --- Time ---

  onTick(now: number): void {
    const { config } = this.#runtime
    const elapsed = now - this.#since
    if (this.#closing) {
      if (elapsed >= config.delayedCloseMs) this.#transport.destroy()
    } else if (this.#stream !== undefined) this.#checkRequestTime(now)
    else if (!this.#parser.idle) {
      if (elapsed >= config.headTimeoutMs && config.headTimeoutMs > 0) this.#refuse(slowHead)
    } else if ((config.idleTimeoutMs > 0 && elapsed >= config.idleTimeoutMs) || this.#isWornOut()) this.#endConnection()
  }

  #checkRequestTime(now: number): void {
    const { requestTimeoutMs } = this.#runtime.config
    const stream = this.#stream!
    if (requestTimeoutMs === 0 || stream.headSent || stream.exchange.requestComplete || now - this.#requestStart < requestTimeoutMs) return
    this.#closeAfter = true
    stream.reply(slowRequest)
  }

  #refuse(reply: LocalReply): void {
    this.#closeAfter = true
    this.#stream = new HttpStream(this.#runtime, this.#newExchange(new HeaderList()), this)
    this.#stream.reply(reply)
  }
}
