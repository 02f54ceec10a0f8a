// The streams of one connection: those that are open, which ids have been used, and how streams end. Each end is told to
// the user once (onReset where there was no proper one, then onClosed).
import type { HeaderList } from '../header-list.ts'
import { ClosedStreams, ended } from './closed-streams.ts'
import { connectionError, protocolError } from './errors.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { FrameWriter } from './frame-writer.ts'
import { largestStreamId } from './frame.ts'
import { StreamMap } from './stream-map.ts'
import type { Stream } from './stream.ts'
import { errorCode } from './types.ts'
import type { H2Events } from './types.ts'

/** A stream that the peer gives up sooner has been work for nothing; Envoy's premature_reset_min_stream_lifetime. */
const prematureMs = 1000

export class StreamTable<User> {
  readonly open = new StreamMap<User>()
  /** Client: streams that were opened and have not sent their request yet, so that they have no id. */
  unsent = 0
  /** The highest id that the peer has used. */
  lastPeerId = 0
  nextLocalId: number
  /** The highest id that our GOAWAY takes; streams above it are ignored (RFC 9113 §6.8). */
  lastAccepted = largestStreamId

  readonly #client: boolean
  readonly #events: H2Events<User>
  readonly #writer: FrameWriter
  readonly #guard: FloodGuard
  readonly #closed = new ClosedStreams()
  /** Between these two are ids that the peer has left out; older gaps count as streams that have ended. */
  #gapAfter = 0
  #gapBefore = 0

  constructor(client: boolean, events: H2Events<User>, writer: FrameWriter, guard: FloodGuard) {
    this.#client = client
    this.#events = events
    this.#writer = writer
    this.#guard = guard
    this.nextLocalId = client ? 1 : 2
  }

  get idsLeft(): boolean {
    return this.nextLocalId <= largestStreamId
  }

  /** The peer opens a stream. */
  usePeerId(id: number): void {
    if (id > this.lastPeerId + 2) {
      this.#gapAfter = this.lastPeerId
      this.#gapBefore = id
    }
    this.lastPeerId = id
  }

  /** Nobody has opened it: no frame but HEADERS and PRIORITY may name it (RFC 9113 §5.1). */
  #isIdle(id: number): boolean {
    const ours = (id & 1) === (this.#client ? 1 : 0)
    return ours ? id >= this.nextLocalId : id > this.lastPeerId
  }

  /** For frames of streams that are not open, and of no interest once they have been. */
  checkNotIdle(id: number, what: string): void {
    if (id <= this.lastAccepted && this.#isIdle(id)) throw protocolError(`${what} on a stream that was never opened`)
  }

  /** DATA or HEADERS of a stream that is not open. */
  onStray(id: number, what: string): void {
    this.checkNotIdle(id, what)
    this.#guard.cost(`${what} on a closed stream`)
    if (id > this.lastAccepted) return
    if (id > this.#gapAfter && id < this.#gapBefore) throw protocolError(`${what} on a stream that was left out`) // §5.1.1
    const how = this.#closed.how(id)
    if (how === ended.complete) throw connectionError(errorCode.streamClosed, `${what} on a stream that has ended`)
    if (how === ended.resetByPeer) this.refuse(id, errorCode.streamClosed)
  }

  /** END_STREAM has come. */
  peerEnded(stream: Stream<User>, trailers: HeaderList | undefined): void {
    stream.remoteDone = true
    if (!stream.dropsBody) this.#events.onEnd(stream, trailers)
    this.closeIfDone(stream)
  }

  /** Both sides have finished; or we have, and are not interested in the rest. */
  closeIfDone(stream: Stream<User>): void {
    if (!stream.localDone || stream.closed) return
    if (stream.remoteDone) {
      this.#guard.finished()
      this.#close(stream, ended.complete)
    } else if (stream.dropsBody) this.abort(stream, errorCode.noError)
  }

  /** RST_STREAM by our user, who knows. Without an error it comes after the answer (RFC 9113 §8.1), and the rest of the request is dropped meanwhile. */
  abort(stream: Stream<User>, code: number): void {
    if (stream.id === 0) {
      this.unsent--
      stream.closed = true
      return
    }
    if (code === errorCode.noError && stream.endDue && !stream.localDone) {
      stream.dropsBody = true
      return
    }
    this.#writer.rstStream(stream.id, code)
    this.#close(stream, ended.resetByUs)
  }

  /** RST_STREAM that our user did not ask for. */
  fail(stream: Stream<User>, code: number): void {
    this.#writer.rstStream(stream.id, code)
    this.#end(stream, code, true, ended.resetByUs)
  }

  /** The peer broke a rule that ends this stream. To make a server reset streams is an attack like resetting them. */
  fault(stream: Stream<User>, code: number): void {
    if (!this.#client) this.#guard.reset()
    this.fail(stream, code)
  }

  /** The same, for one that is not open (any more, or for the user). */
  refuse(id: number, code: number): void {
    if (!this.#client) this.#guard.reset()
    this.#writer.rstStream(id, code)
    this.#closed.add(id, ended.resetByUs)
  }

  resetByPeer(stream: Stream<User>, code: number, now: number): void {
    if (!this.#client && ((now - stream.openedAt) | 0) < prematureMs && !stream.localDone) this.#guard.reset()
    this.#end(stream, code, false, ended.resetByPeer)
  }

  /** GOAWAY has come: the peer has not seen these, and they may be tried elsewhere. */
  refuseAbove(lastStreamId: number): void {
    for (const stream of this.open.all()) {
      if (stream.id > lastStreamId) this.#end(stream, errorCode.refusedStream, false, ended.resetByPeer)
    }
  }

  /** The same, for one whose request was to be sent only now. */
  refuseUnsent(stream: Stream<User>): void {
    stream.closed = true
    this.#events.onReset(stream, errorCode.refusedStream, false)
    this.#events.onClosed(stream)
  }

  /** The connection is gone. */
  endAll(): void {
    for (const stream of this.open.all()) this.#end(stream, errorCode.cancel, false, ended.resetByPeer)
  }

  #end(stream: Stream<User>, code: number, local: boolean, how: number): void {
    this.#forget(stream, how)
    this.#events.onReset(stream, code, local)
    this.#events.onClosed(stream)
  }

  #close(stream: Stream<User>, how: number): void {
    this.#forget(stream, how)
    this.#events.onClosed(stream)
  }

  #forget(stream: Stream<User>, how: number): void {
    stream.closed = true
    stream.kept = undefined
    stream.trailers = undefined
    this.open.delete(stream.id)
    if (how !== ended.complete) this.#closed.add(stream.id, how)
  }
}
