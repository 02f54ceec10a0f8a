// Messages of gRPC on a byte stream: each behind five bytes, a flag that it is compressed and its length. Writing only;
// reading is deframer.ts.

/** Flag and length. */
export const prefixLength = 5

/** For a message that is sent in parts: what goes before the first of them. */
export function messagePrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(prefixLength)
  new DataView(prefix.buffer).setUint32(1, length)
  return prefix
}

/** A message with its prefix, in one piece. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(prefixLength + message.length)
  framed.set(messagePrefix(message.length))
  framed.set(message, prefixLength)
  return framed
}
