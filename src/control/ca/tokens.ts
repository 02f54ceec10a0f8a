// Bootstrap tokens: with one, a proxy that has no certificate yet shows who it is. Each is bound to one identity and ends
// by itself, and with its first certificate if it is made for one use; it is signed with a secret in the state folder, so that every command that can read the folder can make
// them, and a restart of the control plane changes nothing. In form they are JWTs (RFC 7519) with HS256.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { formatSpiffeId, parseSpiffeId } from '../../model/spiffe-id.ts'
import type { SpiffeId } from '../../model/spiffe-id.ts'
import { caError } from './errors.ts'
import { createFolderOnce, readSecretFile } from './state-folder.ts'
import { UsedTokens } from './used-tokens.ts'

export type TokenVerdict = { readonly identity: SpiffeId } | { readonly refused: string }

export interface BootstrapTokens {
  /** `uses`: how many certificates it is good for. */
  create(identity: SpiffeId, lifetimeMs: number, uses?: 'one' | 'any'): string
  /** Says why not in words that are safe to send to the caller. */
  verify(token: string): TokenVerdict
  /** When a certificate is about to be given for it: a token for one use is used up by the first, in whichever process that happens. */
  redeem(token: string): Promise<TokenVerdict>
}

export interface BootstrapTokensOptions {
  readonly stateDir: string
  readonly clock?: Clock
}

/** Audience of the tokens that Istio's CA takes. */
const audience = 'istio-ca'
/** The only header that is read: there is no choice of algorithms to be confused about. */
const header = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).toString('base64url')
/** Ours have some 300 characters. */
const maxTokenLength = 4096
const secretBytes = 32

/** The secret is made on first use. Throws `ca/state` when it cannot be made or read. */
export async function createBootstrapTokens({ stateDir, clock = systemClock }: BootstrapTokensOptions): Promise<BootstrapTokens> {
  const secret = await openSecret(stateDir)
  const used = new UsedTokens(join(stateDir, 'tokens', 'used'))
  const mac = (text: string): Buffer => createHmac('sha256', secret).update(text).digest()
  const verify = (token: string): TokenVerdict => {
    const [head = '', body = '', signature = '', ...more] = token.length > maxTokenLength ? [] : token.split('.')
    if (head !== header || more.length > 0) return { refused: 'the token is not one of this control plane' }
    const given = Buffer.from(signature, 'base64url')
    const expected = mac(`${head}.${body}`)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { refused: 'the token was not made by this control plane' }
    return verdictOn(body, clock.now())
  }
  return {
    create(identity, lifetimeMs, uses = 'any') {
      const now = clock.now()
      const claims = { sub: formatSpiffeId(identity), aud: audience, iat: Math.floor(now / 1000), exp: Math.ceil((now + lifetimeMs) / 1000), jti: randomBytes(16).toString('hex'), ...(uses === 'one' && { once: true }) }
      const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
      return `${signed}.${mac(signed).toString('base64url')}`
    },
    verify,
    async redeem(token) {
      const verdict = verify(token)
      if ('refused' in verdict) return verdict
      const { once, jti, exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as { once?: boolean; jti: string; exp: number }
      return once !== true || (await used.take(jti, exp, clock.now())) ? verdict : { refused: 'the token was for one use, and has been used' }
    },
  }
}

async function openSecret(stateDir: string): Promise<Buffer> {
  await createFolderOnce(stateDir, 'tokens', () => new Map([['secret', `${randomBytes(secretBytes).toString('hex')}\n`]]))
  const path = join(stateDir, 'tokens', 'secret')
  const text = (await readSecretFile(path)).trim()
  if (!/^[0-9a-f]{64}$/.test(text)) throw caError('ca/state', `${path} does not hold a secret: 64 hexadecimal digits are expected; remove its folder to begin anew`)
  return Buffer.from(text, 'hex')
}

/** The signature was good: these are our own words, still read with care. */
function verdictOn(body: string, now: number): TokenVerdict {
  const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))
  if (typeof claims !== 'object' || claims === null || !('aud' in claims) || claims.aud !== audience) return { refused: 'the token is for something else' }
  if (!('exp' in claims) || typeof claims.exp !== 'number' || now >= claims.exp * 1000) return { refused: 'the token has expired' }
  const identity = 'sub' in claims && typeof claims.sub === 'string' ? parseSpiffeId(claims.sub) : undefined
  return identity === undefined ? { refused: 'the token names no identity' } : { identity }
}
