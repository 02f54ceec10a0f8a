// Gathers a header block that comes in several frames (RFC 9113 §4.3). Nothing else may come in between, so there is one
// of them for a connection; its frames and its bytes are counted (CVE-2024-27316 and its kin).
import { connectionError, protocolError } from './errors.ts'
import { errorCode } from './types.ts'

const none = Buffer.alloc(0)

export class HeaderBlock {
  /** The stream whose CONTINUATION must come next; 0: none. */
  streamId = 0
  endStream = false
  bytes: Buffer = none
  length = 0
  #frames = 0
  readonly #maxFrames: number
  readonly #maxBytes: number

  constructor(maxFrames: number, maxBytes: number) {
    this.#maxFrames = maxFrames
    this.#maxBytes = maxBytes
  }

  begin(streamId: number, endStream: boolean, bytes: Buffer, at: number, end: number): void {
    this.streamId = streamId
    this.endStream = endStream
    this.#frames = 0
    this.#append(bytes, at, end)
  }

  /** Of a CONTINUATION frame. */
  add(streamId: number, bytes: Buffer, at: number, end: number): void {
    if (this.streamId === 0) throw protocolError('CONTINUATION without a header block')
    if (streamId !== this.streamId) throw protocolError('CONTINUATION of another stream')
    if (++this.#frames > this.#maxFrames) throw tooMuch(`more than ${this.#maxFrames} CONTINUATION frames`)
    this.#append(bytes, at, end)
  }

  clear(): void {
    this.streamId = 0
    this.bytes = none
    this.length = 0
  }

  #append(bytes: Buffer, at: number, end: number): void {
    const used = this.length + end - at
    if (used > this.#maxBytes) throw tooMuch(`a header block of more than ${this.#maxBytes} bytes`)
    if (used > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(256, 2 * used)))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    bytes.copy(this.bytes, this.length, at, end)
    this.length = used
  }
}

const tooMuch = (message: string) => connectionError(errorCode.enhanceYourCalm, message)
