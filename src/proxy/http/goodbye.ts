// How streams that live long are told that their proxy is about to end, each in a way that its clients understand: WebSockets
// by a close frame between two of the server's frames, gRPC by a status, event streams by their end. Everything else is given
// time until the last moment, and an answer then.
import { HeaderList } from '../../codec/header-list.ts'
import { WebSocketFrames, goingAway } from '../../codec/websocket-frames.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'

/** What clients that wait for a response head hear at the last moment. */
export const endsNow: LocalReply = { status: 503, flags: 'LR', details: 'proxy_ends', headers: [], body: 'the proxy ends', grpcStatus: undefined }

/** UNAVAILABLE: clients try it elsewhere. */
const unavailable = '14'

/** How a response that has begun may end whole; undefined where nothing but its own end will do. */
export function wholeEnd(exchange: Exchange): { readonly trailers: HeaderList | undefined } | undefined {
  if (exchange.isGrpc) {
    const trailers = new HeaderList()
    trailers.add('grpc-status', unavailable)
    trailers.add('grpc-message', endsNow.body)
    exchange.grpcStatus = unavailable
    return { trailers }
  }
  const type = exchange.responseHeaders?.get('content-type') ?? ''
  return type.startsWith('text/event-stream') ? { trailers: undefined } : undefined
}

/** The server's half of a WebSocket: passes it on, until somebody says goodbye in its place. */
export class WebSocketHalf {
  readonly #frames = new WebSocketFrames()
  #leaving = false
  #over = false

  /** The close frame, where it may be sent at once; undefined: after the frame in progress, or it has been. */
  leave(): Uint8Array | undefined {
    if (this.#leaving) return undefined
    this.#leaving = true
    this.#over = this.#frames.between
    return this.#over ? goingAway : undefined
  }

  /** How far of `bytes[at, end)` is passed on; `at` or less: nothing. */
  pass(bytes: Uint8Array, at: number, end: number): number {
    if (this.#over) return at
    return this.#frames.follow(bytes, at, end, this.#leaving)
  }

  /** To be asked after `pass`: the close frame, once its time has come. */
  farewell(): Uint8Array | undefined {
    if (!this.#leaving || this.#over || !this.#frames.between) return undefined
    this.#over = true
    return goingAway
  }
}
