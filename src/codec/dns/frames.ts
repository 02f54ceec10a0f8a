// Messages in a stream: each has its length before it, in two bytes (RFC 1035 4.2.2). Holds no more than one message that is
// not complete.

const empty = Buffer.alloc(0)

export class DnsFrames {
  #held: Buffer = empty

  /** Hands out every message that is complete. Each is a copy. */
  take(bytes: Uint8Array, onMessage: (message: Buffer) => void): void {
    let all = Buffer.concat([this.#held, bytes])
    while (all.length >= 2) {
      const end = 2 + all.readUInt16BE(0)
      if (all.length < end) break
      onMessage(all.subarray(2, end))
      all = all.subarray(end)
    }
    this.#held = Buffer.from(all)
  }
}

export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + message.length)
  frame.writeUInt16BE(message.length, 0)
  frame.set(message, 2)
  return frame
}
