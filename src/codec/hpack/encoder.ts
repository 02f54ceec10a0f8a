// Writes header blocks (RFC 7541). What it remembers hangs on the names: strings that are known by pointer mostly, so that
// a field costs one look-up and a few comparisons. A name whose values do not come again stops being indexed.
// Huffman coding is for what goes into the table, once. Literals that come with every message are sent plain: coding them
// made 23 % fewer bytes of a request with eleven fields, and cost the two ends 45 % more time than everything else did.
import { encodeHuffman, huffmanLength } from './huffman.ts'
import { indexing, indexingOf, isGuessable } from './indexing.ts'
import { entryOverhead, initialTableSize, staticCount, staticFields } from './static-table.ts'

/** A name is remembered with this many values in the table, the newest; older ones are not met again soon enough. */
const maxValues = 8
/** So many entries without a use more than it had uses, and a name is not indexed any more. */
const maxMisses = 8
/** Entries that would push out half of the table are not worth it. */
const largestShare = 2

/** What the encoder knows of a name. */
class Name {
  readonly text: string
  /** Of an entry with this name in the static table, or 0. */
  readonly staticIndex: number
  readonly indexing: number
  /** Values in a table, and where: -index in the static one, else the number of the insertion into the dynamic one. */
  readonly values: string[] = []
  readonly places: number[] = []
  dynamic = 0
  misses = 0
  /** It is among the encoder's names. */
  known = false
  /** The known name that came behind it the last time: fields come in the same order again and again. */
  next: Name | undefined = undefined

  constructor(text: string, staticIndex: number) {
    this.text = text
    this.staticIndex = staticIndex
    this.indexing = indexingOf(text)
  }

  /** A value of the dynamic table, by its position here. */
  forget(at: number): void {
    this.places.splice(at, 1)
    this.values.splice(at, 1)
    this.dynamic--
  }
}

function beforeAll(): Name {
  const name = new Name('', 0)
  name.known = true
  return name
}

class Entry {
  readonly name: Name
  readonly size: number

  constructor(name: Name, size: number) {
    this.name = name
    this.size = size
  }
}

/** From this length on a native call costs less than a loop. */
const nativeFrom = 100

/** The bytes that all encoders write to: a block is sent before the next one is begun. Longer blocks make it larger for their time. */
const sharedBytes = 32 * 1024
let shared = new Uint8Array(sharedBytes)

export class HpackEncoder {
  /** Where the block is, from the `start` that begin was given to `at`. */
  bytes = shared
  at = 0
  /** Size of the dynamic table now. */
  size = 0

  readonly #names = new Map<string, Name>()
  /** Oldest first, behind the `#gone` evicted ones; `#first` is the number of insertion of the first one that is still there. */
  #entries: (Entry | undefined)[] = []
  #gone = 0
  #first = 0
  /** The name of the field before, and where each block begins. */
  #last: Name
  readonly #start = beforeAll()
  #inserted = 0
  readonly #limit: number
  #maxSize: number
  /** What the next block must begin with (§4.2): the smallest size since the last one, and the size now. */
  #smallest = -1

  /** `limit`: the largest table that we keep, whatever the peer allows. */
  constructor(limit: number) {
    this.#limit = limit
    this.#last = this.#start
    this.#maxSize = Math.min(limit, initialTableSize)
    if (this.#maxSize < initialTableSize) this.#smallest = this.#maxSize
  }

  get count(): number {
    return this.#inserted - this.#first
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxSize(allowed: number): void {
    const size = Math.min(allowed, this.#limit)
    if (size === this.#maxSize && this.#smallest === -1) return
    this.#smallest = this.#smallest === -1 ? size : Math.min(this.#smallest, size)
    this.#maxSize = size
    this.#evict(size)
  }

  /** A new block, which leaves room for `start` bytes before it. */
  begin(start: number): void {
    this.bytes = shared
    this.at = start
    this.#last = this.#start
    if (this.#smallest === -1) return
    if (this.#smallest < this.#maxSize) this.#integer(0x20, 0x1f, this.#smallest)
    this.#integer(0x20, 0x1f, this.#maxSize)
    this.#smallest = -1
  }

  /** After the block was sent. */
  finish(): void {
    if (shared.length > sharedBytes) shared = new Uint8Array(sharedBytes)
    this.bytes = shared
  }

  /** An entry of the static table, by name and value. */
  indexed(index: number): void {
    this.#reserve(8)
    this.bytes[this.at++] = 0x80 | index
  }

  /** A field that is not looked for in any table; `nameIndex` of the static one. */
  literal(nameIndex: number, value: string): void {
    this.#reserve(value.length + 16)
    this.#integer(0, 0x0f, nameIndex)
    this.#plainString(value)
  }

  field(text: string, value: string, sensitive: boolean): void {
    this.#reserve(text.length + value.length + 24)
    const guess = this.#last.next
    const name = guess !== undefined && guess.text === text && guess.known ? guess : this.#find(text)
    this.#last = name
    if (name.indexing === indexing.dropped) return
    if (sensitive || name.indexing === indexing.secret || isGuessable(text, value)) return this.#literal(name, value, 0x10)
    if (name.indexing === indexing.nameOnly) {
      // Once with a value, whichever: from then on the name goes by its index.
      if (name.staticIndex === 0 && name.places.length === 0 && this.#isWorth(name, value)) return this.#insert(name, value)
      return this.#literal(name, value, 0)
    }
    const values = name.values
    for (let i = 0; i < values.length; i++) {
      if (values[i] === value) return this.#found(name, name.places[i]!)
    }
    if (this.#isWorth(name, value)) this.#insert(name, value)
    else this.#literal(name, value, 0)
  }

  #find(text: string): Name {
    const name = this.#names.get(text) ?? this.#meet(text)
    if (name.known && this.#last.known) this.#last.next = name
    return name
  }

  #meet(text: string): Name {
    const name = new Name(text, staticNames.get(text) ?? 0)
    if (name.staticIndex !== 0) {
      for (let index = name.staticIndex; index <= staticCount && staticFields[index - 1]![0] === text; index++) {
        name.values.push(staticFields[index - 1]![1])
        name.places.push(-index)
      }
      this.#know(name)
    } else if (this.#names.size < maxNames) this.#know(name)
    return name
  }

  #know(name: Name): void {
    name.known = true
    this.#names.set(name.text, name)
  }

  #found(name: Name, place: number): void {
    if (place < 0) {
      this.bytes[this.at++] = 0x80 - place
      return
    }
    if (name.misses > 0) name.misses--
    this.#integer(0x80, 0x7f, staticCount + this.#inserted - place)
  }

  #isWorth(name: Name, value: string): boolean {
    if (name.misses >= maxMisses) return false
    return name.text.length + value.length + entryOverhead <= this.#maxSize / largestShare
  }

  #literal(name: Name, value: string, kind: number): void {
    this.#nameOf(name, kind, 0x0f)
    this.#plainString(value)
  }

  #insert(name: Name, value: string): void {
    this.#nameOf(name, 0x40, 0x3f)
    this.#codedString(value)
    const entry = new Entry(name, name.text.length + value.length + entryOverhead)
    this.#evict(this.#maxSize - entry.size)
    this.#entries.push(entry)
    this.size += entry.size
    if (name.dynamic === maxValues) name.forget(name.places.length - maxValues)
    name.values.push(value)
    name.places.push(this.#inserted++)
    name.dynamic++
    name.misses++
    if (name.staticIndex === 0 && !name.known) this.#know(name)
  }

  /** By index where a table has the name. */
  #nameOf(name: Name, kind: number, prefix: number): void {
    const { places, staticIndex } = name
    if (staticIndex !== 0) return this.#integer(kind, prefix, staticIndex)
    if (places.length > 0) return this.#integer(kind, prefix, staticCount + this.#inserted - places[places.length - 1]!)
    this.bytes[this.at++] = kind
    if (kind === 0x40) this.#codedString(name.text)
    else this.#plainString(name.text)
  }

  #evict(size: number): void {
    while (this.size > size) {
      const entry = this.#entries[this.#gone]!
      this.#entries[this.#gone++] = undefined
      this.size -= entry.size
      this.#forget(entry.name, this.#first++)
    }
    if (this.#gone >= 64 && 2 * this.#gone >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#gone)
      this.#gone = 0
    }
  }

  #forget(name: Name, place: number): void {
    const at = name.places.indexOf(place)
    if (at >= 0) name.forget(at)
    if (name.staticIndex === 0 && name.dynamic === 0 && (name.misses < maxMisses || this.#names.size > maxNames)) this.#forgetName(name)
  }

  /** Others may still point to it: nothing hangs on it any more. */
  #forgetName(name: Name): void {
    this.#names.delete(name.text)
    name.known = false
    name.next = undefined
  }

  #integer(first: number, prefix: number, value: number): void {
    const { bytes } = this
    if (value < prefix) {
      bytes[this.at++] = first | value
      return
    }
    bytes[this.at++] = first | prefix
    let rest = value - prefix
    for (; rest >= 0x80; rest >>>= 7) bytes[this.at++] = 0x80 | (rest & 0x7f)
    bytes[this.at++] = rest
  }

  /** In Huffman code where that is shorter. */
  #codedString(text: string): void {
    const coded = huffmanLength(text)
    if (coded < 0 || coded >= text.length) return this.#plainString(text)
    this.#integer(0x80, 0x7f, coded)
    this.at = encodeHuffman(text, this.bytes, this.at)
  }

  /** What no byte can carry becomes a question mark: its lower half might be a line feed. */
  #plainString(text: string): void {
    this.#integer(0, 0x7f, text.length)
    if (text.length >= nativeFrom && this.#writeAscii(text)) return
    const { bytes } = this
    let at = this.at
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      bytes[at++] = code > 0xff ? 0x3f : code
    }
    this.at = at
  }

  /** Tokens and cookies. As UTF-8 a text has as many bytes as characters only if it is ASCII: with four bytes more any other has room to show it. */
  #writeAscii(text: string): boolean {
    const { buffer, byteLength } = this.bytes
    if (Buffer.from(buffer, 0, byteLength).write(text, this.at, text.length + 4) !== text.length) return false
    this.at += text.length
    return true
  }

  #reserve(length: number): void {
    if (this.at + length <= this.bytes.length) return
    const larger = new Uint8Array(2 * (this.at + length))
    larger.set(this.bytes.subarray(0, this.at))
    shared = larger
    this.bytes = larger
  }
}

/** Names of no table that are remembered; the known ones of a connection are far fewer. */
const maxNames = 256

/** First index of each name. */
const staticNames: ReadonlyMap<string, number> = new Map(staticFields.map(([name], at): [string, number] => [name, at + 1]).reverse())
