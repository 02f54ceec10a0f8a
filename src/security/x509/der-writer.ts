// Writes DER (X.690), as far as certificates need it. Each function gives one whole element; what the elements mean is
// left to those who put them together.

export const tags = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, utf8String: 0x0c,
  utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31,
} as const

/** Any element, by its tag. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...contents])
}

/** X.690 8.1.3: one byte below 128, otherwise the number of bytes and the bytes. */
function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff)
  return [0x80 | bytes.length, ...bytes]
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(tags.sequence, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => element(tags.set, ...parts)
export const octetString = (bytes: Uint8Array): Buffer => element(tags.octetString, bytes)
export const utf8String = (text: string): Buffer => element(tags.utf8String, Buffer.from(text, 'utf8'))
export const nothing: Buffer = element(tags.null)
export const yes: Buffer = element(tags.boolean, Buffer.from([0xff]))

/** `[number]` with structure inside. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 | number, ...parts)

/** `[number]` in place of the tag of a primitive type. */
export const implicit = (number: number, bytes: Uint8Array): Buffer => element(0x80 | number, bytes)

/** Big-endian and unsigned: a zero goes in front of a set top bit, and leading zeros go. */
export function unsigned(bytes: Uint8Array): Buffer {
  let at = 0
  while (at < bytes.length - 1 && bytes[at] === 0) at++
  const magnitude = bytes.subarray(at)
  return (magnitude[0] ?? 0) >= 0x80 ? element(tags.integer, Buffer.from([0]), magnitude) : element(tags.integer, magnitude)
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(tags.bitString, Buffer.from([unusedBits]), bytes)
}

/** `1.2.840.10045.2.1`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift(0x80 | (rest & 0x7f))
  return bytes
}

/** RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050; whole seconds. */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return digits < '2050' ? element(tags.utcTime, Buffer.from(digits.slice(2))) : element(tags.generalizedTime, Buffer.from(digits))
}
