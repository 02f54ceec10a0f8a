// HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10): from frames to blocks to messages, and to the streams that they open,
// answer or end. Whatever becomes of a block, it is decoded, since it changes the table.
import { HpackDecoder } from '../hpack/decoder.ts'
import { frameSizeError, protocolError } from './errors.ts'
import type { FloodGuard } from './flood-guard.ts'
import { flag } from './frame.ts'
import { HeaderBlock } from './header-block.ts'
import { MessageReader, section } from './message-reader.ts'
import type { Sender } from './sender.ts'
import type { StreamTable } from './stream-table.ts'
import { Stream } from './stream.ts'
import { errorCode } from './types.ts'
import type { H2Events, H2Limits } from './types.ts'

/** A request or a response may go with a few frames that bring nothing. */
const framesPerMessage = 4
const priorityBytes = 5

export class HeaderFrames<User> {
  readonly decoder: HpackDecoder
  /** Of the read that is going on, in whole ms. */
  now = 0
  readonly #client: boolean
  readonly #events: H2Events<User>
  readonly #maxStreams: number
  readonly #streamWindow: number
  readonly #guard: FloodGuard
  readonly #table: StreamTable<User>
  readonly #sender: Sender<User>
  readonly #message: MessageReader
  readonly #block: HeaderBlock

  constructor(client: boolean, events: H2Events<User>, limits: H2Limits, streamWindow: number, guard: FloodGuard, table: StreamTable<User>, sender: Sender<User>) {
    this.#client = client
    this.#events = events
    this.#maxStreams = limits.maxConcurrentStreams
    this.#streamWindow = streamWindow
    this.#guard = guard
    this.#table = table
    this.#sender = sender
    this.decoder = new HpackDecoder(limits.headerTableBytes)
    this.#message = new MessageReader(limits.maxHeaderListBytes, limits.maxHeaders)
    // Twice: a section that is a little too large is still read, so that it can be answered.
    this.#block = new HeaderBlock(limits.maxContinuationFrames, 2 * limits.maxHeaderListBytes)
  }

  /** Nothing but CONTINUATION may come while a block is open. */
  checkNoBlock(): void {
    if (this.#block.streamId !== 0) throw protocolError('a frame within a header block')
  }

  onHeaders(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    if (streamId === 0) throw protocolError('HEADERS on stream 0')
    let from = at
    let to = end
    if ((flags & flag.padded) !== 0) {
      if (from === to) throw frameSizeError('padded HEADERS without a pad length')
      to -= bytes[from++]!
    }
    if ((flags & flag.priority) !== 0) from += priorityBytes
    if (from > end) throw frameSizeError('HEADERS too short for its flags')
    if (from > to) throw protocolError('HEADERS padded by more than the frame')
    const endStream = (flags & flag.endStream) !== 0
    if ((flags & flag.endHeaders) !== 0) this.#onBlock(streamId, endStream, bytes, from, to)
    else this.#block.begin(streamId, endStream, bytes, from, to)
  }

  onContinuation(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    const block = this.#block
    block.add(streamId, bytes, at, end)
    if ((flags & flag.endHeaders) === 0) return
    const { bytes: gathered, length, endStream } = block
    block.clear()
    this.#onBlock(streamId, endStream, gathered, 0, length)
  }

  #onBlock(streamId: number, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) {
      if (!this.#client && this.#isNew(streamId)) return this.#onRequest(streamId, endStream, bytes, at, end)
      this.#decode(section.nothing, bytes, at, end)
      return this.#table.onStray(streamId, 'HEADERS')
    }
    if (stream.remoteDone) {
      this.#decode(section.nothing, bytes, at, end)
      this.#table.fault(stream, errorCode.streamClosed)
    } else if (stream.remoteHead) this.#onTrailers(stream, endStream, bytes, at, end)
    else this.#onResponse(stream, endStream, bytes, at, end)
  }

  #isNew(streamId: number): boolean {
    if ((streamId & 1) === 0) throw protocolError('a request on a stream with an even id')
    return streamId > this.#table.lastPeerId
  }

  #decode(as: number, bytes: Buffer, at: number, end: number): void {
    this.#message.begin(as)
    this.decoder.decode(bytes, at, end, this.#message)
  }

  #onRequest(streamId: number, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    const table = this.#table
    if (streamId > table.lastAccepted) return this.#decode(section.nothing, bytes, at, end) // after our final GOAWAY (§6.8)
    table.usePeerId(streamId)
    if (table.open.size >= this.#maxStreams) {
      this.#decode(section.nothing, bytes, at, end)
      return table.refuse(streamId, errorCode.refusedStream)
    }
    this.#decode(section.request, bytes, at, end)
    const message = this.#message
    message.finishRequest(endStream)
    if (message.fault !== '') return table.refuse(streamId, errorCode.protocolError)
    this.#guard.earn(framesPerMessage)
    const stream = new Stream<User>(this.#sender, streamId, undefined, this.#streamWindow, this.#sender.streamWindow, this.now)
    table.open.add(stream)
    stream.remoteHead = true
    stream.remoteDone = endStream
    stream.dropsBody = message.tooLarge
    stream.bodyLeft = message.bodyLength
    stream.isTunnel = message.method === 'CONNECT'
    this.#events.onRequest(stream, message, endStream || message.tooLarge)
  }

  #onResponse(stream: Stream<User>, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    this.#decode(section.response, bytes, at, end)
    const message = this.#message
    message.finishResponse(endStream, stream.isHead, stream.isConnect)
    if (message.fault !== '' || message.tooLarge) return this.#table.fault(stream, errorCode.protocolError)
    if (message.status < 200) this.#guard.cost('an interim response')
    else {
      this.#guard.earn(framesPerMessage)
      stream.remoteHead = true
      stream.bodyLeft = message.bodyLength
      stream.remoteDone = endStream
      stream.isTunnel = stream.isConnect && message.status < 300
    }
    this.#events.onResponse(stream, message, endStream)
    if (endStream) this.#table.closeIfDone(stream)
  }

  #onTrailers(stream: Stream<User>, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    this.#decode(section.trailers, bytes, at, end)
    const { fault, tooLarge, headers } = this.#message
    if (fault !== '' || tooLarge || !endStream || stream.isTunnel || (stream.bodyLeft > 0 && !stream.dropsBody)) return this.#table.fault(stream, errorCode.protocolError)
    this.#table.peerEnded(stream, headers.size === 0 ? undefined : headers)
  }
}
