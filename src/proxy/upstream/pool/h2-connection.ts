// One HTTP/2 connection to a host: as many requests at once as both sides allow.
//
//   open -> draining -> closed     no new requests: the host went away, it is worn out, or nobody wants it any more
import { H2Error } from '../../../codec/h2/errors.ts'
import { createClientSession } from '../../../codec/h2/session.ts'
import { errorCode } from '../../../codec/h2/types.ts'
import type { H2Events, H2ResponseHead, H2Session, H2Stream as SessionStream } from '../../../codec/h2/types.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Transport, TransportHandler } from '../../../net/transport.ts'
import { Pings } from '../../h2/pings.ts'
import type { Http2Settings } from '../../h2/settings.ts'
import type { RuntimeHost } from '../host.ts'
import type { ResetReason, ResponseReader } from '../types.ts'
import { H2Stream } from './h2-stream.ts'

/** The pool. Each is told once: `onStreamEnd` for each stream, `onGone` for the connection. */
export interface H2ConnectionOwner {
  readonly clock: Clock
  readonly random: () => number
  /** Streams that the host allowed on the connections before; Infinity when there was none. Until this one has said its own. */
  readonly expectedStreams: number
  onPeerStreams(max: number): void
  onStreamEnd(connection: H2Connection): void
  /** The stream that ends was given up. */
  onAbandoned(): void
  onRemoteReset(): void
  onProtocolError(): void
  /** More streams may be opened than before. */
  onRoom(connection: H2Connection): void
  onGone(connection: H2Connection): void
}

export class H2Connection implements TransportHandler {
  readonly transport: Transport
  served = 0
  /** Since when it has carried nothing. */
  idleSince = 0
  /** It takes no further request from then on. */
  diesAt = Infinity
  /** Requests in progress. */
  active = 0
  readonly #host: RuntimeHost
  readonly #owner: H2ConnectionOwner
  #maxStreams: number
  readonly #ownMaxStreams: number
  readonly #session: H2Session<H2Stream>
  readonly #pings: Pings | undefined
  #draining = false
  #closed = false
  /** The session is at work: it is not ended under its hands. */
  #receiving = false
  /** What the streams that are left hear when the connection goes. */
  #reason: ResetReason = 'connection-termination'
  #detail = ''

  constructor(transport: Transport, host: RuntimeHost, owner: H2ConnectionOwner, { limits, keepAlive }: Http2Settings) {
    this.transport = transport
    this.#host = host
    this.#owner = owner
    this.#ownMaxStreams = limits.maxConcurrentStreams
    this.#maxStreams = Math.min(limits.maxConcurrentStreams, owner.expectedStreams)
    this.idleSince = owner.clock.now()
    this.#session = createClientSession<H2Stream>(transport, new SessionEvents(this), limits)
    this.#pings = keepAlive && new Pings(keepAlive, owner.clock, owner.random, () => this.#session.ping(), () => this.close())
    transport.handler = this
    transport.resume()
  }

  /** Requests that it takes now. */
  get room(): number {
    if (this.#closed || this.#draining || this.transport.destroyed) return 0
    return Math.min(this.#session.available, this.#maxStreams - this.active)
  }

  get usable(): boolean {
    return !this.#closed && !this.#draining && !this.#session.closing && !this.transport.destroyed
  }

  /** Only where there is room. */
  begin(reader: ResponseReader): H2Stream {
    if (this.active === 0 && this.#pings !== undefined) this.#pings.onUse(this.#owner.clock.now() - this.idleSince)
    const stream = new H2Stream(this, this.#host, reader)
    stream.first = this.served === 0 && this.#owner.clock.now() === this.idleSince
    stream.attach(this.#session.open(stream)!)
    this.served++
    this.active++
    return stream
  }

  /** It ends once what it carries is done. */
  drain(): void {
    this.#draining = true
    this.#closeWhenDone()
  }

  /** The user of a stream gives it up. */
  abandon(stream: H2Stream): void {
    this.#owner.onAbandoned()
    this.#endStream(stream)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pings?.stop()
    this.transport.destroy()
    this.#session.onClosed()
    this.#owner.onGone(this)
  }

  #closeWhenDone(): void {
    if (!this.#receiving && this.active === 0 && (this.#draining || this.#session.closing)) this.close()
  }

  // --- From the transport ---

  onData(bytes: Buffer, length: number): void {
    if (this.#closed) return
    this.#receiving = true
    try {
      this.#session.receive(bytes, length, this.#owner.clock.now())
    } catch (error) {
      this.#onMalformed(error)
    } finally {
      this.#receiving = false
    }
    this.#closeWhenDone()
  }

  #onMalformed(error: unknown): void {
    if (!(error instanceof H2Error)) throw error
    this.#owner.onProtocolError()
    this.#reason = 'protocol-error'
    this.#detail = error.message
    this.close()
  }

  onDrain(): void {
    if (!this.#closed) this.#session.onDrain()
  }

  onEnd(): void {
    this.close()
  }

  onClose(): void {
    this.close()
  }

  // --- From the session ---

  onPong(): void {
    this.#pings?.onPong()
  }

  onPeerSettings(maxStreams: number): void {
    this.#maxStreams = Math.min(this.#ownMaxStreams, maxStreams)
    this.#owner.onPeerStreams(maxStreams)
    if (this.room > 0) this.#owner.onRoom(this)
  }

  onReset(stream: H2Stream, code: number, local: boolean): void {
    if (!stream.over) this.#fail(stream, code, local)
  }

  /** The stream's answer is complete. */
  finished(stream: H2Stream): void {
    this.#endStream(stream)
  }

  /** Its id is free again, which a stream that was given up may hold for longer. */
  onStreamClosed(): void {
    if (this.#closed) return
    this.#closeWhenDone()
    if (this.room > 0) this.#owner.onRoom(this)
  }

  /** A stream that a host which goes away has not looked at may be asked for elsewhere, whatever it asks; one that it left without a word, if it is safe to. */
  #fail(stream: H2Stream, code: number, local: boolean): void {
    const refused = code === errorCode.refusedStream && !local
    if (!this.#closed && !local) this.#owner.onRemoteReset()
    const left = this.#closed && this.#reason === 'connection-termination' && !stream.first && !stream.answered
    stream.reused = left || (refused && this.#session.closing)
    const reason = this.#closed ? this.#reason : refused ? 'remote-refused' : local ? 'protocol-error' : 'remote-reset'
    this.#endStream(stream)
    stream.reader.onReset(reason, this.#detail, stream.begun && !refused)
  }

  #endStream(stream: H2Stream): void {
    stream.over = true
    this.active--
    if (this.active === 0) this.idleSince = this.#owner.clock.now()
    this.#owner.onStreamEnd(this)
    this.#closeWhenDone()
  }
}

/** What the session hears goes to the stream that it is about. One for each connection, since both have an `onData` of their own. */
class SessionEvents implements H2Events<H2Stream> {
  readonly #connection: H2Connection

  constructor(connection: H2Connection) {
    this.#connection = connection
  }

  onRequest(): void {}

  onResponse({ user }: SessionStream<H2Stream>, { status, headers, bodyLength }: H2ResponseHead, end: boolean): void {
    user!.onResponse(status, headers, bodyLength, end)
  }

  onData({ user }: SessionStream<H2Stream>, bytes: Buffer, at: number, end: number): void {
    user!.onData(bytes, at, end)
  }

  onEnd({ user }: SessionStream<H2Stream>, trailers: HeaderList | undefined): void {
    user!.onEnd(trailers)
  }

  onWritable({ user }: SessionStream<H2Stream>): void {
    user!.onWritable()
  }

  onReset({ user }: SessionStream<H2Stream>, code: number, local: boolean): void {
    this.#connection.onReset(user!, code, local)
  }

  onClosed(): void {
    this.#connection.onStreamClosed()
  }

  /** The streams that it ends have been reset already, and `closing` says the rest. */
  onGoAway(): void {}

  onPong(): void {
    this.#connection.onPong()
  }

  onPeerSettings(maxStreams: number): void {
    this.#connection.onPeerSettings(maxStreams)
  }
}
