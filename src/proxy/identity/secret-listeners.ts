// Who wants to know of changed secrets.

export class SecretListeners {
  readonly #listeners = new Set<(name: string) => void>()

  /** The result ends it. */
  add(listener: (name: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }
}
