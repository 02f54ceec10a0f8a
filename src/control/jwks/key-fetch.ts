// Gets an issuer's keys: from where the policy says, or from where the issuer's own OpenID configuration says.
import { MeshError } from '../../lib/errors.ts'
import { httpGet } from '../../net/http-get.ts'
import type { HttpDocument, HttpGet } from '../../net/http-get.ts'
import { maxKeySetBytes, readKeySet } from '../../security/jwt/key-set.ts'

/** Where keys come from. Policies that say the same share one. */
export interface KeySource {
  /** `https://...` of the keys, or `discover https://...` of an issuer. */
  readonly id: string
  readonly timeoutMs: number
}

export interface FetchedKeys {
  /** A JSON Web Key Set with at least one key that can be used. */
  readonly keys: string
  /** Seconds; undefined where nobody says. */
  readonly maxAge: number | undefined
}

const discovery = 'discover '

/** Istio's own patience. */
export const defaultTimeoutMs = 5000

export function keySource(jwksUri: string | undefined, issuer: string, timeoutMs = defaultTimeoutMs): KeySource {
  return { id: jwksUri === undefined || jwksUri === '' ? `${discovery}${issuer}` : jwksUri, timeoutMs }
}

type Limits = Omit<HttpGet, 'url'>

export async function fetchKeys({ id, timeoutMs }: KeySource, options: Pick<HttpGet, 'roots' | 'signal'>): Promise<FetchedKeys> {
  const limits: Limits = { ...options, timeoutMs, maxBytes: maxKeySetBytes }
  const url = id.startsWith(discovery) ? await discover(id.slice(discovery.length), limits) : id
  const { body, maxAge } = await document(url, limits)
  const { keys, problems } = readKeySet(body)
  if (keys.length === 0) throw wrong(`${url} has no key that can check a signature: ${problems.slice(0, 3).join('; ')}`)
  return { keys: body, maxAge }
}

async function discover(issuer: string, limits: Limits): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const { body } = await document(url, limits)
  const jwksUri = uriIn(body)
  if (jwksUri === undefined) throw wrong(`${url} has no jwks_uri`)
  return jwksUri
}

function uriIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && 'jwks_uri' in value && typeof value.jwks_uri === 'string' ? value.jwks_uri : undefined
  } catch {
    return undefined
  }
}

async function document(url: string, limits: Limits): Promise<HttpDocument> {
  const answer = await httpGet({ ...limits, url })
  if (answer.status !== 200) throw wrong(`${url} answers ${answer.status}`)
  return answer
}

const wrong = (message: string) => new MeshError('jwks/document', message)
