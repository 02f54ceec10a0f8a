// How the last streams ended. Frames may still come for a stream that we have reset, and are ignored; for one that the
// peer itself has ended they break the protocol (RFC 9113 §5.1).

export const ended = {
  /** Both sides have sent END_STREAM, or it is too long ago to be known. */
  complete: 0,
  resetByUs: 1,
  resetByPeer: 2,
} as const

/** The RFC asks for a time; a number is what bounds memory. More than a peer opens before it hears of the resets. */
const remembered = 1024

export class ClosedStreams {
  readonly #how = new Map<number, number>()

  get count(): number {
    return this.#how.size
  }

  add(streamId: number, how: number): void {
    this.#how.set(streamId, how)
    if (this.#how.size <= remembered) return
    const oldest = this.#how.keys().next()
    if (oldest.done !== true) this.#how.delete(oldest.value)
  }

  how(streamId: number): number {
    return this.#how.get(streamId) ?? ended.complete
  }
}
