// Where a provider's keys are: in its configuration, or at a server behind a cluster. What was fetched is used until it is too
// old, and longer while the server cannot be asked; a token that names a key that nobody has makes it be asked again, though
// not for every such token. Who asks on behalf of a configuration is missing-keys.ts.
import { HeaderList } from '../../../codec/header-list.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { RemoteJwks } from '../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { readKeySet } from '../../../security/jwt/key-set.ts'
import type { KeySet } from '../../../security/jwt/key-set.ts'
import { sourceIn } from '../../../xds/missing-keys.ts'
import type { ClusterLookup, RequestHead } from '../../upstream/types.ts'
import { milliseconds } from '../../xds/duration.ts'
import { badConfig } from '../router/problem.ts'
import { askSide } from '../side-request.ts'
import type { MissingKeys } from './missing-keys.ts'

export interface Keys {
  /** Undefined: there are none, and the server cannot be asked. */
  current(): KeySet | Promise<KeySet | undefined>
  /** When a key is missing: newer ones. Undefined: there are none newer, or the server was asked a moment ago. */
  newer(): Promise<KeySet | undefined>
}

/** Where the control plane has them from an issuer, it can be told that one is missing. */
export function inlineKeys(text: string, missing: MissingKeys | undefined): Keys {
  const keys = readKeySet(text)
  const source = sourceIn(text)
  if (source === undefined || missing === undefined) return { current: () => keys, newer: () => Promise.resolve(undefined) }
  const held = { text, keys }
  missing.hold(source, held)
  return { current: () => keys, newer: () => missing.newer(source, held) }
}

/** Envoy's default. */
const defaultCacheMs = 600_000
/** Anybody can write a token with a new key id. */
const leastBetweenMs = 10_000
/** A server that cannot be asked is not asked for every request. */
const retryAfterMs = 1_000

export interface RemoteParts {
  readonly clock: Clock
  readonly clusters: ClusterLookup | undefined
  readonly missingKeys?: MissingKeys | undefined
}

export class RemoteKeys implements Keys {
  readonly #cluster: string
  readonly #head: RequestHead
  readonly #timeoutMs: number
  readonly #cacheMs: number
  readonly #clock: Clock
  readonly #clusters: ClusterLookup
  #keys: KeySet | undefined = undefined
  #until = -Infinity
  #askedAt = -Infinity
  #asking: Promise<KeySet | undefined> | undefined = undefined

  constructor({ httpUri, cacheDuration }: RemoteJwks, { clock, clusters }: RemoteParts) {
    if (httpUri?.timeout === undefined || httpUri.httpUpstreamType.case !== 'cluster') throw badConfig('remote_jwks: needs http_uri with a cluster and a timeout')
    if (!URL.canParse(httpUri.uri)) throw badConfig(`remote_jwks: ${JSON.stringify(httpUri.uri)} is no URL`)
    if (clusters === undefined) throw badConfig('remote_jwks: nobody can be asked here')
    this.#cluster = httpUri.httpUpstreamType.value
    this.#head = headOf(new URL(httpUri.uri))
    this.#timeoutMs = milliseconds(httpUri.timeout)
    this.#cacheMs = cacheDuration === undefined ? defaultCacheMs : milliseconds(cacheDuration)
    this.#clock = clock
    this.#clusters = clusters
  }

  current(): KeySet | Promise<KeySet | undefined> {
    const now = this.#clock.now()
    if (this.#keys !== undefined && (now < this.#until || now - this.#askedAt < leastBetweenMs)) return this.#keys
    if (this.#keys === undefined && this.#asking === undefined && now - this.#askedAt < retryAfterMs) return Promise.resolve(undefined)
    return this.#ask().then(() => this.#keys)
  }

  async newer(): Promise<KeySet | undefined> {
    return this.#asking === undefined && this.#clock.now() - this.#askedAt < leastBetweenMs ? undefined : await this.#ask()
  }

  /** Once for all who wait. */
  #ask(): Promise<KeySet | undefined> {
    this.#asking ??= this.#fetch().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #fetch(): Promise<KeySet | undefined> {
    const cluster = this.#clusters(this.#cluster)
    this.#askedAt = this.#clock.now()
    const answer = cluster === undefined ? undefined : await askSide(cluster, this.#head, this.#clock, this.#timeoutMs)
    if (answer?.status !== 200) return undefined
    const keys = readKeySet(answer.body.toString('utf8'))
    if (keys.keys.length === 0) return undefined
    this.#keys = keys
    this.#until = this.#clock.now() + this.#cacheMs
    return keys
  }
}

const headOf = ({ host, pathname, search, protocol }: URL): RequestHead => ({
  method: 'GET', scheme: protocol.slice(0, -1), path: `${pathname}${search}`, authority: host, headers: HeaderList.of('accept', 'application/json'), bodyLength: 0, sendZeroLength: false,
})
