// HTTP/2 frames and HPACK literals written by hand, byte by byte, and read back into words: nothing of it is the codec's.

export const names = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE', 'CONTINUATION'] as const
export const codes = [
  'NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED', 'FRAME_SIZE_ERROR',
  'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED',
] as const
export type Code = (typeof codes)[number]

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8
export const PRIORITY = 0x20

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(type: number, flags: number, id: number, payload: Uint8Array | string | readonly number[] = []): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id >>> 0, 5)
  return Buffer.concat([head, body])
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

export const data = (id: number, payload: Uint8Array | string = '', flags = 0): Buffer => frame(0, flags, id, payload)
export const headers = (id: number, block: Uint8Array, flags = END_HEADERS | END_STREAM): Buffer => frame(1, flags, id, block)
export const priority = (id: number, payload: readonly number[] = [0, 0, 0, 0, 16]): Buffer => frame(2, 0, id, payload)
export const rst = (id: number, code = 8): Buffer => frame(3, 0, id, uint32(code))
export const settings = (...pairs: readonly number[]): Buffer => {
  const body: Buffer[] = []
  for (let i = 0; i < pairs.length; i += 2) body.push(Buffer.from([0, pairs[i]!]), uint32(pairs[i + 1]!))
  return frame(4, 0, 0, Buffer.concat(body))
}
export const settingsAck = frame(4, ACK, 0)
export const ping = (text = '12345678', flags = 0): Buffer => frame(6, flags, 0, text)
export const goAway = (last: number, code = 0, debug = ''): Buffer => frame(7, 0, 0, Buffer.concat([uint32(last), uint32(code), Buffer.from(debug)]))
export const windowUpdate = (id: number, increment: number): Buffer => frame(8, 0, id, uint32(increment))
export const continuation = (id: number, block: Uint8Array, flags = END_HEADERS): Buffer => frame(9, flags, id, block)

/** RFC 7541 §5.1 with a prefix of `bits`. */
export function integer(value: number, bits: number, first = 0): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.from([first | value])
  const bytes = [first | most]
  let rest = value - most
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

const text = (value: string): Buffer => Buffer.concat([integer(value.length, 7), Buffer.from(value, 'latin1')])

/** A literal field without indexing, its name and value plain. `first`: 0x10 never indexed, 0x40 indexed. */
export const field = (name: string, value: string, first = 0): Buffer => Buffer.concat([Buffer.from([first]), text(name), text(value)])
export const indexed = (index: number): Buffer => integer(index, 7, 0x80)

/** A block of name, value, name, value, ... */
export function block(...flat: readonly string[]): Buffer {
  const fields: Buffer[] = []
  for (let i = 0; i < flat.length; i += 2) fields.push(field(flat[i]!, flat[i + 1]!))
  return Buffer.concat(fields)
}

export const get = block(':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a')
export const post = block(':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a')
export const ok = block(':status', '200')

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = bytes.subarray(0, preface.length).equals(preface) ? preface.length : 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3)
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + length) })
    at += 9 + length
  }
  return frames
}

/** `RST_STREAM 1 CANCEL`, `DATA 1 5 bytes END_STREAM`, `WINDOW_UPDATE 0 +100` and so on. */
export function describeFrame({ type, flags, id, payload }: Frame): string {
  const name = names[type] ?? `frame ${type}`
  const code = (at: number): string => codes[payload.readUInt32BE(at)] ?? String(payload.readUInt32BE(at))
  switch (name) {
    case 'RST_STREAM':
      return `${name} ${id} ${code(0)}`
    case 'GOAWAY':
      return `${name} ${payload.readUInt32BE(0)} ${code(4)}`
    case 'WINDOW_UPDATE':
      return `${name} ${id} +${payload.readUInt32BE(0)}`
    case 'SETTINGS':
    case 'PING':
      return name + ((flags & ACK) === 0 ? '' : ' ACK') + (name === 'PING' ? ` ${payload.toString('latin1')}` : '')
    case 'DATA':
      return `${name} ${id} ${payload.length} bytes${(flags & END_STREAM) === 0 ? '' : ' END_STREAM'}`
    default:
      return `${name} ${id}${(flags & END_STREAM) === 0 ? '' : ' END_STREAM'}`
  }
}
