// One HTTP/2 connection from a client: each of its streams is a request of its own (h2-request.ts). Here is what they have
// in common: the session, its keep-alive, and how the connection ends.
//
//   open -> going (GOAWAY for all ids: the client opens no more) -> gone (GOAWAY for those that came) -> closing, when they are done
import { H2Error } from '../../codec/h2/errors.ts'
import { createServerSession } from '../../codec/h2/session.ts'
import { errorCode } from '../../codec/h2/types.ts'
import type { H2Events, H2RequestHead, H2Session, H2Stream } from '../../codec/h2/types.ts'
import type { HeaderList } from '../../codec/header-list.ts'
import type { TransportHandler } from '../../net/transport.ts'
import { Pings } from '../h2/pings.ts'
import { drainIdleMs } from './connection-life.ts'
import type { ConnectionLife, ConnectionOwner, ServedConnection } from './connection-life.ts'
import { flag } from './flags.ts'
import { Http2Request } from './h2-request.ts'
import type { HttpStream } from './stream.ts'

export class Http2Connection implements TransportHandler, ServedConnection {
  readonly life: ConnectionLife
  readonly #owner: ConnectionOwner
  readonly #session: H2Session<Http2Request>
  readonly #pings: Pings | undefined
  /** When the client was told to open no more streams; 0: not yet. */
  #goingSince = 0
  #gone = false
  #receiving = false
  listIndex = -1
  /** All streams end at once, and what they hear then. */
  #ending = false
  #flags: number = flag.DC
  #details = 'downstream_remote_disconnect'

  constructor(owner: ConnectionOwner, life: ConnectionLife) {
    const { runtime, transport, facts } = life
    const { limits, keepAlive } = runtime.config.http2
    this.#owner = owner
    this.life = life
    facts.http2 = true
    this.#session = createServerSession<Http2Request>(transport, new SessionEvents(this), limits)
    this.#pings = keepAlive && new Pings(keepAlive, runtime.deps.clock, runtime.deps.random, () => this.#session.ping(), () => this.#onDead())
    transport.handler = this
    transport.resume()
    if (owner.draining) this.drain()
  }

  drain(): void {
    if (this.#goingSince !== 0 || this.life.closing) return
    this.#goingSince = this.life.now()
    this.#session.goAway()
  }

  /** What is on its way has not been looked at: GOAWAY says so. */
  close(): void {
    if (!this.life.closing) this.#goAway()
    this.#endStreams(flag.LR, 'connection_closed_by_proxy')
    this.life.transport.destroy()
  }

  eachStream(visit: (stream: HttpStream) => void): void {
    this.#session.eachUser(({ stream }) => visit(stream))
  }

  // --- From the transport ---

  onData(bytes: Buffer, length: number): void {
    if (this.life.closing) return
    this.#receiving = true
    try {
      this.#session.receive(bytes, length, this.life.now())
    } catch (error) {
      if (!(error instanceof H2Error)) throw error
      this.#onMalformed(error)
    } finally {
      this.#receiving = false
    }
    this.#endWhenDone()
  }

  onDrain(): void {
    this.#session.onDrain()
  }

  /** A client that has finished sending is treated as gone, as Envoy does, unless nothing of it is left to do. */
  onEnd(): void {
    if (this.#session.openStreams === 0) return this.life.end()
    this.#endStreams(flag.DC, 'downstream_remote_disconnect')
    this.life.transport.destroy()
  }

  onClose(): void {
    this.life.closing = true
    this.#pings?.stop()
    this.#ending = true
    this.#session.onClosed()
    this.#owner.onClosed(this)
  }

  /** The session has said GOAWAY already. */
  #onMalformed({ code }: H2Error): void {
    const details = code === 'h2/enhance-your-calm' ? 'http2.flood' : `http2.${code.slice('h2/'.length).replaceAll('-', '_')}`
    this.#endStreams(flag.DPE, details)
    this.life.end()
  }

  #onDead(): void {
    this.#endStreams(flag.DC, 'http2.ping_timeout')
    this.life.transport.destroy()
  }

  #endStreams(flags: number, details: string): void {
    this.#flags = flags
    this.#details = details
    this.#ending = true
    this.#session.onClosed()
  }

  // --- From the session ---

  onRequest(frames: H2Stream<Http2Request>, head: H2RequestHead, end: boolean): void {
    this.life.requests++
    const request = new Http2Request(this.life, frames, head.headers)
    frames.user = request
    if (this.life.wornOut) this.drain()
    request.begin(head, end)
  }

  /** Either the stream's own end, or that of the connection. */
  onReset(request: Http2Request, code: number, local: boolean): void {
    if (this.#ending) request.onGone(this.#flags, this.#details)
    else if (local) request.onGone(flag.DPE, 'http2.violation.of.messaging.rule')
    else request.onGone(flag.DR, code === errorCode.refusedStream ? 'http2.remote_refuse' : 'http2.remote_reset')
  }

  onStreamClosed(): void {
    if (this.#session.openStreams > 0) return
    this.life.touch()
    this.#endWhenDone()
  }

  onPong(): void {
    this.#pings?.onPong()
  }

  // --- Time ---

  onTick(now: number): void {
    if (this.life.closing) return this.life.checkClosing(now)
    if (this.#goingSince === 0 && this.life.wornOut) this.drain()
    if (this.#goingSince !== 0 && !this.#gone && now - this.#goingSince >= drainIdleMs) this.#goAway()
    else if (this.#session.openStreams === 0 && this.life.isIdleTooLong(now, false)) this.#goAway()
    this.#endWhenDone()
  }

  #goAway(): void {
    this.#gone = true
    this.#session.goAway(errorCode.noError, true)
  }

  #endWhenDone(): void {
    if (this.#gone && !this.#receiving && this.#session.openStreams === 0) this.life.end()
  }
}

/** What the session hears goes to the stream that it is about. One for each connection, since both have an `onData` of their own. */
class SessionEvents implements H2Events<Http2Request> {
  readonly #connection: Http2Connection

  constructor(connection: Http2Connection) {
    this.#connection = connection
  }

  onRequest(frames: H2Stream<Http2Request>, head: H2RequestHead, end: boolean): void {
    this.#connection.onRequest(frames, head, end)
  }

  onResponse(): void {}

  onData({ user }: H2Stream<Http2Request>, bytes: Buffer, at: number, end: number): void {
    user!.stream.onBody(bytes, at, end)
  }

  onEnd({ user }: H2Stream<Http2Request>, trailers: HeaderList | undefined): void {
    user!.stream.onRequestEnd(trailers)
  }

  onWritable({ user }: H2Stream<Http2Request>): void {
    user!.stream.onWritable()
  }

  onReset({ user }: H2Stream<Http2Request>, code: number, local: boolean): void {
    this.#connection.onReset(user!, code, local)
  }

  onClosed({ user }: H2Stream<Http2Request>): void {
    user!.onClosed()
    this.#connection.onStreamClosed()
  }

  /** A client that goes away still hears what it has asked for. */
  onGoAway(): void {}

  onPong(): void {
    this.#connection.onPong()
  }

  onPeerSettings(): void {}
}
