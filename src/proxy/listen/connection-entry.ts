// What an access log line can say of a connection that never carried HTTP: a TCP session that has ended, or a connection
// that was refused before any service had it.
import { formatAddress } from '../../model/address.ts'
import type { Transport } from '../../net/transport.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import type { TcpSession } from '../tcp/tcp-proxy.ts'
import type { Refused } from './accept.ts'
import { serverNameOf } from './detect.ts'

/** All that TCP does not have. */
const noHttp = {
  protocol: '', method: '', path: '', authority: '', responseCode: 0, routeName: '', grpcStatus: '',
  requestHeader: (): undefined => undefined,
  responseHeader: (): undefined => undefined,
}

export function sessionEntry(session: TcpSession): AccessLogEntry {
  const { connection, downstream, upstream, result } = session
  return {
    ...noHttp,
    startTime: session.startTime,
    duration: session.endTime - session.startTime,
    responseFlags: session.flags,
    responseCodeDetails: session.details ?? '',
    connectionTerminationDetails: session.denial !== '' ? session.denial : result?.end === 'idle' ? 'idle_timeout' : '',
    upstreamTransportFailureReason: upstream === undefined ? session.failure : '',
    bytesReceived: result?.received ?? 0,
    bytesSent: result?.sent ?? 0,
    upstreamHost: session.host?.place ?? session.host?.name ?? '',
    upstreamCluster: session.clusterName,
    upstreamLocalAddress: upstream === undefined ? '' : formatAddress(upstream.localAddress),
    downstreamLocalAddress: formatAddress(connection.arrival.originalDestination),
    downstreamRemoteAddress: formatAddress(connection.inbound.remoteAddress),
    requestedServerName: downstream.tls?.serverName ?? serverNameOf(connection.inbound),
    ...uris(downstream, upstream),
    ...(session.audited !== undefined && { auditPolicy: session.audited }),
  }
}

function uris(downstream: Transport, upstream: Transport | undefined) {
  return {
    downstreamPeerUri: downstream.tls?.peerUris.join(',') ?? '',
    downstreamLocalUri: downstream.tls?.localUris.join(',') ?? '',
    upstreamPeerUri: upstream?.tls?.peerUris.join(',') ?? '',
    upstreamLocalUri: upstream?.tls?.localUris.join(',') ?? '',
  }
}

/** Envoy's flags for connections that a listener turns away. */
const refusalFlags = {
  'no-filter-chain': 'NR', 'no-certificate': '', 'handshake-failed': '', 'too-many-connections': 'OM', 'too-many-handshakes': 'OM', 'draining': '',
} as const
const refusalDetails = {
  'no-filter-chain': 'filter_chain_not_found', 'no-certificate': 'no_certificate', 'handshake-failed': 'tls_handshake_failed',
  'too-many-connections': 'connection_limit', 'too-many-handshakes': 'handshake_limit', 'draining': 'draining',
} as const

export function refusedEntry({ refusal, detail, inbound, arrival }: Refused, now: number): AccessLogEntry {
  return {
    ...noHttp,
    startTime: now,
    duration: 0,
    responseFlags: refusalFlags[refusal],
    responseCodeDetails: refusalDetails[refusal],
    connectionTerminationDetails: detail,
    upstreamTransportFailureReason: '',
    bytesReceived: 0, bytesSent: 0,
    upstreamHost: '', upstreamCluster: '', upstreamLocalAddress: '',
    downstreamLocalAddress: formatAddress(arrival.originalDestination),
    downstreamRemoteAddress: formatAddress(inbound.remoteAddress),
    requestedServerName: serverNameOf(inbound),
    downstreamPeerUri: '', downstreamLocalUri: '', upstreamPeerUri: '', upstreamLocalUri: '',
  }
}
