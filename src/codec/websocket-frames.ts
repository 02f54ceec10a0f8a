// Where the frames of a WebSocket begin and end in a stream of bytes (RFC 6455 §5.2): nothing of them is looked at or changed.
// Between two of them somebody else may say a word.
//
//   head: FIN, opcode | MASK, length 7 bits | 0, 2 or 8 bytes of length | 0 or 4 bytes of mask     then as many bytes as it says

/** Close: 1001, the endpoint is going away. Unmasked, as a server says it. */
export const goingAway: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xe9)

export class WebSocketFrames {
  /** Of the frame in progress, after its head. */
  #left = 0
  /** Bytes of the head that have come; 0: none. */
  #head = 0
  #lengthBytes = 0
  #maskBytes = 0
  #length = 0

  /** No frame has begun that has not ended. */
  get between(): boolean {
    return this.#left === 0 && this.#head === 0
  }

  /** Goes over `bytes[at, end)`. With `stops`, only up to the first place between two frames; says how far it came. */
  follow(bytes: Uint8Array, at: number, end: number, stops: boolean): number {
    let i = at
    while (i < end) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, end - i)
        this.#left -= taken
        i += taken
      } else this.#readHead(bytes[i++]!)
      if (stops && this.between) return i
    }
    return i
  }

  #readHead(byte: number): void {
    this.#head++
    if (this.#head === 1) return
    if (this.#head === 2) {
      const length = byte & 0x7f
      this.#lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0
      this.#length = this.#lengthBytes === 0 ? length : 0
      this.#maskBytes = byte >= 0x80 ? 4 : 0
    } else if (this.#lengthBytes > 0) {
      this.#lengthBytes--
      this.#length = this.#length * 256 + byte
    } else this.#maskBytes--
    if (this.#lengthBytes > 0 || this.#maskBytes > 0) return
    this.#head = 0
    this.#left = this.#length
  }
}
