// Tokens on a command line: --token and --jwks, and what of a token people look at first when it was refused.
import { readFileSync } from 'node:fs'
import { keySourcesOf } from '../control/jwks/wanted.ts'
import type { Snapshot } from '../control/snapshot.ts'
import { sourceOf } from '../control/translate/security/authentication.ts'
import { isKind } from '../kinds/table.ts'
import { describe } from '../lib/errors.ts'
import type { Resource } from '../model/resource.ts'
import { readKeySet } from '../security/jwt/key-set.ts'
import { isToken, readToken } from '../security/jwt/token.ts'
import type { Token } from '../security/jwt/token.ts'
import type { Invocation, Option } from './command.ts'
import type { AskedRequest } from './request-line.ts'
import { UsageError } from './usage-error.ts'

export const tokenOptions: readonly Option[] = [
  { name: 'token', value: 'TOKEN', sentence: 'A JSON Web Token that the request carries, as Authorization: Bearer.' },
  { name: 'jwks', value: 'FILE', sentence: 'The keys of issuers whose keys are fetched: nothing is asked for here. Keys in the files themselves need none.' },
]

/** With the token among its headers. */
export function withToken(asked: AskedRequest, token: string | undefined): AskedRequest {
  if (token === undefined) return asked
  if (asked.scheme === 'tcp' || asked.scheme === 'tls') throw new UsageError(['--token: a connection carries no token'])
  return { ...asked, headers: [...asked.headers, ['authorization', `Bearer ${token}`]] }
}

/** Keys for all that would be fetched, by where it would be. Undefined: none were given. */
export function keysIn(invocation: Pick<Invocation, 'text'>, resources: readonly Resource[]): ReadonlyMap<string, string> | undefined {
  const path = invocation.text('jwks')
  if (path === undefined) return undefined
  const text = read(path)
  const { keys, problems } = readKeySet(text)
  if (keys.length === 0) throw new UsageError([`--jwks: ${path} has no key that can check a signature: ${problems.join('; ')}`])
  return new Map(keySourcesOf(resources).map(({ id }) => [id, text]))
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError([`--jwks: ${path} cannot be read: ${describe(error)}`])
  }
}

/** Said beside the answer: a token of an issuer whose keys nobody has here is refused, whatever it is. */
export function keysNote({ headers }: AskedRequest, { resources, keySets }: Pick<Snapshot, 'resources' | 'keySets'>): string | undefined {
  const issuer = tokenIn(headers)?.issuer
  const rules = resources.flatMap((one) => (isKind(one, 'RequestAuthentication') ? one.spec.jwtRules : []))
  const unknown = rules.some((rule) => issuer !== undefined && rule.issuer === issuer && sourceOf(rule) !== undefined && !keySets.has(sourceOf(rule)!.id))
  return unknown ? `note: the keys of issuer ${JSON.stringify(issuer)} are fetched by the control plane, not here: give them with --jwks FILE` : undefined
}

/** Envoy's words for what is wrong, and what the token is. */
export function withToldToken(reason: string, asked: AskedRequest): string {
  const said = tokenText(asked, Date.now())
  return said === undefined ? reason : `${reason}; the token: ${said}`
}

/** `issuer "https://a", subject "me", for "api", of key "one" (RS256), over since 2026-01-01T00:00:00.000Z`; never the token itself. */
export function tokenText({ headers }: AskedRequest, now: number): string | undefined {
  const token = tokenIn(headers)
  if (token === undefined) return undefined
  const { issuer, payload, audiences, keyId, algorithm, expires, notBefore } = token
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString()
  return [
    `issuer ${JSON.stringify(issuer)}`,
    ...(typeof payload['sub'] === 'string' ? [`subject ${JSON.stringify(payload['sub'])}`] : []),
    ...(audiences.length > 0 ? [`for ${audiences.map((one) => JSON.stringify(one)).join(', ')}`] : []),
    `signed by ${keyId === '' ? 'a key without a name' : `key ${JSON.stringify(keyId)}`} (${algorithm})`,
    ...(notBefore * 1000 > now ? [`not valid before ${at(notBefore)}`] : []),
    ...(expires === 0 ? [] : [expires * 1000 < now ? `over since ${at(expires)}` : `good until ${at(expires)}`]),
  ].join(', ')
}

function tokenIn(headers: AskedRequest['headers']): Token | undefined {
  const texts = headers.flatMap(([, value]) => /[\w-]+\.[\w-]+\.[\w-]+/.exec(value)?.[0] ?? [])
  return texts.map(readToken).find(isToken)
}
