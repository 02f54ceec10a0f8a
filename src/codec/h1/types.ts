// What the HTTP/1.1 parser reports, and the limits it keeps (RFC 9112).
import type { HeaderList } from '../header-list.ts'

/** How the end of a body is found (RFC 9112 §6). */
export type Framing = 'none' | 'length' | 'chunked' | 'until-close'

export interface H1Limits {
  /** Start line and header section together, bytes. Beyond it: `h1/head-too-large`. */
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  /** Trailer section, bytes. */
  readonly maxTrailerBytes: number
}

/** Istio's Envoy: 60 KiB of head, 100 headers. */
export const defaultLimits: H1Limits = { maxHeadBytes: 60 * 1024, maxHeaders: 100, maxTrailerBytes: 8 * 1024 }

/** Codes of codec errors; each also says the status that a server answers with. */
export type H1ErrorCode =
  | 'h1/bad-request-line' | 'h1/bad-status-line' | 'h1/bad-header-name' | 'h1/bad-header-value' | 'h1/obs-fold'
  | 'h1/bad-content-length' | 'h1/conflicting-lengths' | 'h1/bad-transfer-encoding' | 'h1/bad-chunk' | 'h1/bad-host'
  | 'h1/head-too-large' | 'h1/too-many-headers' | 'h1/version-not-supported' | 'h1/unexpected-end'

/** The head of one message. Valid until the parser starts the next one; its `headers` may be kept and edited. */
export interface H1Head {
  /** Request: method and target as sent. */
  readonly method: string
  readonly target: string
  /** Response: status and reason. */
  readonly status: number
  readonly reason: string
  /** 0 or 1, of HTTP/1.x. */
  readonly minor: number
  readonly headers: HeaderList
  readonly framing: Framing
  /** With `length`. */
  readonly contentLength: number
  /** What the peer asks for after this message (RFC 9112 §9.3). */
  readonly keepAlive: boolean
  /** `Upgrade` with `Connection: upgrade`, or empty. */
  readonly upgrade: string
  readonly expectContinue: boolean
}

/** Called while `execute` runs. Bytes are only valid during the call. */
export interface H1Events {
  onHead(head: H1Head): void
  onBody(bytes: Buffer, at: number, end: number): void
  /** After the body; `trailers` only when there were any. */
  onMessageEnd(trailers: HeaderList | undefined): void
}
