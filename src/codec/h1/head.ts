// The head of one message, filled from what a scanner found: one string for the whole section, cut into names and values.
import { HeaderList } from '../header-list.ts'
import { H1Error } from './errors.ts'
import { hasToken, parseContentLength } from './field-value.ts'
import type { HeadScanner } from './head-scanner.ts'
import { nameId, nameOf } from './known-names.ts'
import type { Framing, H1Head } from './types.ts'

/** One per parser, filled again for every message. */
export class Head implements H1Head {
  method = ''
  target = ''
  status = 0
  reason = ''
  minor = 1
  headers = new HeaderList()
  framing: Framing = 'none'
  contentLength = 0
  keepAlive = true
  upgrade = ''
  expectContinue = false

  // Fields that decide framing, gathered while the list is built.
  hosts = 0
  host = ''
  /** -1 when there is none. */
  declaredLength = -1
  transferEncoding: string | undefined
  #connection = ''
  #upgradeTo = ''

  /** Reads names and values, and what the Connection field asks for. Framing is for the role's own rules. */
  fill(scanner: HeadScanner, text: string): void {
    this.minor = scanner.minor
    this.headers = new HeaderList()
    this.framing = 'none'
    this.contentLength = 0
    this.expectContinue = false
    this.hosts = 0
    this.declaredLength = -1
    this.transferEncoding = undefined
    this.#connection = ''
    this.#upgradeTo = ''
    this.#readFields(scanner, text)
    const connection = this.#connection
    this.keepAlive = connection === '' ? this.minor === 1 : keepsAlive(connection, this.minor)
    this.upgrade = this.#upgradeTo !== '' && hasToken(connection, 'upgrade') ? this.#upgradeTo : ''
  }

  #readFields(scanner: HeadScanner, text: string): void {
    const { fields, fieldCount } = scanner
    const flat = this.headers.flat
    for (let n = 0; n < fieldCount; n++) {
      const at = 5 * n
      const id = fields[at]!
      const value = text.slice(fields[at + 3]!, fields[at + 4]!)
      flat.push(id >= 0 ? nameOf(id) : text.slice(fields[at + 1]!, fields[at + 2]!).toLowerCase(), value)
      if (id >= 0 && id < nameId.firstOrdinary) this.#note(id, value)
    }
  }

  #note(id: number, value: string): void {
    switch (id) {
      case nameId.host:
        this.hosts++
        this.host = value
        break
      case nameId.connection:
        this.#connection = this.#connection === '' ? value : `${this.#connection},${value}`
        break
      case nameId.contentLength:
        if (this.declaredLength !== -1) throw conflict('several Content-Length fields')
        this.declaredLength = parseContentLength(value)
        break
      case nameId.transferEncoding:
        // Several fields make a list, and a list of codings is more than the one that is understood.
        this.transferEncoding = this.transferEncoding === undefined ? value : `${this.transferEncoding},${value}`
        break
      case nameId.upgrade:
        this.#upgradeTo = this.#upgradeTo === '' ? value : `${this.#upgradeTo},${value}`
        break
      case nameId.expect:
        this.expectContinue = this.minor === 1 && value.toLowerCase() === '100-continue'
        break
      default:
    }
  }

  /** Transfer-Encoding, when there is one: exactly `chunked`, not in HTTP/1.0, never with a Content-Length. */
  readTransferEncoding(): void {
    if (this.transferEncoding === undefined) return
    if (this.declaredLength !== -1) throw conflict('both Transfer-Encoding and Content-Length')
    if (this.transferEncoding.toLowerCase() !== 'chunked') throw badCoding('Transfer-Encoding is not just chunked')
    if (this.minor === 0) throw badCoding('Transfer-Encoding in an HTTP/1.0 message')
    this.framing = 'chunked'
  }
}

function keepsAlive(connection: string, minor: number): boolean {
  if (connection === 'keep-alive') return true
  if (hasToken(connection, 'close')) return false
  return minor === 1 || hasToken(connection, 'keep-alive')
}

export const badCoding = (message: string) => new H1Error('h1/bad-transfer-encoding', message)
const conflict = (message: string) => new H1Error('h1/conflicting-lengths', message)
