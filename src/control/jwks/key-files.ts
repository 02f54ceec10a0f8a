// Keys of issuers on disk, so that a control plane that starts while an issuer is away still knows its keys. They are
// public; what is on disk is only ever a head start, so failures to read or write are said and change nothing.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '../../lib/errors.ts'
import { readKeySet } from '../../security/jwt/key-set.ts'

/** Throws `jwks/roots`, naming the file. */
export async function readRoots(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new MeshError('jwks/roots', `the roots of token issuers in ${path} cannot be read`, error)
  }
}

/** What nobody has refreshed for so long is of no policy any more. */
const keptMs = 7 * 86_400_000

export class KeyFiles {
  readonly #folder: string

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'keys')
  }

  /** Undefined: not there, or of no use. */
  async read(id: string): Promise<string | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(this.#path(id), 'utf8'))
      if (typeof value !== 'object' || value === null || !('source' in value) || !('keys' in value)) return undefined
      const { source, keys } = value
      return source === id && typeof keys === 'string' && readKeySet(keys).keys.length > 0 ? keys : undefined
    } catch {
      // No file is the usual case; a damaged one is as good as none.
      return undefined
    }
  }

  /** A reader never sees half of it. Rejects with the system's error. */
  async write(id: string, keys: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const temporary = join(this.#folder, `.${randomBytes(6).toString('hex')}`)
    try {
      await writeFile(temporary, JSON.stringify({ source: id, keys }), { mode: 0o600 })
      await rename(temporary, this.#path(id))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** Rejects with the system's error. */
  async prune(now: number): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, name)
      if (now - (await stat(path)).mtimeMs > keptMs) await rm(path, { force: true })
    }
  }

  #path(id: string): string {
    return join(this.#folder, `${createHash('sha256').update(id).digest('hex').slice(0, 32)}.json`)
  }
}
