// One HTTP/2 connection, server or client: what the frames of the peer do (RFC 9113 §6). How they are cut, blocks decoded,
// messages judged, streams ended and bytes sent is for the files beside it.
import { describe } from '../../lib/errors.ts'
import { HpackDecoder } from '../hpack/decoder.ts'
import { HpackError } from '../hpack/errors.ts'
import { ended } from './closed-streams.ts'
import { H2Error, connectionError, frameSizeError, protocolError } from './errors.ts'
import { FloodGuard } from './flood-guard.ts'
import { clientPreface, flag, frameType, initialWindow, largestStreamId, largestWindow, readUint31, readUint32 } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import type { FrameSink } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { HeaderBlock } from './header-block.ts'
import { MessageReader, section } from './message-reader.ts'
import { Sender } from './sender.ts'
import { PeerSettings, localSettings, maxFrameSizeOf } from './settings.ts'
import { StreamTable } from './stream-table.ts'
import { Stream } from './stream.ts'
import { errorCode } from './types.ts'
import type { H2Events, H2Limits, H2Output, H2Session, H2Stream } from './types.ts'

export function createServerSession<User>(output: H2Output, events: H2Events<User>, limits: H2Limits): H2Session<User> {
  return new Session(false, output, events, limits)
}

export function createClientSession<User>(output: H2Output, events: H2Events<User>, limits: H2Limits): H2Session<User> {
  return new Session(true, output, events, limits)
}

/** What we send to be answered by `onPong`. */
const pingPayload = Buffer.from('trysail!', 'latin1')
/** Streams that a server surely allows before its SETTINGS have come (§6.5.2 recommends no less). */
const streamsBeforeSettings = 100
/** A request or a response may go with a few frames that bring nothing. */
const framesPerMessage = 4

export class Session<User> implements H2Session<User>, FrameSink {
  #closing = false
  readonly #client: boolean
  readonly #events: H2Events<User>
  readonly #limits: H2Limits
  readonly #streamWindow: number
  readonly #connectionWindow: number
  readonly #guard: FloodGuard
  readonly #writer: FrameWriter
  readonly #table: StreamTable<User>
  readonly #sender: Sender<User>
  readonly #reader: FrameReader
  readonly #decoder: HpackDecoder
  readonly #message: MessageReader
  readonly #block: HeaderBlock
  readonly #peer: PeerSettings
  #now = 0
  #dead = false
  #prefaceRead = 0
  #settingsSeen = false
  #settingsAcked = false
  #pings = 0
  /** Client: streams that we may have open at once. */
  #maxLocalStreams: number
  /** The highest id that our final GOAWAY took, and that the peer's took. */
  #lastAccepted = largestStreamId
  #lastTaken = largestStreamId
  /** Connection window: what the peer may still send, and what is to be given back. */
  #recvLeft: number
  #recvTaken = 0
  // The DATA frame that is being read: its stream (undefined: nobody wants it) and flags.
  #dataStream: Stream<User> | undefined = undefined
  #dataFlags = 0

  constructor(client: boolean, output: H2Output, events: H2Events<User>, limits: H2Limits) {
    this.#client = client
    this.#events = events
    this.#limits = limits
    this.#streamWindow = Math.max(limits.initialStreamWindow, initialWindow)
    this.#connectionWindow = Math.max(limits.initialConnectionWindow, initialWindow)
    this.#recvLeft = this.#connectionWindow
    this.#maxLocalStreams = Math.min(limits.maxConcurrentStreams, streamsBeforeSettings)
    this.#guard = new FloodGuard(limits.maxControlFramesPerSecond, limits.maxResetsPerSecond)
    this.#writer = new FrameWriter(output)
    this.#table = new StreamTable(client, events, this.#writer, this.#guard)
    this.#sender = new Sender(this.#writer, this.#table, events, this.#guard, limits, this.#streamWindow)
    this.#reader = new FrameReader(this, maxFrameSizeOf(limits))
    this.#decoder = new HpackDecoder(limits.headerTableBytes)
    this.#message = new MessageReader(limits.maxHeaderListBytes, limits.maxHeaders)
    // Twice: a section that is a little too large is still read, so that it can be answered.
    this.#block = new HeaderBlock(limits.maxContinuationFrames, 2 * limits.maxHeaderListBytes)
    this.#peer = new PeerSettings(client)
    if (client) this.#writer.bytes(clientPreface, 0, clientPreface.length)
    this.#writer.settings(localSettings(client, limits))
    const more = this.#connectionWindow - initialWindow
    if (more > 0) this.#writer.windowUpdate(0, more)
  }

  get closing(): boolean {
    return this.#closing || (this.#client && !this.#table.idsLeft)
  }

  get openStreams(): number {
    return this.#table.open.size + this.#table.unsent
  }

  get available(): number {
    if (!this.#client || this.closing) return 0
    return Math.max(0, this.#maxLocalStreams - this.openStreams)
  }

  // --- What the owner does ---

  receive(bytes: Buffer, length: number, now: number): void {
    if (this.#dead) return
    this.#now = now
    this.#guard.at(now)
    try {
      const from = this.#client || this.#prefaceRead === clientPreface.length ? 0 : this.#readPreface(bytes, length)
      this.#reader.read(bytes, from, length)
    } catch (error) {
      throw this.#break(error)
    }
  }

  /** Whatever was thrown: nothing of this connection can be believed any more. */
  #break(error: unknown): unknown {
    const thrown = error instanceof HpackError ? connectionError(errorCode.compressionError, error.message, error) : error
    const code = thrown instanceof H2Error ? thrown.rfcCode : errorCode.internalError
    this.#writer.goAway(this.#table.lastPeerId, code, thrown instanceof H2Error ? describe(thrown) : '')
    this.#stop()
    return thrown
  }

  #stop(): void {
    this.#dead = true
    this.#closing = true
  }

  onDrain(): void {
    this.#writer.drained()
    this.#sender.queue.pump()
  }

  open(user: User): H2Stream<User> | undefined {
    if (this.available === 0) return undefined
    this.#table.unsent++
    return new Stream(this.#sender, 0, user, this.#streamWindow, 0, this.#now)
  }

  ping(): void {
    if (this.#dead) return
    this.#pings++
    this.#writer.ping(pingPayload, 0, 0)
  }

  goAway(code: number = errorCode.noError, final = false): void {
    if (this.#dead) return
    this.#closing = true
    const last = final || code !== errorCode.noError
    if (last) this.#lastAccepted = this.#table.lastPeerId
    this.#writer.goAway(this.#client ? 0 : last ? this.#lastAccepted : largestStreamId, code, '')
  }

  onClosed(): void {
    this.#stop()
    this.#table.endAll()
  }

  // --- Frames ---

  #readPreface(bytes: Buffer, length: number): number {
    let at = 0
    for (; at < length && this.#prefaceRead < clientPreface.length; at++) {
      if (bytes[at] !== clientPreface[this.#prefaceRead++]) throw protocolError('not the preface of HTTP/2')
    }
    return at
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, at: number, end: number): void {
    if (this.#dead) return
    if (!this.#settingsSeen && (type !== frameType.settings || (flags & flag.ack) !== 0)) throw protocolError('the first frame is not SETTINGS')
    if (this.#writer.unwritten > this.#limits.maxControlFramesPerSecond) throw connectionError(errorCode.enhanceYourCalm, 'too many answers wait to be written')
    if (type === frameType.continuation) return this.#onContinuation(streamId, flags, bytes, at, end)
    this.#block.checkClosed()
    switch (type) {
      case frameType.headers:
        return this.#onHeaders(streamId, flags, bytes, at, end)
      case frameType.windowUpdate:
        return this.#onWindowUpdate(streamId, bytes, at, end)
      case frameType.rstStream:
        return this.#onRstStream(streamId, bytes, at, end)
      case frameType.settings:
        return this.#onSettings(streamId, flags, bytes, at, end)
      case frameType.ping:
        return this.#onPing(streamId, flags, bytes, at, end)
      case frameType.goAway:
        return this.#onGoAway(streamId, bytes, at, end)
      case frameType.priority:
        return this.#onPriority(streamId, end - at)
      case frameType.pushPromise:
        throw protocolError('PUSH_PROMISE, which nobody allowed')
      default:
        this.#guard.cost(`of unknown type ${type}`)
    }
  }

  #onHeaders(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    if (streamId === 0) throw protocolError('HEADERS on stream 0')
    let from = at
    let to = end
    if ((flags & flag.padded) !== 0) {
      if (from === to) throw frameSizeError('padded HEADERS without a pad length')
      to -= bytes[from++]!
    }
    if ((flags & flag.priority) !== 0) from += 5
    if (from > to) throw from > end ? frameSizeError('HEADERS too short for its flags') : protocolError('HEADERS padded by more than the frame')
    const endStream = (flags & flag.endStream) !== 0
    if ((flags & flag.endHeaders) !== 0) this.#onBlock(streamId, endStream, bytes, from, to)
    else this.#block.begin(streamId, endStream, bytes, from, to)
  }

  #onContinuation(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    const block = this.#block
    block.add(streamId, bytes, at, end)
    if ((flags & flag.endHeaders) === 0) return
    const { bytes: gathered, length, endStream } = block
    block.clear()
    this.#onBlock(streamId, endStream, gathered, 0, length)
  }

  /** A whole header block: whatever becomes of it, it is decoded, since it changes the table. */
  #onBlock(streamId: number, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) return this.#client || !this.#isNew(streamId) ? this.#onStrayBlock(streamId, bytes, at, end) : this.#onRequest(streamId, endStream, bytes, at, end)
    if (stream.remoteDone || stream.dropsBody) {
      this.#decode(section.nothing, bytes, at, end)
      if (stream.remoteDone) this.#table.fault(stream, errorCode.streamClosed)
    } else if (stream.remoteHead) this.#onTrailers(stream, endStream, bytes, at, end)
    else this.#onResponse(stream, endStream, bytes, at, end)
  }

  #isNew(streamId: number): boolean {
    if ((streamId & 1) === 0) throw protocolError('a request on a stream with an even id')
    return streamId > this.#table.lastPeerId
  }

  #decode(as: number, bytes: Buffer, at: number, end: number): void {
    this.#message.begin(as)
    this.#decoder.decode(bytes, at, end, this.#message)
  }

  #onStrayBlock(streamId: number, bytes: Buffer, at: number, end: number): void {
    this.#decode(section.nothing, bytes, at, end)
    this.#onStray(streamId, 'HEADERS')
  }

  /** DATA or HEADERS of a stream that is not open (§5.1). */
  #onStray(streamId: number, what: string): void {
    if (this.#table.isIdle(streamId)) {
      if (streamId > this.#lastAccepted && !this.#client) return
      throw protocolError(`${what} on a stream that was never opened`)
    }
    this.#guard.cost(`${what} on a closed stream`)
    const how = this.#table.howEnded(streamId)
    if (how === ended.complete) throw connectionError(errorCode.streamClosed, `${what} on a stream that has ended`)
    if (how === ended.resetByPeer) this.#table.refuse(streamId, errorCode.streamClosed)
  }

  #onRequest(streamId: number, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    if (streamId > this.#lastAccepted) return this.#decode(section.nothing, bytes, at, end) // after our final GOAWAY (§6.8)
    this.#table.lastPeerId = streamId
    if (this.#table.open.size >= this.#limits.maxConcurrentStreams) {
      this.#decode(section.nothing, bytes, at, end)
      return this.#table.refuse(streamId, errorCode.refusedStream)
    }
    this.#decode(section.request, bytes, at, end)
    const message = this.#message
    message.finishRequest(endStream)
    if (message.fault !== '') return this.#table.refuse(streamId, errorCode.protocolError)
    this.#guard.earn(framesPerMessage)
    const stream = new Stream<User>(this.#sender, streamId, undefined, this.#streamWindow, this.#sender.streamWindow, this.#now)
    this.#table.open.set(streamId, stream)
    stream.remoteHead = true
    stream.remoteDone = endStream
    stream.dropsBody = message.tooLarge
    stream.bodyLeft = message.bodyLength
    this.#events.onRequest(stream, message, endStream || message.tooLarge)
  }

  #onResponse(stream: Stream<User>, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    this.#decode(section.response, bytes, at, end)
    const message = this.#message
    message.finishResponse(endStream, stream.isHead, stream.isConnect)
    if (message.fault !== '' || message.tooLarge) return this.#table.fault(stream, errorCode.protocolError)
    if (message.status >= 200) {
      this.#guard.earn(framesPerMessage)
      stream.remoteHead = true
      stream.bodyLeft = message.bodyLength
      stream.remoteDone = endStream
    } else this.#guard.cost('an interim response')
    this.#events.onResponse(stream, message, endStream)
    if (endStream) this.#table.closeIfDone(stream)
  }

  #onTrailers(stream: Stream<User>, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    this.#decode(section.trailers, bytes, at, end)
    const { fault, tooLarge, headers } = this.#message
    if (fault !== '' || tooLarge || !endStream || stream.bodyLeft > 0) return this.#table.fault(stream, errorCode.protocolError)
    this.#onEnd(stream, headers.size === 0 ? undefined : headers)
  }

  #onEnd(stream: Stream<User>, trailers: Parameters<H2Events<User>['onEnd']>[1]): void {
    stream.remoteDone = true
    if (!stream.dropsBody) this.#events.onEnd(stream, trailers)
    this.#table.closeIfDone(stream)
  }

  // --- DATA, and the windows it takes from (§6.9) ---

  onDataHead(streamId: number, flags: number, length: number, bytes: number): void {
    this.#dataStream = undefined
    if (this.#dead) return
    if (!this.#settingsSeen) throw protocolError('the first frame is not SETTINGS')
    this.#block.checkClosed()
    if (streamId === 0) throw protocolError('DATA on stream 0')
    this.#takeWindow(length)
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) return this.#onStray(streamId, 'DATA')
    if (stream.remoteDone) return this.#table.fault(stream, errorCode.streamClosed)
    if (!stream.remoteHead) return this.#table.fault(stream, errorCode.protocolError)
    if (length > stream.recvLeft) return this.#table.fault(stream, errorCode.flowControlError)
    stream.recvLeft -= length
    stream.recvTaken += length
    if (stream.bodyLeft >= 0 && !stream.dropsBody) {
      stream.bodyLeft -= bytes
      if (stream.bodyLeft < 0) return this.#table.fault(stream, errorCode.protocolError)
    }
    if (bytes === 0 && (flags & flag.endStream) === 0) this.#guard.cost('DATA with nothing in it')
    this.#dataStream = stream
    this.#dataFlags = flags
  }

  /** Of the connection's window. It is given back at once: what a stopped stream has taken must not stop the others. */
  #takeWindow(length: number): void {
    if (length > this.#recvLeft) throw connectionError(errorCode.flowControlError, 'more DATA than the window of the connection')
    this.#recvLeft -= length
    this.#recvTaken += length
    if (this.#recvTaken < this.#connectionWindow >>> 1) return
    this.#writer.windowUpdate(0, this.#recvTaken)
    this.#recvLeft += this.#recvTaken
    this.#recvTaken = 0
  }

  onDataPiece(bytes: Buffer, at: number, end: number): void {
    const stream = this.#dataStream
    if (stream !== undefined && !stream.closed && !stream.dropsBody) this.#events.onData(stream, bytes, at, end)
  }

  onDataEnd(): void {
    const stream = this.#dataStream
    this.#dataStream = undefined
    if (stream === undefined || stream.closed) return
    if ((this.#dataFlags & flag.endStream) === 0) this.#sender.giveWindow(stream)
    else if (stream.bodyLeft > 0 && !stream.dropsBody) this.#table.fault(stream, errorCode.protocolError)
    else this.#onEnd(stream, undefined)
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, at: number, end: number): void {
    if (end - at !== 4) throw frameSizeError(`WINDOW_UPDATE of ${end - at} bytes`)
    this.#guard.cost('WINDOW_UPDATE')
    const increment = readUint31(bytes, at)
    if (streamId === 0) this.#widenConnection(increment)
    else this.#widenStream(streamId, increment)
    this.#sender.queue.pump()
  }

  #widenConnection(increment: number): void {
    const { queue } = this.#sender
    if (increment === 0) throw protocolError('WINDOW_UPDATE of zero')
    queue.window += increment
    if (queue.window > largestWindow) throw connectionError(errorCode.flowControlError, 'the window of the connection has grown too large')
  }

  #widenStream(streamId: number, increment: number): void {
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) {
      if (this.#table.isIdle(streamId) && streamId <= this.#lastAccepted) throw protocolError('WINDOW_UPDATE on a stream that was never opened')
    } else if (increment === 0) this.#table.fault(stream, errorCode.protocolError)
    else if (!this.#sender.addWindow(stream, increment)) this.#table.fault(stream, errorCode.flowControlError)
  }

  // --- The others ---

  #onRstStream(streamId: number, bytes: Buffer, at: number, end: number): void {
    if (end - at !== 4) throw frameSizeError(`RST_STREAM of ${end - at} bytes`)
    if (streamId === 0) throw protocolError('RST_STREAM on stream 0')
    this.#guard.cost('RST_STREAM')
    const stream = this.#table.open.get(streamId)
    if (stream !== undefined) this.#table.resetByPeer(stream, readUint32(bytes, at), this.#now)
    else if (this.#table.isIdle(streamId) && streamId <= this.#lastAccepted) throw protocolError('RST_STREAM on a stream that was never opened')
  }

  #onSettings(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream')
    this.#guard.cost('SETTINGS')
    if ((flags & flag.ack) === 0) return this.#onPeerSettings(bytes, at, end)
    if (end > at) throw frameSizeError('SETTINGS acknowledged with a payload')
    if (this.#settingsAcked) return
    this.#settingsAcked = true
    this.#decoder.setLimit(this.#limits.headerTableBytes)
  }

  #onPeerSettings(bytes: Buffer, at: number, end: number): void {
    const peer = this.#peer
    const { initialWindowSize, maxConcurrentStreams } = peer
    peer.read(bytes, at, end)
    this.#sender.encoder.setMaxSize(peer.headerTableSize)
    this.#sender.setMaxFrame(peer.maxFrameSize)
    this.#writer.settingsAck()
    this.#sender.streamWindow = peer.initialWindowSize
    if (peer.initialWindowSize !== initialWindowSize) this.#moveWindows(peer.initialWindowSize - initialWindowSize)
    if (this.#settingsSeen && peer.maxConcurrentStreams === maxConcurrentStreams) return
    this.#settingsSeen = true
    this.#maxLocalStreams = Math.min(this.#limits.maxConcurrentStreams, peer.maxConcurrentStreams)
    this.#events.onPeerSettings(peer.maxConcurrentStreams)
  }

  /** §6.9.2: of all open streams. A window may become negative. */
  #moveWindows(delta: number): void {
    for (const stream of this.#table.open.values()) {
      if (!this.#sender.addWindow(stream, delta)) throw connectionError(errorCode.flowControlError, 'SETTINGS_INITIAL_WINDOW_SIZE makes a window too large')
    }
    this.#sender.queue.pump()
  }

  #onPing(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    if (end - at !== 8) throw frameSizeError(`PING of ${end - at} bytes`)
    if (streamId !== 0) throw protocolError('PING on a stream')
    if ((flags & flag.ack) === 0) {
      this.#guard.cost('PING')
      this.#writer.ping(bytes, at, flag.ack)
    } else if (this.#pings > 0 && pingPayload.compare(bytes, at, end) === 0) {
      this.#pings--
      this.#events.onPong()
    } else this.#guard.cost('PING')
  }

  #onGoAway(streamId: number, bytes: Buffer, at: number, end: number): void {
    if (streamId !== 0) throw protocolError('GOAWAY on a stream')
    if (end - at < 8) throw frameSizeError(`GOAWAY of ${end - at} bytes`)
    this.#guard.cost('GOAWAY')
    const last = readUint31(bytes, at)
    if (last > this.#lastTaken) throw protocolError('GOAWAY that takes more streams than the last one')
    this.#lastTaken = last
    this.#closing = true
    if (this.#client) this.#table.refuseAbove(last)
    this.#events.onGoAway(last, readUint32(bytes, at + 4), bytes.toString('latin1', at + 8, Math.min(end, at + 8 + 256)))
  }

  #onPriority(streamId: number, length: number): void {
    if (streamId === 0) throw protocolError('PRIORITY on stream 0')
    if (length !== 5) {
      const stream = this.#table.open.get(streamId)
      if (stream === undefined) throw frameSizeError(`PRIORITY of ${length} bytes`)
      return this.#table.fault(stream, errorCode.frameSizeError)
    }
    this.#guard.cost('PRIORITY')
  }
}
