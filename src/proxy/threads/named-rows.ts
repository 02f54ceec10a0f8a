// Which row of a shared table belongs to what: given by the first thread, which tells the others. And how long rows are.
import { cellsOfThread } from '../upstream/sharing.ts'
import type { BreakerCells } from '../upstream/sharing.ts'

/** Of a host: failures of three kinds, and one to spare. */
export const outlierCells = 4

/** Of a cluster: a group for each thread. */
export function breakerCells(cells: Int32Array, row: number, threads: number, thread: number): BreakerCells {
  return { cells, at: row * threads * cellsOfThread, threads, thread }
}

export class NamedRows {
  readonly #rows = new Map<string, number>()
  readonly #max: number
  readonly #inUse: (row: number) => boolean
  /** In the order in which they were given back: whoever still counts in an old one has long ended when it is given again. */
  readonly #free: number[] = []
  #next = 0

  /** `inUse`: somebody still counts in a row that was given back. */
  constructor(max: number, inUse: (row: number) => boolean) {
    this.#max = max
    this.#inUse = inUse
  }

  /** -1 for none. */
  find(name: string): number {
    return this.#rows.get(name) ?? -1
  }

  /** Of the name, or a new one. -1: there is none left. */
  place(name: string): number {
    const known = this.#rows.get(name)
    if (known !== undefined) return known
    const row = this.#next < this.#max ? this.#next++ : this.#takeFree()
    if (row >= 0) this.#rows.set(name, row)
    return row
  }

  forget(name: string): void {
    const row = this.#rows.get(name)
    if (row === undefined) return
    this.#rows.delete(name)
    this.#free.push(row)
  }

  entries(): [name: string, row: number][] {
    return [...this.#rows]
  }

  #takeFree(): number {
    const at = this.#free.findIndex((row) => !this.#inUse(row))
    return at < 0 ? -1 : this.#free.splice(at, 1)[0]!
  }
}
