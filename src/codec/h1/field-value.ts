// Readers of the few field values that decide framing and connection handling.
import { hostByte } from './characters.ts'
import { H1Error } from './errors.ts'

/** Fifteen digits stay exact in a double, and no message is a petabyte long. */
const maxLengthDigits = 15

/** Digits only: no sign, no space, no list (RFC 9112 §6.3 and its notes on smuggling). */
export function parseContentLength(text: string): number {
  const length = readLength(text)
  if (length < 0) throw new H1Error('h1/bad-content-length', 'Content-Length is not a plain number')
  return length
}

/** -1: not a length. */
export function readLength(text: string): number {
  if (text.length === 0 || text.length > maxLengthDigits) return -1
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}

/** Whether the comma separated `list` holds `token` (lower case), in any case. */
export function hasToken(list: string, token: string): boolean {
  for (let at = 0; at < list.length; ) {
    const comma = list.indexOf(',', at)
    const end = comma === -1 ? list.length : comma
    if (equalsToken(list, at, end, token)) return true
    at = end + 1
  }
  return false
}

/** `list[at, end)` without white space around it, in any case. */
function equalsToken(list: string, at: number, end: number, token: string): boolean {
  let from = at
  let to = end
  while (from < to && isSpace(list.charCodeAt(from))) from++
  while (to > from && isSpace(list.charCodeAt(to - 1))) to--
  return to - from === token.length && list.slice(from, to).toLowerCase() === token
}

const isSpace = (code: number): boolean => code === 0x20 || code === 9

/** `host` or `host:port`, nothing else (RFC 9112 §3.2). */
export function checkHost(text: string): void {
  if (text.length === 0) throw new H1Error('h1/bad-host', 'the Host field is empty')
  if (!isHost(text)) throw new H1Error('h1/bad-host', 'the Host field is not a host and an optional port')
}

export function isHost(text: string): boolean {
  let colon = -1
  let bracket = -1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f || hostByte[code] === 0) return false
    if (code === 0x3a) {
      if (colon !== -1 && text.charCodeAt(0) !== 0x5b) return false
      colon = i
    } else if (code === 0x5b ? i !== 0 : code === 0x5d && bracket !== -1) return false
    else if (code === 0x5d) bracket = i
  }
  if (text.length === 0 || (text.charCodeAt(0) === 0x5b) !== (bracket > 0)) return false
  if (bracket > 0 ? !isLiteral(text, bracket) : colon === 0) return false
  const portAt = bracket > 0 ? bracket + 1 : colon === -1 ? text.length : colon
  return portAt === text.length || isPort(text, portAt)
}

/** `[...]` holds hex digits, colons, dots and a zone; what it means is for the resolver. */
function isLiteral(text: string, bracket: number): boolean {
  if (bracket === 1) return false
  for (let i = 1; i < bracket; i++) {
    const folded = text.charCodeAt(i) | 0x20
    const hex = (folded >= 0x61 && folded <= 0x66) || (text.charCodeAt(i) >= 0x30 && text.charCodeAt(i) <= 0x3a)
    if (!hex && text.charCodeAt(i) !== 0x2e) return false
  }
  return true
}

function isPort(text: string, at: number): boolean {
  if (text.charCodeAt(at) !== 0x3a || text.length - at > 6) return false
  let port = 0
  for (let i = at + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return false
    port = port * 10 + digit
  }
  return port <= 65535
}
