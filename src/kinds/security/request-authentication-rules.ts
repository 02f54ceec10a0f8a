// What must fit together in a RequestAuthentication, and what is valid and surely not meant (security spec 2.4).
import { each, error, warning, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { attachmentRules } from './attachment.ts'
import type { Attachment } from './attachment.ts'
import type { JwtRule, RequestAuthentication } from './request-authentication.ts'

type OneRule = RequestAuthentication['jwtRules'][number]

const quote = (text: string): string => JSON.stringify(text)

const ruleRules: readonly Rule<OneRule>[] = [
  error(function* ({ issuer, jwksUri }) {
    if (issuer === '' && (jwksUri ?? '') === '') yield [['issuer'], 'is required: without it, jwksUri must say where the keys are']
  }),
  error(function* ({ jwks, jwksUri }) {
    if (jwks !== undefined && jwksUri !== undefined) yield [['jwks'], 'cannot stand beside jwksUri: the keys are either here or there']
  }),
  error(function* ({ jwksUri }) {
    const problem = jwksUri === undefined ? undefined : urlProblem(jwksUri)
    if (problem !== undefined) yield [['jwksUri'], `${quote(jwksUri!)} ${problem}`]
  }),
  error(function* ({ jwks }) {
    const keys = jwks === undefined ? undefined : keysIn(jwks)
    if (typeof keys === 'string') yield [['jwks'], keys]
  }),
  warning(function* ({ jwks }) {
    const keys = jwks === undefined ? [] : keysIn(jwks)
    if (typeof keys !== 'string' && keys.some((key) => 'd' in key)) yield [['jwks'], 'has the private part of a key: whoever reads it can make tokens. Make a new key, and put only its public part here']
  }),
  warning(function* ({ jwks }) {
    const keys = jwks === undefined ? [] : keysIn(jwks)
    if (typeof keys !== 'string' && keys.some((key) => 'kty' in key && key.kty === 'oct')) yield [['jwks'], 'has a shared secret (kty oct): whoever reads it here, or in what a proxy shows of its configuration, can make tokens. Use a key pair']
  }),
  warning(function* ({ issuer, jwks, jwksUri }) {
    if (jwks === undefined && jwksUri === undefined && issuer !== '' && urlProblem(issuer) !== undefined) {
      yield [['issuer'], `${quote(issuer)} is no URL, so its keys cannot be found out: give jwksUri or jwks. Until then every token of it is refused`]
    }
  }),
  warning(function* (rule) {
    const seen = new Set<string>()
    for (const [index, { header }] of rule.outputClaimToHeaders.entries()) {
      if (seen.has(header.toLowerCase())) yield [['outputClaimToHeaders', index, 'header'], `${header} has a claim already: it gets both, one after the other`]
      seen.add(header.toLowerCase())
    }
  }),
]

/** `undefined`: it can be asked. */
function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is no URL'
  const { protocol, hostname, username } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') return 'must begin with http:// or https://'
  if (hostname === '') return 'has no host'
  return username === '' ? undefined : 'must not have a user name: who reads the resource would know the password'
}

function keysIn(jwks: string): readonly object[] | string {
  try {
    const value: unknown = JSON.parse(jwks)
    if (typeof value !== 'object' || value === null || !('keys' in value)) return 'has no field "keys": it must be a JSON Web Key Set, {"keys": [...]}'
    const { keys } = value
    if (!Array.isArray(keys) || keys.length === 0) return 'has no keys: "keys" must be a list of at least one'
    const wrong = keys.findIndex((key) => typeof key !== 'object' || key === null || !('kty' in key))
    return wrong < 0 ? (keys as readonly object[]) : `key ${wrong} has no kty: it is no JSON Web Key`
  } catch {
    return 'is no JSON: it must be a JSON Web Key Set, {"keys": [...]}'
  }
}

const sameLocations = ({ fromHeaders, fromParams, fromCookies }: JwtRule): string =>
  JSON.stringify([fromHeaders.map(({ name, prefix }) => [name.toLowerCase(), prefix]), fromParams, fromCookies])

export const requestAuthenticationRules: readonly Rule<RequestAuthentication>[] = [
  ...each<RequestAuthentication, OneRule>(({ jwtRules }) => jwtRules, ['jwtRules'], ruleRules),
  ...within<RequestAuthentication, Attachment>((spec) => spec, [], attachmentRules),
  warning(function* ({ jwtRules }) {
    if (jwtRules.length === 0) yield [['jwtRules'], 'has no rules: it asks nothing of any request']
  }),
  warning(function* ({ jwtRules }) {
    const seen = new Map<string, number>()
    for (const [index, rule] of jwtRules.entries()) {
      const key = `${rule.issuer} ${sameLocations(rule)}`
      const before = seen.get(key)
      if (before !== undefined) yield [['jwtRules', index, 'issuer'], `${quote(rule.issuer)} has rule ${before} for the same places: a token that either of them takes is taken`]
      else seen.set(key, index)
    }
  }),
]
