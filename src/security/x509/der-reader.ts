// Reads DER (X.690) from strangers: every length is checked before it is used, nothing recurses, and whatever is wrong
// is an X509Error. Which elements follow each other is left to the caller, who walks them one by one.
import { x509Error } from './errors.ts'
import { tags } from './der-writer.ts'

export interface Element {
  readonly tag: number
  readonly content: Buffer
  /** Tag, length and content: what a signature covers. */
  readonly whole: Buffer
}

/** Walks the elements of one content. */
export class DerReader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  /** `what` is named in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The tag that follows, or -1 at the end. */
  get next(): number {
    return this.#bytes[this.#at] ?? -1
  }

  any(): Element {
    const start = this.#at
    const tag = this.#byte()
    if ((tag & 0x1f) === 0x1f) throw this.#error('has a tag of several bytes')
    const length = this.#length()
    const from = this.#at
    if (length > this.#bytes.length - from) throw this.#error('is cut off')
    this.#at = from + length
    return { tag, content: this.#bytes.subarray(from, this.#at), whole: this.#bytes.subarray(start, this.#at) }
  }

  take(tag: number): Element {
    if (this.next !== tag) throw this.#error(`has tag ${this.next} where ${tag} belongs`)
    return this.any()
  }

  /** Goes into a constructed element. */
  enter(tag: number, what = this.#what): DerReader {
    return new DerReader(this.take(tag).content, what)
  }

  sequence(what = this.#what): DerReader {
    return this.enter(tags.sequence, what)
  }

  oid(): string {
    return dotted(this.take(tags.oid).content, this.#what)
  }

  /** Only whole bytes. */
  bitString(): Buffer {
    const { content } = this.take(tags.bitString)
    if (content[0] !== 0) throw this.#error('has a bit string that does not end on a byte')
    return content.subarray(1)
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.done) throw this.#error('has bytes after its end')
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw this.#error('is cut off')
    return byte
  }

  /** Definite and as short as can be (X.690 10.1). Four bytes would be more than anything that we read. */
  #length(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    const count = first & 0x7f
    if (count === 0 || count > 3) throw this.#error('has a length that DER does not allow here')
    let length = 0
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte()
    if (length < 0x80 || length < 256 ** (count - 1)) throw this.#error('has a length that is not minimal')
    return length
  }

  #error(how: string): Error {
    return x509Error('x509/der', `the ${this.#what} ${how} (byte ${this.#at})`)
  }
}

function dotted(bytes: Buffer, what: string): string {
  if (bytes.length === 0 || bytes.length > 32 || (bytes.at(-1)! & 0x80) !== 0) throw x509Error('x509/der', `the ${what} has a broken object identifier`)
  const parts: number[] = []
  let value = 0
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) {
      parts.push(value)
      value = 0
    }
  }
  const [head = 0, ...rest] = parts
  const first = Math.min(2, Math.floor(head / 40))
  return [first, head - first * 40, ...rest].join('.')
}
