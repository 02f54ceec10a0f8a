// Files as a source that follows every change: told by the system within milliseconds, and by a look at all names, sizes
// and times once a second, should the system have said nothing. Only files that changed are read.
import { stat } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { systemClock } from '../../lib/clock.ts'
import { emptyState } from '../source.ts'
import type { Source, SourceIssue, SourceState, Urgency } from '../source.ts'
import { assemble } from './assemble.ts'
import type { FileView } from './assemble.ts'
import { Burst } from './burst.ts'
import type { BurstTimes } from './burst.ts'
import { findFiles, idOf, isHidden, standardInput } from './find.ts'
import type { FoundFolder } from './find.ts'
import { FolderWatchers } from './folder-watchers.ts'
import { defaultFileOptions } from './limits.ts'
import type { FileOptions } from './limits.ts'
import { gone, nothing, parseText, readText, turns } from './load.ts'
import type { Content } from './load.ts'
import { fileIssue } from './problem.ts'
import { inputOf } from './read.ts'
import { TrackedFiles } from './tracked-files.ts'

export interface WatchOptions extends FileOptions, BurstTimes {
  /** A file that vanished or lost objects is believed after so long. */
  readonly settleMs: number
  /** How often everything is looked at; less often where one look takes long. */
  readonly sweepMs: number
  readonly clock: Clock
}

const defaults: WatchOptions = { ...defaultFileOptions, quietMs: 4, ceilingMs: 20, settleMs: 50, sweepMs: 1000, clock: systemClock }

/** Looking at everything may take a twentieth of the time. */
const sweepShare = 20

/** What editors leave beside the file that they save. */
const isScratch = (name: string): boolean => /~$|\.(swp|swx|tmp|bak)$|^4913$/.test(name) || (isHidden(name) && !name.startsWith('..'))

export function watchFiles(paths: readonly string[], options: Partial<WatchOptions> = {}): FileSource {
  return new FileSource(paths, { ...defaults, ...options })
}

export class FileSource implements Source, AsyncDisposable {
  readonly #paths: readonly string[]
  readonly #options: WatchOptions
  readonly #input: Content | undefined
  readonly #watchers = new FolderWatchers((folder, name) => this.#event(folder, name))
  readonly #files = new TrackedFiles()
  readonly #burst: Burst
  /** Folders that are read, as opposed to watched for the sake of one name in them. */
  #folders: ReadonlySet<string> = new Set()
  #ofFolders: readonly SourceIssue[] = []
  /** What to look at next: known files, or all there is. */
  readonly #touched = new Set<string>()
  #everything = true
  #state: SourceState = emptyState
  #onChange: ((urgency: Urgency) => void) | undefined
  #cancelSweep = () => {}
  #cancelSettle = () => {}
  #closed = false
  #parsed = 0

  constructor(paths: readonly string[], options: WatchOptions) {
    this.#paths = paths.map((path) => (path === standardInput ? path : plain(path)))
    this.#options = options
    this.#input = paths.includes(standardInput) ? inputOf(options) : undefined
    this.#burst = new Burst(() => this.#look(), options)
  }

  /** How many texts were parsed so far. */
  get parsed(): number {
    return this.#parsed
  }

  async start(onChange: (urgency: Urgency) => void): Promise<void> {
    await this.#burst.now()
    this.#onChange = onChange
  }

  current(): SourceState {
    return this.#state
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#burst.close()
    this.#cancelSweep()
    this.#cancelSettle()
    this.#watchers.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #event(folder: string, name: string | undefined): void {
    if (name === undefined) return this.#notice(undefined)
    const path = join(folder, name)
    if (this.#files.get(path) !== undefined) return this.#notice(path)
    const concerns = this.#folders.has(folder) ? !isScratch(name) : this.#paths.includes(path) || name.startsWith('..')
    if (concerns) this.#notice(undefined)
  }

  /** A known file, or undefined for anything else: a new one, a folder. */
  #notice(path: string | undefined): void {
    if (path === undefined) this.#everything = true
    else this.#touched.add(path)
    this.#burst.notice()
  }

  async #look(): Promise<void> {
    const touched = new Set(this.#touched)
    const everything = this.#everything
    this.#touched.clear()
    this.#everything = false
    let changed = everything ? await this.#lookEverywhere(touched) : false
    changed = (await this.#readAll(touched)) || changed
    changed = this.#settle() || changed
    if ((!changed && this.#state !== emptyState) || this.#closed) return
    this.#state = assemble([...this.#files.views(), ...this.#inputView()], this.#ofFolders)
    this.#onChange?.('files')
  }

  /** Adds to `touched` what is new or looks different. */
  async #lookEverywhere(touched: Set<string>): Promise<boolean> {
    const started = performance.now()
    const watch = ({ path, id }: FoundFolder): void => {
      if (!this.#closed) this.#watchers.open(path, id)
    }
    const { files, folders, issues, unknown } = await findFiles(this.#paths, this.#options.limits, watch)
    await this.#watchAround(new Set(folders.map(({ path }) => path)))
    const { others, reordered } = this.#files.found(files.map(({ path }) => path))
    for (const { path, signature } of files) if (this.#files.get(path)?.signature !== signature) touched.add(path)
    let changed = reordered
    for (const file of others) {
      touched.delete(file.path)
      changed = (isBelow(file.path, unknown) ? file.outOfReach() : file.vanished(this.#options.clock.now())) || changed
    }
    const said = [...issues, ...this.#notWatched()]
    if (JSON.stringify(said) !== JSON.stringify(this.#ofFolders)) changed = true
    this.#ofFolders = said
    this.#armSweep(performance.now() - started)
    return changed
  }

  /** Folders around paths that are files, or not there: what appears under such a name is seen at once. */
  async #watchAround(folders: ReadonlySet<string>): Promise<void> {
    this.#folders = folders
    const around = new Set(this.#paths.filter((path) => path !== standardInput && !folders.has(path)).map((path) => dirname(path)))
    for (const path of around) {
      const stats = await stat(path, { bigint: true }).catch(() => undefined)
      if (stats?.isDirectory() === true && !this.#closed) this.#watchers.open(path, idOf(stats))
    }
    this.#watchers.keep(new Set([...folders, ...around]))
  }

  #notWatched(): readonly SourceIssue[] {
    const [first] = this.#watchers.refused
    if (first === undefined) return []
    const [path, reason] = first
    const seconds = this.#options.sweepMs / 1000
    return [fileIssue(path, `cannot be watched (${reason}), nor can ${this.#watchers.refused.size - 1} other folders: changes there are seen after ${seconds} s`, 'warning')]
  }

  async #readAll(paths: Iterable<string>): Promise<boolean> {
    const breathe = turns()
    let changed = false
    for (const path of paths) {
      if (this.#closed) return false
      changed = (await this.#read(path)) || changed
      await breathe()
    }
    return changed
  }

  async #read(path: string): Promise<boolean> {
    const file = this.#files.get(path)
    if (file === undefined) return false
    const read = await readText(path, this.#options.limits.maxFileBytes)
    const now = this.#options.clock.now()
    if (read === gone) {
      file.signature = ''
      this.#notice(undefined) // what else is gone: the folder, all that was given?
      return false
    }
    if (!('text' in read)) {
      file.signature = ''
      return file.offer(read, `!${read.issues[0]?.message}`, now)
    }
    file.signature = read.signature
    if (file.knows(read.hash)) return file.offer(nothing, read.hash, now)
    this.#parsed++
    return file.offer(parseText(read.text, path, this.#options), read.hash, now)
  }

  #settle(): boolean {
    const { clock, settleMs } = this.#options
    const { changed, nextAt } = this.#files.settle(clock.now(), settleMs)
    this.#cancelSettle()
    if (nextAt < Infinity && !this.#closed) this.#cancelSettle = clock.after(Math.max(0, nextAt - clock.now()), () => this.#notice(undefined))
    return changed
  }

  #armSweep(tookMs: number): void {
    this.#cancelSweep()
    if (this.#closed) return
    this.#cancelSweep = this.#options.clock.after(Math.max(this.#options.sweepMs, tookMs * sweepShare), () => this.#notice(undefined))
  }

  #inputView(): readonly FileView[] {
    return this.#input === undefined ? [] : [{ content: this.#input, held: [], leaving: false }]
  }
}

/** As names within it are joined to it: without `./` and a slash at its end. */
function plain(path: string): string {
  const normal = normalize(path)
  return normal.length > 1 && normal.endsWith(sep) ? normal.slice(0, -1) : normal
}

const isBelow = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || folder === '.' || path.startsWith(folder.endsWith(sep) ? folder : folder + sep))
