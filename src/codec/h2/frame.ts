// The layout of frames (RFC 9113 §4.1, §6): types, flags, settings, and the head that all of them have.

export const frameType = {
  data: 0x0, headers: 0x1, priority: 0x2, rstStream: 0x3, settings: 0x4, pushPromise: 0x5, ping: 0x6, goAway: 0x7,
  windowUpdate: 0x8, continuation: 0x9,
} as const

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const setting = {
  headerTableSize: 0x1, enablePush: 0x2, maxConcurrentStreams: 0x3, initialWindowSize: 0x4, maxFrameSize: 0x5,
  maxHeaderListSize: 0x6, enableConnectProtocol: 0x8,
} as const

export const frameHeadBytes = 9
export const initialWindow = 65535
export const largestWindow = 0x7fffffff
export const smallestMaxFrame = 16384
export const largestMaxFrame = 0xffffff
export const largestStreamId = 0x7fffffff

/** What a client sends first (§3.4). */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export function writeFrameHead(bytes: Uint8Array, at: number, length: number, type: number, flags: number, streamId: number): void {
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = flags
  writeUint32(bytes, at + 5, streamId)
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Unsigned. */
export const readUint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/** Without the reserved bit: stream ids and window increments. */
export const readUint31 = (bytes: Uint8Array, at: number): number => readUint32(bytes, at) & 0x7fffffff
