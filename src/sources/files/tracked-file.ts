// What is known of one watched file, and what of it is in use. Broken objects keep their last good version. A file that
// vanishes or loses objects is believed only after a moment: editors save by truncating and writing, or by moving the old
// file away first, and a service must not go because somebody looked in between.
//
//            same or more objects                 the same again, for `settleMs`
//   in use ------------------------> in use    leaving -----------------------> in use, without them
//      \______ fewer, or no file ______________^   \______ they are back ______> in use
import type { Resource } from '../../model/resource.ts'
import type { FileView } from './assemble.ts'
import { resourceKeyOf } from './assemble.ts'
import { keyOf, nothing } from './load.ts'
import type { Content } from './load.ts'

interface Leaving {
  readonly content: Content
  readonly hash: string
  readonly since: number
  readonly changed: number
}

/** However often the file changes meanwhile, after so many settling times it is believed. */
const longestLeaving = 10

export class TrackedFile {
  readonly path: string
  /** As it was when it was last read; empty to have it read again. */
  signature = ''
  #content: Content = nothing
  #hash = ''
  #good: ReadonlyMap<string, Resource> = new Map()
  #held: readonly Resource[] = []
  #leaving: Leaving | undefined
  #outOfReach = false

  constructor(path: string) {
    this.path = path
  }

  /** Takes what stands in the file now; an empty hash for no text. Whether anything changed for others. */
  offer(content: Content, hash: string, now: number): boolean {
    const wasOutOfReach = this.#outOfReach
    this.#outOfReach = false
    if (hash === this.#hash) return this.#stays() || wasOutOfReach
    if (!this.#loses(content)) return this.#adopt(content, hash)
    const before = this.#leaving
    if (before !== undefined && before.hash === hash) return wasOutOfReach
    this.#leaving = { content, hash, since: before?.since ?? now, changed: now }
    return true
  }

  /** Whether this is the text that is in use, so that it need not be parsed. */
  knows(hash: string): boolean {
    return hash === this.#hash
  }

  /** There is no such file now. */
  vanished(now: number): boolean {
    this.signature = ''
    return this.offer(nothing, '', now)
  }

  /** What it is cannot be looked at now: all of it stays in use. */
  outOfReach(): boolean {
    this.signature = ''
    if (this.#outOfReach) return false
    this.#outOfReach = true
    this.#stays()
    return true
  }

  /** When a loss is to be believed. */
  dueAt(settleMs: number): number | undefined {
    if (this.#leaving === undefined) return undefined
    return Math.min(this.#leaving.changed + settleMs, this.#leaving.since + longestLeaving * settleMs)
  }

  settle(now: number, settleMs: number): boolean {
    const due = this.dueAt(settleMs)
    if (due === undefined || now < due) return false
    return this.#adopt(this.#leaving!.content, this.#leaving!.hash)
  }

  /** Nothing of it is in use, and nothing is to be said about it. */
  get isEmpty(): boolean {
    return this.#content === nothing && this.#held.length === 0 && this.#leaving === undefined
  }

  view(): FileView {
    if (this.#outOfReach) return { content: nothing, held: [...this.#good.values()], leaving: false }
    return { content: this.#content, held: this.#held, leaving: this.#leaving !== undefined }
  }

  #stays(): boolean {
    if (this.#leaving === undefined) return false
    this.#leaving = undefined
    return true
  }

  #loses(content: Content): boolean {
    const kept = new Set(this.#next(content).good.keys())
    return [...this.#good.keys()].some((key) => !kept.has(key))
  }

  #adopt(content: Content, hash: string): boolean {
    const { good, held } = this.#next(content)
    this.#leaving = undefined
    this.#content = content
    this.#hash = hash
    this.#good = good
    this.#held = held
    return true
  }

  #next(content: Content): { good: ReadonlyMap<string, Resource>; held: readonly Resource[] } {
    const good = new Map(content.objects.flatMap(({ resource }) => (resource === undefined ? [] : [[resourceKeyOf(resource), resource] as const])))
    const broken = new Set(content.objects.filter((one) => one.resource === undefined && one.handling !== 'inert').map(keyOf))
    const held: Resource[] = []
    for (const [key, resource] of this.#good) {
      if (good.has(key) || (content.whole && !broken.has(key))) continue
      held.push(resource)
      good.set(key, resource)
    }
    return { good, held }
  }
}
