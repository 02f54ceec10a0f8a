// One table of an index: the policies that a value of one attribute can lead to.
import { rangeKey } from './keys.ts'
import type { Key } from './keys.ts'
import type { IpNumber } from './expression.ts'

/** Takes the policies that were found, in ascending order. */
export type Visit = (policies: readonly number[]) => void

/** By texts that have one length each. */
interface ByLength {
  /** Ascending. */
  readonly lengths: readonly number[]
  readonly found: ReadonlyMap<string, readonly number[]>
}

export class Lookup {
  readonly #exact: ReadonlyMap<string, readonly number[]>
  readonly #prefixes: ByLength
  readonly #suffixes: ByLength
  readonly #namespaces: ReadonlyMap<string, readonly number[]>
  readonly #ranges: ReadonlyMap<string, readonly number[]>
  readonly #families: readonly { readonly family: 4 | 6; readonly length: number }[]

  constructor(rows: readonly (readonly [key: Key, policy: number])[]) {
    const of = (kind: Key['kind']) => grouped(rows.filter(([key]) => key.kind === kind))
    this.#exact = of('exact')
    this.#prefixes = byLength(of('prefix'))
    this.#suffixes = byLength(of('suffix'))
    this.#namespaces = of('namespace')
    this.#ranges = of('range')
    this.#families = [...new Set([...this.#ranges.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))))].map((key) => {
      const [family, length] = key.split('/')
      return { family: family === '4' ? 4 : 6, length: Number(length) }
    })
  }

  text(value: string, visit: Visit): void {
    const same = this.#exact.get(value)
    if (same !== undefined) visit(same)
    for (const length of this.#prefixes.lengths) {
      if (length > value.length) break
      const found = this.#prefixes.found.get(value.slice(0, length))
      if (found !== undefined) visit(found)
    }
    for (const length of this.#suffixes.lengths) {
      if (length > value.length) break
      const found = this.#suffixes.found.get(value.slice(value.length - length))
      if (found !== undefined) visit(found)
    }
    if (this.#namespaces.size > 0) this.#byNamespace(value, visit)
  }

  ip({ family, bits }: IpNumber, visit: Visit): void {
    for (const one of this.#families) {
      if (one.family !== family) continue
      const found = this.#ranges.get(rangeKey(family, one.length, bits))
      if (found !== undefined) visit(found)
    }
  }

  /** Every part that stands behind an `/ns/`: there is one, unless somebody's account is called strangely. */
  #byNamespace(identity: string, visit: Visit): void {
    for (let at = identity.indexOf('/ns/'); at >= 0; at = identity.indexOf('/ns/', at + 1)) {
      const end = identity.indexOf('/', at + 4)
      if (end < 0) return
      const found = this.#namespaces.get(identity.slice(at + 4, end))
      if (found !== undefined) visit(found)
    }
  }
}

function grouped(rows: readonly (readonly [key: Key, policy: number])[]): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>()
  for (const [{ value }, policy] of rows) {
    const known = groups.get(value)
    if (known === undefined) groups.set(value, [policy])
    else if (known.at(-1) !== policy) known.push(policy)
  }
  return groups
}

const byLength = (found: ReadonlyMap<string, readonly number[]>): ByLength =>
  ({ found, lengths: [...new Set([...found.keys()].map((key) => key.length))].sort((one, other) => one - other) })
