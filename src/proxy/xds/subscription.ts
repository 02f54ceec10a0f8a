// What is asked for of one type, and what has been taken of it. It outlives the stream: a new one goes on where the last
// one ended.

export interface SubscriptionChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export class Subscription {
  readonly typeUrl: string
  /** All there is, instead of names. */
  readonly wildcard: boolean
  readonly wanted = new Set<string>()
  /** Version of each resource that was accepted. What was rejected is not here, so that a new stream brings it again. */
  readonly versions = new Map<string, string>()
  /** State of the world: of the last response that was accepted as a whole. */
  version = ''
  /** State of the world: names in the last response, accepted or not. */
  named: ReadonlySet<string> = new Set()
  /** Of the last response on this stream. */
  nonce = ''
  /** Whether this stream has been asked for the type. */
  asked = false

  constructor(typeUrl: string, wildcard: boolean) {
    this.typeUrl = typeUrl
    this.wildcard = wildcard
  }

  wants(name: string): boolean {
    return this.wildcard || this.wanted.has(name)
  }

  /** What is no longer wanted is forgotten: asked for again, it must come again. */
  change(names: readonly string[]): SubscriptionChange {
    const next = new Set(names)
    const added = [...next].filter((name) => !this.wanted.has(name))
    const removed = [...this.wanted].filter((name) => !next.has(name))
    for (const name of added) this.wanted.add(name)
    for (const name of removed) {
      this.wanted.delete(name)
      this.versions.delete(name)
    }
    return { added, removed }
  }

  newStream(): void {
    this.nonce = ''
    this.asked = false
  }
}
