// Watches folders, not files: a file that is replaced by another of its name would take its watch along. A folder that is
// replaced is watched anew. Where the system cannot watch, the periodic look of watch.ts has to do.
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename } from 'node:path'
import { codeOf } from './problem.ts'

/** Below what the systems allow a user in total; changes in further folders are seen by the periodic look. */
const maxFolders = 1024

export type OnFolderEvent = (folder: string, name: string | undefined) => void

export class FolderWatchers {
  readonly #onEvent: OnFolderEvent
  readonly #open = new Map<string, { readonly id: string; readonly watcher: FSWatcher }>()
  /** Why a folder is not watched, by its path. */
  readonly refused = new Map<string, string>()

  constructor(onEvent: OnFolderEvent) {
    this.#onEvent = onEvent
  }

  /** Does nothing where this very folder is watched already. */
  open(path: string, id: string): void {
    if (this.#open.get(path)?.id === id) return
    this.#shut(path)
    if (this.#open.size >= maxFolders) {
      this.refused.set(path, `more than ${maxFolders} folders`)
      return
    }
    try {
      const watcher = watch(path, { persistent: false }, (event, name) => {
        // The folder itself was removed or moved: the watch is dead. Its successor may even have the same id.
        if (event === 'rename' && name === basename(path)) this.#failed(path, watcher)
        else this.#onEvent(path, name ?? undefined)
      })
      watcher.on('error', () => this.#failed(path, watcher))
      this.#open.set(path, { id, watcher })
      this.refused.delete(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.refused.set(path, codeOf(error))
    }
  }

  /** Ends the watches of all other folders. */
  keep(paths: ReadonlySet<string>): void {
    for (const path of this.#open.keys()) if (!paths.has(path)) this.#shut(path)
    for (const path of this.refused.keys()) if (!paths.has(path)) this.refused.delete(path)
  }

  close(): void {
    this.keep(new Set())
  }

  /** The next look watches it again, if it is there. */
  #failed(path: string, watcher: FSWatcher): void {
    if (this.#open.get(path)?.watcher !== watcher) return
    this.#shut(path)
    this.#onEvent(path, undefined)
  }

  #shut(path: string): void {
    this.#open.get(path)?.watcher.close()
    this.#open.delete(path)
  }
}
