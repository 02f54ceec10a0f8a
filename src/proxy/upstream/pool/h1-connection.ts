// One HTTP/1.1 connection to a host: one request at a time, kept for the next one where both sides allow it.
//
//   idle -> busy -> idle         the response and the request are complete, and both sides keep the connection
//                -> closed       else; also when idle and the peer closes or sends anything
import { H1Error } from '../../../codec/h1/errors.ts'
import { H1Parser } from '../../../codec/h1/parser.ts'
import type { H1Events, H1Head } from '../../../codec/h1/types.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Transport, TransportHandler } from '../../../net/transport.ts'
import type { RuntimeHost } from '../host.ts'
import type { ResetReason, ResponseReader } from '../types.ts'
import { H1Stream } from './h1-stream.ts'
import { marginOf } from './idle-limit.ts'

/** The pool. Each is told once: `onStreamEnd` for each stream, `onGone` for the connection. */
export interface ConnectionOwner {
  onStreamEnd(): void
  /** The stream that ends was given up. */
  onAbandoned(): void
  onProtocolError(): void
  /** The peer closed it while it carried nothing, as far as the peer could know. It is gone next. */
  onPeerClosedIdle(connection: H1Connection): void
  /** Idle from now on. */
  onFree(connection: H1Connection): void
  onGone(connection: H1Connection): void
}

export class H1Connection implements TransportHandler, H1Events {
  readonly transport: Transport
  served = 0
  idleSince = 0
  /** It carries no further request from then on. */
  diesAt = Infinity
  /** What the peer said it keeps idle connections for; Infinity when it said nothing. */
  peerIdleMs = Infinity
  readonly #host: RuntimeHost
  readonly #owner: ConnectionOwner
  readonly #parser: H1Parser
  #stream: H1Stream | undefined
  #responded = false
  /** Some byte of the response has come. */
  #answered = false
  /** Bytes that the peer had certainly not taken when it closed. */
  #untaken = 0
  #trailers: HeaderList | undefined
  #keepAlive = true
  #closed = false

  constructor(transport: Transport, host: RuntimeHost, owner: ConnectionOwner) {
    this.transport = transport
    this.#host = host
    this.#owner = owner
    this.#parser = new H1Parser('response', this)
    transport.handler = this
    transport.resume()
  }

  get usable(): boolean {
    return !this.#closed && !this.transport.destroyed
  }

  begin(reader: ResponseReader): H1Stream {
    // One that was opened and not needed at once may have been closed as well as one that was kept.
    const stream = new H1Stream(this, this.#host, reader, this.served > 0 || this.idleSince > 0)
    this.served++
    this.#stream = stream
    this.#responded = false
    this.#answered = false
    this.#trailers = undefined
    this.#parser.resume()
    return stream
  }

  expectResponseTo(method: string): void {
    this.#parser.expectResponseTo(method)
  }

  /** The stream's user gives it up. What is on its way cannot be told from the next response, so the connection ends. */
  abandon(stream: H1Stream): void {
    if (stream !== this.#stream) return
    this.#owner.onAbandoned()
    this.#endStream(stream)
    this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.transport.destroy()
    this.#owner.onGone(this)
  }

  // --- What the transport tells ---

  onData(bytes: Buffer, length: number): void {
    // Bytes that nobody asked for: a 408 before closing, or worse. They are no answer to a request that is not sent yet.
    const stream = this.#stream
    if (stream === undefined) return this.#closedIdle()
    if (!stream.begun) return this.#fail('connection-termination', '')
    this.#answered = true
    if (stream.tunnel) return stream.reader.onData(bytes, 0, length)
    let taken: number
    try {
      taken = this.#parser.execute(bytes, 0, length)
    } catch (error) {
      return this.#failParsing(error)
    }
    if (this.#responded) this.#finish(taken === length)
    else if (taken < length && stream.tunnel && !stream.over) stream.reader.onData(bytes, taken, length)
  }

  onDrain(): void {
    const stream = this.#stream
    if (stream !== undefined && !stream.requestDone) stream.reader.onWritable()
  }

  onEnd(): void {
    if (this.#stream === undefined) return this.#closedIdle()
    this.onBroken()
    if (this.#stream.tunnel) this.#responded = true
    try {
      this.#parser.finish()
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
    }
    if (this.#responded) this.#finish(false)
    else this.#fail('connection-termination', '')
  }

  onBroken(): void {
    const stream = this.#stream
    if (stream?.begun === true && !this.#answered) this.#untaken = this.transport.untaken()
  }

  onClose(): void {
    if (this.#stream === undefined) return this.#closedIdle()
    this.#fail('connection-termination', '')
    this.close()
  }

  #closedIdle(): void {
    if (!this.#closed && this.served > 0) this.#owner.onPeerClosedIdle(this)
    this.close()
  }

  // --- What the parser tells, while it runs. The stream may have been given up by an earlier callback. ---

  onHead(head: H1Head): void {
    const stream = this.#stream
    if (stream === undefined) return
    if (head.status < 200) return this.#onInformational(stream, head)
    this.#keepAlive = head.keepAlive
    if (head.keepAlive) this.#readKeepAlive(head.headers)
    const length = head.framing === 'none' ? 0 : head.framing === 'length' ? head.contentLength : -1
    stream.reader.onHead(head.status, head.headers, length)
  }

  onBody(bytes: Buffer, at: number, end: number): void {
    this.#stream?.reader.onData(bytes, at, end)
  }

  onMessageEnd(trailers: HeaderList | undefined): void {
    if (this.#stream?.tunnel === true) return
    this.#responded = true
    this.#trailers = trailers
    this.#parser.pause()
  }

  /** 101 ends HTTP on this connection, where the request asked for that. */
  #onInformational(stream: H1Stream, head: H1Head): void {
    if (head.status === 101) {
      if (!stream.upgrades) throw new H1Error('h1/bad-status-line', 'an upgrade that was not asked for')
      stream.tunnel = true
      return stream.reader.onHead(101, head.headers, -1)
    }
    stream.reader.onInformational(head.status, head.headers)
  }

  /** `Keep-Alive: timeout=5`, as node and Apache send it: to use it in time avoids most of the races of reuse. */
  #readKeepAlive(headers: HeaderList): void {
    const value = headers.get('keep-alive')
    if (value === undefined) return
    const at = value.toLowerCase().indexOf('timeout=')
    const ms = at === -1 ? NaN : 1_000 * Number.parseInt(value.slice(at + 'timeout='.length), 10)
    if (ms >= 0) this.peerIdleMs = ms - marginOf(ms)
  }

  /** `clean`: nothing follows the response. The connection is free before the reader hears of the end. */
  #finish(clean: boolean): void {
    const stream = this.#stream
    if (stream === undefined) return
    // A request that is not all written would delay the next one behind bytes that the peer may never read.
    const sent = stream.requestDone && this.transport.writableLength === 0
    const reusable = clean && this.#keepAlive && sent && this.usable
    const trailers = this.#trailers
    this.#endStream(stream)
    if (reusable) {
      this.transport.resume()
      this.#owner.onFree(this)
    } else this.close()
    stream.reader.onEnd(trailers)
  }

  #failParsing(error: unknown): void {
    if (!(error instanceof H1Error)) throw error
    this.#owner.onProtocolError()
    this.#fail('protocol-error', error.message)
    this.close()
  }

  #fail(reason: ResetReason, detail: string): void {
    const stream = this.#stream
    if (stream === undefined) return this.close()
    const untouched = this.#isUntouched(stream)
    if (untouched && stream.reused) this.#owner.onPeerClosedIdle(this)
    this.#endStream(stream)
    this.close()
    stream.reader.onReset(reason, detail, stream.begun && !untouched)
  }

  /**
   * The peer closed without an answer, and took no byte of the request: what comes after its FIN is dropped there (RFC 9112
   * §9.6). TLS makes more bytes of them, a few for each piece: where there are many pieces, not even as many untaken ones
   * prove it.
   */
  #isUntouched(stream: H1Stream): boolean {
    return this.#untaken > 0 && this.#untaken >= stream.written && (this.transport.tls === undefined || stream.pieces <= 2)
  }

  #endStream(stream: H1Stream): void {
    stream.over = true
    this.#stream = undefined
    this.#owner.onStreamEnd()
  }
}
