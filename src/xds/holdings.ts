// Which version of which resource a client holds, as far as the server knows, and what it refused. A refused resource is
// not sent again by itself; when something else of its type is, it gets a response of its own after that.
import type { Versioned } from './subscription.ts'

/** The client was told that there is no such resource. */
const missing = ''
/** What the client holds is not known, or does not count. No version is like this. */
const unknown = '\u0000'

export class Holdings {
  readonly #versions = new Map<string, string>()
  #touched = new Set<string>()
  #refused = new Set<string>()
  #retry: ReadonlySet<string> = new Set()

  get names(): Iterable<string> {
    return this.#versions.keys()
  }

  get size(): number {
    return this.#versions.size
  }

  /** Refused resources are to be tried again. */
  get retryDue(): boolean {
    return this.#retry.size > 0
  }

  /** Whether it is not held in this version. */
  isNews({ name, version }: Versioned): boolean {
    return this.#versions.get(name) !== version
  }

  /** Whether the client may hold some version. */
  holds(name: string): boolean {
    return (this.#versions.get(name) ?? missing) !== missing
  }

  /** Whether the client knows already that there is none. */
  knowsMissing(name: string): boolean {
    return this.#versions.get(name) === missing
  }

  /** Whatever was set or dropped since the last call. */
  takeTouched(): ReadonlySet<string> {
    const touched = this.#touched
    if (touched.size > 0) this.#touched = new Set()
    return touched
  }

  set(name: string, version: string): void {
    this.#versions.set(name, version)
    this.#touched.add(name)
  }

  setMissing(name: string): void {
    this.set(name, missing)
  }

  setUnknown(name: string): void {
    this.set(name, unknown)
  }

  drop(name: string): void {
    this.#versions.delete(name)
    this.#touched.add(name)
    this.#refused.delete(name)
  }

  /** The client keeps what it had of these. */
  refuse(names: Iterable<string>): void {
    for (const name of names) this.#refused.add(name)
  }

  accept(names: Iterable<string>): void {
    for (const name of names) this.#refused.delete(name)
  }

  /** Something is sent: what was refused before follows it. */
  planRetry(except: Iterable<string>): void {
    this.accept(except)
    if (this.#refused.size === 0) return
    this.#retry = this.#refused
    this.#refused = new Set()
  }

  /** From now on, what is to be tried again is news. */
  beginRetry(): void {
    for (const name of this.#retry) if (this.holds(name)) this.setUnknown(name)
    this.#retry = new Set()
  }
}
