// Certificates and trust bundles in files of the proxy's own machine, named as Istio's agent names them: `file-cert:CHAIN~KEY`
// and `file-root:ROOTS`, with `~CRL` after it where there is one. They are read when a listener or cluster first names them
// and again when they change. What cannot be used keeps the last that could: writers replace one file after the other.
import { watch } from 'node:fs'
import type { FSWatcher, Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { describe, spawn } from '../../lib/errors.ts'
import { bundleProblem, keyPairProblem } from '../../security/x509/key-pair.ts'
import { SecretListeners } from './secret-listeners.ts'
import type { CertificateSecret, Secrets, TrustSecret } from './secrets.ts'

const certificatePrefix = 'file-cert:'
const rootsPrefix = 'file-root:'

export const isFileSecret = (name: string): boolean => name.startsWith(certificatePrefix) || name.startsWith(rootsPrefix)

/** The operating system's own roots are no file of ours. */
const systemRoots = 'file-root:system'
/** As many as secrets of a gateway with a few hundred hosts; what is beyond stays unread, and the log says so. */
const maxSecrets = 1024
/** A bundle of all public roots has 250 KB. */
const maxBytes = 1024 * 1024
/** Changes that the system's watch does not tell of are seen by then. */
const lookEveryMs = 5_000
/** After an event: writers replace several files in a row. */
const settleMs = 50

export interface FileSecretParts {
  readonly clock: Clock
  /** One line for people. */
  log(line: string): void
}

interface Entry {
  readonly name: string
  readonly paths: readonly string[]
  /** As the files were when they were read last. */
  signature: string
  value: CertificateSecret | TrustSecret | undefined
  problem: string
  looked: boolean
}

export class FileSecrets implements Secrets {
  readonly #parts: FileSecretParts
  readonly #entries = new Map<string, Entry>()
  readonly #folders = new Map<string, FSWatcher>()
  readonly #listeners = new SecretListeners()
  #cancelLook: () => void = () => {}
  #cancelSettle: (() => void) | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: FileSecretParts) {
    this.#parts = parts
  }

  certificate(name: string): CertificateSecret | undefined {
    const value = this.#entries.get(name)?.value
    return value !== undefined && 'key' in value ? value : undefined
  }

  trust(name: string): TrustSecret | undefined {
    const value = this.#entries.get(name)?.value
    return value !== undefined && 'roots' in value ? value : undefined
  }

  onChange(changed: (name: string) => void): () => void {
    return this.#listeners.add(changed)
  }

  /** Whether the files were looked at: what is not there by then is not there. */
  isAnswered(name: string): boolean {
    return name === systemRoots || this.#entries.get(name)?.looked === true
  }

  /** From now on exactly these are kept up to date. */
  keep(names: readonly string[]): void {
    const wanted = new Set(names.filter((name) => isFileSecret(name) && name !== systemRoots).slice(0, maxSecrets))
    for (const name of this.#entries.keys()) if (!wanted.has(name)) this.#entries.delete(name)
    const fresh = [...wanted].filter((name) => !this.#entries.has(name))
    for (const name of fresh) this.#entries.set(name, { name, paths: pathsOf(name), signature: '', value: undefined, problem: '', looked: false })
    this.#watchFolders()
    if (fresh.length > 0) this.#look()
  }

  close(): void {
    this.#closed = true
    this.#cancelLook()
    this.#cancelSettle?.()
    this.#entries.clear()
    this.#watchFolders()
  }

  /** Reads what changed, one look after the other. */
  #look(): void {
    this.#cancelLook()
    this.#looking = this.#looking.then(() => this.#lookAtAll())
    spawn('reading certificates from files', this.#looking)
  }

  async #lookAtAll(): Promise<void> {
    this.#watchFolders()
    for (const entry of this.#entries.values()) await this.#lookAt(entry)
    if (!this.#closed && this.#entries.size > 0) {
      this.#cancelLook()
      this.#cancelLook = this.#parts.clock.after(lookEveryMs, () => this.#look())
    }
  }

  async #lookAt(entry: Entry): Promise<void> {
    const before = entry.signature
    const read = await readEntry(entry).catch((error: unknown) => ({ problem: describe(error) }))
    if (this.#entries.get(entry.name) !== entry || (read === undefined && entry.looked)) return
    if (read !== undefined) this.#take(entry, read)
    if (entry.looked && entry.signature === before) return
    entry.looked = true
    this.#listeners.tell(entry.name)
  }

  #take(entry: Entry, { value, problem = '', signature = '' }: ReadResult): void {
    if (problem !== '' && problem !== entry.problem) {
      this.#parts.log(`${entry.name}: ${problem}${entry.value === undefined ? '' : '; the last good one stays in use'}`)
    }
    entry.problem = problem
    // Without a signature it is read again at the next look: the other half may be on its way.
    entry.signature = signature
    if (value !== undefined) entry.value = value
  }

  /** Folders, not files: a file that is replaced by another of its name would take its watch along. */
  #watchFolders(): void {
    const wanted = new Set([...this.#entries.values()].flatMap(({ paths }) => paths.map((path) => dirname(path))))
    for (const [folder, watcher] of this.#folders) if (!wanted.has(folder)) this.#unwatch(folder, watcher)
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#watch(folder)
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        // The folder itself was removed or moved: the watch is dead, and the next look opens one for its successor.
        if (event === 'rename' && name === basename(folder)) this.#unwatch(folder, watcher)
        this.#onEvent()
      })
      watcher.on('error', () => this.#unwatch(folder, watcher))
      this.#folders.set(folder, watcher)
    } catch {
      // No such folder, or no watches left: the periodic look has to do.
    }
  }

  #unwatch(folder: string, watcher: FSWatcher): void {
    watcher.close()
    if (this.#folders.get(folder) === watcher) this.#folders.delete(folder)
  }

  #onEvent(): void {
    this.#cancelSettle ??= this.#parts.clock.after(settleMs, () => {
      this.#cancelSettle = undefined
      this.#look()
    })
  }
}

interface ReadResult {
  readonly value?: CertificateSecret | TrustSecret
  readonly problem?: string
  readonly signature?: string
}

/** Undefined when the files are those that were read before. */
async function readEntry(entry: Entry): Promise<ReadResult | undefined> {
  const stats: Stats[] = []
  // One after the other: of two that are missing it is always the first that is told.
  for (const path of entry.paths) stats.push(await stat(path))
  const large = stats.findIndex(({ size }) => size > maxBytes)
  if (large >= 0) return { problem: `${entry.paths[large]} has more than ${maxBytes} bytes` }
  const signature = stats.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`).join(', ')
  if (signature === entry.signature) return undefined
  const [first = '', second = ''] = await Promise.all(entry.paths.map((path) => readFile(path, 'utf8')))
  const isCertificate = entry.name.startsWith(certificatePrefix)
  const problem = isCertificate ? keyPairProblem(first, second) : bundleProblem(first, second)
  if (problem !== undefined) return { problem }
  return { signature, value: isCertificate ? { chain: first, key: second } : { roots: first, crl: second } }
}

function pathsOf(name: string): readonly string[] {
  return name.slice(name.indexOf(':') + 1).split('~').slice(0, 2)
}
