// Which bytes may stand where in an HTTP/1.1 head (RFC 9110 §5.6, RFC 9112), as tables of 256 entries.

function table(allowed: (byte: number) => number): Uint8Array {
  const made = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) made[byte] = allowed(byte)
  return made
}

const symbols = "!#$%&'*+-.^_`|~"

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39
const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a
const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a
const isTokenByte = (byte: number) =>
  isDigit(byte) || isUpper(byte) || isLower(byte) || (byte < 0x80 && symbols.includes(String.fromCharCode(byte)))

/** A token byte in lower case, 0 for every other byte: one look-up both checks and folds a field name. */
export const lowerToken = table((byte) => (isUpper(byte) ? byte | 0x20 : isTokenByte(byte) ? byte : 0))

/** tchar, RFC 9110 §5.6.2. */
export const tokenByte = table((byte) => (isTokenByte(byte) ? 1 : 0))

/** Field values and reason phrases: HTAB, SP, VCHAR and obs-text. No NUL, no other control, no DEL. */
export const valueByte = table((byte) => (byte === 9 || (byte >= 0x20 && byte !== 0x7f) ? 1 : 0))

/**
 * Request targets: VCHAR and, because browsers and servers in the field send and take raw UTF-8, bytes from 0x80 on,
 * which are handed on as they are.
 */
export const targetByte = table((byte) => (byte > 0x20 && byte !== 0x7f ? 1 : 0))

/** `uri-host [":" port]` as RFC 3986 spells it: no userinfo, no path, no list, nothing that needs quoting. */
export const hostByte = table((byte) =>
  isDigit(byte) || isUpper(byte) || isLower(byte) || (byte < 0x80 && "-._~%!$&'()*+;=:[]".includes(String.fromCharCode(byte))) ? 1 : 0,
)

/** The value of a hex digit, 255 for every other byte. */
export const hexValue = table((byte) => {
  if (isDigit(byte)) return byte - 0x30
  const folded = byte | 0x20
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : 255
})

/** Whether text that did not come from the parser may be written as a field value. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff || valueByte[code] === 0) return false
  }
  return true
}

/** Whether text that did not come from the parser may be written as a field name; names are lower case here. */
export function isFieldName(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f || lowerToken[code] !== code) return false
  }
  return text.length > 0
}
