// Both subscriptions against a model of a client: whatever happens, once everything is answered the client holds what it
// wants in its newest version. Single rules are tested on the wire, in test/conformance.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DeltaSubscription } from './delta-subscription.ts'
import { createNonces } from './nonce.ts'
import { SotwSubscription } from './sotw-subscription.ts'
import { TooManyNames, maxNames } from './subscription.ts'
import type { Current, Phase, Response, Versioned } from './subscription.ts'

type World = Map<string, string>

const currentOf = (world: World): Current<Versioned> => ({
  lists: () => [[...world].map(([name, version]) => ({ name, version }))],
  get: (name) => (world.has(name) ? { name, version: world.get(name)! } : undefined),
})

const name = fc.constantFrom('a', 'b', 'c', 'd')
const version = fc.constantFrom('1', '2', '3')
const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), name, version }),
  fc.record({ do: fc.constant('delete' as const), name }),
  fc.record({ do: fc.constant('subscribe' as const), names: fc.uniqueArray(name) }),
  fc.record({ do: fc.constant('unsubscribe' as const), names: fc.uniqueArray(name) }),
  fc.record({ do: fc.constant('send' as const), phase: fc.constantFrom<Phase>('make', 'break') }),
  fc.record({ do: fc.constant('answer' as const), refuse: fc.boolean() }),
  fc.record({ do: fc.constant('reconnect' as const) }),
  fc.record({ do: fc.constant('resend' as const), name }),
)
const steps = fc.array(step, { maxLength: 40, size: 'max' })
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

const nothing = { subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined }

/** A client of the incremental protocol. What it refuses it does not take; at the end it takes everything. */
class DeltaModel {
  readonly world: World = new Map()
  readonly names = new Set<string>()
  held: World = new Map()
  #server: DeltaSubscription<Versioned>
  #pending: { readonly response: Response<Versioned>; readonly nonce: string } | undefined
  readonly #wildcard: boolean
  #nonces = createNonces()
  /** Refused, and not sent since in another version. */
  readonly #refused = new Map<string, string>()

  constructor(wildcard: boolean) {
    this.#wildcard = wildcard
    this.#server = new DeltaSubscription(wildcard, 0)
    this.#begin()
  }

  run(one: Step): void {
    switch (one.do) {
      case 'set':
        this.world.set(one.name, one.version)
        break
      case 'delete':
        this.world.delete(one.name)
        break
      case 'subscribe':
        this.#subscribe(one.names)
        break
      case 'unsubscribe':
        this.#unsubscribe(one.names)
        break
      case 'send':
        this.#send(one.phase)
        break
      case 'answer':
        this.#answer(one.refuse)
        break
      case 'reconnect':
        this.#reconnect()
        break
      case 'resend':
        this.#server.resend([one.name])
        break
    }
  }

  settle(): void {
    for (let round = 0; round < 6; round++) {
      this.#answer(false)
      this.#send('make')
      this.#answer(false)
      this.#send('break')
    }
    assert.equal(this.#server.inFlight, false)
  }

  /** What the client is to hold. What it refused stays as it was until something else changes. */
  check(): void {
    const wanted = [...this.world].filter(([each]) => this.#wildcard || this.names.has(each))
    const differing = wanted.filter(([each, now]) => this.held.get(each) !== now && this.#refused.get(each) !== now)
    assert.deepEqual(differing, [])
    assert.deepEqual([...this.held.keys()].filter((each) => !this.world.has(each)), [])
  }

  #begin(): void {
    this.#server.request({ ...nothing, subscribe: [...this.#wildcard ? ['*'] : [], ...this.names], initialVersions: Object.fromEntries(this.held) })
  }

  #subscribe(names: readonly string[]): void {
    for (const each of names) this.names.add(each)
    this.#server.request({ ...nothing, subscribe: names })
  }

  #unsubscribe(names: readonly string[]): void {
    for (const each of names) {
      this.names.delete(each)
      if (!this.#wildcard) this.held.delete(each)
    }
    this.#server.request({ ...nothing, unsubscribe: names })
  }

  #send(phase: Phase): void {
    if (this.#server.inFlight) return
    const response = this.#server.next(currentOf(this.world), phase)
    if (response === undefined) return
    const nonce = this.#nonces()
    this.#server.sent(response, nonce)
    this.#pending = { response, nonce }
  }

  #answer(refuse: boolean): void {
    if (this.#pending === undefined) return
    const { response, nonce } = this.#pending
    this.#pending = undefined
    for (const one of response.resources) {
      if (refuse) this.#refused.set(one.name, one.version)
      else this.#take(one)
    }
    if (!refuse) for (const each of response.removed) this.held.delete(each)
    // Refusing that something is gone makes no sense to any client.
    const error = refuse && response.resources.length > 0 ? 'no' : undefined
    if (refuse && error === undefined) for (const each of response.removed) this.held.delete(each)
    assert.equal(this.#server.request({ ...nothing, nonce, error }).kind, error === undefined ? 'acked' : 'nacked')
    if (error !== undefined) for (const each of response.removed) this.held.delete(each)
  }

  #take(one: Versioned): void {
    this.#refused.delete(one.name)
    if (this.#wildcard || this.names.has(one.name)) this.held.set(one.name, one.version)
  }

  #reconnect(): void {
    this.#pending = undefined
    this.#refused.clear()
    this.#server = new DeltaSubscription(this.#wildcard, 0)
    this.#begin()
  }
}

for (const wildcard of [true, false]) {
  test(`incremental, ${wildcard ? 'all' : 'by name'}: once all is answered, the client holds the newest of what it wants`, () => {
    fc.assert(fc.property(steps, (all) => {
      const model = new DeltaModel(wildcard)
      for (const one of all) model.run(one)
      model.settle()
      model.check()
    }), { numRuns: 1000 })
  })
}

/** A client of the other variant, which takes whole states or single resources and refuses nothing. */
function runSotw(whole: boolean, all: readonly Step[]): void {
  const world: World = new Map()
  const names = new Set<string>(['a'])
  const held: World = new Map()
  const server = new SotwSubscription<Versioned>(whole)
  const nonces = createNonces()
  let nonce = ''
  let pending: Response<Versioned> | undefined
  const answer = (): void => {
    if (pending === undefined) return
    if (whole) held.clear()
    for (const one of pending.resources) held.set(one.name, one.version)
    pending = undefined
    server.request({ names: [...names], nonce, error: undefined })
  }
  const send = (): void => {
    const response = server.inFlight ? undefined : server.next(currentOf(world), 'make')
    if (response === undefined) return
    nonce = nonces()
    server.sent(response, nonce)
    pending = response
  }
  server.request({ names: [...names], nonce, error: undefined })
  for (const one of all) {
    if (one.do === 'set') world.set(one.name, one.version)
    else if (one.do === 'delete') world.delete(one.name)
    else if (one.do === 'subscribe') for (const each of one.names) names.add(each)
    else if (one.do === 'send') send()
    else if (one.do === 'answer') answer()
    else if (one.do === 'resend') server.resend([one.name])
    if (one.do === 'subscribe' && pending === undefined) server.request({ names: [...names], nonce, error: undefined })
  }
  for (let round = 0; round < 4; round++) {
    answer()
    send()
  }
  assert.equal(pending, undefined)
  for (const each of names) {
    const now = world.get(each)
    if (now !== undefined) assert.equal(held.get(each), now)
    else if (whole) assert.equal(held.has(each), false)
  }
}

for (const whole of [true, false]) {
  test(`state of the world, ${whole ? 'whole states' : 'single resources'}: once all is answered, the client holds the newest of what it wants`, () => {
    fc.assert(fc.property(steps, (all) => runSotw(whole, all)), { numRuns: 1000 })
  })
}

describe('limits', () => {
  const many = Array.from({ length: maxNames + 1 }, (_, index) => `n${index}`)

  test('a stream does not subscribe to any number of names', () => {
    assert.throws(() => new SotwSubscription(false).request({ names: many, nonce: '', error: undefined }), TooManyNames)
    const subscription = new DeltaSubscription(false)
    subscription.request({ ...nothing, subscribe: many })
    assert.throws(() => subscription.request({ ...nothing, subscribe: many.map((each) => `${each}'`) }), TooManyNames)
  })

  test('nonces of two streams differ', () => assert.notEqual(createNonces()(), createNonces()()))
})
