// What a filter is: one shared object with optional hooks; its per-exchange state lives in a slot of the Exchange.
// Users' filters, written in TypeScript, have the same type.
import type { HeaderList } from '../../codec/header-list.ts'
import type { Exchange } from './exchange.ts'

/** An answer that the mesh itself gives. Built once where it can be; never edited after. */
export interface LocalReply {
  readonly status: number
  readonly body: string
  /** response_code_details, such as `fault_filter_abort`. */
  readonly details: string
  /** Envoy's short response flags to add, such as `FI`. Empty for none. */
  readonly flags: string
  /** Extra response headers: flat names and values. */
  readonly headers: readonly string[]
  /** A gRPC status that overrides the one mapped from `status`. */
  readonly grpcStatus: number | undefined
}

/** What there is of a request's body. */
export interface HeldBody {
  readonly bytes: Buffer
  /** All of it. */
  readonly whole: boolean
}

/** A filter decides when it has seen the body, or enough of it. */
export class BodyWish {
  readonly maxBytes: number
  /** The beginning of a longer body is enough; otherwise such a request is refused. */
  readonly partial: boolean
  readonly decide: (body: HeldBody) => FilterResult

  constructor(maxBytes: number, partial: boolean, decide: BodyWish['decide']) {
    this.maxBytes = maxBytes
    this.partial = partial
    this.decide = decide
  }
}

/** undefined goes on; a LocalReply answers; a promise makes the exchange wait, and so does a wish for the body. */
export type FilterResult = LocalReply | undefined | BodyWish | Promise<LocalReply | undefined>

/** Runs in chain order on the way in and in reverse order on the way out. Hooks that are absent cost nothing. */
export interface Filter {
  readonly name: string
  /** The head of the request is there; the body may still be on its way and is held back while a promise is pending. */
  onRequest?(exchange: Exchange): FilterResult
  /** A newer version of the filter is asked about a request that an older one let in; a reply ends it. */
  recheck?(exchange: Exchange): LocalReply | undefined
  /** Each piece of request body, before it goes upstream. What it returns replaces the piece. */
  onRequestData?(exchange: Exchange, bytes: Buffer): Buffer
  /** The head of the response, local or from upstream, before it goes downstream. May edit the headers. */
  onResponse?(exchange: Exchange, headers: HeaderList): void
  onResponseData?(exchange: Exchange, bytes: Buffer): Buffer
  /** The response is complete. What it returns comes after the body; trailers that it takes away are not sent. */
  onResponseEnd?(exchange: Exchange, trailers: HeaderList | undefined): Buffer | undefined
  /** Its data hooks would change nothing of this exchange: bodies keep their lengths. */
  leavesBodies?(exchange: Exchange): boolean
  /** The exchange is over, however it ended. Must not throw. */
  onEnd?(exchange: Exchange): void
}
