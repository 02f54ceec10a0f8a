// Writes frames to the transport, which gathers them. What is written here is copied before the call returns, so that all
// sessions share one buffer for what they make up themselves.
import { flag, frameHeadBytes, frameType, writeFrameHead, writeUint32 } from './frame.ts'
import type { HpackEncoder } from '../hpack/encoder.ts'
import type { H2Output } from './types.ts'

/** DATA up to this size goes behind its head in one write: to copy so little costs less than a call. */
const joined = 64
const maxDebugBytes = 128
/** The flags of a frame come so many bytes before its payload. */
const flagsBeforeBody = frameHeadBytes - 4
const scratch = new Uint8Array(frameHeadBytes + 8 + maxDebugBytes)

export class FrameWriter {
  readonly #output: H2Output
  /** The transport has more than it wants: DATA waits, the rest is still written. */
  blocked = false
  /** Control frames since then. */
  unwritten = 0
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  maxFrameSize = 16384
  /** What was written last is DATA of this stream (0: it is not), and where its flags are, from the end. */
  #lastData = 0
  #flagsBack = 0

  constructor(output: H2Output) {
    this.#output = output
  }

  drained(): void {
    this.blocked = false
    this.unwritten = 0
  }

  bytes(bytes: Uint8Array, at: number, end: number): void {
    this.#lastData = 0
    if (!this.#output.write(bytes, at, end)) this.blocked = true
  }

  /** At most the peer's frame size. */
  data(streamId: number, bytes: Uint8Array, at: number, end: number, flags: number): void {
    const length = end - at
    writeFrameHead(scratch, 0, length, frameType.data, flags, streamId)
    if (length > joined) {
      this.bytes(scratch, 0, frameHeadBytes)
      this.bytes(bytes, at, end)
    } else {
      for (let i = 0; i < length; i++) scratch[frameHeadBytes + i] = bytes[at + i]!
      this.bytes(scratch, 0, frameHeadBytes + length)
    }
    this.#lastData = streamId
    this.#flagsBack = length + flagsBeforeBody
  }

  /** END_STREAM: on the last DATA if nothing was written since and it has not gone yet, else on an empty frame. */
  end(streamId: number): void {
    if (this.#lastData === streamId && this.#output.amend?.(this.#flagsBack, flag.endStream) === true) return
    this.data(streamId, scratch, 0, 0, flag.endStream)
  }

  /** The block that `encoder` has made, with room for a head before it; in several frames if it must be. */
  headers(streamId: number, encoder: HpackEncoder, flags: number): void {
    const { bytes, at: end } = encoder
    let from = frameHeadBytes
    let type: number = frameType.headers
    let rest = flags
    while (end - from > this.maxFrameSize) {
      writeFrameHead(bytes, from - frameHeadBytes, this.maxFrameSize, type, rest, streamId)
      this.bytes(bytes, from - frameHeadBytes, from + this.maxFrameSize)
      // The next head goes over bytes that have been written already.
      from += this.maxFrameSize
      type = frameType.continuation
      rest = 0
    }
    writeFrameHead(bytes, from - frameHeadBytes, end - from, type, rest | flag.endHeaders, streamId)
    this.bytes(bytes, from - frameHeadBytes, end)
    encoder.finish()
  }

  /** Pairs of number and value. */
  settings(pairs: readonly number[]): void {
    const length = 3 * pairs.length
    writeFrameHead(scratch, 0, length, frameType.settings, 0, 0)
    for (let i = 0, at = frameHeadBytes; i < pairs.length; i += 2, at += 6) {
      scratch[at] = 0
      scratch[at + 1] = pairs[i]!
      writeUint32(scratch, at + 2, pairs[i + 1]!)
    }
    this.#control(length)
  }

  settingsAck(): void {
    writeFrameHead(scratch, 0, 0, frameType.settings, flag.ack, 0)
    this.#control(0)
  }

  windowUpdate(streamId: number, increment: number): void {
    writeFrameHead(scratch, 0, 4, frameType.windowUpdate, 0, streamId)
    writeUint32(scratch, frameHeadBytes, increment)
    this.#control(4)
  }

  rstStream(streamId: number, code: number): void {
    writeFrameHead(scratch, 0, 4, frameType.rstStream, 0, streamId)
    writeUint32(scratch, frameHeadBytes, code)
    this.#control(4)
  }

  /** Eight bytes of `payload` from `at` on. */
  ping(payload: Uint8Array, at: number, flags: number): void {
    writeFrameHead(scratch, 0, 8, frameType.ping, flags, 0)
    for (let i = 0; i < 8; i++) scratch[frameHeadBytes + i] = payload[at + i]!
    this.#control(8)
  }

  goAway(lastStreamId: number, code: number, debug: string): void {
    const length = 8 + Math.min(debug.length, maxDebugBytes)
    writeFrameHead(scratch, 0, length, frameType.goAway, 0, 0)
    writeUint32(scratch, frameHeadBytes, lastStreamId)
    writeUint32(scratch, frameHeadBytes + 4, code)
    for (let i = 0; i < length - 8; i++) scratch[frameHeadBytes + 8 + i] = debug.charCodeAt(i)
    this.#control(length)
  }

  #control(length: number): void {
    if (this.blocked) this.unwritten++
    this.bytes(scratch, 0, frameHeadBytes + length)
  }
}
