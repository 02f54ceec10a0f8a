// Cuts a connection's bytes into frames (RFC 9113 §4.1). DATA is handed on in pieces as it is read; every other frame is
// handed on whole, in place where it was read whole. What is put aside of an unfinished one is never more than a frame.
import { flag, frameHeadBytes, frameType, readUint31 } from './frame.ts'
import { frameSizeError, protocolError } from './errors.ts'

export interface FrameSink {
  /** Every type but DATA; unknown ones too. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, at: number, end: number): void
  /** A DATA frame begins. Flow control counts `length`, padding included; so many of them are `bytes`. */
  onDataHead(streamId: number, flags: number, length: number, bytes: number): void
  onDataPiece(bytes: Buffer, at: number, end: number): void
  onDataEnd(): void
}

const none = Buffer.alloc(0)
/** Not in the middle of a DATA frame. */
const outside = -1

export class FrameReader {
  /** Nothing more is to be read: the connection has ended, perhaps in the middle of a read. */
  stopped = false
  readonly #sink: FrameSink
  readonly #maxFrameSize: number
  /** The beginning of a frame whose rest has not come yet. */
  #carry: Buffer = none
  #carried = 0
  /** Of the DATA frame that is being read: bytes to come before its padding, and padding. */
  #dataLeft = outside
  #paddingLeft = 0
  #padLengthDue = false
  #dataStreamId = 0
  #dataFlags = 0

  constructor(sink: FrameSink, maxFrameSize: number) {
    this.#sink = sink
    this.#maxFrameSize = maxFrameSize
  }

  /** Bytes that are kept from one call to the next. */
  get keptBytes(): number {
    return this.#carried
  }

  read(bytes: Buffer, from: number, end: number): void {
    let at = from
    while (at < end && !this.stopped) {
      if (this.#dataLeft !== outside) at = this.#readData(bytes, at, end)
      else if (this.#carried > 0 || end - at < frameHeadBytes) at = this.#readCarried(bytes, at, end)
      else at = this.#readInPlace(bytes, at, end)
    }
  }

  #readInPlace(bytes: Buffer, at: number, end: number): number {
    const length = this.#lengthAt(bytes, at)
    const type = bytes[at + 3]!
    const body = at + frameHeadBytes
    if (type === frameType.data) {
      this.#beginData(bytes, at, length)
      return body
    }
    if (end - body < length) return this.#keep(bytes, at, end, frameHeadBytes + length)
    this.#sink.onFrame(type, bytes[at + 4]!, readUint31(bytes, at + 5), bytes, body, body + length)
    return body + length
  }

  /** Completes a frame that began in an earlier read: first its head, then the rest. */
  #readCarried(bytes: Buffer, from: number, end: number): number {
    let at = from
    if (this.#carried < frameHeadBytes) {
      at = this.#keep(bytes, at, Math.min(end, at + frameHeadBytes - this.#carried), frameHeadBytes)
      if (this.#carried < frameHeadBytes) return at
    }
    const carry = this.#carry
    const length = this.#lengthAt(carry, 0)
    if (carry[3] === frameType.data) {
      this.#drop()
      this.#beginData(carry, 0, length)
      return at
    }
    const whole = frameHeadBytes + length
    at = this.#keep(bytes, at, Math.min(end, at + whole - this.#carried), whole)
    if (this.#carried < whole) return at
    const complete = this.#carry
    this.#drop()
    this.#sink.onFrame(complete[3]!, complete[4]!, readUint31(complete, 5), complete, frameHeadBytes, whole)
    return at
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    if (length > this.#maxFrameSize) throw frameSizeError(`a frame of ${length} bytes, at most ${this.#maxFrameSize} allowed`)
    return length
  }

  /** Puts `bytes[at, end)` aside; `whole` is what the frame has in all. Memory is taken for what has come, not for what was promised. */
  #keep(bytes: Buffer, at: number, end: number, whole: number): number {
    const used = this.#carried + end - at
    if (this.#carry.length < used) {
      const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(whole, 64), Math.max(64, 2 * used)))
      this.#carry.copy(larger, 0, 0, this.#carried)
      this.#carry = larger
    }
    bytes.copy(this.#carry, this.#carried, at, end)
    this.#carried = used
    return end
  }

  #drop(): void {
    this.#carry = none
    this.#carried = 0
  }

  /** What is to be known of a padded frame is known after one byte more. */
  #beginData(bytes: Buffer, at: number, length: number): void {
    this.#dataFlags = bytes[at + 4]!
    this.#dataStreamId = readUint31(bytes, at + 5)
    this.#dataLeft = length
    this.#paddingLeft = 0
    this.#padLengthDue = (this.#dataFlags & flag.padded) !== 0
    if (!this.#padLengthDue) this.#sink.onDataHead(this.#dataStreamId, this.#dataFlags, length, length)
    else if (length === 0) throw frameSizeError('padded DATA without a pad length')
    if (length === 0) this.#endData()
  }

  #readData(bytes: Buffer, from: number, end: number): number {
    let at = from
    if (this.#padLengthDue) this.#readPadLength(bytes[at++]!)
    const piece = Math.min(end - at, this.#dataLeft)
    if (piece > 0) {
      this.#dataLeft -= piece
      this.#sink.onDataPiece(bytes, at, at + piece)
      at += piece
    }
    if (this.#dataLeft > 0) return at
    const padding = Math.min(end - at, this.#paddingLeft)
    this.#paddingLeft -= padding
    if (this.#paddingLeft === 0) this.#endData()
    return at + padding
  }

  #readPadLength(padding: number): void {
    const length = this.#dataLeft
    if (padding >= length) throw protocolError('DATA padded by more than the frame')
    this.#padLengthDue = false
    this.#dataLeft = length - 1 - padding
    this.#paddingLeft = padding
    this.#sink.onDataHead(this.#dataStreamId, this.#dataFlags, length, this.#dataLeft)
  }

  #endData(): void {
    this.#dataLeft = outside
    this.#sink.onDataEnd()
  }
}
