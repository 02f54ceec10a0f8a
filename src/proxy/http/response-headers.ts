// What the proxy does to the headers of a response: framing and hop-by-hop fields of the upstream go, its own come in.
import { stripHopByHop } from '../../codec/h1/writer.ts'
import { cutTo } from '../../codec/header-list.ts'
import type { HeaderList } from '../../codec/header-list.ts'
import { HttpConnectionManager_ServerHeaderTransformation as ServerHeader } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Exchange } from './exchange.ts'
import type { HttpRuntime } from './runtime.ts'

/** A response from upstream, before anything looks at it. The length of an absent body (HEAD, 304) stays. */
export function prepareResponseHeaders(headers: HeaderList, exchange: Exchange, status: number): void {
  const flat = headers.flat
  const keepsLength = exchange.method === 'HEAD' || status === 304
  let to = 0
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    switch (name) {
      case 'connection':
        if (value !== 'keep-alive' && value !== 'close') return stripNamed(headers, exchange, status, to, i)
        continue
      case 'transfer-encoding':
      case 'keep-alive':
      case 'proxy-connection':
      case 'te': // of requests only: a strict reader of HTTP/2 takes it for a malformed response (RFC 9113 §8.2.2)
      case 'upgrade': continue
      case 'content-length':
        if (!keepsLength) continue
        break
      case 'grpc-status':
        exchange.grpcStatus = value
        break
      case 'x-envoy-peer-metadata':
        exchange.upstreamMetadata = value
        continue
      case 'x-envoy-peer-metadata-id':
        exchange.upstreamMetadataId = value
        continue
      default:
    }
    if (to !== i) {
      flat[to] = name
      flat[to + 1] = value
    }
    to += 2
  }
  cutTo(flat, to)
}

/** Rare: Connection names other fields, which go first; then the pass begins again. */
function stripNamed(headers: HeaderList, exchange: Exchange, status: number, to: number, from: number): void {
  headers.flat.splice(to, from - to)
  stripHopByHop(headers)
  prepareResponseHeaders(headers, exchange, status)
}

/** Any response, just before it is written. */
export function finishResponseHeaders(headers: HeaderList, { config, date, deps }: HttpRuntime, exchange: Exchange): void {
  if (!headers.has('date')) headers.add('date', date.at(deps.clock.now()))
  setServer(headers, config.serverName, config.serverHeader)
  if (config.requestIdInResponse) copyRequestId(headers, exchange)
  if (deps.direction === 'inbound') sayToPeer(headers, exchange, deps.node)
  else headers.remove('x-envoy-decorator-operation')
}

function setServer(headers: HeaderList, name: string, how: ServerHeader): void {
  if (how === ServerHeader.PASS_THROUGH) return
  if (how === ServerHeader.OVERWRITE || !headers.has('server')) headers.set('server', name)
}

function copyRequestId(headers: HeaderList, { requestHeaders }: Exchange): void {
  const id = requestHeaders.get('x-request-id')
  if (id !== undefined) headers.set('x-request-id', id)
}

/** The peer is told who answered if it said who it is. */
function sayToPeer(headers: HeaderList, exchange: Exchange, node: HttpRuntime['deps']['node']): void {
  const operation = exchange.route?.operation ?? ''
  if (operation !== '') headers.set('x-envoy-decorator-operation', operation)
  if (node === undefined || exchange.downstreamMetadataId === '') return
  headers.set('x-envoy-peer-metadata-id', node.id)
  headers.set('x-envoy-peer-metadata', node.metadata)
}
