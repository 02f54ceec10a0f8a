// What the two variants of the protocol have in common, seen by the server: one type on one stream, what the client wants
// of it, what it holds, and the one response that it has not answered yet. Pure: no stream, no clock.
import type { TypeName } from './types.ts'

/** A resource as far as a subscription cares: equal versions are equal resources. */
export interface Versioned {
  readonly name: string
  readonly version: string
}

/** The resources of a type, of now. */
export interface Current<Resource extends Versioned> {
  /** All that a wildcard gets, in lists that are the same objects for as long as nothing in them changes. None is in two. */
  lists(): readonly (readonly Resource[])[]
  get(name: string): Resource | undefined
}

/**
 * `make` sends what is new and what changed, `break` what is gone: between the two come the types that refer to what goes,
 * so that nothing is taken away while it is in use.
 */
export type Phase = 'make' | 'break'

export interface Response<Resource extends Versioned> {
  readonly resources: readonly Resource[]
  /** Names that do not exist, or no longer. State of the world says it by leaving them out. */
  readonly removed: readonly string[]
  /** Of the resources, those that the client does not hold like this. */
  readonly changed: readonly string[]
}

/** What a request says about the last response. `stale`: it answers an earlier one. */
export type Answer =
  | { readonly kind: 'none' | 'acked' | 'stale' }
  | { readonly kind: 'nacked'; readonly error: string }

export interface Subscription<Request, Resource extends Versioned> {
  /** Whether the client has asked for this type at all. */
  readonly watched: boolean
  /** A response was sent and not answered: until it is, nothing else of this type is sent. */
  readonly inFlight: boolean
  /** Something is to be sent although nothing changed. */
  readonly due: boolean
  /** Takes a request in. What is to be sent is found out by `next`. */
  request(request: Request): Answer
  /** What to send now; undefined for nothing. Not to be asked while a response is in flight. */
  next(current: Current<Resource>, phase: Phase): Response<Resource> | undefined
  sent(response: Response<Resource>, nonce: string): void
  /** The client needs these again, also unchanged: a cluster that changed waits for its endpoints. */
  resend(names: Iterable<string>): void
}

/** All names and held resources of one type on one stream; beyond it, the stream ends. A large mesh has 10,000 clusters. */
export const maxNames = 50_000

/** The client wants or holds more than `maxNames`. */
export class TooManyNames extends Error {
  constructor(count: number) {
    super(`${count} resource names of one type on one stream; at most ${maxNames} are served`)
    this.name = 'TooManyNames'
  }
}

/** Who refers to something goes before what it refers to. */
export const breakOrder: readonly TypeName[] = ['LDS', 'RDS', 'CDS', 'EDS', 'SDS', 'NDS', 'PCDS']
