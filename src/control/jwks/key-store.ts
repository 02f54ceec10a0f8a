// The keys of every issuer that policies name, kept up to date: fetched when they are first wanted, refreshed by and by,
// and tried again after failures. Each issuer is on its own: one that is away keeps its last good keys and holds up no
// other. Without any keys, its policy refuses tokens (security spec 2.4).
import type { Clock } from '../../lib/clock.ts'
import { createBackoff } from '../../lib/backoff.ts'
import type { Backoff } from '../../lib/backoff.ts'
import { describe, spawn } from '../../lib/errors.ts'
import { fetchKeys } from './key-fetch.ts'
import type { FetchedKeys, KeySource } from './key-fetch.ts'
import type { KeyFiles } from './key-files.ts'

/** More issuers than this are a mistake; the rest get no keys, and the log says so. */
const maxSources = 1000
/** An issuer that says its keys hold for a second is not asked every second. */
const leastRefreshMs = 10_000
/** An issuer that is away when the mesh starts is asked often at first: it may start at the same time. */
const eagerMs = 60_000

export interface KeyStoreParts {
  readonly clock: Clock
  readonly files: KeyFiles
  readonly refreshMs: number
  /** PEM, beside those of the system. */
  readonly roots?: string
  readonly log: (line: string) => void
  /** Some keys are others than before. */
  readonly onChange: () => void
  readonly random?: () => number
}

interface Entry {
  readonly id: string
  timeoutMs: number
  readonly since: number
  readonly eager: Backoff
  readonly patient: Backoff
  keys: string | undefined
  trying: boolean
  /** A key was found missing while it was tried. */
  again: boolean
  /** When it was last tried because a key was missing. */
  missingAt: number
  said: string
  /** When it is tried next. */
  due: number
  cancel: () => void
}

export class KeyStore {
  readonly #parts: KeyStoreParts
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new AbortController()
  #current: ReadonlyMap<string, string> = new Map()
  #saidTooMany = false

  constructor(parts: KeyStoreParts) {
    this.#parts = parts
    spawn('removing old keys of issuers', parts.files.prune(parts.clock.now()).catch((error: unknown) => parts.log(`old keys of issuers cannot be removed: ${describe(error)}`)))
  }

  /** By the id of their source. The same map until something changes. */
  get current(): ReadonlyMap<string, string> {
    return this.#current
  }

  /** From now on these and no others. Resolves when each has been tried once; undefined when all have been. */
  want(sources: readonly KeySource[]): Promise<unknown> | undefined {
    const wanted = new Map<string, KeySource>()
    for (const source of sources) if ((wanted.get(source.id)?.timeoutMs ?? 0) < source.timeoutMs) wanted.set(source.id, source)
    for (const [id, entry] of this.#entries) if (!wanted.has(id)) this.#drop(entry)
    const fresh: Promise<void>[] = []
    for (const source of wanted.values()) {
      const known = this.#entries.get(source.id)
      if (known !== undefined) known.timeoutMs = source.timeoutMs
      else if (this.#entries.size < maxSources) fresh.push(this.#begin(source))
      else this.#sayTooMany(wanted.size)
    }
    return fresh.length === 0 ? undefined : Promise.all(fresh)
  }

  /** A proxy was shown a token of a key that this source should have: it may be newer than ours. Anybody can write such a token. */
  missing(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.again = entry.trying
    if (entry.trying) return
    const now = this.#parts.clock.now()
    const due = Math.max(now, entry.missingAt + leastRefreshMs)
    if (due >= entry.due) return
    entry.missingAt = due
    this.#later(entry, due - now)
  }

  close(): void {
    this.#closing.abort()
    for (const entry of this.#entries.values()) this.#drop(entry)
  }

  #begin({ id, timeoutMs }: KeySource): Promise<void> {
    const { clock, random } = this.#parts
    const backoff = (firstMs: number, maxMs: number): Backoff => createBackoff({ firstMs, maxMs, ...(random === undefined ? {} : { random }) })
    const { promise: firstTry, resolve } = Promise.withResolvers<void>()
    const entry: Entry = {
      id, timeoutMs, since: clock.now(), keys: undefined, trying: false, again: false, missingAt: -Infinity, said: '', due: Infinity, cancel: () => {},
      eager: backoff(250, 1500), patient: backoff(1000, 60_000),
    }
    this.#entries.set(id, entry)
    spawn(`keys of ${id}`, this.#start(entry, resolve))
    return firstTry
  }

  /** What is on disk will do until the issuer has answered. */
  async #start(entry: Entry, tried: () => void): Promise<void> {
    const kept = await this.#parts.files.read(entry.id)
    if (kept !== undefined && this.#isWanted(entry)) {
      this.#take(entry, kept)
      tried()
    }
    await this.#try(entry)
    tried()
  }

  async #try(entry: Entry): Promise<void> {
    if (!this.#isWanted(entry)) return
    entry.trying = true
    try {
      const { roots } = this.#parts
      const fetched = await fetchKeys(entry, { signal: this.#closing.signal, ...(roots === undefined ? {} : { roots }) })
      entry.trying = false
      if (this.#isWanted(entry)) await this.#succeeded(entry, fetched)
    } catch (error) {
      entry.trying = false
      if (this.#isWanted(entry)) this.#failed(entry, error)
    }
  }

  async #succeeded(entry: Entry, { keys, maxAge }: FetchedKeys): Promise<void> {
    const { log, refreshMs, files, random = Math.random } = this.#parts
    entry.eager.reset()
    entry.patient.reset()
    if (entry.said !== '') log(`keys of ${entry.id} are there`)
    entry.said = ''
    const isNew = this.#take(entry, keys)
    const waitMs = Math.max(leastRefreshMs, Math.min(refreshMs, maxAge === undefined ? Infinity : maxAge * 1000))
    this.#later(entry, waitMs * (0.9 + random() * 0.1))
    if (isNew) await files.write(entry.id, keys).catch((error: unknown) => log(`keys of ${entry.id} cannot be kept on disk: ${describe(error)}`))
  }

  #failed(entry: Entry, error: unknown): void {
    const { clock, log } = this.#parts
    const consequence = entry.keys === undefined ? 'its tokens are refused' : 'the last good ones stay in use'
    const line = `keys of ${entry.id} cannot be fetched, ${consequence}; it is tried again and again: ${describe(error)}`
    if (line !== entry.said) log(line)
    entry.said = line
    const eager = entry.keys === undefined && clock.now() - entry.since < eagerMs
    this.#later(entry, (eager ? entry.eager : entry.patient).next())
  }

  #later(entry: Entry, ms: number): void {
    entry.cancel()
    entry.due = this.#parts.clock.now() + ms
    entry.cancel = this.#parts.clock.after(ms, () => spawn(`keys of ${entry.id}`, this.#try(entry)))
    if (entry.again) this.missing(entry.id)
  }

  /** Whether they are new. */
  #take(entry: Entry, keys: string): boolean {
    if (entry.keys === keys) return false
    entry.keys = keys
    this.#publish()
    return true
  }

  #drop(entry: Entry): void {
    entry.cancel()
    this.#entries.delete(entry.id)
    if (entry.keys !== undefined) this.#current = this.#collected()
  }

  #publish(): void {
    this.#current = this.#collected()
    this.#parts.onChange()
  }

  #collected(): ReadonlyMap<string, string> {
    return new Map([...this.#entries.values()].flatMap(({ id, keys }) => (keys === undefined ? [] : [[id, keys] as const])))
  }

  #isWanted(entry: Entry): boolean {
    return !this.#closing.signal.aborted && this.#entries.get(entry.id) === entry
  }

  #sayTooMany(count: number): void {
    if (this.#saidTooMany) return
    this.#saidTooMany = true
    this.#parts.log(`policies name ${count} sources of keys, of which the first ${maxSources} are asked: tokens of the others are refused`)
  }
}
