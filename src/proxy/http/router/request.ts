// What a route can look at. A live Exchange is one; explain makes others.
import type { HeaderList } from '../../../codec/header-list.ts'

export interface RoutedRequest {
  readonly method: string
  /** `http` or `https`. */
  readonly scheme: string
  /** As sent, with its port. */
  readonly authority: string
  /** Normalized, without the query. */
  readonly pathname: string
  /** What follows the `?`; empty without one. */
  readonly query: string
  readonly requestHeaders: HeaderList
  /** What filters learnt, by their namespaces. */
  readonly dynamicMetadata?: ReadonlyMap<string, Readonly<Record<string, unknown>>> | undefined
}

/** A number in [0, 1). */
export type Random = () => number

/** One of the things that a route asks for; all must hold. */
export interface Condition {
  matches(request: RoutedRequest, random: Random): boolean
  /** `path starts with "/reviews"`, for explain. */
  readonly words: string
  /** What the request has instead. */
  found(request: RoutedRequest): string
}
