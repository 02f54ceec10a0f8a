// One type on one state-of-the-world stream: every request names all that the client wants. Of clusters and listeners a
// response is all there is, and what is left out is gone; of the other types it is what changed.
import { Holdings } from './holdings.ts'
import { TooManyNames, maxNames } from './subscription.ts'
import type { Answer, Current, Phase, Response, Subscription, Versioned } from './subscription.ts'

export interface SotwRequest {
  readonly names: readonly string[]
  readonly nonce: string
  /** Why the last response was refused; undefined when it was not. */
  readonly error: string | undefined
}

export class SotwSubscription<Resource extends Versioned> implements Subscription<SotwRequest, Resource> {
  /** Of a type that a client may ask all of, a response always is the whole state. */
  readonly #whole: boolean
  readonly #held = new Holdings()
  #names: ReadonlySet<string> = new Set()
  #wildcard = false
  #watched = false
  /** The client waits for an answer, even an empty one. */
  #asked = false
  #lastNonce = ''
  #inFlight: Response<Resource> | undefined

  constructor(canWildcard: boolean) {
    this.#whole = canWildcard
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

  request(request: SotwRequest): Answer {
    if (request.names.length > maxNames) throw new TooManyNames(request.names.length)
    // A client that has just come back may say the nonce of its old stream.
    if (!this.#watched || request.nonce === '') {
      this.#restart(request)
      return { kind: 'none' }
    }
    if (request.nonce !== this.#lastNonce) return { kind: 'stale' }
    const answer = this.#takeAnswer(request)
    this.#setNames(request.names)
    return answer
  }

  next(current: Current<Resource>, phase: Phase): Response<Resource> | undefined {
    if (phase === 'break') return undefined
    this.#held.beginRetry()
    const all = this.#wildcard ? current.lists().flat() : [...this.#names].flatMap((name) => current.get(name) ?? [])
    const news = all.filter((one) => this.#held.isNews(one))
    const less = this.#whole && all.length < this.#held.size
    if (news.length === 0 && !less && !this.#asked) return undefined
    return { resources: this.#whole ? all : news, removed: [], changed: news.map((one) => one.name) }
  }

  sent(response: Response<Resource>, nonce: string): void {
    this.#asked = false
    this.#lastNonce = nonce
    this.#inFlight = response
    if (this.#whole) for (const name of this.#held.names) this.#held.drop(name)
    else this.#held.planRetry(response.changed)
    for (const { name, version } of response.resources) this.#held.set(name, version)
  }

  resend(names: Iterable<string>): void {
    for (const name of names) if (this.#held.holds(name)) this.#held.setUnknown(name)
  }

  #takeAnswer({ error }: SotwRequest): Answer {
    const answered = this.#inFlight
    this.#inFlight = undefined
    if (answered === undefined) return { kind: 'none' }
    if (error === undefined) return { kind: 'acked' }
    // A whole state is sent again as a whole, with what was refused of it.
    if (!this.#whole) this.#held.refuse(answered.changed)
    return { kind: 'nacked', error }
  }

  /** The first request, or one that is as good as that: whatever was sent before does not count. */
  #restart({ names }: SotwRequest): void {
    for (const name of this.#held.names) this.#held.drop(name)
    if (!this.#watched) this.#wildcard = this.#whole && names.length === 0
    this.#setNames(names)
    this.#watched = true
    // Naming nothing of a type that cannot be asked for as a whole asks for nothing.
    this.#asked = this.#wildcard || this.#names.size > 0
  }

  #setNames(names: readonly string[]): void {
    const before = this.#names
    const explicit = new Set(this.#whole ? names.filter((name) => name !== '*') : names)
    // A client that has never named anything still means everything.
    this.#wildcard = this.#whole && (names.includes('*') || (this.#wildcard && names.length === 0))
    this.#names = explicit
    const added = [...explicit].filter((name) => !before.has(name))
    if (added.length > 0) this.#asked = true
    for (const name of added) if (!this.#whole) this.#held.drop(name)
    if (!this.#wildcard) for (const name of this.#held.names) if (!explicit.has(name)) this.#held.drop(name)
  }
}
