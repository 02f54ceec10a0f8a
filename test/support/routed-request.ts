// Requests as routes see them, and a random number generator that always draws the same.
import { HeaderList } from '../../src/codec/header-list.ts'
import type { RoutedRequest } from '../../src/proxy/http/router/request.ts'

export interface RequestInit {
  readonly method?: string
  readonly scheme?: string
  readonly authority?: string
  /** With its query. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

export function routedRequest({ method = 'GET', scheme = 'http', authority = 'a', path = '/', headers = {} }: RequestInit = {}): RoutedRequest {
  const [pathname = '', ...rest] = path.split('?')
  return { method, scheme, authority, pathname, query: rest.join('?'), requestHeaders: HeaderList.of(...Object.entries(headers).flat()) }
}

/** mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
