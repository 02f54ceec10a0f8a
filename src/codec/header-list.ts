// The header fields of one message: a flat list of names and values, in order. Both HTTP codecs read into it and
// write from it. Names are lower case; parsers intern the known ones, so that most comparisons end at the pointer.

export class HeaderList {
  /** name 0, value 0, name 1, value 1, ... Names must be lower case already. */
  readonly flat: string[] = []
  /** Names that came with the order never to index their values in an HPACK table, which holds on every hop (RFC 7541 §6.2.3). */
  sensitive: string[] | undefined = undefined

  get size(): number {
    return this.flat.length >>> 1
  }

  /** The first value of `name`. */
  get(name: string): string | undefined {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
    return undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Every value of `name`, joined by a comma as RFC 9110 §5.3 allows; undefined when there is none. */
  joined(name: string): string | undefined {
    const flat = this.flat
    let all: string | undefined
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) all = all === undefined ? flat[i + 1]! : `${all},${flat[i + 1]!}`
    }
    return all
  }

  /** Appends, whatever is there already. */
  add(name: string, value: string): void {
    this.flat.push(name, value)
  }

  /** Replaces the first value and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue
      flat[i + 1] = value
      this.#drop(name, i + 2)
      return
    }
    flat.push(name, value)
  }

  remove(name: string): void {
    this.#drop(name, 0)
  }

  clear(): void {
    this.flat.length = 0
    this.sensitive = undefined
  }

  copyFrom(other: HeaderList): void {
    const from = other.flat
    const to = this.flat
    to.length = 0
    for (let i = 0; i < from.length; i++) to.push(from[i]!)
    this.sensitive = other.sensitive
  }

  static of(...flat: string[]): HeaderList {
    const list = new HeaderList()
    for (const entry of flat) list.flat.push(entry)
    return list
  }

  #drop(name: string, from: number): void {
    const flat = this.flat
    let to = from
    for (let i = from; i < flat.length; i += 2) {
      if (flat[i] === name) continue
      flat[to] = flat[i]!
      flat[to + 1] = flat[i + 1]!
      to += 2
    }
    cutTo(flat, to)
  }
}

/** Shortens the list. Setting `length` says the same, but goes through the engine's slow path, most often for nothing. */
export function cutTo(flat: string[], length: number): void {
  while (flat.length > length) flat.pop()
}
