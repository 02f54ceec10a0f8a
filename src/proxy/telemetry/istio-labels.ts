// The labels of Istio's standard metrics: one rule each (security spec 3.1). Pure: from what is known of one exchange or
// connection to the label values in their order.
import { parseSpiffeId } from '../../model/spiffe-id.ts'
import type { PeerFacts } from './peer.ts'

const sharedLabels = [
  'reporter', 'source_workload', 'source_canonical_service', 'source_canonical_revision', 'source_workload_namespace',
  'source_principal', 'source_app', 'source_version', 'source_cluster', 'destination_workload',
  'destination_workload_namespace', 'destination_principal', 'destination_app', 'destination_version', 'destination_service',
  'destination_canonical_service', 'destination_canonical_revision', 'destination_service_name',
  'destination_service_namespace', 'destination_cluster', 'request_protocol',
] as const

export const httpLabels = [...sharedLabels, 'response_code', 'grpc_response_status', 'response_flags', 'connection_security_policy'] as const
export const tcpLabels = [...sharedLabels, 'response_flags', 'connection_security_policy'] as const

export type Reporter = 'source' | 'destination'

/** Empty strings are not known. */
export interface Observed {
  readonly reporter: Reporter
  /** The proxy's own workload. */
  readonly own: PeerFacts
  readonly peer: PeerFacts
  /** URI SANs of the connection to the peer: downstream at the destination, upstream at the source. */
  readonly ownUri: string
  readonly peerUri: string
  readonly destination: Destination
  readonly protocol: 'http' | 'grpc' | 'tcp'
  readonly responseCode: number
  readonly grpcStatus: string
  readonly flags: string
}

/** The service that was asked for. */
export interface Destination {
  readonly host: string
  readonly name: string
  readonly namespace: string
}

export function httpLabelsOf(seen: Observed): string[] {
  return [...sharedOf(seen), String(seen.responseCode), seen.grpcStatus, seen.flags || '-', securityPolicy(seen)]
}

export function tcpLabelsOf(seen: Observed): string[] {
  return [...sharedOf(seen), seen.flags || '-', securityPolicy(seen)]
}

function sharedOf(seen: Observed): string[] {
  const { reporter, own, peer, ownUri, peerUri, protocol } = seen
  const peerSide = side({ ...peer, namespace: parseSpiffeId(peerUri)?.namespace ?? peer.namespace }, peerUri)
  const ownSide = side(own, ownUri)
  const [from, to] = reporter === 'source' ? [ownSide, peerSide] : [peerSide, ownSide]
  const service = serviceOf(seen)
  return [
    reporter, from.workload, from.service, from.revision, from.namespace, from.principal, from.app, from.version, from.cluster,
    to.workload, to.namespace, to.principal, to.app, to.version, service.host, to.service, to.revision, service.name,
    service.namespace, to.cluster, protocol,
  ]
}

function side(facts: PeerFacts, uri: string) {
  return {
    workload: facts.workload || 'unknown',
    namespace: facts.namespace || 'unknown',
    service: facts.canonicalService || 'unknown',
    revision: facts.canonicalRevision || 'latest',
    principal: uri || 'unknown',
    app: facts.app || 'unknown',
    version: facts.version || 'unknown',
    cluster: facts.cluster || 'unknown',
  }
}

/** The destination knows its own names where its cluster does not say; the source knows the peer's namespace at most. */
function serviceOf({ reporter, own, peer, peerUri, destination: { host, name, namespace } }: Observed): Destination {
  if (reporter === 'destination') {
    const fallback = own.canonicalService || 'unknown'
    return { host: host || fallback, name: name || fallback, namespace: own.namespace || 'unknown' }
  }
  const peerNamespace = parseSpiffeId(peerUri)?.namespace ?? peer.namespace
  return { host: host || 'unknown', name: name || 'unknown', namespace: namespace || peerNamespace || 'unknown' }
}

/** Only the destination can tell what it was sent. */
function securityPolicy({ reporter, ownUri, peerUri }: Observed): string {
  if (reporter === 'source') return 'unknown'
  return ownUri !== '' && peerUri !== '' ? 'mutual_tls' : 'none'
}
