// Which tokens for one use have been used: an empty file for each, until the token is over. Making a file is what decides
// between two who come at the same time, also in two processes.
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { caError } from './errors.ts'
import { systemCode } from './system-code.ts'

export class UsedTokens {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** False: somebody was here before. Rejects with `ca/state` when that cannot be told. */
  async take(id: string, expiresSeconds: number, now: number): Promise<boolean> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await this.#prune(now)
      await using file = await open(join(this.#folder, `${expiresSeconds}-${id}`), 'wx', 0o600)
      await file.sync()
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw caError('ca/state', `cannot remember used tokens in ${this.#folder}`, error)
    }
  }

  async #prune(now: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (Number(name.split('-', 1)[0]) * 1000 < now) await rm(join(this.#folder, name), { force: true })
    }
  }
}
