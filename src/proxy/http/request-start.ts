// From the head of a request to the Exchange that it begins: what it says of itself and its body, where it wants to go,
// and whether it is refused before anything else looks at it.
import type { H1Head } from '../../codec/h1/types.ts'
import type { H2RequestHead } from '../../codec/h2/types.ts'
import type { Exchange } from './exchange.ts'
import type { LocalReply } from './filter.ts'
import { prepareRequestHeaders } from './request-headers.ts'
import type { HeaderSettings } from './request-headers.ts'
import { readTarget, setTarget } from './request-target.ts'
import { noRoute, oldHttp } from './rescue.ts'

/** Methods whose requests usually have no body; others say that theirs is empty (RFC 9110 §8.6), as Envoy's do. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'TRACE', 'CONNECT'])

/** Fills the exchange; a reply refuses the request. Throws H1Error for a target that is none. */
export function startRequest(exchange: Exchange, head: H1Head, settings: HeaderSettings): LocalReply | undefined {
  exchange.method = head.method
  exchange.minor = head.minor
  exchange.bodyLength = head.framing === 'chunked' ? -1 : head.contentLength
  exchange.sendZeroLength = head.framing === 'length' ? head.contentLength === 0 : !bodiless.has(head.method)
  const refusal = readTarget(exchange, head, settings.config)
  prepareRequestHeaders(exchange, settings)
  if (head.minor === 0 && !settings.config.acceptHttp10) return oldHttp
  // It has no path, and none of our routes matches without one.
  if (head.method === 'CONNECT') return noRoute
  if (refusal !== undefined) return refusal
  if (head.upgrade !== '' && head.framing === 'none') startUpgrade(exchange, head.upgrade)
  return undefined
}

/** The same for HTTP/2, whose codec has checked more of it already. `end`: no body follows. */
export function startHttp2Request(exchange: Exchange, head: H2RequestHead, end: boolean, settings: HeaderSettings): LocalReply | undefined {
  exchange.method = head.protocol === '' ? head.method : 'GET'
  exchange.bodyLength = end ? 0 : head.bodyLength
  exchange.sendZeroLength = !bodiless.has(head.method)
  const refusal = setTarget(exchange, head.authority, head.path, settings.config)
  prepareRequestHeaders(exchange, settings)
  if (exchange.method === 'CONNECT') return noRoute
  if (refusal !== undefined) return refusal
  if (head.protocol !== '') startUpgrade(exchange, head.protocol)
  return undefined
}

/** A client that offers h2c goes on in HTTP/1.1 when the offer is not taken up; others wait for their protocol. */
function startUpgrade(exchange: Exchange, upgrade: string): void {
  if (upgrade.toLowerCase() === 'h2c') return
  exchange.upgrade = upgrade
  exchange.bodyLength = -1
  exchange.requestHeaders.add('connection', 'upgrade')
  exchange.requestHeaders.add('upgrade', upgrade)
}
