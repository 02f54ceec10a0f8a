// What an HTTP/2 session (RFC 9113) reports and takes, and the limits it keeps. One session is one connection's state:
// frames, HPACK, streams, flow control. It owns no socket and no timer; its owner hands it bytes and the time.
import type { HeaderList } from '../header-list.ts'

/** RFC 9113 §7, by number. */
export const errorCode = {
  noError: 0x0, protocolError: 0x1, internalError: 0x2, flowControlError: 0x3, settingsTimeout: 0x4, streamClosed: 0x5,
  frameSizeError: 0x6, refusedStream: 0x7, cancel: 0x8, compressionError: 0x9, connectError: 0xa, enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc, http11Required: 0xd,
} as const

/** Pseudo-header fields; those that are not there are empty strings. The session fills one head again and again: it is valid during the call, its `headers` may be kept and edited. */
export interface H2RequestHead {
  readonly method: string
  readonly scheme: string
  /** `:authority`, or Host where the client sent only that. */
  readonly authority: string
  readonly path: string
  /** `:protocol` of an extended CONNECT (RFC 8441). */
  readonly protocol: string
  /** Regular fields, Content-Length included, without Host and connection-specific ones (which are malformed here, RFC 9113 §8.2.2). Cookies are joined (§8.2.3). */
  readonly headers: HeaderList
  /** -1: not known; 0: none (END_STREAM with the head); else Content-Length, which the session holds DATA to (§8.1.1). */
  readonly bodyLength: number
  /**
   * The header section is beyond `maxHeaderListBytes` or `maxHeaders`: what did not fit is missing in `headers`. Answer 431
   * and nothing else; neither onData nor onEnd follows (the session drops the body and ends the stream after the answer).
   */
  readonly tooLarge: boolean
}

export interface H2ResponseHead {
  readonly status: number
  readonly headers: HeaderList
  readonly bodyLength: number
}

/**
 * One stream, as its user sees it. The user may keep state of its own in `user`. After the stream has closed every call
 * is harmless and does nothing.
 */
export interface H2Stream<User> {
  /** Client sessions: 0 until the request is sent, since ids must go out in order. */
  readonly id: number
  user: User | undefined
  /** Nothing can be sent or heard any more. */
  readonly closed: boolean
  /** Client sessions. `end`: no body follows. After a GOAWAY that came since `open`: refused, by onReset in the call. */
  sendRequest(method: string, scheme: string, authority: string, path: string, headers: HeaderList, end: boolean, protocol?: string): void
  /** Server sessions; 1xx any number of times before the final one. */
  sendResponse(status: number, headers: HeaderList, end: boolean): void
  /**
   * Bytes are copied or written before it returns. False: wait for `onWritable`. What flow control does not let go now is
   * kept by the stream; who goes on writing after false may find the stream reset by us at `maxStreamSendBytes`.
   */
  sendData(bytes: Uint8Array, at: number, end: number): boolean
  /** END_STREAM, with trailers or on an empty DATA frame, after what is kept. */
  sendEnd(trailers: HeaderList | undefined): void
  /** A server that has answered completely and wants no more of the request says `noError` (RFC 9113 §8.1). */
  reset(code: number): void
  /** Reception: while paused no window is given back for this stream, so that its sender stops. Other streams go on. */
  pause(): void
  resume(): void
}

/** Called while `receive` runs (or `onWritable` also from `flush`). Bytes are only valid during the call. */
export interface H2Events<User> {
  /** Server sessions: a new request. `end`: complete already (no further onEnd comes). */
  onRequest(stream: H2Stream<User>, head: H2RequestHead, end: boolean): void
  /** Client sessions. 1xx come with `status < 200` before the final head. */
  onResponse(stream: H2Stream<User>, head: H2ResponseHead, end: boolean): void
  onData(stream: H2Stream<User>, bytes: Buffer, at: number, end: number): void
  /** The peer has sent everything. */
  onEnd(stream: H2Stream<User>, trailers: HeaderList | undefined): void
  /** More may be sent, after sendData returned false. */
  onWritable(stream: H2Stream<User>): void
  /** The peer reset it, or it broke the protocol in a way that ends only this stream (`local`: we sent RST_STREAM). */
  onReset(stream: H2Stream<User>, code: number, local: boolean): void
  /** Nothing can be sent or heard any more, what was kept included: comes once, last, for every stream whose request was sent (or tried), whoever ended it. */
  onClosed(stream: H2Stream<User>): void
  /** The peer takes no streams above `lastStreamId`; those of ours above it were reported by onReset(refusedStream) already. */
  onGoAway(lastStreamId: number, code: number, debug: string): void
  /** The answer to `ping`. */
  onPong(): void
  /** Settings of the peer have come (the first time, or changed): streams that may be open at once. */
  onPeerSettings(maxConcurrentStreams: number): void
}

/** Where a session's bytes go: the transport, which gathers what is written in one turn. */
export interface H2Output {
  /** False: queued beyond the high-water mark; call `session.onDrain()` when that is written. */
  write(bytes: Uint8Array, at: number, end: number): boolean
  /** Changes the byte that is `back` bytes before the end of what was written. False: it has gone already. */
  amend?(back: number, byte: number): boolean
}

/** Each has a default and a reason in limits.ts; Envoy's names where it has one. */
export interface H2Limits {
  readonly maxConcurrentStreams: number
  readonly initialStreamWindow: number
  readonly initialConnectionWindow: number
  /** Of a decoded header section, bytes as RFC 9113 §6.5.2 counts; beyond it the request is answered 431 (`tooLarge` reset for responses). */
  readonly maxHeaderListBytes: number
  readonly maxHeaders: number
  readonly maxFrameSize: number
  /** HPACK dynamic table that we let the peer use, and that we use at most. */
  readonly headerTableBytes: number
  /** Bytes of a stream that wait for window or socket before it is reset. */
  readonly maxStreamSendBytes: number
  /** Frames that only cost us (empty DATA, SETTINGS, PING, PRIORITY, RST_STREAM, WINDOW_UPDATE of nothing) for each useful one, and answers that wait unwritten. */
  readonly maxControlFramesPerSecond: number
  /** Streams opened and reset by the peer within a second, per second, beyond those that finished (rapid reset, CVE-2023-44487). */
  readonly maxResetsPerSecond: number
  readonly maxContinuationFrames: number
  /** For our SETTINGS to be acknowledged by a peer that goes on talking. */
  readonly settingsTimeoutMs: number
}

/** What connection.ts (server) and the upstream pool (client) drive. Made, it has written its preface already. */
export interface H2Session<User> {
  readonly openStreams: number
  /** Streams that may still be opened by us: the peer's limit, GOAWAY and ids considered. */
  readonly available: number
  /** GOAWAY came or went, or the connection broke: no new streams. */
  readonly closing: boolean
  /** Bytes of the connection. Throws H2Error (scope connection) after it wrote the GOAWAY that says so; nothing may be received afterwards. */
  receive(bytes: Buffer, length: number, now: number): void
  onDrain(): void
  /** The users of all open streams, which they may end. */
  eachUser(visit: (user: User) => void): void
  /** Client sessions; undefined when none is available. */
  open(user: User): H2Stream<User> | undefined
  ping(): void
  /** Graceful: GOAWAY with the highest id first, then (`final`) with the real last one. Streams in progress go on. */
  goAway(code?: number, final?: boolean): void
  /** The transport is gone: every stream is reported by onReset (`cancel`) and onClosed, and nothing is written any more. */
  onClosed(): void
}
