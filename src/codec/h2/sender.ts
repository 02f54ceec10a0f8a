// What goes out on streams: heads, DATA within the windows, ends; and the windows that are given back to the peer.
import type { HeaderList } from '../header-list.ts'
import { HpackEncoder } from '../hpack/encoder.ts'
import type { FloodGuard } from './flood-guard.ts'
import { flag, frameHeadBytes, initialWindow, largestWindow } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import { writeFields, writeRequest, writeResponse } from './head-writer.ts'
import { SendQueue } from './send-queue.ts'
import type { SendQueueOwner } from './send-queue.ts'
import type { PeerSettings } from './settings.ts'
import type { StreamTable } from './stream-table.ts'
import type { Stream, StreamOwner } from './stream.ts'
import { errorCode } from './types.ts'
import type { H2Events, H2Limits } from './types.ts'

/** What the peer may send for a frame of DATA: it has windows to update, and may measure the line by PING. One more for each so many bytes. */
const framesPerData = 2
const bytesPerFrame = 256
/** Streams take turns in pieces of at most this size, even where the peer allows more. */
const largestPiece = 64 * 1024

export class Sender<User> implements StreamOwner<User>, SendQueueOwner<User> {
  readonly queue: SendQueue<User>
  readonly encoder: HpackEncoder
  /** What a new stream may send: the peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  streamWindow = initialWindow
  /** No request goes out any more: the peer has said GOAWAY, or the connection has ended. */
  refuses = false
  readonly #writer: FrameWriter
  readonly #table: StreamTable<User>
  readonly #events: H2Events<User>
  readonly #guard: FloodGuard
  readonly #maxKept: number
  readonly #giveBackAt: number

  constructor(writer: FrameWriter, table: StreamTable<User>, events: H2Events<User>, guard: FloodGuard, limits: H2Limits, streamWindow: number) {
    this.queue = new SendQueue(writer, this)
    this.encoder = new HpackEncoder(limits.headerTableBytes)
    this.#writer = writer
    this.#table = table
    this.#events = events
    this.#guard = guard
    this.#maxKept = limits.maxStreamSendBytes
    this.#giveBackAt = streamWindow >>> 1
  }

  /** What the peer's SETTINGS change in what we send; windows of open streams are moved by the session. */
  apply({ headerTableSize, smallestTableSize, maxFrameSize, initialWindowSize }: PeerSettings): void {
    this.encoder.setMaxSize(smallestTableSize)
    this.encoder.setMaxSize(headerTableSize)
    this.#writer.maxFrameSize = Math.min(maxFrameSize, largestPiece)
    this.streamWindow = initialWindowSize
  }

  sendRequest(stream: Stream<User>, method: string, scheme: string, authority: string, path: string, headers: HeaderList, end: boolean, protocol: string): void {
    this.#table.unsent--
    if (this.refuses) return this.#table.refuseUnsent(stream)
    stream.sendWindow = this.streamWindow
    stream.id = this.#table.nextLocalId
    this.#table.nextLocalId += 2
    this.#table.open.add(stream)
    stream.isHead = method === 'HEAD'
    stream.isConnect = method === 'CONNECT'
    this.encoder.begin(frameHeadBytes)
    writeRequest(this.encoder, method, scheme, authority, path, protocol, headers)
    this.#writeHead(stream, end)
  }

  sendResponse(stream: Stream<User>, status: number, headers: HeaderList, end: boolean): void {
    this.encoder.begin(frameHeadBytes)
    writeResponse(this.encoder, status, headers)
    if (status >= 200) return this.#writeHead(stream, end)
    this.#writer.headers(stream.id, this.encoder, 0)
  }

  #writeHead(stream: Stream<User>, end: boolean): void {
    stream.localHead = true
    this.#writer.headers(stream.id, this.encoder, end ? flag.endStream : 0)
    if (end) this.#done(stream)
  }

  sendData(stream: Stream<User>, bytes: Uint8Array, at: number, end: number): boolean {
    const kept = stream.keptLength
    if (kept > 0 && kept + end - at > this.#maxKept) {
      this.#table.fail(stream, errorCode.cancel)
      return false
    }
    const from = kept === 0 ? this.queue.send(stream, bytes, at, end) : at
    if (from === end && kept === 0 && !this.#writer.blocked) return true
    if (from < end) stream.keep(bytes, from, end)
    stream.waiting = true
    this.queue.add(stream)
    return false
  }

  sendEnd(stream: Stream<User>, trailers: HeaderList | undefined): void {
    if (stream.keptLength === 0) return this.#writeEnd(stream, trailers)
    stream.endDue = true
    stream.trailers = trailers === undefined || trailers.size === 0 ? undefined : trailers
  }

  #writeEnd(stream: Stream<User>, trailers: HeaderList | undefined): void {
    if (trailers === undefined || trailers.size === 0) this.#writer.end(stream.id)
    else {
      this.encoder.begin(frameHeadBytes)
      writeFields(this.encoder, trailers)
      this.#writer.headers(stream.id, this.encoder, flag.endStream)
    }
    this.#done(stream)
  }

  #done(stream: Stream<User>): void {
    stream.localDone = true
    stream.waiting = false
    this.#table.closeIfDone(stream)
  }

  abort(stream: Stream<User>, code: number): void {
    this.#table.abort(stream, code)
  }

  /** Gives back what was taken of the stream's window, once it is worth a frame. */
  giveWindow(stream: Stream<User>): void {
    if (stream.paused || stream.recvTaken < this.#giveBackAt || stream.remoteDone) return
    this.#writer.windowUpdate(stream.id, stream.recvTaken)
    stream.recvLeft += stream.recvTaken
    stream.recvTaken = 0
  }

  /** False: the window would grow beyond what it may be (RFC 9113 §6.9.1). */
  addWindow(stream: Stream<User>, increment: number): boolean {
    stream.sendWindow += increment
    if (stream.sendWindow > largestWindow) return false
    if (stream.keptLength > 0) this.queue.add(stream)
    return true
  }

  // --- What the queue asks for ---

  finishSending(stream: Stream<User>): void {
    if (stream.localDone) this.#table.closeIfDone(stream)
    else this.#writeEnd(stream, stream.trailers)
  }

  tellWritable(stream: Stream<User>): void {
    stream.waiting = false
    this.#events.onWritable(stream)
  }

  noteSent(bytes: number, squeezed: boolean): void {
    if (!squeezed || bytes >= bytesPerFrame) this.#guard.earn(framesPerData + Math.floor(bytes / bytesPerFrame))
  }
}
