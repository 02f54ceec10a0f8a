// Earliest deadline first: each host (or locality) is due every 1/weight, so that a host of weight 3 comes three times as often as one
// of weight 1, and evenly spread. A binary heap: choosing costs log(hosts).
import type { Random } from './balancer.ts'

interface Entry<Host> {
  readonly host: Host
  deadline: number
  /** Breaks ties: who was served longest ago comes first. */
  turn: number
}

/** More start picks than this would only cost time. */
const maxStartPicks = 256

export class Deadlines<Host> {
  readonly #heap: Entry<Host>[]
  readonly #weightOf: (host: Host) => number
  #turn = 0

  /** Starts somewhere in the cycle, so that many proxies that start together do not all begin with the same host. */
  constructor(hosts: readonly Host[], weightOf: (host: Host) => number, random: Random) {
    this.#weightOf = weightOf
    this.#heap = hosts.map((host) => ({ host, deadline: 1 / weightOf(host), turn: this.#turn++ }))
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i)
    for (let picks = Math.floor(random() * Math.min(hosts.length, maxStartPicks)); picks > 0; picks--) this.next()
  }

  next(): Host | undefined {
    const first = this.#heap[0]
    if (first === undefined) return undefined
    first.deadline += 1 / this.#weightOf(first.host)
    first.turn = this.#turn++
    this.#sink(0)
    return first.host
  }

  #sink(from: number): void {
    const heap = this.#heap
    const entry = heap[from]!
    let at = from
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left
      if (!isBefore(heap[child]!, entry)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = entry
  }
}

function isBefore(one: Entry<unknown>, other: Entry<unknown>): boolean {
  return one.deadline === other.deadline ? one.turn < other.turn : one.deadline < other.deadline
}
