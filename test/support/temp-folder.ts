// A folder for one test, removed after it: paths within it are relative, so that tests read well.
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export class TempFolder implements AsyncDisposable {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  static async create(): Promise<TempFolder> {
    return new TempFolder(await mkdtemp(join(tmpdir(), 'trysail-files-')))
  }

  at(name: string): string {
    return join(this.path, name)
  }

  /** In place: truncates, then writes, as a shell does. */
  async write(name: string, text: string): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true })
    await writeFile(this.at(name), text)
  }

  /** Beside it, then moved over it, as careful programs do. */
  async replace(name: string, text: string): Promise<void> {
    await this.write(`${name}.tmp`, text)
    await rename(this.at(`${name}.tmp`), this.at(name))
  }

  async move(from: string, to: string): Promise<void> {
    await rename(this.at(from), this.at(to))
  }

  async remove(name: string): Promise<void> {
    await rm(this.at(name), { recursive: true, force: true })
  }

  async link(to: string, name: string): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true })
    await symlink(to, this.at(name))
  }

  /** What was closed before may still be writing its last file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}
