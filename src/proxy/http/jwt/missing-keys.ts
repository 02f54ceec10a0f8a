// Tokens of keys that a proxy does not have, whose issuer the control plane asks: the proxy says that a key is missing, and
// requests wait a moment for a configuration that has it. Anybody can write such a token: an issuer is mentioned every ten
// seconds at most, and only so many requests wait.
import type { Clock } from '../../../lib/clock.ts'
import type { KeySet } from '../../../security/jwt/key-set.ts'

/** What a provider of a configuration has. */
export interface HeldKeys {
  readonly text: string
  readonly keys: KeySet
}

/** The control plane does not ask an issuer more often either. */
const leastBetweenMs = 10_000
/** An issuer answers in a fraction of it, or the client is told at once that the key is unknown. */
export const waitMs = 2_000
/** For the keys of one issuer; each of them holds a request. */
const maxWaiting = 1000
/** As many as a control plane has. */
const maxSources = 1000

interface Source {
  /** Of the newest configuration, as long as it is in use. */
  newest: WeakRef<HeldKeys>
  saidAt: number
  readonly waiting: Set<(newer: KeySet | undefined) => void>
}

export class MissingKeys {
  readonly #clock: Clock
  readonly #sources = new Map<string, Source>()
  /** Tells the control plane. */
  say: (source: string) => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A configuration has come. */
  hold(source: string, held: HeldKeys): void {
    const known = this.#sources.get(source)
    if (known === undefined) return this.#remember(source, held)
    const isNew = known.newest.deref()?.text !== held.text
    known.newest = new WeakRef(held)
    if (isNew) this.#tell(known, held.keys)
  }

  /** Keys that came after these. Undefined: there are none, or not soon enough. */
  newer(source: string, held: HeldKeys): Promise<KeySet | undefined> {
    const known = this.#sources.get(source)
    if (known === undefined) return Promise.resolve(undefined)
    const newest = known.newest.deref()
    // Connections that are open go on with the configuration that they began with.
    if (newest !== undefined && newest.text !== held.text) return Promise.resolve(newest.keys)
    if (known.waiting.size === 0) {
      if (this.#clock.now() - known.saidAt < leastBetweenMs) return Promise.resolve(undefined)
      known.saidAt = this.#clock.now()
      this.say(source)
      this.#clock.after(waitMs, () => this.#tell(known, undefined))
    }
    if (known.waiting.size >= maxWaiting) return Promise.resolve(undefined)
    return new Promise((resolve) => known.waiting.add(resolve))
  }

  #remember(source: string, held: HeldKeys): void {
    const [oldest] = this.#sources.keys()
    if (this.#sources.size >= maxSources && oldest !== undefined) {
      this.#tell(this.#sources.get(oldest)!, undefined)
      this.#sources.delete(oldest)
    }
    this.#sources.set(source, { newest: new WeakRef(held), saidAt: -Infinity, waiting: new Set() })
  }

  #tell({ waiting }: Source, newer: KeySet | undefined): void {
    for (const resolve of waiting) resolve(newer)
    waiting.clear()
  }
}
