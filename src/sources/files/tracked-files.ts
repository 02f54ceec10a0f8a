// All watched files, in the order in which they are found: it decides which of two objects with one name stands.
import type { FileView } from './assemble.ts'
import { TrackedFile } from './tracked-file.ts'

export class TrackedFiles {
  readonly #files = new Map<string, TrackedFile>()

  get(path: string): TrackedFile | undefined {
    return this.#files.get(path)
  }

  /** Makes `paths` the files that there are, in this order. Others are kept behind them: their time has not come yet. */
  found(paths: readonly string[]): { readonly others: readonly TrackedFile[]; readonly reordered: boolean } {
    const before = [...this.#files.keys()]
    const reordered = paths.some((path, at) => before[at] !== path)
    const now = new Set(paths)
    const others = [...this.#files.values()].filter((file) => !now.has(file.path))
    if (reordered) {
      const files = [...paths.map((path) => this.#files.get(path) ?? new TrackedFile(path)), ...others]
      this.#files.clear()
      for (const file of files) this.#files.set(file.path, file)
    }
    return { others, reordered }
  }

  /** Believes losses that have lasted, and forgets files of which nothing is left. */
  settle(now: number, settleMs: number): { readonly changed: boolean; readonly nextAt: number } {
    let changed = false
    let nextAt = Infinity
    for (const file of this.#files.values()) {
      changed = file.settle(now, settleMs) || changed
      nextAt = Math.min(nextAt, file.dueAt(settleMs) ?? Infinity)
      if (file.isEmpty) this.#files.delete(file.path)
    }
    return { changed, nextAt }
  }

  views(): FileView[] {
    return [...this.#files.values()].map((file) => file.view())
  }
}
