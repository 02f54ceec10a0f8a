// What a field's name means to HTTP/2 itself, as a small number that is found once, when a name comes in literally, and
// kept in the tables: messages are then checked without comparing a name.
import { lowerToken } from '../h1/characters.ts'
import { findName, hashStep, nameOf } from '../h1/known-names.ts'

export const fieldKind = {
  ordinary: 0, method: 1, scheme: 2, authority: 3, path: 4, protocol: 5, status: 6, host: 7, contentLength: 8, te: 9, cookie: 10,
  /** Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade (RFC 9113 §8.2.2). */
  connection: 11,
  /** A name or a value that no message may carry (§8.2.1), or a pseudo-header field that nobody defined. */
  malformed: 12,
} as const

export const isPseudo = (kind: number): boolean => kind >= fieldKind.method && kind <= fieldKind.status

const kinds: ReadonlyMap<string, number> = new Map<string, number>([
  [':method', fieldKind.method], [':scheme', fieldKind.scheme], [':authority', fieldKind.authority], [':path', fieldKind.path],
  [':protocol', fieldKind.protocol], [':status', fieldKind.status], ['host', fieldKind.host],
  ['content-length', fieldKind.contentLength], ['te', fieldKind.te], ['cookie', fieldKind.cookie],
  ['connection', fieldKind.connection], ['keep-alive', fieldKind.connection], ['proxy-connection', fieldKind.connection],
  ['transfer-encoding', fieldKind.connection], ['upgrade', fieldKind.connection],
])

/** Of a name whose characters are all right, or that begins with a colon. */
export function kindOf(name: string): number {
  return kinds.get(name) ?? (name.charCodeAt(0) === 0x3a ? fieldKind.malformed : fieldKind.ordinary)
}

const COLON = 0x3a

/** The name in `bytes[at, end)`, the shared string where it is a known one. What may not be a name is kept as it came. */
export function readName(bytes: Buffer, at: number, end: number): string {
  let hash = 0
  for (let i = at; i < end; i++) hash = hashStep(hash, bytes[i]!)
  const id = isName(bytes, at, end) ? findName(hash, bytes, at, end) : -1
  return id < 0 ? bytes.toString('latin1', at, end) : nameOf(id)
}

/** Lower-case tokens, and pseudo-header fields. */
export function isName(bytes: Uint8Array, at: number, end: number): boolean {
  let i = bytes[at] === COLON ? at + 1 : at
  if (i >= end) return false
  for (; i < end; i++) {
    const byte = bytes[i]!
    if (lowerToken[byte] !== byte || byte === 0) return false
  }
  return true
}
