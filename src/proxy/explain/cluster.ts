// A cluster's policy in words: how it balances, what limits it, whether it speaks mutual TLS, and where that was said.
import type { JsonObject } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Cluster_DiscoveryType as Discovery, Cluster_LbPolicy as Policy } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { TransportSocket } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { HealthStatus } from '../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import type { LbEndpoint } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { durationText } from './route.ts'
import { dnsTypeOf } from '../upstream/dns-type.ts'

export interface ExplainedPolicy {
  readonly loadBalancer: string
  readonly discovery: string
  readonly connectTimeout: string | null
  /** `ISTIO_MUTUAL`, `TLS` or `DISABLE`; `auto` where it is mutual TLS with some endpoints only, or no endpoint is known. */
  readonly tls: string
  readonly maxConnections: number | null
  readonly maxPendingRequests: number | null
  readonly maxRequests: number | null
  readonly outlierDetection: { readonly consecutive5xxErrors: number | null; readonly interval: string | null; readonly baseEjectionTime: string | null; readonly maxEjectionPercent: number | null } | null
  /** How many endpoints take requests; null where the proxy finds them itself. */
  readonly endpoints: number | null
  /** The DestinationRule, `namespace/name`. */
  readonly destinationRule: string | null
}

const policyNames: Readonly<Record<number, string>> = {
  [Policy.ROUND_ROBIN]: 'ROUND_ROBIN', [Policy.LEAST_REQUEST]: 'LEAST_REQUEST', [Policy.RING_HASH]: 'consistentHash: ringHash',
  [Policy.RANDOM]: 'RANDOM', [Policy.MAGLEV]: 'consistentHash: maglev', [Policy.CLUSTER_PROVIDED]: 'PASSTHROUGH',
}

const discoveryNames: Readonly<Record<number, string>> = {
  [Discovery.STATIC]: 'STATIC', [Discovery.STRICT_DNS]: 'STRICT_DNS', [Discovery.LOGICAL_DNS]: 'LOGICAL_DNS',
  [Discovery.EDS]: 'EDS', [Discovery.ORIGINAL_DST]: 'ORIGINAL_DST',
}

function discoveryOf(cluster: Cluster): string {
  const { clusterDiscoveryType: type } = cluster
  const dns = dnsTypeOf(cluster)
  if (dns !== undefined) return dns.kind === 'strict-dns' ? 'STRICT_DNS' : 'LOGICAL_DNS'
  return type.case === 'type' ? (discoveryNames[type.value] ?? 'unknown') : (type.value?.name ?? 'STATIC')
}

/** `assignment` is what EDS says, where the cluster asks it. */
export function explainPolicy(cluster: Cluster, assignment: ClusterLoadAssignment | undefined): ExplainedPolicy {
  const endpoints = assignment === undefined ? undefined : healthyIn(assignment)
  const thresholds = cluster.circuitBreakers?.thresholds[0]
  return {
    loadBalancer: policyNames[cluster.lbPolicy] ?? 'unknown',
    discovery: discoveryOf(cluster),
    connectTimeout: durationText(cluster.connectTimeout),
    tls: tlsOf(cluster, endpoints ?? []),
    maxConnections: limitOf(thresholds?.maxConnections),
    maxPendingRequests: limitOf(thresholds?.maxPendingRequests),
    maxRequests: limitOf(thresholds?.maxRequests),
    outlierDetection: outliersOf(cluster),
    endpoints: goesAnywhere(cluster) ? null : (endpoints?.length ?? null),
    destinationRule: destinationRuleOf(cluster),
  }
}

/** To whatever address a client connects: members of it are known, not chosen. */
const goesAnywhere = ({ clusterDiscoveryType: type }: Cluster): boolean => type.case === 'type' && type.value === Discovery.ORIGINAL_DST

/** 2^32 - 1 is how Istio writes no limit. */
function limitOf(value: number | undefined): number | null {
  return value === undefined || value === 4_294_967_295 ? null : value
}

function outliersOf({ outlierDetection: found }: Cluster): ExplainedPolicy['outlierDetection'] {
  if (found === undefined) return null
  return {
    consecutive5xxErrors: found.consecutive5xx ?? null,
    interval: durationText(found.interval),
    baseEjectionTime: durationText(found.baseEjectionTime),
    maxEjectionPercent: found.maxEjectionPercent ?? null,
  }
}

const healthyIn = ({ endpoints }: ClusterLoadAssignment): readonly LbEndpoint[] => endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)
  .filter(({ healthStatus }) => healthStatus === HealthStatus.UNKNOWN || healthStatus === HealthStatus.HEALTHY)

/** Each endpoint gets the first transport socket that its labels match, else the cluster's own. */
function tlsOf({ transportSocket, transportSocketMatches }: Cluster, endpoints: readonly LbEndpoint[]): string {
  if (transportSocketMatches.length === 0) return socketTls(transportSocket)
  const found = new Set(endpoints.map(({ metadata }) => {
    const labels = metadata?.filterMetadata['envoy.transport_socket_match'] ?? {}
    const matched = transportSocketMatches.find(({ match }) => isPartOf(match ?? {}, labels))
    return socketTls(matched === undefined ? transportSocket : matched.transportSocket)
  }))
  const [only] = found
  return only !== undefined && found.size === 1 ? only : 'auto'
}

const isPartOf = (wanted: JsonObject, labels: JsonObject): boolean => Object.entries(wanted).every(([key, value]) => labels[key] === value)

function socketTls(socket: TransportSocket | undefined): string {
  if (socket === undefined || !isTls(socket)) return 'DISABLE'
  const any = socket.configType.value as Any
  const names = anyUnpack(any, UpstreamTlsContextSchema)?.commonTlsContext?.tlsCertificateSdsSecretConfigs.map(({ name }) => name)
  return names?.includes('default') === true ? 'ISTIO_MUTUAL' : 'TLS'
}

function isTls({ configType }: TransportSocket): boolean {
  return configType.case === 'typedConfig' && configType.value.typeUrl.endsWith(`/${UpstreamTlsContextSchema.typeName}`)
}

/** Istio says it as `/apis/networking.istio.io/v1/namespaces/NS/destination-rule/NAME`. */
function destinationRuleOf({ metadata }: Cluster): string | null {
  const config = metadata?.filterMetadata['istio']?.['config']
  const found = typeof config === 'string' ? /\/namespaces\/([^/]+)\/destination-rule\/([^/]+)$/.exec(config) : null
  return found === null ? null : `${found[1]}/${found[2]}`
}
