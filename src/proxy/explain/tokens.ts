// What the JWT filter of a filter chain makes of the tokens of a request that a person asks about: the filter itself, compiled
// as it serves, run on an exchange that nobody sent.
import { systemClock } from '../../lib/clock.ts'
import { HeaderList } from '../../codec/header-list.ts'
import type { Transport } from '../../net/transport.ts'
import type { Arriving } from './authorization.ts'
import { ConnectionFacts } from '../http/connection-facts.ts'
import type { Metadata } from '../http/dynamic-metadata.ts'
import { Exchange } from '../http/exchange.ts'
import type { Filter } from '../http/filter.ts'
import { jwtAuthn } from '../http/filters/jwt-authn.ts'
import { typeOf } from '../http/filters/table.ts'
import { JwtAuthenticationSchema } from '../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { DecodedChain } from '../xds/listener.ts'

/** What has become of a request's tokens. */
export interface Presented {
  /** The proxy's answer to a token that does not do, in Envoy's words. */
  readonly refusal: { readonly status: number; readonly reason: string } | undefined
  /** What policies and routes can look at. */
  readonly metadata: ReadonlyMap<string, Metadata>
  /** As the request goes on: mostly without its tokens, and with claims as headers. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Undefined: nobody looks for tokens there. */
export async function presentTokens(chain: DecodedChain, arriving: Arriving): Promise<Presented | undefined> {
  const filters = chain.terminal.kind === 'http' ? filtersOf(chain.terminal.config.httpFilters) : []
  if (filters.length === 0 || arriving.request === undefined) return undefined
  const exchange = exchangeOf(arriving, arriving.request)
  for (const filter of filters) {
    const reply = await filter.onRequest?.(exchange)
    if (reply !== undefined && 'status' in reply) return { ...outcomeOf(exchange), refusal: { status: reply.status, reason: reply.body } }
  }
  return { ...outcomeOf(exchange), refusal: undefined }
}

type HttpFilters = Extract<DecodedChain['terminal'], { kind: 'http' }>['config']['httpFilters']

function filtersOf(all: HttpFilters): readonly Filter[] {
  return all.flatMap(({ configType }, slot) => {
    if (configType.case !== 'typedConfig' || typeOf(configType.value) !== JwtAuthenticationSchema.typeName) return []
    return jwtAuthn.create(configType.value, undefined, { clock: systemClock, random: () => 0, slot }) ?? []
  })
}

function exchangeOf({ destination, sourceIp }: Arriving, { method, authority, path, headers }: NonNullable<Arriving['request']>): Exchange {
  const ends: Pick<Transport, 'tls' | 'localAddress' | 'remoteAddress'> = { tls: undefined, localAddress: destination, remoteAddress: { host: sourceIp, port: 0 } }
  const exchange = new Exchange(new ConnectionFacts(ends, { originalDestination: destination, authority: undefined }), 0, HeaderList.of(...headers.flat()), [])
  exchange.method = method
  exchange.authority = authority
  exchange.setPath(path)
  return exchange
}

function outcomeOf({ dynamicMetadata, path, requestHeaders: { flat } }: Exchange): Omit<Presented, 'refusal'> {
  return { metadata: dynamicMetadata ?? new Map(), path, headers: flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : [])) }
}
