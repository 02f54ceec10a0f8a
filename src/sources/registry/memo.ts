// Remembers what was made from which parts, for one round: what did not change is the same object again, and nothing that
// is gone is kept.

interface Entry<Value> {
  readonly parts: readonly unknown[]
  readonly value: Value
}

export class Memo<Value> {
  #before = new Map<string, Entry<Value>>()
  #now = new Map<string, Entry<Value>>()

  /** The value that these very parts gave in the last round, or a new one. */
  of(key: string, parts: readonly unknown[], make: () => Value): Value {
    const known = this.#before.get(key)
    const entry = known !== undefined && sameParts(known.parts, parts) ? known : { parts, value: make() }
    this.#now.set(key, entry)
    return entry.value
  }

  nextRound(): void {
    this.#before = this.#now
    this.#now = new Map()
  }
}

/** The same for what is made from one object first of all: it is remembered as long as that object is. */
export class ObjectMemo<Value> {
  readonly #entries = new WeakMap<object, Entry<Value>>()

  of(first: object, others: readonly unknown[], make: () => Value): Value {
    const known = this.#entries.get(first)
    if (known !== undefined && sameParts(known.parts, others)) return known.value
    const value = make()
    this.#entries.set(first, { parts: others, value })
    return value
  }
}

/** The earlier list where the new one holds the same objects. */
export function keepList<Item>(earlier: readonly Item[], now: readonly Item[]): readonly Item[] {
  return sameParts(earlier, now) ? earlier : Object.freeze(now)
}

export function sameParts(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}
