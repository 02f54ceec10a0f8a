// Finds the messages of gRPC in the chunks of a byte stream, however it is cut. Holds at most one message, and never more
// memory than twice what has arrived of it: a length that is only announced costs nothing.
import { GrpcCodecError } from './errors.ts'
import { prefixLength } from './frame.ts'

/** What a buffer for a message begins with, unless the message is shorter. */
const firstCapacity = 4096

export class Deframer {
  readonly #maxMessageBytes: number
  readonly #onMessage: (message: Uint8Array) => void
  readonly #prefix = new Uint8Array(prefixLength)
  #prefixHave = 0
  #length = 0
  #body = new Uint8Array(0)
  #bodyHave = 0

  /** Messages may be views of the chunks that were pushed. */
  constructor(maxMessageBytes: number, onMessage: (message: Uint8Array) => void) {
    this.#maxMessageBytes = maxMessageBytes
    this.#onMessage = onMessage
  }

  /** Throws a GrpcCodecError; nothing may be pushed after that. */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      at = this.#prefixHave < prefixLength ? this.#takePrefix(chunk, at) : this.#takeBody(chunk, at)
    }
  }

  /** The stream has ended; throws a GrpcCodecError when that cuts a message off. */
  end(): void {
    if (this.#prefixHave === 0) return
    const missing = this.#prefixHave < prefixLength ? 'in the prefix of a message' : `after ${this.#bodyHave} of ${this.#length} bytes of a message`
    throw new GrpcCodecError('grpc/truncated', `the stream ended ${missing}`)
  }

  #takePrefix(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length && this.#prefixHave < prefixLength) this.#prefix[this.#prefixHave++] = chunk[at++]!
    if (this.#prefixHave === prefixLength) this.#readPrefix()
    return at
  }

  #readPrefix(): void {
    const [flag = 0, a = 0, b = 0, c = 0, d = 0] = this.#prefix
    if (flag === 1) throw new GrpcCodecError('grpc/compressed', 'a message is compressed, but no compression was agreed on')
    if (flag !== 0) throw new GrpcCodecError('grpc/flag', `a message begins with the flag ${flag}, but gRPC knows 0 and 1 only`)
    this.#length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
    if (this.#length > this.#maxMessageBytes) {
      throw new GrpcCodecError('grpc/too-large', `a message of ${this.#length} bytes is larger than the limit of ${this.#maxMessageBytes}`)
    }
    if (this.#length === 0) this.#emit(new Uint8Array(0))
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const take = Math.min(this.#length - this.#bodyHave, chunk.length - at)
    const piece = chunk.subarray(at, at + take)
    if (take === this.#length) this.#emit(piece)
    else this.#append(piece)
    return at + take
  }

  #append(piece: Uint8Array): void {
    const have = this.#bodyHave + piece.length
    if (have > this.#body.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(have, this.#body.length * 2, firstCapacity)))
      grown.set(this.#body.subarray(0, this.#bodyHave))
      this.#body = grown
    }
    this.#body.set(piece, this.#bodyHave)
    this.#bodyHave = have
    if (have === this.#length) this.#emit(this.#body.subarray(0, have))
  }

  #emit(message: Uint8Array): void {
    this.#prefixHave = 0
    this.#bodyHave = 0
    this.#body = new Uint8Array(0)
    this.#onMessage(message)
  }
}
