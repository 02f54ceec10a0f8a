// The HTTP/1.1 parser (RFC 9112), for requests or for responses, incremental: any split of the input gives the same
// events. Strict where leniency would let two parsers disagree about where a message ends. It knows no socket and keeps
// no body: pieces are handed on as they come.
//
//   head -> (length | chunk-frame <-> chunk-data -> trailers | until-close) -> head
//        -> tunnel   after 101 and after a 2xx to CONNECT: what follows is not HTTP
import type { HeaderList } from '../header-list.ts'
import { ChunkScanner } from './chunk-scanner.ts'
import { H1Error } from './errors.ts'
import { HeadScanner } from './head-scanner.ts'
import { Head } from './head.ts'
import { readRequestHead } from './request-head.ts'
import { readResponseHead } from './response-head.ts'
import { readTrailers } from './trailers.ts'
import { defaultLimits } from './types.ts'
import type { H1Events, H1Limits } from './types.ts'

type Phase = 'head' | 'length' | 'chunk-frame' | 'chunk-data' | 'trailers' | 'until-close' | 'tunnel' | 'broken'

/**
 * Events: `onHead`, then `onBody` for each piece, then `onMessageEnd`. A 1xx response other than 101 is only an
 * `onHead`: the response that it announces follows. Callbacks may call `pause` and `resume`, but not `execute`.
 */
export class H1Parser {
  readonly #role: 'request' | 'response'
  readonly #events: H1Events
  readonly #limits: H1Limits
  readonly #head = new Head()
  readonly #scanner: HeadScanner
  #trailers: HeadScanner | undefined
  #chunks: ChunkScanner | undefined
  #phase: Phase = 'head'
  #left = 0
  #paused = false
  #requestMethod = 'GET'
  #error: H1Error | undefined

  constructor(role: 'request' | 'response', events: H1Events, limits: H1Limits = defaultLimits) {
    this.#role = role
    this.#events = events
    this.#limits = limits
    this.#scanner = new HeadScanner(role, limits.maxHeadBytes, limits.maxHeaders)
  }

  /** Between messages: nothing has been read of the next one. */
  get idle(): boolean {
    return this.#phase === 'head' && this.#scanner.idle
  }

  /** After 101, or 2xx to CONNECT: `execute` takes nothing any more, the bytes belong to another protocol. */
  get tunnel(): boolean {
    return this.#phase === 'tunnel'
  }

  /** For response parsers: the method of the request whose response comes next. HEAD and CONNECT change its framing. */
  expectResponseTo(method: string): void {
    this.#requestMethod = method
  }

  /** Stops before the next message; the one that has begun is still read to its end. */
  pause(): void {
    this.#paused = true
  }

  /** Ends a pause. What `execute` did not take must be given to it again. */
  resume(): void {
    this.#paused = false
  }

  /** How many of `bytes[at, end)` were taken: all, unless paused or a tunnel began. Throws H1Error, from then on always. */
  execute(bytes: Buffer, at: number, end: number): number {
    if (this.#error !== undefined) throw this.#error
    try {
      return this.#run(bytes, at, end) - at
    } catch (error) {
      if (error instanceof H1Error) this.#fail(error)
      throw error
    }
  }

  /** The peer will send nothing more. Throws when that cuts a message short. */
  finish(): void {
    if (this.#error !== undefined) throw this.#error
    if (this.#phase === 'until-close') return this.#endMessage(undefined)
    if (this.#phase === 'tunnel' || this.idle) return
    this.#fail(new H1Error('h1/unexpected-end', 'the connection ended in the middle of a message'))
  }

  #fail(error: H1Error): never {
    this.#error = error
    this.#phase = 'broken'
    throw error
  }

  #run(bytes: Buffer, at: number, end: number): number {
    let i = at
    while (i < end) {
      switch (this.#phase) {
        case 'head':
          if (this.#paused && this.#scanner.idle) return i
          i = this.#headBytes(bytes, i, end)
          break
        case 'length':
          i = this.#lengthBytes(bytes, i, end)
          break
        case 'chunk-data':
          i = this.#chunkBytes(bytes, i, end)
          break
        case 'chunk-frame':
          i = this.#frameBytes(bytes, i, end)
          break
        case 'trailers':
          i = this.#trailerBytes(bytes, i, end)
          break
        case 'until-close':
          this.#events.onBody(bytes, i, end)
          return end
        case 'tunnel':
        case 'broken':
          return i
      }
    }
    return i
  }

  #headBytes(bytes: Buffer, at: number, end: number): number {
    const scanner = this.#scanner
    const next = scanner.scan(bytes, at, end)
    if (next === -1) return end
    const head = this.#head
    if (this.#role === 'request') readRequestHead(head, scanner)
    else readResponseHead(head, scanner, this.#requestMethod)
    scanner.reset()
    this.#startBody(head)
    return next
  }

  /** The phase is set before the event, so that a callback sees the parser where it will go on. */
  #startBody(head: Head): void {
    const informational = this.#role === 'response' && head.status < 200 && head.status !== 101
    if (informational) return this.#events.onHead(head)
    const framing = head.framing
    if (framing === 'none' || (framing === 'length' && head.contentLength === 0)) {
      this.#events.onHead(head)
      return this.#endMessage(undefined)
    }
    if (framing === 'length') {
      this.#left = head.contentLength
      this.#phase = 'length'
    } else if (framing === 'chunked') {
      this.#chunks ??= new ChunkScanner()
      this.#chunks.reset()
      this.#phase = 'chunk-frame'
    } else this.#phase = 'until-close'
    this.#events.onHead(head)
  }

  #lengthBytes(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#left)
    this.#left -= stop - at
    this.#events.onBody(bytes, at, stop)
    if (this.#left === 0) this.#endMessage(undefined)
    return stop
  }

  #frameBytes(bytes: Buffer, at: number, end: number): number {
    const chunks = this.#chunks!
    const next = chunks.scan(bytes, at, end)
    if (chunks.inChunk) this.#phase = 'chunk-data'
    else if (chunks.last) {
      this.#trailers ??= new HeadScanner('trailer', this.#limits.maxTrailerBytes, this.#limits.maxHeaders)
      this.#phase = 'trailers'
    }
    return next
  }

  #chunkBytes(bytes: Buffer, at: number, end: number): number {
    const chunks = this.#chunks!
    const stop = Math.min(end, at + chunks.left)
    chunks.left -= stop - at
    if (chunks.left === 0) {
      chunks.chunkRead()
      this.#phase = 'chunk-frame'
    }
    this.#events.onBody(bytes, at, stop)
    return stop
  }

  #trailerBytes(bytes: Buffer, at: number, end: number): number {
    const scanner = this.#trailers!
    const next = scanner.scan(bytes, at, end)
    if (next === -1) return end
    const trailers = scanner.fieldCount === 0 ? undefined : readTrailers(scanner)
    scanner.reset()
    this.#endMessage(trailers)
    return next
  }

  #endMessage(trailers: HeaderList | undefined): void {
    this.#phase = this.#role === 'response' && this.#becomesTunnel() ? 'tunnel' : 'head'
    this.#events.onMessageEnd(trailers)
  }

  #becomesTunnel(): boolean {
    const status = this.#head.status
    return status === 101 || (this.#requestMethod === 'CONNECT' && status >= 200 && status < 300)
  }
}
