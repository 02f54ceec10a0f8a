// Bytes of one stream that wait for a window or for the socket, in blocks that are filled up: many small writes take no
// more memory than one large one.

const smallestBlock = 1024
const largestBlock = 16 * 1024
/** Blocks of the largest size that were sent and wait to be used again, of all streams: one costs more to make than to fill. */
const maxSpare = 64
const spare: Buffer[] = []

export class KeptBytes {
  length = 0
  #blocks: Buffer[] = []
  /** In the first block: from here on it has not been sent. */
  #start = 0
  /** In the last block: used up to here. */
  #end = 0

  add(bytes: Uint8Array, at: number, end: number): void {
    this.length += end - at
    for (let from = at; from < end; ) {
      const block = this.#open(end - from)
      const piece = Math.min(end - from, block.length - this.#end)
      block.set(bytes.subarray(from, from + piece), this.#end)
      this.#end += piece
      from += piece
    }
  }

  /** What may be sent next without a copy: a part of `block` of at most `most` bytes, from `at` on. */
  get block(): Buffer {
    return this.#blocks[0]!
  }

  get at(): number {
    return this.#start
  }

  next(most: number): number {
    const end = this.#blocks.length === 1 ? this.#end : this.#blocks[0]!.length
    return Math.min(most, end - this.#start)
  }

  /** `length` bytes of the first block have been sent. */
  sent(length: number): void {
    this.length -= length
    this.#start += length
    const end = this.#blocks.length === 1 ? this.#end : this.#blocks[0]!.length
    if (this.#start < end) return
    const block = this.#blocks.shift()!
    if (block.length === largestBlock && spare.length < maxSpare) spare.push(block)
    this.#start = 0
  }

  #open(wanted: number): Buffer {
    const last = this.#blocks.at(-1)
    if (last !== undefined && this.#end < last.length) return last
    const size = last === undefined ? Math.min(largestBlock, Math.max(smallestBlock, wanted)) : largestBlock
    const block = (size === largestBlock ? spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
    this.#blocks.push(block)
    this.#end = 0
    return block
  }
}
