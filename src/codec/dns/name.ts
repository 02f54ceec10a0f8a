// Domain names on the wire (RFC 1035 3.1, 4.1.4), as text that is equal for equal names: lower case, no dot at the end. Only
// names that stand in full are read; where a name may be compressed, it is only skipped. So no pointer is ever followed.

/** Of a whole name with all its lengths, and of one label. */
const maxNameBytes = 255
const maxLabelBytes = 63

export interface ReadName {
  readonly name: string
  /** Where it ends. */
  readonly end: number
}

/** A name in full. Undefined for one that is compressed, too long, or cut off. */
export function readName(bytes: Buffer, from: number): ReadName | undefined {
  let name = ''
  let at = from
  for (;;) {
    const length = bytes[at]
    if (length === undefined || length > maxLabelBytes || at + 1 + length > bytes.length || at + 1 + length - from > maxNameBytes) return undefined
    at++
    if (length === 0) return { name, end: at }
    if (name !== '') name += '.'
    name += labelText(bytes, at, at + length)
    at += length
  }
}

/** Where a name ends, which may be compressed; -1 for one that is none. */
export function skipName(bytes: Buffer, from: number): number {
  let at = from
  while (at < bytes.length && at - from < maxNameBytes) {
    const length = bytes[at]!
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2 <= bytes.length ? at + 2 : -1
    if (length > maxLabelBytes) return -1
    at += 1 + length
  }
  return -1
}

/** The bytes of a name that was read, or written by an operator. Undefined for one that is too long. */
export function nameBytes(name: string): Buffer | undefined {
  if (name === '') return Buffer.from([0])
  const labels = name.split('.').map(labelBytes)
  const whole = Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])])
  return whole.length > maxNameBytes || labels.some(({ length }) => length === 0 || length > maxLabelBytes) ? undefined : whole
}

const zero = 0x30

/** Letters in lower case; a dot, a backslash and what cannot be printed as `\DDD`, as in zone files. */
function labelText(bytes: Buffer, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if (byte >= 0x41 && byte <= 0x5a) text += String.fromCharCode(byte + 0x20)
    else if (byte <= 0x20 || byte >= 0x7f || byte === 0x2e || byte === 0x5c) text += `\\${String(byte).padStart(3, '0')}`
    else text += String.fromCharCode(byte)
  }
  return text
}

function labelBytes(text: string): Buffer {
  if (!text.includes('\\')) return Buffer.from(text, 'latin1')
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\\') bytes.push(text.charCodeAt(at))
    else bytes.push((text.charCodeAt(at + 1) - zero) * 100 + (text.charCodeAt(at + 2) - zero) * 10 + text.charCodeAt(at + 3) - zero)
    if (text[at] === '\\') at += 3
  }
  return Buffer.from(bytes)
}
