// Makes values safe in a log line: whatever a client wrote, it can neither end the line nor a quoted field, nor steer a
// terminal. Lines are latin1 strings that stand for bytes, as header values are: what was UTF-8 on the wire is UTF-8 in
// the file.

/**
 * For text lines: `\x0A` in place of control bytes, of the quote and of the backslash (so that it can be undone). A
 * field's own quotes are thus the only ones in a line. Texts of our own with characters beyond bytes become UTF-8.
 */
export function escapeText(value: string): string {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x20 || code === 0x22 || code === 0x5c || code === 0x7f || code > 0xff) return escapeBytes(bytesOf(value))
  }
  return value
}

/** For fields without quotes around them: white space becomes `_` too. */
export function escapeWord(value: string): string {
  return escapeText(value).replaceAll(' ', '_')
}

/** A JSON string, quotes included, always ASCII. */
export function jsonString(value: string): string {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x20 || code === 0x22 || code === 0x5c || code > 0x7e) return asciiJson(unicodeOf(value))
  }
  return `"${value}"`
}

/** Literal text of a configuration, as the bytes of its UTF-8. */
export function latin1Of(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** A JSON string for text that is Unicode already, such as a key of the configuration. */
export function asciiJson(text: string): string {
  let result = ''
  for (const char of JSON.stringify(text)) result += char >= '\x7f' ? escapedUnits(char) : char
  return result
}

function escapedUnits(char: string): string {
  let result = ''
  for (let i = 0; i < char.length; i++) result += `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`
  return result
}

function escapeBytes(bytes: string): string {
  let result = ''
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes.charCodeAt(i)
    const plain = code >= 0x20 && code !== 0x22 && code !== 0x5c && code !== 0x7f
    result += plain ? bytes[i]! : `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return result
}

/** Values from the wire are bytes; ours may be more. */
export const bytesOf = (value: string): string => (isBytes(value) ? value : latin1Of(value))
const unicodeOf = (value: string): string => (isBytes(value) ? Buffer.from(value, 'latin1').toString() : value)

function isBytes(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0xff) return false
  return true
}
