// An access log entry of a plain GET that went well, with whatever a test wants otherwise.
import type { AccessLogEntry } from '../../src/telemetry/access-log-entry.ts'

type Fields = Omit<AccessLogEntry, 'requestHeader' | 'responseHeader'>
export type Headers = Readonly<Record<string, string>>

export interface EntryOverrides extends Partial<Fields> {
  readonly request?: Headers
  readonly response?: Headers
}

export function logEntry({ request = {}, response = {}, ...over }: EntryOverrides = {}): AccessLogEntry {
  const fields: Fields = {
    startTime: Date.UTC(2026, 0, 31, 12, 0, 5, 42), duration: 7, protocol: 'HTTP/1.1', method: 'GET', path: '/reviews/1', authority: 'reviews:9080',
    responseCode: 200, responseFlags: '', responseCodeDetails: 'via_upstream', connectionTerminationDetails: '', upstreamTransportFailureReason: '',
    bytesReceived: 0, bytesSent: 295, upstreamHost: '10.0.0.7:9080', upstreamCluster: 'outbound|9080||reviews.default.svc.cluster.local',
    upstreamLocalAddress: '10.0.0.2:41234', downstreamLocalAddress: '10.96.0.12:9080', downstreamRemoteAddress: '10.0.0.2:51004',
    requestedServerName: '', routeName: 'default', grpcStatus: '',
    downstreamPeerUri: '', downstreamLocalUri: '', upstreamPeerUri: '', upstreamLocalUri: '',
    ...over,
  }
  const pseudo: Headers = { ':method': fields.method, ':path': fields.path, ':authority': fields.authority }
  const headers: Headers = {
    'user-agent': 'curl/8.5.0', 'x-request-id': '3f7d0c54-9b1e-4f1a-8c77-1d2c3b4a5e6f', ...request,
  }
  const answer: Headers = { 'x-envoy-upstream-service-time': '6', ...response }
  return { ...fields, requestHeader: (name) => headers[name] ?? pseudo[name], responseHeader: (name) => answer[name] }
}
