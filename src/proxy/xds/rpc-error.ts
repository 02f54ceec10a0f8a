// How calls to the control plane fail: gRPC's statuses as codes, with what the other side said.
import type { IncomingHttpHeaders } from 'node:http2'
import { decodeGrpcMessage } from '../../codec/grpc/message.ts'
import { MeshError } from '../../lib/errors.ts'

/** By number, grpc/statuscodes. */
const statusNames = [
  'ok', 'cancelled', 'unknown', 'invalid-argument', 'deadline-exceeded', 'not-found', 'already-exists', 'permission-denied', 'resource-exhausted',
  'failed-precondition', 'aborted', 'out-of-range', 'unimplemented', 'internal', 'unavailable', 'data-loss', 'unauthenticated',
] as const

export type RpcCode = `rpc/${Exclude<(typeof statusNames)[number], 'ok'>}`
export type RpcError = MeshError<RpcCode>

export function rpcError(code: RpcCode, message: string, cause?: unknown): RpcError {
  return new MeshError(code, message, cause)
}

/** What trailers say; undefined for OK. Without a status the call has not come to its end. */
export function statusOf(trailers: IncomingHttpHeaders): RpcError | undefined {
  const text = trailers['grpc-status']
  if (typeof text !== 'string') return rpcError('rpc/unavailable', 'the stream ended without a status: the connection was cut off, or the server is none of gRPC')
  const name = statusNames[/^\d{1,2}$/.test(text) ? Number(text) : -1] ?? 'unknown'
  if (name === 'ok') return undefined
  const message = trailers['grpc-message']
  return rpcError(`rpc/${name}`, `${name.toUpperCase().replaceAll('-', '_')}: ${typeof message === 'string' ? decodeGrpcMessage(message) : 'no reason given'}`)
}

/** For answers that are not gRPC's, as its specification maps them. */
export function httpStatusError(headers: IncomingHttpHeaders): RpcError | undefined {
  const status = Number(headers[':status'])
  const type = headers['content-type'] ?? ''
  if (status === 200 && type.startsWith('application/grpc')) return undefined
  const message = `the answer is not gRPC: status ${status}, content type ${JSON.stringify(type)}`
  switch (status) {
    case 401: return rpcError('rpc/unauthenticated', message)
    case 403: return rpcError('rpc/permission-denied', message)
    case 404: return rpcError('rpc/unimplemented', message)
    case 429: case 502: case 503: case 504: return rpcError('rpc/unavailable', message)
    default: return rpcError('rpc/unknown', message)
  }
}
