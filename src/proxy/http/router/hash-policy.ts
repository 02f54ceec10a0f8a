// Compiles a route's hash policies: by which header, cookie, query parameter or client address its requests are kept together.
// Envoy's rules and Envoy's hash, so that a proxy of ours and an Envoy send the same request to the same host.
import type { RouteAction_HashPolicy as HashPolicy, RouteAction_HashPolicy_Cookie as CookiePolicy } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { xxHash64 } from '../../../lib/xxhash64.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import type { Address } from '../../../model/address.ts'
import { milliseconds } from '../../xds/duration.ts'
import { badConfig } from './problem.ts'
import { firstValue } from './query-condition.ts'

/** What hashes are made of. A live Exchange is one. */
export interface HashedRequest {
  readonly requestHeaders: HeaderList
  readonly query: string
  readonly clientAddress?: Address | undefined
  readonly connection: { readonly remoteAddress: Address; readonly remoteAddressText: string; readonly originalDestinationText: string }
  /** A `set-cookie` for the response. */
  addCookie(value: string): void
}

type Method = (request: HashedRequest) => Hash64 | undefined

interface Policy {
  readonly hash: Method
  /** Once there is a hash, those behind do not count. */
  readonly terminal: boolean
}

export type CompiledHash = readonly Policy[]

/** Undefined: the route has none. */
export function compileHashPolicies(policies: readonly HashPolicy[]): CompiledHash | undefined {
  return policies.length === 0 ? undefined : policies.map((policy) => ({ hash: methodOf(policy), terminal: policy.terminal }))
}

/** Several are combined; those that find nothing do not count. Undefined: any host will do. */
export function hashOf(policies: CompiledHash, request: HashedRequest): Hash64 | undefined {
  let hash: Hash64 | undefined
  for (const { hash: method, terminal } of policies) {
    const next = method(request)
    if (next !== undefined) hash = hash === undefined ? next : combine(hash, next)
    if (terminal && hash !== undefined) break
  }
  return hash
}

/** The older one is turned by a bit: two equal ones must not cancel each other out. */
function combine(old: Hash64, next: Hash64): Hash64 {
  const high = (old.high << 1) | (old.low >>> 31)
  const low = (old.low << 1) | (old.high >>> 31)
  return { high: (high ^ next.high) >>> 0, low: (low ^ next.low) >>> 0 }
}

function methodOf({ policySpecifier: { case: kind, value } }: HashPolicy): Method {
  switch (kind) {
    case 'header': {
      if (value.regexRewrite !== undefined) throw badConfig('hash_policy: regex_rewrite is not supported')
      return byHeader(value.headerName.toLowerCase())
    }
    case 'cookie': return byCookie(value)
    case 'connectionProperties': return value.sourceIp ? bySource : () => undefined
    case 'queryParameter': return ({ query }) => hashOfText(firstValue(query, value.name))
    // Nobody puts anything into a filter state here.
    case 'filterState': return () => undefined
    default: throw badConfig('a hash policy of no kind')
  }
}

const hashOfText = (text: string | undefined): Hash64 | undefined => (text === undefined ? undefined : xxHash64(text))

/** The order in which several values came does not matter. */
function byHeader(name: string): Method {
  return ({ requestHeaders }) => {
    const { flat } = requestHeaders
    let only: string | undefined
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue
      if (only !== undefined) return hashOfAll(flat.filter((_, at) => at % 2 === 1 && flat[at - 1] === name))
      only = flat[i + 1]!
    }
    return hashOfText(only)
  }
}

function hashOfAll(values: readonly string[]): Hash64 | undefined {
  return values.toSorted((one, other) => (one < other ? -1 : one > other ? 1 : 0)).reduce<Hash64 | undefined>((seed, value) => xxHash64(value, seed), undefined)
}

const bySource: Method = ({ clientAddress, connection }) => {
  const { host } = clientAddress ?? connection.remoteAddress
  return host.startsWith('unix://') ? undefined : hashOfText(host)
}

/** A client without the cookie gets one, where it has a time to live. All requests of its connection get the same. */
function byCookie(policy: CookiePolicy): Method {
  const { name, ttl } = policy
  const attributes = attributesOf(policy)
  return (request) => {
    const value = cookieValue(request.requestHeaders, name)
    if (value !== '') return xxHash64(value)
    if (ttl === undefined) return undefined
    const { remoteAddressText, originalDestinationText } = request.connection
    const { high, low } = xxHash64(remoteAddressText + originalDestinationText)
    const made = hex(high) + hex(low)
    request.addCookie(`${name}="${made}"${attributes}`)
    return xxHash64(made)
  }
}

const hex = (half: number): string => half.toString(16).padStart(8, '0')

function attributesOf({ ttl, path, attributes }: CookiePolicy): string {
  const seconds = ttl === undefined ? 0 : Math.floor(milliseconds(ttl) / 1_000)
  const age = seconds === 0 ? '' : `; Max-Age=${seconds}`
  const where = path === '' ? '' : `; Path=${path}`
  const more = attributes.map(({ name, value }) => (value === '' ? `; ${name}` : `; ${name}=${value}`)).join('')
  return `${age}${where}${more}; HttpOnly`
}

/** Of the first cookie of that name, without quotes; empty when there is none. */
export function cookieValue({ flat }: HeaderList, name: string): string {
  for (let i = 0; i < flat.length; i += 2) {
    const found = flat[i] === 'cookie' ? valueIn(flat[i + 1]!, name) : undefined
    if (found !== undefined) return found
  }
  return ''
}

function valueIn(cookies: string, name: string): string | undefined {
  for (let at = 0; at < cookies.length; ) {
    while (cookies.charCodeAt(at) === 0x20) at++
    const semicolon = cookies.indexOf(';', at)
    const end = semicolon === -1 ? cookies.length : semicolon
    if (cookies.startsWith(name, at) && cookies.charCodeAt(at + name.length) === 0x3d) return unquoted(cookies.slice(at + name.length + 1, end).trimEnd())
    at = end + 1
  }
  return undefined
}

const unquoted = (value: string): string => (value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)
