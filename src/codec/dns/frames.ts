// Messages in a stream: each has its length before it, in two bytes (RFC 1035 4.2.2). They are taken out one by one, so that
// whoever has enough under way leaves the others where they are.

const empty = Buffer.alloc(0)

export class DnsFrames {
  #held: Buffer = empty
  #at = 0

  push(bytes: Uint8Array): void {
    this.#held = Buffer.concat([this.#held.subarray(this.#at), bytes])
    this.#at = 0
  }

  /** The next message that is complete; good until the next `push`. */
  next(): Buffer | undefined {
    const from = this.#at + 2
    if (this.#held.length < from) return undefined
    const end = from + this.#held.readUInt16BE(this.#at)
    if (this.#held.length < end) return undefined
    this.#at = end
    return this.#held.subarray(from, end)
  }
}

export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + message.length)
  frame.writeUInt16BE(message.length, 0)
  frame.set(message, 2)
  return frame
}
