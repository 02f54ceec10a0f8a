// Finds the first route that matches without trying all that come before it: routes by their path, so that a virtual host
// with 5,000 of them costs no more than one with ten. What is found is what trying them in order would find.
import type { CompiledRoute } from './compile.ts'
import { matchesAll } from './match.ts'
import type { Random, RoutedRequest } from './request.ts'

/** Below, trying them in order is as fast. */
const worthAnIndex = 24

type Places = readonly number[]
const none: Places = []

/** Filled anew by each search, which never waits. */
const lists: Places[] = []
const heads: number[] = []

export class RouteIndex {
  readonly #routes: readonly CompiledRoute[]
  readonly #exact = new Map<string, number[]>()
  /** By their length, ascending: a path has one part of each. */
  readonly #prefixes: readonly { readonly length: number; readonly places: ReadonlyMap<string, Places> }[]
  /** Whose paths are patterns, or have no case: tried for every request. */
  readonly #others: number[] = []

  private constructor(routes: readonly CompiledRoute[]) {
    this.#routes = routes
    const byLength = new Map<number, Map<string, number[]>>()
    for (const [place, route] of routes.entries()) this.#put(route, place, byLength)
    this.#prefixes = [...byLength].sort(([one], [other]) => one - other).map(([length, places]) => ({ length, places }))
  }

  /** Undefined: there are few. */
  static of(routes: readonly CompiledRoute[]): RouteIndex | undefined {
    return routes.length < worthAnIndex ? undefined : new RouteIndex(routes)
  }

  find(request: RoutedRequest, random: Random): CompiledRoute | undefined {
    const count = this.#gather(request.pathname)
    for (let at = nextList(count); at !== -1; at = nextList(count)) {
      const route = this.#routes[lists[at]![heads[at]!++]!]!
      if (matchesAll(route.conditions, request, random)) return route
    }
    return undefined
  }

  /** All places where the path alone may match, in lists that are each in order. */
  #gather(pathname: string): number {
    let count = 0
    count = addList(this.#others, count)
    count = addList(this.#exact.get(pathname) ?? none, count)
    for (let i = 0; i < this.#prefixes.length; i++) {
      const { length, places } = this.#prefixes[i]!
      if (length > pathname.length) break
      count = addList(places.get(pathname.slice(0, length)) ?? none, count)
    }
    return count
  }

  #put({ message }: CompiledRoute, place: number, byLength: Map<number, Map<string, number[]>>): void {
    const { case: kind, value } = message.match?.pathSpecifier ?? { case: undefined, value: undefined }
    if (message.match?.caseSensitive === false) this.#others.push(place)
    else if (kind === 'path') push(this.#exact, value, place)
    else if (kind === 'prefix' || kind === 'pathSeparatedPrefix') {
      // As conditions have it, `/` stands for every path, also `*`.
      const prefix = value === '/' ? '' : value
      const places = byLength.get(prefix.length) ?? new Map<string, number[]>()
      byLength.set(prefix.length, places)
      push(places, prefix, place)
    } else this.#others.push(place)
  }
}

function push(map: Map<string, number[]>, key: string, place: number): void {
  const places = map.get(key)
  if (places === undefined) map.set(key, [place])
  else places.push(place)
}

function addList(places: Places, count: number): number {
  if (places.length === 0) return count
  lists[count] = places
  heads[count] = 0
  return count + 1
}

/** The list whose next place comes first; -1: all are through. */
function nextList(count: number): number {
  let found = -1
  let first = Infinity
  for (let i = 0; i < count; i++) {
    const place = lists[i]![heads[i]!]
    if (place === undefined || place >= first) continue
    first = place
    found = i
  }
  return found
}
