// Makes a message's head, or its trailers, out of the fields of a header block, and holds them to the rules of RFC 9113 §8.
// What breaks one is remembered as the `fault`; the block is read to its end all the same, for the sake of the HPACK table.
import { HeaderList } from '../header-list.ts'
import { targetByte, tokenByte } from '../h1/characters.ts'
import { isHost, readLength } from '../h1/field-value.ts'
import type { FieldSink } from '../hpack/decoder.ts'
import { fieldKind, isPseudo } from '../hpack/field-kind.ts'
import { entryOverhead } from '../hpack/static-table.ts'
import type { H2RequestHead, H2ResponseHead } from './types.ts'

/** What a block is read as; `nothing`: only for the table. */
export const section = { nothing: 0, request: 1, response: 2, trailers: 3 } as const

export class MessageReader implements FieldSink, H2RequestHead, H2ResponseHead {
  method = ''
  scheme = ''
  authority = ''
  path = ''
  protocol = ''
  status = 0
  headers = new HeaderList()
  bodyLength = -1
  tooLarge = false
  /** What is wrong with the message, or empty. */
  fault = ''

  readonly #maxBytes: number
  readonly #maxFields: number
  #section: number = section.nothing
  #bytes = 0
  #regular = false
  /** A bit for each kind that has come. */
  #seen = 0
  #host = ''
  #length = -1
  #cookieAt = -1
  /** The last :authority that was a good one. */
  #lastHost = ''

  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes
    this.#maxFields = maxFields
  }

  begin(of: number): void {
    this.#section = of
    if (of === section.nothing) return
    this.method = ''
    this.scheme = ''
    this.authority = ''
    this.path = ''
    this.protocol = ''
    this.status = 0
    this.headers = new HeaderList()
    this.bodyLength = -1
    this.tooLarge = false
    this.fault = ''
    this.#bytes = 0
    this.#regular = false
    this.#seen = 0
    this.#host = ''
    this.#length = -1
    this.#cookieAt = -1
  }

  onField(name: string, value: string, kind: number, sensitive: boolean): void {
    if (this.#section === section.nothing) return
    this.#bytes += name.length + value.length + entryOverhead
    if (this.#bytes > this.#maxBytes) this.tooLarge = true
    if (isPseudo(kind)) return this.#readPseudo(kind, value)
    this.#regular = true
    if (kind !== fieldKind.ordinary && !this.#readSpecial(kind, value)) return
    const flat = this.headers.flat
    if (flat.length >= 2 * this.#maxFields) this.tooLarge = true
    if (this.tooLarge) return
    flat.push(name, value)
    if (sensitive) this.#markSensitive(name)
  }

  #markSensitive(name: string): void {
    const list = (this.headers.sensitive ??= [])
    if (!list.includes(name)) list.push(name)
  }

  #readPseudo(kind: number, value: string): void {
    if (this.#regular) this.fault = 'a pseudo-header field behind a regular one'
    else if (!this.#isFirst(kind)) this.fault = 'a pseudo-header field twice'
    else if (this.#section === section.trailers) this.fault = 'a pseudo-header field in trailers'
    else if ((kind === fieldKind.status) !== (this.#section === section.response)) this.fault = 'a pseudo-header field of the other direction'
    else this.#setPseudo(kind, value)
  }

  #setPseudo(kind: number, value: string): void {
    if (value.length > this.#maxBytes) return
    switch (kind) {
      case fieldKind.method:
        this.method = value
        break
      case fieldKind.scheme:
        this.scheme = value
        break
      case fieldKind.authority:
        this.authority = value
        break
      case fieldKind.path:
        this.path = value
        break
      case fieldKind.protocol:
        this.protocol = value
        break
      default:
        this.status = readStatus(value)
    }
  }

  /** Whether the field belongs in the list. */
  #readSpecial(kind: number, value: string): boolean {
    switch (kind) {
      case fieldKind.host:
        if (!this.#isFirst(kind)) this.fault = 'several Host fields'
        else if (this.#section === section.trailers) this.fault = 'Host in trailers'
        this.#host = value
        return this.#section === section.response
      case fieldKind.contentLength:
        if (!this.#isFirst(kind)) this.fault = 'several Content-Length fields'
        else if (this.#section === section.trailers) this.fault = 'Content-Length in trailers'
        this.#length = readLength(value)
        if (this.#length < 0) this.fault = 'Content-Length is not a plain number'
        return true
      case fieldKind.te:
        if (value.toLowerCase() !== 'trailers') this.fault = 'TE other than trailers'
        else if (this.#section !== section.request) this.fault = 'TE in a response or in trailers'
        return true
      case fieldKind.cookie:
        return this.#isFirstCookie(value)
      case fieldKind.connection:
        this.fault = 'a connection-specific field'
        return false
      default:
        this.fault = 'a field with a name or a value that may not be'
        return false
    }
  }

  /** Cookies may come in crumbs, and go on as one field (RFC 9113 §8.2.3). */
  #isFirstCookie(value: string): boolean {
    const flat = this.headers.flat
    if (this.#cookieAt < 0) {
      this.#cookieAt = flat.length + 1
      return true
    }
    if (!this.tooLarge) flat[this.#cookieAt] = `${flat[this.#cookieAt]!}; ${value}`
    return false
  }

  #isFirst(kind: number): boolean {
    const bit = 1 << kind
    const first = (this.#seen & bit) === 0
    this.#seen |= bit
    return first
  }

  #has(kind: number): boolean {
    return (this.#seen & (1 << kind)) !== 0
  }

  /** After the block of a request: fills what it means, or finds the fault. */
  finishRequest(end: boolean): void {
    if (this.fault !== '') return
    if (!isToken(this.method)) this.fault = 'no :method, or one that is not a token'
    else if (this.method === 'CONNECT') this.#checkConnect()
    else if (this.#has(fieldKind.protocol)) this.fault = ':protocol in a request that is not CONNECT'
    else this.#checkTarget()
    if (this.fault === '') this.#checkAuthority()
    if (this.fault === '') this.#setBodyLength(end)
  }

  /** §8.5, and RFC 8441 §4. */
  #checkConnect(): void {
    if (!this.#has(fieldKind.authority)) this.fault = 'CONNECT without :authority'
    else if (!this.#has(fieldKind.protocol)) {
      if (this.#has(fieldKind.scheme) || this.#has(fieldKind.path)) this.fault = 'CONNECT with :scheme or :path'
      else if (!endsInPort(this.authority)) this.fault = 'CONNECT to an authority without a port'
    } else if (!isToken(this.protocol)) this.fault = ':protocol is not a token'
    else this.#checkTarget()
  }

  /** §8.3.1 */
  #checkTarget(): void {
    const { path } = this
    if (!isScheme(this.scheme)) this.fault = 'no :scheme, or one that is none'
    else if (path === '' && !(this.tooLarge && this.#has(fieldKind.path))) this.fault = 'no :path'
    else if (path !== '' && path.charCodeAt(0) !== 0x2f && !(path === '*' && this.method === 'OPTIONS')) this.fault = ':path is not a path'
    else if (!isTarget(path)) this.fault = ':path with characters that may not be in one'
  }

  /** Host and `:authority` may not name two servers: a next hop might choose the other one. */
  #checkAuthority(): void {
    const named = this.#has(fieldKind.authority)
    if (named && !this.#isGoodHost(this.authority)) this.fault = ':authority is not a host and an optional port'
    else if (!this.#has(fieldKind.host)) return
    else if (!isHost(this.#host)) this.fault = 'Host is not a host and an optional port'
    else if (!named) this.authority = this.#host
    else if (this.#host !== this.authority && this.#host.toLowerCase() !== this.authority.toLowerCase()) this.fault = 'Host is not :authority'
  }

  /** Most requests of a connection name the same one, by the same string. */
  #isGoodHost(authority: string): boolean {
    if (authority !== '' && authority === this.#lastHost) return true
    if (!isHost(authority)) return false
    this.#lastHost = authority
    return true
  }

  /** `noBody`: the answer to HEAD; its Content-Length says what a body would have. */
  finishResponse(end: boolean, noBody: boolean, tunnel: boolean): void {
    if (this.fault !== '') return
    if (this.status === 0) this.fault = 'no :status, or one that is none'
    else if (this.status === 101) this.fault = 'status 101, which HTTP/2 does not know'
    else if (this.status < 200) {
      if (end) this.fault = 'an interim response that ends the stream'
    } else if (noBody || this.status === 204 || this.status === 304) this.bodyLength = 0
    else if (tunnel && this.status < 300) this.bodyLength = end ? 0 : -1
    else this.#setBodyLength(end)
  }

  #setBodyLength(end: boolean): void {
    // What follows CONNECT is a tunnel, whatever a Content-Length says (RFC 9110 §9.3.6).
    this.bodyLength = end ? 0 : this.method === 'CONNECT' ? -1 : this.#length
    if (end && this.#length > 0) this.fault = 'Content-Length, and no body'
  }
}

/** Three digits, from 100 on; else 0. */
function readStatus(text: string): number {
  if (text.length !== 3) return 0
  const status = readLength(text)
  return status >= 100 ? status : 0
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (tokenByte[text.charCodeAt(i)] !== 1) return false
  return text !== ''
}

function isTarget(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (targetByte[text.charCodeAt(i)] !== 1) return false
  return true
}

/** ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), RFC 3986 §3.1. */
function isScheme(text: string): boolean {
  if (text === 'http' || text === 'https') return true
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const folded = code | 0x20
    if (folded >= 0x61 && folded <= 0x7a) continue
    const later = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e
    if (i === 0 || !later) return false
  }
  return text !== ''
}

function endsInPort(authority: string): boolean {
  const last = authority.charCodeAt(authority.length - 1)
  return last >= 0x30 && last <= 0x39 && authority.lastIndexOf(':') > authority.lastIndexOf(']') && authority.includes(':')
}
