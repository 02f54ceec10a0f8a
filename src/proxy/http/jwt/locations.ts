// Where tokens stand in a request: headers behind a prefix, query parameters, cookies. Which locations a provider has is
// its configuration's business; without any they are those of RFC 6750. Who does not find a token has paid a look for it.
import type { JwtProvider } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { Exchange } from '../exchange.ts'

export interface LocatedToken {
  readonly text: string
  readonly location: Location
}

interface Location {
  readonly kind: 'header' | 'param' | 'cookie'
  readonly name: string
  /** Of headers. */
  readonly prefix: string
  /** Whose tokens may stand here; undefined: anybody's. */
  issuers: Set<string> | undefined
}

const none: readonly LocatedToken[] = []

export class Locations {
  readonly #headers: readonly Location[]
  readonly #params: readonly Location[]
  readonly #cookies: readonly Location[]
  /** Headers that only the proxy may set. */
  readonly #own: readonly string[]

  constructor(providers: readonly JwtProvider[]) {
    const all = new Map<string, Location>()
    for (const provider of providers) for (const one of locationsOf(provider)) addLocation(all, one, provider.issuer)
    const sorted = [...all].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, location]) => location)
    this.#headers = sorted.filter(({ kind }) => kind === 'header')
    this.#params = sorted.filter(({ kind }) => kind === 'param')
    this.#cookies = sorted.filter(({ kind }) => kind === 'cookie')
    this.#own = providers.flatMap(ownHeaders)
  }

  /** What clients say in the headers that are ours to set is not believed. */
  sanitize({ requestHeaders }: Exchange): void {
    for (let i = 0; i < this.#own.length; i++) requestHeaders.remove(this.#own[i]!)
  }

  /** The last one found comes first, as Envoy goes through them. */
  find(exchange: Exchange): readonly LocatedToken[] {
    let found: LocatedToken[] | undefined
    for (const location of this.#headers) found = inHeader(exchange, location, found)
    if (this.#params.length > 0 && exchange.query !== '') found = this.#inQuery(exchange.query, found)
    if (this.#cookies.length > 0) found = this.#inCookies(exchange, found)
    return found === undefined ? none : found.reverse()
  }

  #inQuery(query: string, found: LocatedToken[] | undefined): LocatedToken[] | undefined {
    for (const location of this.#params) {
      const text = parameter(query, location.name)
      if (text !== undefined) (found ??= []).push({ text, location })
    }
    return found
  }

  #inCookies({ requestHeaders }: Exchange, found: LocatedToken[] | undefined): LocatedToken[] | undefined {
    const cookies = requestHeaders.get('cookie')
    if (cookies === undefined) return found
    for (const location of this.#cookies) {
      const text = cookie(requestHeaders.flat, location.name)
      if (text !== undefined) (found ??= []).push({ text, location })
    }
    return found
  }
}

export const mayStandHere = ({ issuers }: Location, issuer: string): boolean => issuers === undefined || issuers.has(issuer)

/** So that the workload does not see it. Cookies stay, as Envoy leaves them. */
export function removeToken({ location: { kind, name } }: LocatedToken, exchange: Exchange): void {
  if (kind === 'header') exchange.requestHeaders.remove(name)
  if (kind !== 'param') return
  const kept = exchange.query.split('&').filter((piece) => decode(piece.split('=', 1)[0]!) !== name).join('&')
  exchange.setPath(kept === '' ? exchange.pathname : `${exchange.pathname}?${kept}`)
}

type Bare = Omit<Location, 'issuers'>

function locationsOf({ fromHeaders, fromParams, fromCookies }: JwtProvider): Bare[] {
  const written: Bare[] = [
    ...fromHeaders.map(({ name, valuePrefix }) => ({ kind: 'header' as const, name: name.toLowerCase(), prefix: valuePrefix })),
    ...fromParams.map((name) => ({ kind: 'param' as const, name, prefix: '' })),
    ...fromCookies.map((name) => ({ kind: 'cookie' as const, name, prefix: '' })),
  ]
  return written.length > 0 ? written : usual
}

const usual: Bare[] = [{ kind: 'header', name: 'authorization', prefix: 'Bearer ' }, { kind: 'param', name: 'access_token', prefix: '' }]

function addLocation(all: Map<string, Location>, bare: Bare, issuer: string): void {
  const key = `${bare.kind} ${bare.name}${bare.prefix}`
  const known = all.get(key)
  if (known === undefined) all.set(key, { ...bare, issuers: issuer === '' ? undefined : new Set([issuer]) })
  else if (issuer === '') known.issuers = undefined
  else known.issuers?.add(issuer)
}

const ownHeaders = ({ forwardPayloadHeader, claimToHeaders }: JwtProvider): string[] =>
  [forwardPayloadHeader, ...claimToHeaders.map(({ headerName }) => headerName)].filter((name) => name !== '').map((name) => name.toLowerCase())

function inHeader({ requestHeaders }: Exchange, location: Location, before: LocatedToken[] | undefined): LocatedToken[] | undefined {
  const { flat } = requestHeaders
  let found = before
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== location.name) continue
    const single = location.name === 'authorization'
    // Of this header Envoy makes one line: a second token does not stand beside the first, it spoils it.
    const text = tokenIn(single ? requestHeaders.joined(location.name)! : flat[i + 1]!, location.prefix)
    if (text !== undefined) (found ??= []).push({ text, location })
    if (single) break
  }
  return found
}

/** The prefix may stand anywhere in the value; what is between it and the first character of a token is skipped. */
function tokenIn(value: string, prefix: string): string | undefined {
  if (prefix === '') return value
  const at = value.indexOf(prefix)
  if (at === -1) return undefined
  let from = at + prefix.length
  while (from < value.length && !isTokenCharacter(value.charCodeAt(from))) from++
  return from === value.length ? value : value.slice(from)
}

/** Base64url and dots. */
function isTokenCharacter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x5f
}

/** Its first value. */
function parameter(query: string, name: string): string | undefined {
  for (const piece of query.split('&')) {
    const equals = piece.indexOf('=')
    if (decode(equals === -1 ? piece : piece.slice(0, equals)) === name) return equals === -1 ? '' : decode(piece.slice(equals + 1))
  }
  return undefined
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function cookie(flat: readonly string[], name: string): string | undefined {
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'cookie') continue
    for (const piece of flat[i + 1]!.split(';')) {
      const equals = piece.indexOf('=')
      if (equals !== -1 && piece.slice(0, equals).trim() === name) return piece.slice(equals + 1).trim().replace(/^"(.*)"$/, '$1')
    }
  }
  return undefined
}
