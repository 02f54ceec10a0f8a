// The framing of a chunked body (RFC 9112 §7.1): sizes, extensions and the line ends between the pieces. The bytes of
// the chunks are the caller's, and so is the trailer section that follows the last one.
import { hexValue, valueByte } from './characters.ts'
import { H1Error } from './errors.ts'

/** Thirteen hex digits are 2^52 - 1. */
const maxSizeDigits = 13
/** Extensions mean nothing to a proxy; a body that carries more of them than this is an attack on its time. */
const maxExtensionBytes = 4096

const size = 0
const extension = 1
const sizeLf = 2
const dataCr = 3
const dataLf = 4
const data = 5

export class ChunkScanner {
  /** Bytes left of the chunk that is being read. The caller takes them off as it consumes them. */
  left = 0
  /** The last chunk, of size zero, has been read. */
  last = false
  #state = size
  #digits = 0
  #extensionBytes = 0

  /** Whether what follows are `left` bytes of a chunk. */
  get inChunk(): boolean {
    return this.#state === data
  }

  /** Starts a new body. */
  reset(): void {
    this.left = 0
    this.last = false
    this.#state = size
    this.#digits = 0
    this.#extensionBytes = 0
  }

  /** Call when `left` has come down to zero: what follows is the line end after a chunk. */
  chunkRead(): void {
    this.#state = dataCr
  }

  /** Reads framing until a chunk's bytes begin (`inChunk`), the last chunk's line ended (`last`) or input ran out. */
  scan(bytes: Buffer, at: number, end: number): number {
    let i = at
    while (i < end) {
      const byte = bytes[i++]!
      switch (this.#state) {
        case size:
          this.#sizeByte(byte)
          break
        case extension:
          if (byte === 13) this.#state = sizeLf
          else if (valueByte[byte] === 0) throw badChunk('control byte in a chunk extension')
          else if (++this.#extensionBytes > maxExtensionBytes) throw badChunk('chunk extensions are too long')
          break
        case sizeLf:
          if (byte !== 10) throw badChunk('a carriage return without a line feed after a chunk size')
          this.#digits = 0
          if (this.left > 0) this.#state = data
          else this.last = true
          return i
        case dataCr:
          if (byte !== 13) throw badChunk('a chunk is longer than its size')
          this.#state = dataLf
          break
        default:
          if (byte !== 10) throw badChunk('a chunk is not followed by a line end')
          this.#state = size
      }
    }
    return i
  }

  #sizeByte(byte: number): void {
    const digit = hexValue[byte]!
    if (digit !== 255) {
      if (++this.#digits > maxSizeDigits) throw badChunk('chunk size has too many digits')
      this.left = this.left * 16 + digit
      return
    }
    if (this.#digits === 0) throw badChunk('chunk size is not a hex number')
    if (byte === 13) this.#state = sizeLf
    else if (byte === 0x3b) this.#state = extension
    else throw badChunk('chunk size is not a hex number')
  }
}

const badChunk = (message: string) => new H1Error('h1/bad-chunk', message)
