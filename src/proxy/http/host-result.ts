// What a host is told of how it answered, for outlier detection and its counters. Made once each.
import type { HeaderList } from '../../codec/header-list.ts'
import type { HostResult } from '../upstream/types.ts'

export const timedOut: HostResult = { kind: 'local', reason: 'timeout' }
const responses: HostResult[] = Array.from({ length: 600 }, (_, status) => ({ kind: 'response', status }))

/** What of a gRPC status an outlier detector sees (Envoy: grpcToHttpStatus). */
const grpcAsHttp = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]
const grpcResults: HostResult[] = grpcAsHttp.map((judgedAs) => ({ kind: 'response', status: 200, judgedAs }))
/** Calls that were answered by a status of HTTP. */
const unanswered: HostResult[] = Array.from({ length: 600 }, (_, status) => ({ kind: 'response', status, judgedAs: status }))

/** Only a status in the head counts, as in Envoy: what comes in trailers comes too late. */
export function resultOf(status: number, headers: HeaderList, isGrpc: boolean): HostResult {
  if (!isGrpc) return responses[status] ?? { kind: 'response', status }
  const answered = status === 200 ? grpcResults[Number(headers.get('grpc-status') ?? NaN)] : undefined
  return answered ?? unanswered[status] ?? { kind: 'response', status, judgedAs: status }
}
