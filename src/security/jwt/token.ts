// Reads a JSON Web Token in compact form (RFC 7519, RFC 7515 §7.1), as strict and as lenient as Envoy. Nothing here
// says that a token is genuine: that is verify.ts.
import type { JwtFailure } from './failure.ts'

export type Claims = Readonly<Record<string, unknown>>

export interface Token {
  /** As it was sent. */
  readonly text: string
  readonly header: Claims
  readonly payload: Claims
  /** Base64url, as it was sent. */
  readonly payloadText: string
  readonly algorithm: string
  /** Empty for none, as are issuer and the times: 0 is none. */
  readonly keyId: string
  readonly issuer: string
  readonly audiences: readonly string[]
  /** Seconds since the epoch. */
  readonly notBefore: number
  readonly expires: number
  readonly signatureBytes: number
}

const algorithms: ReadonlySet<string> = new Set([
  'ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA',
])

/** Whether a value read is a token; otherwise it says what is wrong. */
export const isToken = (read: Token | JwtFailure): read is Token => typeof read !== 'string'

export function readToken(text: string): Token | JwtFailure {
  const sections = text.split('.')
  const [head = '', body = '', signature = ''] = sections
  if (sections.length !== 3 || head === '' || body === '' || signature === '') return 'badFormat'
  const header = readSection(head, 'headerEncoding', 'headerJson')
  if (typeof header === 'string') return header
  const algorithm = own(header, 'alg')
  if (typeof algorithm !== 'string') return 'badAlgorithm'
  if (!algorithms.has(algorithm)) return 'unknownAlgorithm'
  const keyId = own(header, 'kid')
  if (keyId !== undefined && typeof keyId !== 'string') return 'badKeyId'
  const payload = readSection(body, 'payloadEncoding', 'payloadJson')
  if (typeof payload === 'string') return payload
  const problem = claimProblem(payload)
  if (problem !== undefined) return problem
  if (!isBase64url(signature)) return 'signatureEncoding'
  return {
    text, header, payload, payloadText: body, algorithm,
    keyId: keyId ?? '',
    issuer: (own(payload, 'iss') as string | undefined) ?? '',
    audiences: audiencesOf(payload) ?? [],
    notBefore: Math.trunc((own(payload, 'nbf') as number | undefined) ?? 0),
    expires: Math.trunc((own(payload, 'exp') as number | undefined) ?? 0),
    signatureBytes: Buffer.byteLength(signature, 'base64url'),
  }
}

/** `undefined`: the token may be used at this time (seconds). */
export function timeFailure({ notBefore, expires }: Token, now: number, leeway: number): 'notYetValid' | 'expired' | undefined {
  if (now + leeway < notBefore) return 'notYetValid'
  return expires !== 0 && now > expires + leeway ? 'expired' : undefined
}

/** A value of its own, never one of the prototype. */
export const own = (claims: Claims, name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined)

function readSection(section: string, encoding: JwtFailure, json: JwtFailure): Claims | JwtFailure {
  if (!isBase64url(section)) return encoding
  try {
    const value: unknown = JSON.parse(Buffer.from(section, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : json
  } catch {
    return json
  }
}

/** Padding is optional. */
function isBase64url(text: string): boolean {
  const bare = text.replace(/={1,2}$/, '')
  return /^[A-Za-z0-9_-]+$/.test(bare) && bare.length % 4 !== 1 && (bare.length === text.length || text.length % 4 === 0)
}

const firstTexts = [['iss', 'badIssuer'], ['sub', 'badSubject']] as const
const times = [['iat', 'iatNotInteger', 'iatOutOfRange'], ['nbf', 'nbfNotInteger', 'nbfOutOfRange'], ['exp', 'expNotInteger', 'expOutOfRange']] as const

function claimProblem(payload: Claims): JwtFailure | undefined {
  for (const [name, wrong] of firstTexts) if (isWrongText(payload, name)) return wrong
  for (const [name, notInteger, outOfRange] of times) {
    const value = own(payload, name)
    if (value === undefined) continue
    if (typeof value !== 'number') return notInteger
    if (value < 0 || value >= 2 ** 63) return outOfRange
  }
  if (isWrongText(payload, 'jti')) return 'badId'
  return audiencesOf(payload) === undefined ? 'badAudience' : undefined
}

function isWrongText(payload: Claims, name: string): boolean {
  const value = own(payload, name)
  return value !== undefined && typeof value !== 'string'
}

/** Undefined: neither a text nor a list of texts. */
function audiencesOf(payload: Claims): readonly string[] | undefined {
  const value = own(payload, 'aud')
  if (value === undefined) return []
  if (typeof value === 'string') return [value]
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined
}
