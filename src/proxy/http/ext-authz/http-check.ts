// ext_authz over HTTP: the head of the request goes to the provider, and its body where that is wanted; its status is the answer.
import { HeaderList } from '../../../codec/header-list.ts'
import type { ExtAuthz, HttpService } from '../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { ListStringMatcher } from '../../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import { milliseconds } from '../../xds/duration.ts'
import type { Exchange } from '../exchange.ts'
import type { HeldBody } from '../filter.ts'
import { badConfig } from '../router/problem.ts'
import { compileTextMatch } from '../router/text-match.ts'
import type { SideAnswer, SideQuestion } from '../side-request.ts'
import { denied, failed, partialBodyHeader } from './verdict.ts'
import type { Provider, Verdict } from './verdict.ts'

type Fits = (name: string) => boolean

interface Rules {
  readonly pathPrefix: string
  readonly timeoutMs: number
  /** Of the client's headers: what the provider sees beside what it always sees. */
  readonly sends: Fits
  readonly adds: readonly (readonly [name: string, value: string])[]
  readonly toUpstream: Fits
  /** Undefined: all of them. */
  readonly toClientOnDenial: Fits | undefined
  readonly toClientOnSuccess: Fits
}

/** Envoy's default. */
export const defaultTimeoutMs = 200

export function httpProvider({ allowedHeaders }: ExtAuthz, { serverUri, pathPrefix, authorizationRequest, authorizationResponse: response }: HttpService): Provider {
  if (serverUri?.httpUpstreamType.case !== 'cluster') throw badConfig('http_service without a cluster')
  const rules: Rules = {
    pathPrefix,
    timeoutMs: serverUri.timeout === undefined ? defaultTimeoutMs : milliseconds(serverUri.timeout),
    sends: fitsAny(allowedHeaders ?? authorizationRequest?.allowedHeaders) ?? none,
    adds: (authorizationRequest?.headersToAdd ?? []).map(({ key, value }) => [key.toLowerCase(), value]),
    toUpstream: fitsAny(response?.allowedUpstreamHeaders) ?? none,
    toClientOnDenial: fitsAny(response?.allowedClientHeaders),
    toClientOnSuccess: fitsAny(response?.allowedClientHeadersOnSuccess) ?? none,
  }
  return { cluster: serverUri.httpUpstreamType.value, timeoutMs: rules.timeoutMs, ask: (exchange, body) => question(exchange, body, rules), read: (answer) => verdict(answer, rules) }
}

const none: Fits = () => false

function fitsAny(list: ListStringMatcher | undefined): Fits | undefined {
  if (list === undefined) return undefined
  const matches = list.patterns.map(compileTextMatch)
  return (name) => matches.some(({ test }) => test(name))
}

/** Of the client's: its authority, method, path and credentials, and what the provider is meant to see. */
function question(exchange: Exchange, body: HeldBody | undefined, { pathPrefix, timeoutMs, sends, adds }: Rules): SideQuestion {
  const headers = new HeaderList()
  const { flat } = exchange.requestHeaders
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    if (name === 'authorization' || sends(name)) headers.add(name, flat[i + 1]!)
  }
  if (body !== undefined) headers.set(partialBodyHeader, String(!body.whole))
  for (const [name, value] of adds) headers.set(name, value)
  headers.set('x-envoy-internal', 'true')
  if (timeoutMs > 0) headers.set('x-envoy-expected-rq-timeout-ms', String(timeoutMs))
  const head = { method: exchange.method, path: `${pathPrefix}${exchange.path}`, authority: exchange.authority, headers, bodyLength: body?.bytes.length ?? 0, sendZeroLength: true }
  return { head, body: body === undefined || body.bytes.length === 0 ? undefined : body.bytes }
}

function verdict({ status, headers: { flat }, body }: SideAnswer, rules: Rules): Verdict {
  if (status >= 500) return failed
  if (status !== 200) return denied(status, body.toString('utf8'), denialHeaders(flat, rules))
  const upstream = picked(flat, rules.toUpstream)
  return {
    kind: 'allowed', toClient: picked(flat, rules.toClientOnSuccess), changesRoute: upstream.length > 0,
    changes({ requestHeaders }) {
      const seen = new Set<string>()
      for (let i = 0; i < upstream.length; i += 2) {
        const [name, value] = [upstream[i]!, upstream[i + 1]!]
        if (seen.has(name)) requestHeaders.add(name, value)
        else requestHeaders.set(name, value)
        seen.add(name)
      }
    },
  }
}

function picked(flat: readonly string[], fits: Fits): string[] {
  const found: string[] = []
  for (let i = 0; i < flat.length; i += 2) if (fits(flat[i]!)) found.push(flat[i]!, flat[i + 1]!)
  return found
}

/** Of the connection to the provider, or written anew. */
const ownHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date', 'server', 'upgrade', 'trailer'])
/** A list of headers never takes these away. */
const alwaysTold: ReadonlySet<string> = new Set(['www-authenticate', 'location', 'proxy-authenticate'])

const denialHeaders = (flat: readonly string[], { toClientOnDenial }: Rules): string[] =>
  picked(flat, (name) => !ownHeaders.has(name) && (toClientOnDenial === undefined || alwaysTold.has(name) || toClientOnDenial(name)))
