// The open streams by id: open addressing in one array. A Map would do, but it makes itself anew every so many deletions,
// and the tables that it leaves behind drag dead streams along into the old generation: 5 % of all that was allocated.
import type { Stream } from './stream.ts'

const smallest = 16

export class StreamMap<User> {
  size = 0
  #slots: (Stream<User> | undefined)[] = emptySlots(smallest)

  get(id: number): Stream<User> | undefined {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = home(id, mask); ; at = (at + 1) & mask) {
      const stream = slots[at]
      if (stream === undefined || stream.id === id) return stream
    }
  }

  /** A stream whose id is not there yet. */
  add(stream: Stream<User>): void {
    if (2 * ++this.size > this.#slots.length) this.#grow()
    this.#place(stream)
  }

  delete(id: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let at = home(id, mask)
    for (; slots[at] !== undefined && slots[at]!.id !== id; ) at = (at + 1) & mask
    if (slots[at] === undefined) return
    this.size--
    this.#close(at)
  }

  /** As they are now: what is visited may end. */
  all(): Stream<User>[] {
    const streams: Stream<User>[] = []
    for (const stream of this.#slots) if (stream !== undefined) streams.push(stream)
    return streams.sort((one, other) => one.id - other.id)
  }

  #place(stream: Stream<User>): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let at = home(stream.id, mask)
    while (slots[at] !== undefined) at = (at + 1) & mask
    slots[at] = stream
  }

  /** Empties a slot: those behind it that had to give way to it move up, so that no search ends too early. */
  #close(gap: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let free = gap
    for (let at = (gap + 1) & mask; slots[at] !== undefined; at = (at + 1) & mask) {
      const stream = slots[at]!
      if (((at - home(stream.id, mask)) & mask) < ((at - free) & mask)) continue
      slots[free] = stream
      free = at
    }
    slots[free] = undefined
  }

  #grow(): void {
    const streams = this.#slots
    this.#slots = emptySlots(2 * streams.length)
    for (const stream of streams) if (stream !== undefined) this.#place(stream)
  }
}

/** Ids of one side differ in their upper bits: they go by turns. */
const home = (id: number, mask: number): number => (id >>> 1) & mask

function emptySlots<User>(length: number): (Stream<User> | undefined)[] {
  const slots: (Stream<User> | undefined)[] = []
  for (let i = 0; i < length; i++) slots.push(undefined)
  return slots
}
