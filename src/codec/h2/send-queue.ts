// What may be sent now: the peer's windows, and the streams that have bytes waiting for them or for the socket. Streams
// take turns, a frame each, so that a large body does not hold up the small ones (RFC 9113 §5.2, §10.5).
import { flag, initialWindow } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Stream } from './stream.ts'

export interface SendQueueOwner<User> {
  /** Nothing is kept of the stream any more and its end is due. */
  finishSending(stream: Stream<User>): void
  tellWritable(stream: Stream<User>): void
  /** So many bytes of DATA went out in a frame. `squeezed`: a window let no more through. */
  noteSent(bytes: number, squeezed: boolean): void
}

export class SendQueue<User> {
  /** The connection's. */
  window = initialWindow
  readonly #writer: FrameWriter
  readonly #owner: SendQueueOwner<User>
  #first: Stream<User> | undefined = undefined
  #last: Stream<User> | undefined = undefined
  #pumping = false

  constructor(writer: FrameWriter, owner: SendQueueOwner<User>) {
    this.#writer = writer
    this.#owner = owner
  }

  /** Sends what it may of `bytes[at, end)`; where it stopped. Nothing must be kept of the stream. */
  send(stream: Stream<User>, bytes: Uint8Array, at: number, end: number): number {
    let from = at
    while (from < end && !this.#writer.blocked) {
      const piece = this.#allowed(stream, end - from)
      if (piece <= 0) break
      this.#write(stream, bytes, from, from + piece, 0)
      from += piece
    }
    return from
  }

  /** The stream has bytes to send, or its user waits for the word that it may. */
  add(stream: Stream<User>): void {
    if (stream.queued) return
    stream.queued = true
    stream.next = undefined
    if (this.#last === undefined) this.#first = stream
    else this.#last.next = stream
    this.#last = stream
  }

  /** After a window has opened, or the socket has drained. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#first !== undefined && !this.#writer.blocked && this.#mayPass(this.#first)) this.#serve(this.#take())
    } finally {
      this.#pumping = false
    }
  }

  /** Only bytes need the connection's window. */
  #mayPass(stream: Stream<User>): boolean {
    return this.window > 0 || stream.closed || stream.keptLength === 0
  }

  #take(): Stream<User> {
    const stream = this.#first!
    this.#first = stream.next
    if (this.#first === undefined) this.#last = undefined
    stream.next = undefined
    stream.queued = false
    return stream
  }

  /** One frame of it. A stream without a window leaves the queue until it has one. */
  #serve(stream: Stream<User>): void {
    if (stream.closed) return
    const kept = stream.kept
    if (kept !== undefined && kept.length > 0) {
      const piece = kept.next(this.#allowed(stream, kept.length))
      if (piece <= 0) return
      const last = piece === kept.length && stream.endDue && stream.trailers === undefined
      this.#write(stream, kept.block, kept.at, kept.at + piece, last ? flag.endStream : 0)
      kept.sent(piece)
      if (kept.length > 0) return this.add(stream)
      if (last) stream.localDone = true
    }
    if (stream.endDue) this.#owner.finishSending(stream)
    else if (stream.waiting) this.#owner.tellWritable(stream)
  }

  #allowed(stream: Stream<User>, wanted: number): number {
    return Math.min(wanted, this.window, stream.sendWindow, this.#writer.maxFrameSize)
  }

  #write(stream: Stream<User>, bytes: Uint8Array, at: number, end: number, flags: number): void {
    const length = end - at
    this.window -= length
    stream.sendWindow -= length
    this.#writer.data(stream.id, bytes, at, end, flags)
    this.#owner.noteSent(length, this.window === 0 || stream.sendWindow === 0)
  }
}
