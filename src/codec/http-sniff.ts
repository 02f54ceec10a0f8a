// Tells from a connection's first bytes whether a client speaks HTTP: a request line, or the preface of HTTP/2.
import { targetByte, tokenByte } from './h1/characters.ts'

/** `other` is not HTTP. */
export type SniffedProtocol = 'incomplete' | 'http/1.0' | 'http/1.1' | 'h2c' | 'other'

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** The longest registered method has 17 letters; longer ones are not worth waiting for. */
const maxMethodBytes = 32
const version = ' HTTP/1.'

export function sniffHttp(bytes: Uint8Array): SniffedProtocol {
  const h2 = startsPreface(bytes)
  return h2 === 'other' ? sniffRequestLine(bytes) : h2
}

/** Whether these are the first bytes of an HTTP/2 connection. */
export function startsPreface(bytes: Uint8Array): 'incomplete' | 'h2c' | 'other' {
  const length = Math.min(bytes.length, preface.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== preface.charCodeAt(i)) return 'other'
  return length === preface.length ? 'h2c' : 'incomplete'
}

/** Empty lines before a request are legal; then a token, a space, a target, a space, the version. */
function sniffRequestLine(bytes: Uint8Array): SniffedProtocol {
  let at = 0
  while (at < bytes.length && (bytes[at] === 13 || bytes[at] === 10)) at++
  const methodAt = at
  while (at < bytes.length && tokenByte[bytes[at]!] === 1) at++
  if (at - methodAt > maxMethodBytes) return 'other'
  if (at === bytes.length) return 'incomplete'
  if (at === methodAt || bytes[at] !== 32) return 'other'
  const targetAt = ++at
  while (at < bytes.length && targetByte[bytes[at]!] === 1) at++
  if (at === bytes.length) return 'incomplete'
  if (at === targetAt) return 'other'
  return sniffVersion(bytes, at)
}

function sniffVersion(bytes: Uint8Array, at: number): SniffedProtocol {
  for (let i = 0; i < version.length; i++) {
    if (at + i === bytes.length) return 'incomplete'
    if (bytes[at + i] !== version.charCodeAt(i)) return 'other'
  }
  const minor = bytes[at + version.length]
  if (minor === undefined) return 'incomplete'
  return minor === 0x31 ? 'http/1.1' : minor === 0x30 ? 'http/1.0' : 'other'
}
