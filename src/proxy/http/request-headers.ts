// What the proxy does to the headers of a request before anything looks at them: framing and hop-by-hop fields go, what
// outsiders may not say goes, and what says where the request came from is put in. One pass over the list.
import { hasToken } from '../../codec/h1/field-value.ts'
import { stripHopByHop } from '../../codec/h1/writer.ts'
import { cutTo } from '../../codec/header-list.ts'
import { addressBeforeHops } from './trusted-address.ts'
import { forwardedClientCert } from './client-cert-header.ts'
import type { Exchange } from './exchange.ts'
import type { ManagerConfig } from './manager-config.ts'
import { isGrpc } from './router/match.ts'

export interface HeaderSettings {
  readonly config: ManagerConfig
  /** Of this connection's peer; see client-cert-header.ts. */
  readonly clientCert: string
  readonly newRequestId: () => string
}

const drop = 1
const requestId = 3
const forwardedProto = 4
const forwardedFor = 5
const clientCert = 6
const contentType = 7
const internal = 8
const expect = 9
const metadata = 10
const metadataId = 11
const te = 12

/** Headers that mean something here. `internal`: believed only when they come from inside the mesh. */
const meaning = new Map<string, number>([
  ['host', drop], ['content-length', drop], ['transfer-encoding', drop], ['keep-alive', drop], ['proxy-connection', drop],
  ['upgrade', drop], ['http2-settings', drop], ['connection', drop], ['te', te], ['expect', expect],
  ['x-request-id', requestId], ['x-forwarded-proto', forwardedProto], ['x-forwarded-for', forwardedFor],
  ['x-forwarded-client-cert', clientCert], ['content-type', contentType], ['x-envoy-peer-metadata', metadata],
  ['x-envoy-peer-metadata-id', metadataId], ['x-envoy-retry-on', internal], ['x-envoy-retry-grpc-on', internal],
  ['x-envoy-max-retries', internal], ['x-envoy-retriable-status-codes', internal], ['x-envoy-retriable-header-names', internal],
  ['x-envoy-upstream-rq-timeout-ms', internal], ['x-envoy-upstream-rq-per-try-timeout-ms', internal],
  ['x-envoy-upstream-rq-timeout-alt-response', internal], ['x-envoy-upstream-alt-stat-name', internal],
  ['x-envoy-expected-rq-timeout-ms', internal], ['x-envoy-decorator-operation', internal], ['x-envoy-internal', internal],
  ['x-envoy-external-address', internal], ['x-envoy-force-trace', internal], ['x-envoy-ip-tags', internal],
  ['x-envoy-original-path', internal], ['x-envoy-original-url', internal], ['x-envoy-original-host', internal],
  ['x-envoy-hedge-on-per-try-timeout', internal], ['x-envoy-attempt-count', internal],
  ['x-envoy-downstream-service-cluster', internal], ['x-envoy-downstream-service-node', internal],
])

export function prepareRequestHeaders(exchange: Exchange, { config, clientCert: element, newRequestId }: HeaderSettings): void {
  const headers = exchange.requestHeaders
  const flat = headers.flat
  if (connectionNamesFields(flat)) stripHopByHop(headers)
  let to = 0
  let hasRequestId = false
  let proto = ''
  let cert: string | undefined
  let forwarded = -1
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    let value = flat[i + 1]!
    switch (meaning.get(name)) {
      case undefined: break
      case drop: continue
      case te:
        if (!hasToken(value, 'trailers')) continue
        value = 'trailers'
        break
      case expect:
        if (!config.proxy100Continue) continue
        break
      case requestId:
        if (hasRequestId || value === '') continue
        hasRequestId = true
        break
      case forwardedProto:
        if ((config.useRemoteAddress && config.trustedHops === 0) || proto !== '' || (value !== 'http' && value !== 'https')) continue
        proto = value
        break
      case forwardedFor:
        if (forwarded !== -1) {
          flat[forwarded] += `,${value}`
          continue
        }
        forwarded = to + 1
        break
      case clientCert:
        cert = cert === undefined ? value : `${cert},${value}`
        continue
      case contentType:
        if (isGrpc(value)) exchange.isGrpc = true
        break
      case metadata:
        exchange.downstreamMetadata = value
        continue
      case metadataId:
        exchange.downstreamMetadataId = value
        continue
      case internal:
        if (config.useRemoteAddress) continue
        exchange.hasEnvoyHeaders = true
        break
    }
    flat[to] = name
    flat[to + 1] = value
    to += 2
  }
  cutTo(flat, to)
  exchange.scheme = proto === '' ? (exchange.connection.secure ? 'https' : 'http') : proto
  if (proto === '') flat.push('x-forwarded-proto', exchange.scheme)
  if (!hasRequestId && config.generateRequestId) flat.push('x-request-id', newRequestId())
  if (config.useRemoteAddress) addRemoteAddress(exchange, flat, forwarded, config)
  const forwardedCert = forwardedClientCert(config.clientCert, cert, element)
  if (forwardedCert !== undefined) flat.push('x-forwarded-client-cert', forwardedCert)
}

function addRemoteAddress(exchange: Exchange, flat: string[], forwarded: number, { trustedHops, appendForwardedFor }: ManagerConfig): void {
  const { host } = exchange.connection.remoteAddress
  const told = trustedHops === 0 || forwarded === -1 ? undefined : addressBeforeHops(flat[forwarded]!, trustedHops)
  if (told !== undefined) exchange.clientAddress = { host: told, port: 0 }
  if (appendForwardedFor) {
    if (forwarded === -1) flat.push('x-forwarded-for', host)
    else flat[forwarded] = `${flat[forwarded]!},${host}`
  }
  flat.push('x-envoy-external-address', told ?? host)
}

/** Rare: a Connection field that names other fields, which then are for this hop only. */
function connectionNamesFields(flat: readonly string[]): boolean {
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'connection') continue
    const value = flat[i + 1]!
    if (value !== 'keep-alive' && value !== 'close') return true
  }
  return false
}
