// One stream of a client's HTTP/2 connection: a request, and the response that goes back on it.
import { errorCode } from '../../codec/h2/types.ts'
import type { H2RequestHead, H2Stream } from '../../codec/h2/types.ts'
import { HeaderList } from '../../codec/header-list.ts'
import type { ConnectionLife } from './connection-life.ts'
import type { Due } from './deadlines.ts'
import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import { startHttp2Request } from './request-start.ts'
import { headTooLarge, slowRequest } from './rescue.ts'
import { HttpStream } from './stream.ts'

const continueStatus = 100

export class Http2Request implements Downstream, Due {
  readonly stream: HttpStream
  readonly #life: ConnectionLife
  readonly #frames: H2Stream<Http2Request>
  /** The response had no body: it has ended with its head. */
  #ended = false
  listIndex = -1

  constructor(life: ConnectionLife, frames: H2Stream<Http2Request>, headers: HeaderList) {
    this.#life = life
    this.#frames = frames
    this.stream = new HttpStream(life.runtime, new Exchange(life.facts, life.now(), headers, noSlots), this)
  }

  begin(head: H2RequestHead, end: boolean): void {
    const { stream } = this
    const { config, deadlines } = this.#life.runtime
    const continues = !config.proxy100Continue && head.headers.has('expect')
    const refusal = startHttp2Request(stream.exchange, head, end, this.#life.headerSettings) ?? (head.tooLarge ? headTooLarge : undefined)
    if (refusal !== undefined) return stream.reply(refusal)
    if (config.requestTimeoutMs > 0 && !end) deadlines.add(this)
    stream.begin()
    // A request that is refused already needs no body.
    if (continues && !stream.headSent) this.#frames.sendResponse(continueStatus, noHeaders, false)
    if (end) stream.onRequestEnd(undefined)
  }

  /** The client gave it up, broke a rule, or is gone. */
  onGone(flags: number, details: string): void {
    this.stream.onGone(flags, details)
  }

  onClosed(): void {
    this.#life.runtime.deadlines.delete(this)
  }

  nextDue(): number {
    return this.stream.exchange.startTime + this.#life.runtime.config.requestTimeoutMs
  }

  onTick(now: number): void {
    const { exchange, headSent } = this.stream
    if (headSent || exchange.requestComplete) return this.onClosed()
    if (now - exchange.startTime >= this.#life.runtime.config.requestTimeoutMs) this.stream.reply(slowRequest)
  }

  // --- The response ---

  writeInformational(status: number, headers: HeaderList): void {
    this.#frames.sendResponse(status, headers, false)
  }

  writeHead(status: number, headers: HeaderList, bodyLength: number): void {
    const isHead = this.stream.exchange.method === 'HEAD'
    const hasBody = !isHead && status !== 204 && status !== 304
    if (bodyLength > 0 && (hasBody || (isHead && !headers.has('content-length')))) headers.add('content-length', String(bodyLength))
    this.#ended = !hasBody || bodyLength === 0
    // An upgrade is agreed to by 200 here (RFC 8441 §5).
    this.#frames.sendResponse(status === 101 ? 200 : status, headers, this.#ended)
  }

  writeData(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#ended || this.#frames.sendData(bytes, at, end)
  }

  /** Who is answered completely need not send the rest of its request (RFC 9113 §8.1). */
  writeEnd(trailers: HeaderList | undefined): void {
    if (!this.#ended) this.#frames.sendEnd(trailers)
    this.#ended = true
    if (!this.stream.exchange.requestComplete) this.#frames.reset(errorCode.noError)
  }

  abort(): void {
    this.#frames.reset(errorCode.internalError)
  }

  pauseRequest(): void {
    this.#frames.pause()
  }

  resumeRequest(): void {
    this.#frames.resume()
  }
}

/** A chain with filters brings its own. */
const noSlots: unknown[] = []
const noHeaders = new HeaderList()
