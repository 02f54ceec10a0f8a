// One HTTP/2 connection, server or client: what its owner can do with it, and what the frames of the peer do that are not
// about messages (RFC 9113 §6). Everything else is put together here, and is for the files beside it.
import { describe } from '../../lib/errors.ts'
import { HpackError } from '../hpack/errors.ts'
import { DataFrames } from './data-frames.ts'
import { H2Error, connectionError, frameSizeError, protocolError } from './errors.ts'
import { FloodGuard } from './flood-guard.ts'
import { clientPreface, flag, frameType, initialWindow, largestStreamId, largestWindow, readUint31, readUint32 } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import type { FrameSink } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { HeaderFrames } from './header-frames.ts'
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
/** Words of a GOAWAY that are read. */
const maxDebugBytes = 256

class Session<User> implements H2Session<User>, FrameSink {
  readonly #client: boolean
  readonly #events: H2Events<User>
  readonly #limits: H2Limits
  readonly #streamWindow: number
  readonly #guard: FloodGuard
  readonly #writer: FrameWriter
  readonly #table: StreamTable<User>
  readonly #sender: Sender<User>
  readonly #headers: HeaderFrames<User>
  readonly #data: DataFrames<User>
  readonly #reader: FrameReader
  readonly #peer: PeerSettings
  /** Of the read that is going on, in whole ms that may wrap: a number of its own for each stream would cost an object. */
  #now = 0
  /** GOAWAY came or went, or the connection broke; after that nothing is read or written. */
  #closing = false
  #dead = false
  #prefaceRead = 0
  #settingsSeen = false
  #settingsAcked = false
  /** When the peer was heard first; 0: not yet. */
  #firstHeard = 0
  #pings = 0
  /** Client: streams that we may have open at once. */
  #maxLocalStreams: number
  /** The highest id that the peer's GOAWAY took. */
  #lastTaken = largestStreamId

  constructor(client: boolean, output: H2Output, events: H2Events<User>, limits: H2Limits) {
    const window = Math.max(limits.initialConnectionWindow, initialWindow)
    this.#client = client
    this.#events = events
    this.#limits = limits
    this.#streamWindow = Math.max(limits.initialStreamWindow, initialWindow)
    this.#maxLocalStreams = Math.min(limits.maxConcurrentStreams, streamsBeforeSettings)
    this.#guard = new FloodGuard(limits.maxControlFramesPerSecond, limits.maxResetsPerSecond)
    this.#writer = new FrameWriter(output)
    this.#table = new StreamTable(client, events, this.#writer, this.#guard)
    this.#sender = new Sender(this.#writer, this.#table, events, this.#guard, limits, this.#streamWindow)
    this.#headers = new HeaderFrames(client, events, limits, this.#streamWindow, this.#guard, this.#table, this.#sender)
    this.#data = new DataFrames(events, window, this.#guard, this.#writer, this.#table, this.#sender)
    this.#reader = new FrameReader(this, maxFrameSizeOf(limits))
    this.#peer = new PeerSettings(client)
    if (client) this.#writer.bytes(clientPreface, 0, clientPreface.length)
    this.#writer.settings(localSettings(client, limits))
    if (window > initialWindow) this.#writer.windowUpdate(0, window - initialWindow)
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
    this.#now = now | 0
    this.#headers.now = now | 0
    this.#guard.at(now)
    try {
      if (!this.#settingsAcked) this.#checkSettings(now)
      const from = this.#client || this.#prefaceRead === clientPreface.length ? 0 : this.#readPreface(bytes, length)
      this.#reader.read(bytes, from, length)
    } catch (error) {
      throw this.#break(error)
    }
  }

  /** §6.5.3: by one who is heard. Who is silent is its owner's business. */
  #checkSettings(now: number): void {
    if (this.#firstHeard === 0) this.#firstHeard = now
    else if (now - this.#firstHeard > this.#limits.settingsTimeoutMs) throw connectionError(errorCode.settingsTimeout, `SETTINGS not acknowledged within ${this.#limits.settingsTimeoutMs} ms`)
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
    this.#reader.stopped = true
    this.#sender.refuses = true
  }

  onDrain(): void {
    this.#writer.drained()
    this.#sender.queue.pump()
  }

  /** `visit` may end streams. */
  eachUser(visit: (user: User) => void): void {
    for (const { user } of this.#table.open.all()) if (user !== undefined) visit(user)
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
    const table = this.#table
    if (final || code !== errorCode.noError) table.lastAccepted = table.lastPeerId
    this.#writer.goAway(this.#client ? 0 : table.lastAccepted, code, '')
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

  onDataHead(streamId: number, flags: number, length: number, bytes: number): void {
    if (!this.#settingsSeen) throw notSettings()
    this.#headers.checkNoBlock()
    this.#data.onHead(streamId, flags, length, bytes)
  }

  onDataPiece(bytes: Buffer, at: number, end: number): void {
    this.#data.onPiece(bytes, at, end)
  }

  onDataEnd(): void {
    this.#data.onEnd()
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, at: number, end: number): void {
    if (!this.#settingsSeen && (type !== frameType.settings || (flags & flag.ack) !== 0)) throw notSettings()
    if (this.#writer.unwritten > this.#limits.maxControlFramesPerSecond) throw connectionError(errorCode.enhanceYourCalm, 'too many answers wait to be written')
    if (type === frameType.continuation) return this.#headers.onContinuation(streamId, flags, bytes, at, end)
    this.#headers.checkNoBlock()
    switch (type) {
      case frameType.headers:
        return this.#headers.onHeaders(streamId, flags, bytes, at, end)
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
    if (stream === undefined) this.#table.checkNotIdle(streamId, 'WINDOW_UPDATE')
    else if (increment === 0) this.#table.fault(stream, errorCode.protocolError)
    else if (!this.#sender.addWindow(stream, increment)) this.#table.fault(stream, errorCode.flowControlError)
  }

  #onRstStream(streamId: number, bytes: Buffer, at: number, end: number): void {
    if (end - at !== 4) throw frameSizeError(`RST_STREAM of ${end - at} bytes`)
    if (streamId === 0) throw protocolError('RST_STREAM on stream 0')
    const stream = this.#table.open.get(streamId)
    if (stream !== undefined) return this.#table.resetByPeer(stream, readUint32(bytes, at), this.#now)
    this.#table.checkNotIdle(streamId, 'RST_STREAM')
    this.#guard.cost('RST_STREAM on a closed stream')
  }

  #onSettings(streamId: number, flags: number, bytes: Buffer, at: number, end: number): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream')
    this.#guard.cost('SETTINGS')
    if ((flags & flag.ack) === 0) return this.#onPeerSettings(bytes, at, end)
    if (end > at) throw frameSizeError('SETTINGS acknowledged with a payload')
    if (this.#settingsAcked) return
    this.#settingsAcked = true
    this.#headers.decoder.setLimit(this.#limits.headerTableBytes)
  }

  #onPeerSettings(bytes: Buffer, at: number, end: number): void {
    const peer = this.#peer
    const { initialWindowSize, maxConcurrentStreams } = peer
    peer.read(bytes, at, end)
    this.#sender.apply(peer)
    this.#writer.settingsAck()
    if (peer.initialWindowSize !== initialWindowSize) this.#moveWindows(peer.initialWindowSize - initialWindowSize)
    if (this.#settingsSeen && peer.maxConcurrentStreams === maxConcurrentStreams) return
    this.#settingsSeen = true
    this.#maxLocalStreams = Math.min(this.#limits.maxConcurrentStreams, peer.maxConcurrentStreams)
    this.#events.onPeerSettings(peer.maxConcurrentStreams)
  }

  /** §6.9.2: of all open streams. A window may become negative. */
  #moveWindows(delta: number): void {
    for (const stream of this.#table.open.all()) {
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
    this.#sender.refuses = true
    if (this.#client) this.#table.refuseAbove(last)
    this.#events.onGoAway(last, readUint32(bytes, at + 4), bytes.toString('latin1', at + 8, Math.min(end, at + 8 + maxDebugBytes)))
  }

  #onPriority(streamId: number, length: number): void {
    if (streamId === 0) throw protocolError('PRIORITY on stream 0')
    this.#guard.cost('PRIORITY')
    if (length === 5) return
    const stream = this.#table.open.get(streamId)
    if (stream === undefined) throw frameSizeError(`PRIORITY of ${length} bytes`)
    this.#table.fault(stream, errorCode.frameSizeError)
  }
}

const notSettings = () => protocolError('the first frame is not SETTINGS')
