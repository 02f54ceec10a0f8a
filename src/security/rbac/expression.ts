// What a policy asks about a connection or request, as a tree: the pure half of Envoy's RBAC. Reading it from protobuf is
// proxy/rbac's business, finding facts that of the proxy's filters; here it is only compared.

export interface IpNumber {
  readonly family: 4 | 6
  readonly bits: bigint
}

export interface IpRange extends IpNumber {
  readonly length: number
}

/** What must be so for a text to be able to match: an index finds the policies that a request can match by it. */
export interface TextKey {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'namespace'
  readonly value: string
  /** Compared in small letters. */
  readonly folded: boolean
}

export interface TextTest {
  test(text: string): boolean
  /** `starts with "a"`. */
  readonly words: string
  readonly key: TextKey | undefined
}

export interface ValueTest {
  /** Undefined: there is no such value. */
  test(value: unknown): boolean
  readonly words: string
  /** The one text that it is, or that a list has. */
  readonly exact: string | undefined
}

export type Expression =
  | { readonly kind: 'any' }
  | { readonly kind: 'all' | 'some'; readonly of: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'header'; readonly name: string; readonly test: TextTest; readonly missingIsEmpty: boolean }
  | { readonly kind: 'header-present'; readonly name: string }
  | { readonly kind: 'path'; readonly test: TextTest }
  /** A name that the peer's certificate proves; without a test, that it showed one at all. */
  | { readonly kind: 'identity'; readonly test: TextTest | undefined }
  | { readonly kind: 'server-name'; readonly test: TextTest }
  /** `end` exclusive. */
  | { readonly kind: 'port'; readonly start: number; readonly end: number }
  | { readonly kind: 'ip'; readonly of: IpFact; readonly range: IpRange; readonly words: string }
  | { readonly kind: 'metadata'; readonly namespace: string; readonly path: readonly string[]; readonly test: ValueTest }

/** `source` is the directly connected peer, `remote` the client that it speaks for. */
export type IpFact = 'source' | 'remote' | 'destination'

/** What is known of one connection, or of one request on it. */
export interface RbacFacts {
  /** URI names of the peer's certificate, or else its DNS names, or else its subject; undefined for a plaintext peer. */
  readonly identities: readonly string[] | undefined
  readonly serverName: string
  readonly destinationPort: number
  ip(fact: IpFact): IpNumber | undefined
  /** Undefined on connections of bytes, and where there is none. Names are lower case. Of several of one name each counts: joined, they would hide one another. */
  header(name: string): string | readonly string[] | undefined
  /** Without query and fragment. Undefined on connections of bytes. */
  readonly path: string | undefined
  metadata(namespace: string): unknown
}

export interface RbacPolicy {
  readonly name: string
  /** Any of them. */
  readonly permissions: readonly Expression[]
  /** And any of these. */
  readonly principals: readonly Expression[]
}

export type RbacAction = 'allow' | 'deny' | 'log'

export interface RbacRules {
  readonly action: RbacAction
  readonly policies: readonly RbacPolicy[]
}

export const inRange = ({ family, bits, length }: IpRange, ip: IpNumber | undefined): boolean => {
  if (ip === undefined || ip.family !== family) return false
  const shift = BigInt((family === 4 ? 32 : 128) - length)
  return bits >> shift === ip.bits >> shift
}

/** Walks into objects; undefined where the path leads nowhere. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value
  for (let i = 0; i < path.length; i++) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, path[i]!)) return undefined
    at = (at as Record<string, unknown>)[path[i]!]
  }
  return at
}
