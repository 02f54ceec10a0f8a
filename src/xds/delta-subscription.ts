// One type on one incremental stream: the client says which names it adds and drops, the server sends what differs from
// what the client holds. Nothing that is held in its newest version is sent again, also not after a reconnect.
import { changedNames, inList } from './changes.ts'
import { Holdings } from './holdings.ts'
import { TooManyNames, maxNames } from './subscription.ts'
import type { Answer, Current, Phase, Response, Subscription, Versioned } from './subscription.ts'

export interface DeltaRequest {
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** In the first request of a type: what the client still holds from an earlier stream. */
  readonly initialVersions: Readonly<Record<string, string>>
  readonly nonce: string
  /** Why the last response was refused; undefined when it was not. */
  readonly error: string | undefined
}

/** So few names are looked up one by one: for them nobody has to make all that there is of the type. */
const fewNames = 64

export class DeltaSubscription<Resource extends Versioned> implements Subscription<DeltaRequest, Resource> {
  readonly #canWildcard: boolean
  readonly #few: number
  /** All of the type at the last look; undefined when every name has to be looked at. */
  #seen: readonly (readonly Resource[])[] | undefined
  /** Names in which the client may hold something else than it should. All others are settled as of `#seen`. */
  readonly #open = new Set<string>()
  readonly #held = new Holdings()
  readonly #names = new Set<string>()
  readonly #resend = new Set<string>()
  #wildcard = false
  #watched = false
  /** What the client wants has changed. */
  #asked = false
  #inFlight: { readonly nonce: string; readonly response: Response<Resource> } | undefined

  /** Where a client cannot ask for everything, `*` is a name that nothing has. */
  constructor(canWildcard: boolean, few = fewNames) {
    this.#canWildcard = canWildcard
    this.#few = few
  }

  get watched(): boolean {
    return this.#watched
  }

  get inFlight(): boolean {
    return this.#inFlight !== undefined
  }

  get due(): boolean {
    return this.#asked || this.#held.retryDue
  }

  request(request: DeltaRequest): Answer {
    const answer = this.#takeAnswer(request)
    const initialVersions = this.#watched ? {} : request.initialVersions
    if (request.subscribe.length + request.unsubscribe.length > 0) this.#asked = true
    if (!this.#watched) this.#begin(request)
    // Names count also when the nonce is stale: they are said once, and would be lost.
    for (const name of request.unsubscribe) this.#unsubscribe(name)
    for (const name of request.subscribe) this.#subscribe(name, initialVersions)
    if (this.#names.size + this.#held.size > 2 * maxNames) throw new TooManyNames(Math.max(this.#names.size, this.#held.size))
    return answer
  }

  next(current: Current<Resource>, phase: Phase): Response<Resource> | undefined {
    if (phase === 'make') this.#asked = false
    this.#held.beginRetry()
    const wanted = this.#wanted(current)
    const response = phase === 'make' ? this.#additions(wanted) : this.#removals(wanted)
    return response.resources.length + response.removed.length === 0 ? undefined : response
  }

  sent(response: Response<Resource>, nonce: string): void {
    this.#inFlight = { nonce, response }
    this.#held.planRetry(response.changed)
    for (const { name, version } of response.resources) this.#held.set(name, version)
    for (const name of response.removed) {
      if (this.#names.has(name)) this.#held.setMissing(name)
      else this.#held.drop(name)
    }
  }

  resend(names: Iterable<string>): void {
    for (const name of names) {
      if (!this.#watched) this.#resend.add(name)
      else if (this.#held.holds(name)) this.#held.setUnknown(name)
    }
  }

  #takeAnswer({ nonce, error }: DeltaRequest): Answer {
    if (nonce === '') return { kind: 'none' }
    const answered = this.#inFlight
    if (answered?.nonce !== nonce) return { kind: 'stale' }
    this.#inFlight = undefined
    if (error === undefined) return { kind: 'acked' }
    this.#held.refuse(answered.response.changed)
    return { kind: 'nacked', error }
  }

  #begin({ subscribe, initialVersions }: DeltaRequest): void {
    this.#watched = true
    this.#asked = true
    this.#wildcard = this.#canWildcard && subscribe.length === 0
    // What is held but not asked for by name is of interest to a wildcard only: it may be gone.
    const wildcard = this.#wildcard || (this.#canWildcard && subscribe.includes('*'))
    if (wildcard) for (const [name, version] of Object.entries(initialVersions)) this.#hold(name, version)
  }

  #subscribe(name: string, initialVersions: Readonly<Record<string, string>>): void {
    if (name === '*' && this.#canWildcard) {
      this.#wildcard = true
      this.#seen = undefined
      return
    }
    this.#names.add(name)
    // Also what was sent before: a client that asks has a reason to.
    const version = Object.hasOwn(initialVersions, name) ? initialVersions[name] : undefined
    if (version !== undefined) this.#hold(name, version)
    else if (this.#held.holds(name)) this.#held.setUnknown(name)
    else this.#held.drop(name)
  }

  #hold(name: string, version: string): void {
    if (this.#resend.has(name) || version === '') this.#held.setUnknown(name)
    else this.#held.set(name, version)
  }

  #unsubscribe(name: string): void {
    if (name === '*' && this.#canWildcard) {
      this.#wildcard = false
      this.#seen = undefined
      for (const held of this.#held.names) if (!this.#names.has(held)) this.#held.drop(held)
      return
    }
    if (!this.#names.delete(name)) return
    // The client has dropped it, but as one of all it gets it again, or hears that there is none.
    if (this.#wildcard) this.#held.setUnknown(name)
    else this.#held.drop(name)
  }

  /** Resources of all names that may differ from what the client holds; undefined where there is none. */
  #wanted(current: Current<Resource>): ReadonlyMap<string, Resource | undefined> {
    const lists = this.#wildcard || this.#names.size > this.#few ? current.lists() : undefined
    this.#openChanged(lists)
    this.#seen = lists
    const wanted = new Map<string, Resource | undefined>()
    for (const name of this.#open) {
      const listed = lists === undefined ? undefined : findIn(lists, name)
      const named = this.#names.has(name)
      const resource = listed !== undefined && (this.#wildcard || named) ? listed : named ? current.get(name) : undefined
      if (resource !== undefined || named) wanted.set(name, resource)
      // What no list has may come and go unseen: a client that names it has it looked up each time.
      if (this.#isSettled(name, resource) && (listed !== undefined || !named)) this.#open.delete(name)
    }
    return wanted
  }

  #openChanged(lists: readonly (readonly Resource[])[] | undefined): void {
    const seen = this.#seen
    for (const name of this.#held.takeTouched()) this.#open.add(name)
    if (lists === undefined || seen?.length !== lists.length) return this.#openAll(lists ?? [])
    for (const [at, list] of lists.entries()) {
      if (list === seen[at]) continue
      for (const name of changedNames(seen[at]!, list)) this.#open.add(name)
    }
  }

  #openAll(lists: readonly (readonly Resource[])[]): void {
    if (this.#wildcard) for (const list of lists) for (const { name } of list) this.#open.add(name)
    for (const name of this.#names) this.#open.add(name)
    for (const name of this.#held.names) this.#open.add(name)
  }

  #isSettled(name: string, resource: Resource | undefined): boolean {
    return resource === undefined ? !this.#held.holds(name) : !this.#held.isNews(resource)
  }

  #additions(wanted: ReadonlyMap<string, Resource | undefined>): Response<Resource> {
    const resources: Resource[] = []
    const removed: string[] = []
    for (const [name, resource] of wanted) {
      if (resource === undefined) {
        if (!this.#held.holds(name) && !this.#held.knowsMissing(name)) removed.push(name)
      } else if (this.#held.isNews(resource)) {
        resources.push(resource)
      }
    }
    return { resources, removed, changed: resources.map((one) => one.name) }
  }

  #removals(wanted: ReadonlyMap<string, Resource | undefined>): Response<Resource> {
    const removed = [...this.#open].filter((name) => wanted.get(name) === undefined && this.#held.holds(name))
    return { resources: [], removed, changed: [] }
  }
}

function findIn<Resource extends Versioned>(lists: readonly (readonly Resource[])[], name: string): Resource | undefined {
  for (const list of lists) {
    const found = inList(list, name)
    if (found !== undefined) return found
  }
  return undefined
}
