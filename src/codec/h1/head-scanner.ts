// Finds the parts of a start line and header section, byte by byte and once each, and remembers where they stand. It
// knows syntax only; what the fields mean is for request-head.ts and response-head.ts. Input may come in any pieces:
// what belongs to an unfinished head is copied aside, and the machine goes on where it stopped.
//
//   start -> line -> line-lf -> field-start -> name -> space -> value -> value-lf -> field-start
//                                    `-> end-lf -> done
import { lowerToken, tokenByte, targetByte, valueByte } from './characters.ts'
import { H1Error } from './errors.ts'
import { findName, hashStep } from './known-names.ts'
import type { H1ErrorCode } from './types.ts'

const CR = 13
const LF = 10
const SP = 32
const TAB = 9
const COLON = 58

// The states, in an order such that related ones are neighbours.
const start = 0
const startLf = 1
const method = 2
const target = 3
const requestVersion = 4
const responseVersion = 5
const statusCode = 6
const reason = 7
const lineLf = 8
const fieldStart = 9
const name = 10
const space = 11
const value = 12
const valueLf = 13
const endLf = 14
const done = 15

/** What a scan is of: the first state, and the texts of its errors. */
export type Section = 'request' | 'response' | 'trailer'

const version = [0x48, 0x54, 0x54, 0x50, 0x2f] // HTTP/

/** A head that comes in one piece is read out before any other is scanned, so that all scanners share this. */
let shared = new Int32Array(0)

export class HeadScanner {
  /** What the offsets below point into, from `base` on; only valid until the next scan. */
  source: Buffer
  base = 0
  /** After the last line feed. */
  length = 0
  /** Ends of the start line's parts, from `base`. Request: method, target. Response: the reason's start and end. */
  lineStart = 0
  firstEnd = 0
  secondEnd = 0
  status = 0
  minor = 0
  fieldCount = 0
  /** Per field: id of a known name or -1, name start, name end, value start, value end; offsets from `base`. */
  fields: Int32Array

  readonly #section: Section
  readonly #maxBytes: number
  readonly #maxFields: number
  readonly #tooLarge: string
  #state: number
  #mark = 0
  #hash = 0
  /** Bytes looked at so far, and where those of an unfinished head were put. */
  #seen = 0
  #carry: Buffer | undefined

  constructor(section: Section, maxBytes: number, maxFields: number) {
    this.source = Buffer.alloc(0)
    this.fields = shared
    this.#section = section
    this.#maxBytes = maxBytes
    this.#maxFields = maxFields
    if (shared.length < 5 * maxFields) shared = new Int32Array(5 * maxFields)
    this.#tooLarge = `${section === 'trailer' ? 'trailer section' : 'head'} of more than ${maxBytes} bytes`
    this.#state = this.#firstState()
  }

  /** Nothing has been seen of a message yet. */
  get idle(): boolean {
    return this.#seen === 0
  }

  /** Makes it ready for the next section. The last one's parts must have been read by then. */
  reset(): void {
    this.#state = this.#firstState()
    this.#seen = 0
    this.#carry = undefined
    this.fields = shared
    this.fieldCount = 0
    this.lineStart = 0
  }

  /** The position after the section's end when it ends within `bytes[at, end)`, else -1: all of it was taken. */
  scan(bytes: Buffer, at: number, end: number): number {
    if (this.#seen === 0) return this.#begin(bytes, at, end)
    const before = this.#seen
    const taken = Math.min(end - at, this.#maxBytes - before)
    const carry = this.#keep(bytes, at, taken)
    this.#run(carry, 0, before, before + taken)
    if (this.#state === done) return at + this.length - before
    this.#checkSize()
    return -1
  }

  #begin(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#maxBytes)
    this.fields = shared
    this.#run(bytes, at, at, stop)
    if (this.#state === done) return at + this.length
    this.#checkSize()
    this.#keep(bytes, at, stop - at, 0)
    this.fields = new Int32Array(5 * this.#maxFields)
    this.fields.set(shared.subarray(0, Math.min(this.fields.length, 5 * this.fieldCount + 5)))
    return -1
  }

  #firstState(): number {
    return this.#section === 'request' ? start : this.#section === 'response' ? responseVersion : fieldStart
  }

  #checkSize(): void {
    if (this.#seen >= this.#maxBytes) throw new H1Error('h1/head-too-large', this.#tooLarge, 431)
  }

  /** Appends to the bytes put aside, which never are more than the limit. */
  #keep(bytes: Buffer, at: number, length: number, used = this.#seen): Buffer {
    let carry = this.#carry
    const needed = used + length
    if (carry === undefined || carry.length < needed) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(1024, 2 * needed)))
      if (carry !== undefined) carry.copy(larger, 0, 0, used)
      carry = larger
      this.#carry = carry
    }
    bytes.copy(carry, used, at, at + length)
    return carry
  }

  /** Looks at `bytes[from, stop)`; the section began at `base`. */
  #run(bytes: Buffer, base: number, from: number, stop: number): void {
    let i = from
    let state = this.#state
    let mark = this.#mark + base
    let hash = this.#hash
    const fields = this.fields

    scanning: while (i < stop) {
      switch (state) {
        case fieldStart: {
          const byte = bytes[i]!
          if (byte === CR) {
            state = endLf
            i++
            continue
          }
          if (lowerToken[byte] === 0) throw this.#badFieldStart(byte)
          if (this.fieldCount === this.#maxFields) throw tooManyFields(this.#maxFields)
          mark = i
          hash = 0
          state = name
          continue
        }
        case name: {
          let folded = 0
          while (i < stop && (folded = lowerToken[bytes[i]!]!) !== 0) {
            hash = hashStep(hash, folded)
            i++
          }
          if (i === stop) break scanning
          if (bytes[i] !== COLON) throw badName(bytes[i]!)
          const field = 5 * this.fieldCount
          fields[field] = findName(hash, bytes, mark, i)
          fields[field + 1] = mark - base
          fields[field + 2] = i - base
          state = space
          i++
          continue
        }
        case space: {
          while (i < stop && (bytes[i] === SP || bytes[i] === TAB)) i++
          if (i === stop) break scanning
          mark = i
          state = value
          continue
        }
        case value: {
          while (i < stop && valueByte[bytes[i]!] === 1) i++
          if (i === stop) break scanning
          if (bytes[i] !== CR) throw badByte('h1/bad-header-value', 'field value', bytes[i]!)
          let last = i
          while (last > mark && (bytes[last - 1] === SP || bytes[last - 1] === TAB)) last--
          const field = 5 * this.fieldCount++
          fields[field + 3] = mark - base
          fields[field + 4] = last - base
          state = valueLf
          i++
          continue
        }
        case valueLf:
        case lineLf:
          if (bytes[i] !== LF) throw bareCr(state === lineLf ? this.#lineCode() : 'h1/bad-header-value')
          state = fieldStart
          i++
          continue
        case endLf:
          if (bytes[i] !== LF) throw bareCr('h1/bad-header-name')
          state = done
          i++
          break scanning
        case start:
          // One or more empty lines before a request are skipped, RFC 9112 §2.2; they count as part of the head.
          if (bytes[i] === CR) {
            state = startLf
            i++
            continue
          }
          mark = i
          this.lineStart = i - base
          state = method
          continue
        case startLf:
          if (bytes[i] !== LF) throw bareCr('h1/bad-request-line')
          state = start
          i++
          continue
        case method: {
          while (i < stop && tokenByte[bytes[i]!] === 1) i++
          if (i === stop) break scanning
          if (bytes[i] !== SP || i === mark) throw badByte('h1/bad-request-line', 'method', bytes[i]!)
          this.firstEnd = i - base
          i++
          mark = i
          state = target
          continue
        }
        case target: {
          while (i < stop && targetByte[bytes[i]!] === 1) i++
          if (i === stop) break scanning
          if (bytes[i] !== SP || i === mark) throw badByte('h1/bad-request-line', 'request target', bytes[i]!)
          this.secondEnd = i - base
          i++
          mark = i
          state = requestVersion
          continue
        }
        case requestVersion: {
          const at = i - mark
          if (at < 8) this.#versionByte(at, bytes[i]!)
          else if (bytes[i] !== CR) throw badByte('h1/bad-request-line', 'HTTP version', bytes[i]!)
          else state = lineLf
          i++
          continue
        }
        case responseVersion: {
          const at = i - base
          if (at < 8) this.#versionByte(at, bytes[i]!)
          else if (bytes[i] !== SP) throw badByte('h1/bad-status-line', 'HTTP version', bytes[i]!)
          else {
            mark = i + 1
            this.status = 0
            state = statusCode
          }
          i++
          continue
        }
        case statusCode: {
          const at = i - mark
          const byte = bytes[i]!
          if (at < 3) {
            const digit = byte - 0x30
            if (digit < 0 || digit > 9 || (at === 0 && digit === 0)) throw badByte('h1/bad-status-line', 'status', byte)
            this.status = this.status * 10 + digit
          } else if (byte === SP || byte === CR) {
            // A missing space before an empty reason is common enough to be taken (RFC 9112 §4).
            mark = byte === SP ? i + 1 : i
            this.firstEnd = mark - base
            this.secondEnd = this.firstEnd
            state = byte === SP ? reason : lineLf
          } else throw badByte('h1/bad-status-line', 'status', byte)
          i++
          continue
        }
        case reason: {
          while (i < stop && valueByte[bytes[i]!] === 1) i++
          if (i === stop) break scanning
          if (bytes[i] !== CR) throw badByte('h1/bad-status-line', 'reason phrase', bytes[i]!)
          this.secondEnd = i - base
          state = lineLf
          i++
          continue
        }
        default:
          break scanning
      }
    }
    this.#state = state
    this.#mark = mark - base
    this.#hash = hash
    this.#seen = i - base
    this.source = bytes
    this.base = base
    this.length = i - base
  }

  /** `HTTP/1.` and 0 or 1. */
  #versionByte(at: number, byte: number): void {
    if (at < 5) {
      if (byte !== version[at]) throw badByte(this.#lineCode(), 'HTTP version', byte)
      return
    }
    if (at === 6) {
      if (byte !== 0x2e) throw badByte(this.#lineCode(), 'HTTP version', byte)
      return
    }
    const digit = byte - 0x30
    if (digit < 0 || digit > 9) throw badByte(this.#lineCode(), 'HTTP version', byte)
    if (at === 5 ? digit !== 1 : digit > 1) throw new H1Error('h1/version-not-supported', 'not HTTP/1.0 or HTTP/1.1', 505)
    this.minor = digit
  }

  #lineCode(): H1ErrorCode {
    return this.#section === 'request' ? 'h1/bad-request-line' : 'h1/bad-status-line'
  }

  #badFieldStart(byte: number): H1Error {
    if (byte === SP || byte === TAB) return new H1Error('h1/obs-fold', 'a header line begins with white space')
    return badByte('h1/bad-header-name', 'field name', byte)
  }
}

function badName(byte: number): H1Error {
  if (byte === SP || byte === TAB) return new H1Error('h1/bad-header-name', 'white space before the colon of a field')
  return badByte('h1/bad-header-name', 'field name', byte)
}

function badByte(code: H1ErrorCode, where: string, byte: number): H1Error {
  return new H1Error(code, `byte 0x${byte.toString(16).padStart(2, '0')} may not stand here: ${where}`)
}

function bareCr(code: H1ErrorCode): H1Error {
  return new H1Error(code, 'a carriage return without a line feed')
}

function tooManyFields(limit: number): H1Error {
  return new H1Error('h1/too-many-headers', `more than ${limit} header fields`, 431)
}
