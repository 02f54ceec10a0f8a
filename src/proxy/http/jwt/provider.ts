// One issuer as the filter knows it: its keys, for whom its tokens are meant, what of them goes on, and the tokens that it
// has verified already. Checking a signature costs more than the rest of a request; a token comes many times.
import { hash } from 'node:crypto'
import { RecentCache } from '../../../lib/recent-cache.ts'
import type { JwtProvider } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { claimAt, claimText, withLists } from '../../../security/jwt/claims.ts'
import type { JwtFailure } from '../../../security/jwt/failure.ts'
import { isToken, readToken, timeFailure } from '../../../security/jwt/token.ts'
import type { Token } from '../../../security/jwt/token.ts'
import { signatureFailure } from '../../../security/jwt/verify.ts'
import { inlineText } from '../../xds/data-source.ts'
import { badConfig } from '../router/problem.ts'
import type { Attempt } from './attempt.ts'
import { RemoteKeys, inlineKeys } from './keys.ts'
import type { Keys, RemoteParts } from './keys.ts'
import { mayStandHere, removeToken } from './locations.ts'
import type { LocatedToken } from './locations.ts'

/** Of clocks that do not agree; Envoy's default. */
const defaultSkewSeconds = 60
/** Users of one workload at a time; a token and its claims have a few KB. */
const verifiedTokens = 1000

/** Undefined: the token is good. */
export type Verdict = JwtFailure | undefined | Promise<JwtFailure | undefined>

export class Provider {
  readonly message: JwtProvider
  readonly #keys: Keys
  readonly #audiences: ReadonlySet<string>
  readonly #skew: number
  /** By hash: the tokens themselves need not lie in memory. */
  readonly #verified = new RecentCache<string, Token>(verifiedTokens)

  constructor(message: JwtProvider, parts: RemoteParts) {
    const source = message.jwksSourceSpecifier
    for (const name of ['failedStatusInMetadata', 'requireExpiration', 'maxLifetime'] as const) if (message[name]) throw badConfig(`${name} is not served yet`)
    this.message = message
    this.#keys = source.case === 'remoteJwks' ? new RemoteKeys(source.value, parts) : inlineKeys(inlineText(source.value, 'local_jwks') ?? '', parts.missingKeys)
    this.#audiences = audiencesOf(message.audiences)
    this.#skew = message.clockSkewSeconds === 0 ? defaultSkewSeconds : message.clockSkewSeconds
  }

  /** `audiences` instead of its own, where a requirement has some. */
  verify(located: LocatedToken, audiences: ReadonlySet<string> | undefined, attempt: Attempt): Verdict {
    const key = hash('sha256', located.text, 'base64url')
    const known = this.#verified.get(key)
    const token = known ?? readToken(located.text)
    if (!isToken(token)) return token
    const failure = this.#claimFailure(token, located, audiences ?? this.#audiences, attempt)
    if (failure !== undefined) return failure
    if (known !== undefined) return this.#accept(known, located, attempt)
    return this.#verifySignature(token, key, located, attempt)
  }

  async #verifySignature(token: Token, key: string, located: LocatedToken, attempt: Attempt): Promise<JwtFailure | undefined> {
    const failure = await this.#signatureFailure(token)
    if (failure !== undefined) return failure
    this.#verified.set(key, token)
    return this.#accept(token, located, attempt)
  }

  async #signatureFailure(token: Token): Promise<JwtFailure | undefined> {
    const keys = await this.#keys.current()
    if (keys === undefined) return 'fetchFailed'
    const failure = await signatureFailure(token, keys)
    const newer = failure === 'noMatchingKey' ? await this.#keys.newer() : undefined
    return newer === undefined ? failure : await signatureFailure(token, newer)
  }

  #claimFailure(token: Token, { location }: LocatedToken, audiences: ReadonlySet<string>, { now }: Attempt): JwtFailure | undefined {
    if (!mayStandHere(location, token.issuer)) return 'unknownIssuer'
    const untimely = timeFailure(token, Math.floor(now / 1000), this.#skew)
    if (untimely !== undefined) return untimely
    return audiences.size === 0 || token.audiences.some((one) => audiences.has(bareAudience(one))) ? undefined : 'audienceNotAllowed'
  }

  /** What of the token goes on: to the workload as headers, to other filters as metadata. */
  #accept(token: Token, located: LocatedToken, attempt: Attempt): undefined {
    const { forward, forwardPayloadHeader, claimToHeaders, payloadInMetadata, headerInMetadata, clearRouteCache, normalizePayloadInMetadata } = this.message
    const { requestHeaders } = attempt.exchange
    if (forwardPayloadHeader !== '') requestHeaders.add(forwardPayloadHeader.toLowerCase(), this.#forwardedPayload(token))
    let edited = false
    for (const { headerName, claimName } of claimToHeaders) {
      const text = claimText(claimAt(token.payload, claimName))
      if (text === undefined) continue
      requestHeaders.add(headerName.toLowerCase(), Buffer.from(text, 'utf8').toString('latin1'))
      edited = true
    }
    if (!forward) removeToken(located, attempt.exchange)
    if (headerInMetadata !== '') attempt.learn(headerInMetadata, token.header)
    if (payloadInMetadata !== '') attempt.learn(payloadInMetadata, withLists(token.payload, normalizePayloadInMetadata?.spaceDelimitedClaims ?? []))
    if (clearRouteCache && (edited || payloadInMetadata !== '')) attempt.exchange.routeCleared = true
    return undefined
  }

  #forwardedPayload({ payloadText }: Token): string {
    return this.message.padForwardPayloadHeader ? payloadText.padEnd(Math.ceil(payloadText.length / 4) * 4, '=') : payloadText
  }
}

export const audiencesOf = (audiences: readonly string[]): ReadonlySet<string> => new Set(audiences.map(bareAudience))

/** Envoy takes `https://a.example/` and `a.example` for the same audience. */
const bareAudience = (audience: string): string => audience.replace(/^https?:\/\//, '').replace(/\/$/, '')
