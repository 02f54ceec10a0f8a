// DATA (RFC 9113 §6.1) and the windows that it takes from (§5.2, §6.9). Bytes are handed on as they come, in pieces of the
// read buffer; what a frame may be is decided at its head.
import { connectionError, protocolError } from './errors.ts'
import type { FloodGuard } from './flood-guard.ts'
import { flag } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Sender } from './sender.ts'
import type { StreamTable } from './stream-table.ts'
import type { Stream } from './stream.ts'
import { errorCode } from './types.ts'
import type { H2Events } from './types.ts'

export class DataFrames<User> {
  readonly #events: H2Events<User>
  readonly #guard: FloodGuard
  readonly #writer: FrameWriter
  readonly #table: StreamTable<User>
  readonly #sender: Sender<User>
  /** The connection's window: what the peer may still send, what is to be given back, and from which amount on. */
  #left: number
  #taken = 0
  readonly #giveBackAt: number
  // The frame that is being read: its stream (undefined: nobody wants it) and flags.
  #stream: Stream<User> | undefined = undefined
  #flags = 0

  constructor(events: H2Events<User>, window: number, guard: FloodGuard, writer: FrameWriter, table: StreamTable<User>, sender: Sender<User>) {
    this.#events = events
    this.#guard = guard
    this.#writer = writer
    this.#table = table
    this.#sender = sender
    this.#left = window
    this.#giveBackAt = window >>> 1
  }

  onHead(streamId: number, flags: number, length: number, bytes: number): void {
    this.#stream = undefined
    if (streamId === 0) throw protocolError('DATA on stream 0')
    this.#takeWindow(length)
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) return this.#table.onStray(streamId, 'DATA')
    const code = this.#faultOf(stream, length, bytes)
    if (code !== errorCode.noError) return this.#table.fault(stream, code)
    if (bytes === 0 && (flags & flag.endStream) === 0) this.#guard.cost('DATA with nothing in it')
    this.#stream = stream
    this.#flags = flags
  }

  #faultOf(stream: Stream<User>, length: number, bytes: number): number {
    if (stream.remoteDone) return errorCode.streamClosed
    if (!stream.remoteHead) return errorCode.protocolError
    if (length > stream.recvLeft) return errorCode.flowControlError
    stream.recvLeft -= length
    stream.recvTaken += length
    if (stream.bodyLeft < 0 || stream.dropsBody) return errorCode.noError
    stream.bodyLeft -= bytes
    return stream.bodyLeft < 0 ? errorCode.protocolError : errorCode.noError
  }

  /** It is given back at once: what a stopped stream has taken must not stop the others. */
  #takeWindow(length: number): void {
    if (length > this.#left) throw connectionError(errorCode.flowControlError, 'more DATA than the window of the connection')
    this.#left -= length
    this.#taken += length
    if (this.#taken < this.#giveBackAt) return
    this.#writer.windowUpdate(0, this.#taken)
    this.#left += this.#taken
    this.#taken = 0
  }

  onPiece(bytes: Buffer, at: number, end: number): void {
    const stream = this.#stream
    if (stream !== undefined && !stream.closed && !stream.dropsBody) this.#events.onData(stream, bytes, at, end)
  }

  onEnd(): void {
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined || stream.closed) return
    if ((this.#flags & flag.endStream) === 0) this.#sender.giveWindow(stream)
    else if (stream.bodyLeft > 0 && !stream.dropsBody) this.#table.fault(stream, errorCode.protocolError)
    else this.#table.peerEnded(stream, undefined)
  }
}
