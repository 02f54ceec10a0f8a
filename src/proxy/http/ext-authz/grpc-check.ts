// ext_authz over gRPC: what is known of the request goes to the provider as a message, and one comes back.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { HeaderList } from '../../../codec/header-list.ts'
import { frameMessage, prefixLength } from '../../../codec/grpc/frame.ts'
import { formatGrpcTimeout } from '../../../codec/grpc/timeout.ts'
import type { Address } from '../../../model/address.ts'
import type { HeaderValueOption } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { GrpcService } from '../../../proto/gen/envoy/config/core/v3/grpc_service_pb.ts'
import { CheckRequestSchema, CheckResponseSchema } from '../../../proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import type { CheckResponse, OkHttpResponse } from '../../../proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { milliseconds } from '../../xds/duration.ts'
import { setMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'
import type { HeldBody } from '../filter.ts'
import { badConfig } from '../router/problem.ts'
import type { SideAnswer, SideQuestion } from '../side-request.ts'
import { defaultTimeoutMs } from './http-check.ts'
import { denied, failed, partialBodyHeader } from './verdict.ts'
import type { Provider, Verdict } from './verdict.ts'

/** `asBytes`: bodies go as bytes, not as text. */
export function grpcProvider({ targetSpecifier: target, timeout }: GrpcService, asBytes: boolean): Provider {
  if (target.case !== 'envoyGrpc') throw badConfig('grpc_service without envoy_grpc is not served')
  const { clusterName, authority } = target.value
  const timeoutMs = timeout === undefined ? defaultTimeoutMs : milliseconds(timeout)
  return { cluster: clusterName, timeoutMs, ask: (exchange, body) => question(checkRequest(exchange, body, asBytes), authority || clusterName, timeoutMs), read: verdict }
}

/** What is known of a connection of bytes. */
export interface AskedConnection {
  readonly remoteAddress: Address
  readonly localAddress: Address
  /** Of both ends' certificates; empty without mutual TLS. */
  readonly identity: string
  readonly ownIdentity: string
}

export interface ConnectionProvider {
  readonly cluster: string
  readonly timeoutMs: number
  ask(connection: AskedConnection): SideQuestion
  read(answer: SideAnswer): Verdict['kind']
}

/** The same provider, asked about a connection. */
export function connectionProvider(service: GrpcService): ConnectionProvider {
  const { cluster, timeoutMs } = grpcProvider(service, false)
  const authority = service.targetSpecifier.case === 'envoyGrpc' ? service.targetSpecifier.value.authority || cluster : cluster
  return {
    cluster, timeoutMs,
    ask: ({ remoteAddress, localAddress, identity, ownIdentity }) => question(
      toBinary(CheckRequestSchema, create(CheckRequestSchema, { attributes: { source: peer(remoteAddress, identity), destination: peer(localAddress, ownIdentity), metadataContext: {}, request: {} } })), authority, timeoutMs),
    read: (answer) => verdict(answer).kind,
  }
}

const peer = (address: Address, principal: string) => ({ address: { address: { case: 'socketAddress' as const, value: { address: address.host, portSpecifier: { case: 'portValue' as const, value: address.port } } } }, principal })

function question(request: Uint8Array, authority: string, timeoutMs: number): SideQuestion {
  const headers = HeaderList.of('te', 'trailers', 'content-type', 'application/grpc')
  if (timeoutMs > 0) headers.set('grpc-timeout', formatGrpcTimeout(timeoutMs))
  const head = { method: 'POST', path: '/envoy.service.auth.v3.Authorization/Check', authority, headers, bodyLength: -1, sendZeroLength: false }
  return { head, body: frameMessage(request) }
}

function checkRequest(exchange: Exchange, body: HeldBody | undefined, asBytes: boolean): Uint8Array {
  const { connection, method, path, authority, scheme, protocol, bytesReceived, startTime } = exchange
  return toBinary(CheckRequestSchema, create(CheckRequestSchema, {
    attributes: {
      source: peer(connection.remoteAddress, connection.peer.identity ?? ''),
      destination: peer(connection.originalDestination, connection.tls?.localUris[0] ?? ''),
      metadataContext: {},
      routeMetadataContext: {},
      request: {
        time: timestampFromMs(startTime),
        http: { id: exchange.requestHeader('x-request-id') ?? '', method, path, host: authority, scheme, protocol, size: BigInt(bytesReceived), headers: headersOf(exchange, body), ...bodyOf(body, asBytes) },
      },
    },
  }))
}

/** Several of one name are one, joined. */
function headersOf({ requestHeaders: { flat }, method, path, authority, scheme, bodyLength, sendZeroLength }: Exchange, body: HeldBody | undefined): Record<string, string> {
  const headers: Record<string, string> = { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme }
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    headers[name] = headers[name] === undefined ? flat[i + 1]! : `${headers[name]},${flat[i + 1]!}`
  }
  if (bodyLength > 0 || (bodyLength === 0 && sendZeroLength)) headers['content-length'] = String(bodyLength)
  if (body !== undefined) headers[partialBodyHeader] = String(!body.whole)
  return headers
}

function bodyOf(body: HeldBody | undefined, asBytes: boolean): { readonly body?: string; readonly rawBody?: Uint8Array } {
  if (body === undefined) return {}
  return asBytes ? { rawBody: body.bytes } : { body: body.bytes.toString('utf8') }
}

function verdict({ status, headers, body, trailers }: SideAnswer): Verdict {
  const grpcStatus = trailers?.get('grpc-status') ?? headers.get('grpc-status')
  if (status !== 200 || grpcStatus !== '0') return failed
  const response = messageIn(body)
  if (response === undefined) return failed
  const { httpResponse: said } = response
  if ((response.status?.code ?? 0) !== 0) {
    if (said.case !== 'deniedResponse') return denied(403, '', [])
    return denied(said.value.status?.code || 403, said.value.body, said.value.headers.flatMap(pairOf))
  }
  // A denial beside a status of success, or changes that are not made here: better none than half of it.
  if (said.case === 'deniedResponse') return failed
  if (said.case === 'okResponse' && said.value.queryParametersToSet.length + said.value.queryParametersToRemove.length > 0) return failed
  return allowed(response, said.value)
}

function messageIn(body: Buffer): CheckResponse | undefined {
  if (body.length < prefixLength || body[0] !== 0 || body.readUInt32BE(1) !== body.length - prefixLength) return undefined
  try {
    return fromBinary(CheckResponseSchema, body.subarray(prefixLength))
  } catch {
    return undefined // what cannot be read has not allowed anything
  }
}

function allowed({ dynamicMetadata }: CheckResponse, ok: OkHttpResponse | undefined): Verdict {
  const metadata = dynamicMetadata ?? ok?.dynamicMetadata
  return {
    kind: 'allowed', toClient: ok?.responseHeadersToAdd.flatMap(pairOf) ?? [],
    changesRoute: ok !== undefined && ok.headers.length + ok.headersToRemove.length > 0,
    changes(exchange) {
      for (const name of ok?.headersToRemove ?? []) if (!name.startsWith(':') && name.toLowerCase() !== 'host') exchange.requestHeaders.remove(name.toLowerCase())
      for (const { header, append } of ok?.headers ?? []) {
        const name = header?.key.toLowerCase() ?? ''
        if (name === '' || name.startsWith(':') || name === 'host') continue
        if (append === true) appendTo(exchange.requestHeaders, name, header!.value)
        else exchange.requestHeaders.set(name, header!.value)
      }
      if (metadata !== undefined) setMetadata(exchange, 'envoy.filters.http.ext_authz', metadata)
    },
  }
}

/** Two values are one, joined, as from Envoy. */
function appendTo(headers: HeaderList, name: string, value: string): void {
  const before = headers.joined(name)
  if (before === undefined) headers.add(name, value)
  else headers.set(name, `${before},${value}`)
}

const pairOf = ({ header }: HeaderValueOption): string[] => (header === undefined || header.key === '' ? [] : [header.key.toLowerCase(), header.value])
