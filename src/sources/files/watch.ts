// Files as a source that follows every change: told by the system within milliseconds, and by a look at all names, sizes
// and times once a second, should the system have said nothing. Only files that changed are read.
import { stat } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { systemClock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'
import { emptyState } from '../source.ts'
import type { Source, SourceIssue, SourceState, Urgency } from '../source.ts'
import { assemble } from './assemble.ts'
import { findFiles, idOf, isHidden, standardInput } from './find.ts'
import type { FoundFolder } from './find.ts'
import { FolderWatchers } from './folder-watchers.ts'
import { defaultFileOptions } from './limits.ts'
import type { FileOptions } from './limits.ts'
import { gone, nothing, parseText, readText, turns } from './load.ts'
import type { Content } from './load.ts'
import { fileIssue } from './problem.ts'
import { inputOf } from './read.ts'
import { TrackedFile } from './tracked-file.ts'

export interface WatchOptions extends FileOptions {
  /** No event for so long ends a burst: one save is several events. */
  readonly quietMs: number
  /** A burst that does not end is looked at after so long. */
  readonly ceilingMs: number
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
  readonly #watchers = new FolderWatchers((folder, name) => this.#event(folder, name))
  readonly #files = new Map<string, TrackedFile>()
  /** Folders that are read, as opposed to watched for the sake of one name in them. */
  #folders: ReadonlySet<string> = new Set()
  #ofFolders: readonly SourceIssue[] = []
  readonly #input: Content | undefined
  #state: SourceState = emptyState
  #onChange: (urgency: Urgency) => void = () => {}
  readonly #touched = new Set<string>()
  #everything = true
  #since: number | undefined
  #running: Promise<void> | undefined
  #cancelBurst = () => {}
  #cancelSweep = () => {}
  #cancelSettle = () => {}
  #closed = false
  #parsed = 0

  constructor(paths: readonly string[], options: WatchOptions) {
    this.#paths = paths.map((path) => (path === standardInput ? path : normalize(path)))
    this.#options = options
    this.#input = paths.includes(standardInput) ? inputOf(options) : undefined
  }

  /** How many texts were parsed so far. */
  get parsed(): number {
    return this.#parsed
  }

  async start(onChange: (urgency: Urgency) => void): Promise<void> {
    const first = this.#look()
    this.#running = first.then(() => {})
    await first
    this.#running = undefined
    this.#onChange = onChange
    this.#state = this.#assemble()
    if (this.#everything || this.#touched.size > 0) this.#arm()
  }

  current(): SourceState {
    return this.#state
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const cancel of [this.#cancelBurst, this.#cancelSweep, this.#cancelSettle]) cancel()
    this.#watchers.close()
    await this.#running
    this.#watchers.close() // what a look had still opened
    this.#cancelSweep()
    this.#cancelSettle()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #event(folder: string, name: string | undefined): void {
    if (name === undefined) return this.#notice(undefined)
    const path = join(folder, name)
    if (this.#files.has(path)) return this.#notice(path)
    const concerns = this.#folders.has(folder) ? !isScratch(name) : this.#paths.includes(path) || name.startsWith('..')
    if (concerns) this.#notice(undefined)
  }

  /** A known file, or undefined for anything else: a new one, a folder. */
  #notice(path: string | undefined): void {
    if (path === undefined) this.#everything = true
    else this.#touched.add(path)
    this.#arm()
  }

  #arm(): void {
    if (this.#closed || this.#running !== undefined) return
    const { clock, quietMs, ceilingMs } = this.#options
    const now = clock.now()
    this.#since ??= now
    this.#cancelBurst()
    this.#cancelBurst = clock.after(Math.max(0, Math.min(quietMs, this.#since + ceilingMs - now)), () => this.#run())
  }

  #run(): void {
    if (this.#closed || this.#running !== undefined) return
    this.#running = this.#lookAndTell().finally(() => {
      this.#running = undefined
      if (this.#everything || this.#touched.size > 0) this.#arm()
    })
    spawn('looking at files', this.#running)
  }

  async #lookAndTell(): Promise<void> {
    this.#since = undefined
    if (!(await this.#look()) || this.#closed) return
    this.#state = this.#assemble()
    this.#onChange('files')
  }

  /** Reads what changed; whether that made a difference. */
  async #look(): Promise<boolean> {
    const touched = new Set(this.#touched)
    const everything = this.#everything
    this.#touched.clear()
    this.#everything = false
    let changed = everything ? await this.#lookEverywhere(touched) : false
    const breathe = turns()
    for (const path of touched) {
      changed = (await this.#read(path)) || changed
      await breathe()
    }
    return this.#settle() || changed
  }

  /** Adds to `touched` what is new or looks different. */
  async #lookEverywhere(touched: Set<string>): Promise<boolean> {
    const started = performance.now()
    const watch = ({ path, id }: FoundFolder): void => {
      if (!this.#closed) this.#watchers.open(path, id)
    }
    const { files, folders, issues, unknown } = await findFiles(this.#paths, this.#options.limits, watch)
    await this.#watchAround(new Set(folders.map(({ path }) => path)))
    for (const { path, signature } of files) if (this.#tracked(path).signature !== signature) touched.add(path)
    const found = new Set(files.map(({ path }) => path))
    let changed = this.#reorder(files.map(({ path }) => path))
    for (const file of this.#files.values()) {
      if (found.has(file.path)) continue
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

  #tracked(path: string): TrackedFile {
    let file = this.#files.get(path)
    if (file === undefined) this.#files.set(path, (file = new TrackedFile(path)))
    return file
  }

  /** Keeps the files in the order in which they are found: it decides which of two objects with one name stands. */
  #reorder(paths: readonly string[]): boolean {
    const before = [...this.#files.keys()]
    if (paths.every((path, at) => before[at] === path)) return false
    const found = paths.map((path) => this.#files.get(path)!)
    const all = new Set([...found, ...this.#files.values()])
    this.#files.clear()
    for (const file of all) this.#files.set(file.path, file)
    return true
  }

  async #read(path: string): Promise<boolean> {
    const file = this.#files.get(path)
    if (file === undefined) return false
    const read = await readText(path, this.#options.limits.maxFileBytes)
    const now = this.#options.clock.now()
    if (read === gone) {
      this.#everything = true // what else is gone: the folder, all that was given?
      file.signature = ''
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
    let changed = false
    let next = Infinity
    for (const file of this.#files.values()) {
      changed = file.settle(clock.now(), settleMs) || changed
      next = Math.min(next, file.dueAt(settleMs) ?? Infinity)
      if (file.isEmpty) this.#files.delete(file.path)
    }
    this.#cancelSettle()
    if (next < Infinity && !this.#closed) this.#cancelSettle = clock.after(Math.max(0, next - clock.now()), () => this.#notice(undefined))
    return changed
  }

  #armSweep(tookMs: number): void {
    this.#cancelSweep()
    if (this.#closed) return
    this.#cancelSweep = this.#options.clock.after(Math.max(this.#options.sweepMs, tookMs * sweepShare), () => this.#notice(undefined))
  }

  #assemble(): SourceState {
    const views = [...this.#files.values()].map((file) => file.view())
    if (this.#input !== undefined) views.push({ content: this.#input, held: [], leaving: false })
    return assemble(views, this.#ofFolders)
  }
}

const isBelow = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep))
