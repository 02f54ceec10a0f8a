// One stream's state (RFC 9113 §5.1), as its user and its session see it. What its calls do is the session's work: frames
// of all streams share the connection's window and tables.
//
//   idle -> open -> localDone  (we have sent END_STREAM)      -> closed
//                -> remoteDone (the peer has sent END_STREAM) ->
//                -> closed, by RST_STREAM of either side
import type { HeaderList } from '../header-list.ts'
import { KeptBytes } from './kept-bytes.ts'
import type { H2Stream } from './types.ts'

/** What a stream asks of its session. */
export interface StreamOwner<User> {
  sendRequest(stream: Stream<User>, method: string, scheme: string, authority: string, path: string, headers: HeaderList, end: boolean, protocol: string): void
  sendResponse(stream: Stream<User>, status: number, headers: HeaderList, end: boolean): void
  sendData(stream: Stream<User>, bytes: Uint8Array, at: number, end: number): boolean
  sendEnd(stream: Stream<User>, trailers: HeaderList | undefined): void
  abort(stream: Stream<User>, code: number): void
  giveWindow(stream: Stream<User>): void
}

export class Stream<User> implements H2Stream<User> {
  id: number
  user: User | undefined
  closed = false
  localDone = false
  remoteDone = false
  /** Our own head (the final one of a response) has been sent; the peer's has come. */
  localHead = false
  remoteHead = false
  /** Whole ms. */
  readonly openedAt: number

  // Reception. Bytes that the peer may still send, those to be given back, and those that Content-Length still promises.
  recvLeft: number
  recvTaken = 0
  bodyLeft = -1
  paused = false
  /** Answered without its body: what comes of it is dropped. */
  dropsBody = false
  /** Client: the request was HEAD. */
  isHead = false
  /** The request was a CONNECT. Once it is accepted nothing but DATA may come. */
  isConnect = false
  isTunnel = false

  // Sending.
  sendWindow: number
  kept: KeptBytes | undefined = undefined
  /** END_STREAM is to follow what is kept, with these trailers. */
  endDue = false
  trailers: HeaderList | undefined = undefined
  /** sendData has said false. */
  waiting = false
  /** In the queue of those that have something to send. */
  queued = false
  next: Stream<User> | undefined = undefined

  readonly #owner: StreamOwner<User>

  constructor(owner: StreamOwner<User>, id: number, user: User | undefined, recvWindow: number, sendWindow: number, now: number) {
    this.#owner = owner
    this.id = id
    this.user = user
    this.recvLeft = recvWindow
    this.sendWindow = sendWindow
    this.openedAt = now
  }

  /** Bytes that wait. */
  get keptLength(): number {
    return this.kept === undefined ? 0 : this.kept.length
  }

  keep(bytes: Uint8Array, at: number, end: number): void {
    this.kept ??= new KeptBytes()
    this.kept.add(bytes, at, end)
  }

  sendRequest(method: string, scheme: string, authority: string, path: string, headers: HeaderList, end: boolean, protocol = ''): void {
    if (!this.closed && this.id === 0) this.#owner.sendRequest(this, method, scheme, authority, path, headers, end, protocol)
  }

  sendResponse(status: number, headers: HeaderList, end: boolean): void {
    if (!this.closed && !this.localHead) this.#owner.sendResponse(this, status, headers, end)
  }

  sendData(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#mayGoOn() ? this.#owner.sendData(this, bytes, at, end) : false
  }

  sendEnd(trailers: HeaderList | undefined): void {
    if (this.#mayGoOn()) this.#owner.sendEnd(this, trailers)
  }

  reset(code: number): void {
    if (!this.closed) this.#owner.abort(this, code)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    if (!this.closed) this.#owner.giveWindow(this)
  }

  /** A body or its end may follow: the head is out, the end is not. */
  #mayGoOn(): boolean {
    return !this.closed && this.localHead && !this.localDone && !this.endDue
  }
}
