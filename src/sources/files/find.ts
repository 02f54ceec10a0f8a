// Which files the given paths stand for: files as named, folders with all that is in them. Looks at names and sizes only.
import { lstat, readdir, stat } from 'node:fs/promises'
import type { BigIntStats, Dirent } from 'node:fs'
import { join } from 'node:path'
import type { SourceIssue } from '../source.ts'
import type { FileLimits } from './limits.ts'
import { fileIssue, reasonOf } from './problem.ts'

export interface FoundFile {
  readonly path: string
  /** Differs when the file is another one or was written to. */
  readonly signature: string
  /** The file itself, whatever path led to it. */
  readonly id: string
}

export interface FoundFolder {
  readonly path: string
  readonly id: string
  /** Folders above it, up to the path that was given. */
  readonly depth: number
}

export interface Found {
  /** In the order of the given paths, by name within a folder. */
  readonly files: readonly FoundFile[]
  readonly folders: readonly FoundFolder[]
  readonly issues: readonly SourceIssue[]
  /** Paths that could not be looked into: what was below them is unknown, not gone. */
  readonly unknown: readonly string[]
}

export const standardInput = '-'

/** Names of files that are read in a folder. */
export const isResourceFile = (name: string): boolean => /\.(ya?ml|json)$/i.test(name) && !isHidden(name)

/** Also `..data` and the dated folders beside it, to which the links in a mounted ConfigMap lead. */
export const isHidden = (name: string): boolean => name.startsWith('.')

/** Installed packages are full of JSON, none of it resources. */
export const isSkippedFolder = (name: string): boolean => isHidden(name) || name === 'node_modules'

export const idOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}`
/** Pipes can be read once only: they never look different. */
export const signatureOf = (stats: BigIntStats): string =>
  stats.isFile() ? `${idOf(stats)}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}` : idOf(stats)

/** `onFolder` is called before a folder is listed, so that a watch begun there misses nothing. */
export async function findFiles(paths: readonly string[], limits: FileLimits, onFolder: (folder: FoundFolder) => void = () => {}): Promise<Found> {
  const walk = new Walk(limits, onFolder)
  for (const path of paths) if (path !== standardInput) await walk.root(path)
  return walk
}

class Walk implements Found {
  readonly files: FoundFile[] = []
  readonly folders: FoundFolder[] = []
  readonly issues: SourceIssue[] = []
  readonly unknown: string[] = []
  readonly #seen = new Set<string>()
  readonly #limits: FileLimits
  readonly #onFolder: (folder: FoundFolder) => void
  #full = false

  constructor(limits: FileLimits, onFolder: (folder: FoundFolder) => void) {
    this.#limits = limits
    this.#onFolder = onFolder
  }

  async root(path: string): Promise<void> {
    try {
      const stats = await stat(path, { bigint: true })
      if (stats.isDirectory()) await this.#folder({ path, id: idOf(stats), depth: 0 })
      else this.#file(path, stats, path)
    } catch (error) {
      this.#lost(path, `cannot be read: ${reasonOf(error)}`)
    }
  }

  async #folder(folder: FoundFolder): Promise<void> {
    if (this.#seen.has(folder.id)) return // a link to what was read already
    this.#seen.add(folder.id)
    if (folder.depth > this.#limits.maxDepth) return this.#lost(folder.path, `is not looked into: it is more than ${this.#limits.maxDepth} folders deep`)
    this.folders.push(folder)
    this.#onFolder(folder)
    const entries = await readdir(folder.path, { withFileTypes: true })
    for (const entry of entries.sort(byName)) await this.#entry(folder, entry)
  }

  async #entry(folder: FoundFolder, entry: Dirent): Promise<void> {
    const path = join(folder.path, entry.name)
    const maybeFolder = (entry.isDirectory() || entry.isSymbolicLink()) && !isSkippedFolder(entry.name)
    if (!maybeFolder && !isResourceFile(entry.name)) return
    try {
      const stats = await stat(path, { bigint: true })
      if (stats.isDirectory()) {
        if (maybeFolder) await this.#folder({ path, id: idOf(stats), depth: folder.depth + 1 })
      } else if (stats.isFile() && isResourceFile(entry.name)) {
        this.#file(path, stats, folder.path)
      }
    } catch (error) {
      if (!(await isNoLonger(path))) this.#lost(path, `cannot be read: ${reasonOf(error)}`)
    }
  }

  #file(path: string, stats: BigIntStats, within: string): void {
    const id = idOf(stats)
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    if (this.files.length < this.#limits.maxFiles) {
      this.files.push({ path, id, signature: signatureOf(stats) })
    } else if (!this.#full) {
      this.#full = true
      this.issues.push(fileIssue(within, `holds more than ${this.#limits.maxFiles} files: those after ${this.files.at(-1)!.path} are not read; name a smaller folder`))
    }
  }

  #lost(path: string, message: string): void {
    this.unknown.push(path)
    this.issues.push(fileIssue(path, message))
  }
}

/** Listed a moment ago and gone since: that is no mistake of anybody. A link that leads nowhere is one. */
async function isNoLonger(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return false
  } catch {
    return true
  }
}

const byName = (one: Dirent, other: Dirent): number => (one.name < other.name ? -1 : 1)
