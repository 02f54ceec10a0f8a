// Reads header blocks (RFC 7541): one complete block at a time, in place. It keeps the peer's dynamic table right whatever
// the fields mean; fields that no message may carry are handed on as `malformed`, since the table must go on.
import { valueByte } from '../h1/characters.ts'
import { HpackError } from './errors.ts'
import { fieldKind, isName, kindOf, readName } from './field-kind.ts'
import { decodeHuffman, decodedBound } from './huffman.ts'
import { entryOverhead, initialTableSize, staticCount, staticFields } from './static-table.ts'

/** Takes the fields of a block, in order. `kind` is one of `fieldKind`; `sensitive`: must never be indexed (§6.2.3). */
export interface FieldSink {
  onField(name: string, value: string, kind: number, sensitive: boolean): void
}

/** An entry of one of the tables. */
class Entry {
  readonly name: string
  readonly value: string
  readonly kind: number
  readonly size: number
  /** A value that came literally with this name: paths and lengths come again and again, and to compare costs less than to make a string. */
  literal = ''

  constructor(name: string, value: string, kind: number) {
    this.name = name
    this.value = value
    this.kind = kind
    this.size = name.length + value.length + entryOverhead
  }
}

const statics: readonly Entry[] = staticFields.map(([name, value]) => new Entry(name, value, kindOf(name)))

/** Huffman strings are decoded here and read out at once, so that all decoders share it; longer ones get their own. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

/** RFC 7541 §5.1 leaves the limit to us: no index, length or size that means anything is larger. */
const maxInteger = 0x0fffffff

/** Longer values are not met again, or should not be kept. */
const longestKnown = 64
const noLiterals: string[] = Array.from({ length: staticCount + 1 }, () => '')

export class HpackDecoder {
  /** Size of the dynamic table now, and entries in it. */
  size = 0
  count = 0

  /** A ring: the newest entry is at #head. Only as long as the table has needed it to be. */
  #ring: (Entry | undefined)[] = []
  #head = 0
  /** What we allow, and what the peer chose within that. */
  #limit: number
  #maxSize: number
  /** We allow less than the peer uses: its next block must say that it knows (§4.2). */
  #updateDue = false

  /** The last literal of each name of the static table. */
  #literals = noLiterals

  #bytes: Buffer = scratch
  #at = 0
  #end = 0
  // The literal that was read last.
  #name = ''
  #value = ''
  #kind: number = fieldKind.ordinary
  // The string that was read last: where it stands, decoded.
  #text: Buffer = scratch
  #textAt = 0
  #textEnd = 0

  /** `limit`: the SETTINGS_HEADER_TABLE_SIZE that we announce. Until the peer has read it, it goes by the initial one. */
  constructor(limit: number) {
    this.#limit = Math.max(limit, initialTableSize)
    this.#maxSize = initialTableSize
  }

  /** Our SETTINGS_HEADER_TABLE_SIZE, once the peer has acknowledged it. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#updateDue = this.#maxSize > limit
  }

  /** One whole block, `bytes[at, end)`. */
  decode(bytes: Buffer, at: number, end: number, sink: FieldSink): void {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
    this.#readSizeUpdates()
    while (this.#at < end) this.#readField(bytes[this.#at]!, sink)
    this.#bytes = scratch
    this.#text = scratch
  }

  #readField(first: number, sink: FieldSink): void {
    if (first >= 0x80) {
      const entry = first < 0xff ? this.#entry(first & 0x7f, true) : this.#entry(this.#integer(0x7f), false)
      sink.onField(entry.name, entry.value, entry.kind, false)
    } else if (first >= 0x40) this.#readIndexing(sink)
    else if (first >= 0x20) throw new HpackError('hpack/bad-size-update', 'a table size update behind a field')
    else this.#readLiteral(first >= 0x10, sink)
  }

  #readIndexing(sink: FieldSink): void {
    this.#readNamed(0x3f, false)
    this.#insert(new Entry(this.#name, this.#value, this.#kind))
    sink.onField(this.#name, this.#value, this.#kind, false)
  }

  #readLiteral(sensitive: boolean, sink: FieldSink): void {
    this.#readNamed(0x0f, sensitive)
    sink.onField(this.#name, this.#value, this.#kind, sensitive)
  }

  /** Name, by an index with `prefix` or literally, and value. */
  #readNamed(prefix: number, secret: boolean): void {
    const index = this.#integer(prefix)
    if (index === 0) {
      this.#readNewName()
      this.#string()
      return this.#readValue()
    }
    const entry = this.#entryAt(index)
    this.#name = entry.name
    this.#kind = nameKind(entry)
    this.#string()
    const known = index <= staticCount ? this.#literals[index]! : entry.literal
    if (isText(known, this.#text, this.#textAt, this.#textEnd)) {
      this.#value = known
      return
    }
    this.#readValue()
    if (secret || this.#kind === fieldKind.malformed || this.#value.length > longestKnown) return
    if (index > staticCount) entry.literal = this.#value
    else this.#know(index)
  }

  #readValue(): void {
    if (!isValue(this.#text, this.#textAt, this.#textEnd)) this.#kind = fieldKind.malformed
    this.#value = this.#text.toString('latin1', this.#textAt, this.#textEnd)
  }

  /** The same for names of the static table, which all connections share. */
  #know(index: number): void {
    if (this.#literals === noLiterals) this.#literals = noLiterals.slice()
    this.#literals[index] = this.#value
  }

  #readNewName(): void {
    this.#string()
    const text = this.#text
    this.#name = readName(text, this.#textAt, this.#textEnd)
    this.#kind = isName(text, this.#textAt, this.#textEnd) ? kindOf(this.#name) : fieldKind.malformed
  }

  /** `short`: the index was in the first byte, which is still to be passed. */
  #entry(index: number, short: boolean): Entry {
    if (short) this.#at++
    return this.#entryAt(index)
  }

  #entryAt(index: number): Entry {
    if (index <= staticCount) {
      if (index === 0) throw badIndex(index)
      return statics[index - 1]!
    }
    const back = index - staticCount - 1
    if (back >= this.count) throw badIndex(index)
    return this.#ring[(this.#head - back) & (this.#ring.length - 1)]!
  }

  #readSizeUpdates(): void {
    let updates = 0
    while (this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20) {
      const size = this.#integer(0x1f)
      if (size > this.#limit) throw new HpackError('hpack/bad-size-update', `a dynamic table of ${size} bytes, at most ${this.#limit} allowed`)
      // The smallest and the last one say all there is (§4.2); more are a peer's mistake or its amusement.
      if (++updates > 2) throw new HpackError('hpack/bad-size-update', 'more than two table size updates in a block')
      this.#maxSize = size
      this.#updateDue = false
      this.#evict(size)
    }
    if (this.#updateDue) throw new HpackError('hpack/bad-size-update', 'the table was made smaller, and the block does not begin with the update')
  }

  /** RFC 7541 §5.1; `prefix` is the mask of the first byte's part. */
  #integer(prefix: number): number {
    let value = this.#bytes[this.#at++]! & prefix
    if (value < prefix) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) throw truncated()
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new HpackError('hpack/bad-integer', `an integer of more than ${maxInteger}`)
  }

  /** Reads a string literal, or decodes it, to #text. */
  #string(): void {
    if (this.#at >= this.#end) throw truncated()
    const coded = this.#bytes[this.#at]! >= 0x80
    const length = this.#integer(0x7f)
    const at = this.#at
    const end = at + length
    if (end > this.#end) throw truncated()
    this.#at = end
    if (coded) return this.#decodeString(at, end)
    this.#text = this.#bytes
    this.#textAt = at
    this.#textEnd = end
  }

  #decodeString(at: number, end: number): void {
    const bound = decodedBound(end - at)
    const out = bound <= scratch.length ? scratch : Buffer.allocUnsafeSlow(bound)
    const used = decodeHuffman(this.#bytes, at, end, out, 0)
    if (used < 0) throw new HpackError('hpack/bad-huffman', 'a string that is not coded as RFC 7541 says')
    this.#text = out
    this.#textAt = 0
    this.#textEnd = used
  }

  #insert(entry: Entry): void {
    if (entry.size > this.#maxSize) return this.#evict(0)
    this.#evict(this.#maxSize - entry.size)
    if (this.count === this.#ring.length) this.#grow()
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#ring[this.#head] = entry
    this.count++
    this.size += entry.size
  }

  /** Removes the oldest until at most `size` bytes are left. */
  #evict(size: number): void {
    while (this.size > size) {
      const at = (this.#head - --this.count) & (this.#ring.length - 1)
      this.size -= this.#ring[at]!.size
      this.#ring[at] = undefined
    }
  }

  /** To the double; a power of two, so that a mask wraps. */
  #grow(): void {
    const larger: (Entry | undefined)[] = []
    for (let back = this.count - 1; back >= 0; back--) larger.push(this.#ring[(this.#head - back) & (this.#ring.length - 1)])
    this.#head = larger.length - 1
    for (let length = Math.max(8, 2 * this.#ring.length); larger.length < length; ) larger.push(undefined)
    this.#ring = larger
    if (this.#head < 0) this.#head = larger.length - 1
  }
}

/** What a name that comes from a table means: its entry may have been malformed only by its value. */
function nameKind(entry: Entry): number {
  if (entry.kind !== fieldKind.malformed) return entry.kind
  const name = Buffer.from(entry.name, 'latin1')
  return isName(name, 0, name.length) ? kindOf(entry.name) : fieldKind.malformed
}

/** RFC 9113 §8.2.1, and no other control character either: HTTP/1.1 could not carry it on. */
function isValue(bytes: Uint8Array, at: number, end: number): boolean {
  if (at === end) return true
  if (isSpace(bytes[at]!) || isSpace(bytes[end - 1]!)) return false
  for (let i = at; i < end; i++) if (valueByte[bytes[i]!] === 0) return false
  return true
}

/** Whether `bytes[at, end)` is `text`. */
function isText(text: string, bytes: Uint8Array, at: number, end: number): boolean {
  if (text.length !== end - at || text === '') return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[at + i]) return false
  return true
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 9

const truncated = () => new HpackError('hpack/truncated', 'a header block that ends within a field')
const badIndex = (index: number) => new HpackError('hpack/bad-index', `no table entry ${index}`)
