// What other resources a cluster depends on. The cluster itself is compiled by proxy/upstream.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../../lib/errors.ts'
import { Cluster_DiscoveryType } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { TransportSocket } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ProxyProtocolUpstreamTransportSchema as ProxyProtocolSocketSchema } from '../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { decodeTlsContext, secretNamesOf } from './tls-context.ts'

/** Name of the load assignment that a cluster waits for: of an EDS cluster, or of whom clients may meet where they go. Undefined for all other kinds. */
export function assignmentNameOf(cluster: Cluster): string | undefined {
  if (knownEndpointsOf(cluster) === 'eds') return cluster.name
  const kind = cluster.clusterDiscoveryType
  if (kind.case !== 'type' || kind.value !== Cluster_DiscoveryType.EDS) return undefined
  return cluster.edsClusterConfig?.serviceName || cluster.name
}

/**
 * What our control plane wishes of a cluster that goes where its clients were going, and Envoy knows nothing of. `eds`: it is
 * told whom they may meet there. `mutual_tls`: those that any cluster knows are spoken to so; but what has TLS of its own keeps to that.
 */
export function knownEndpointsOf({ clusterDiscoveryType: type, metadata, transportSocket, transportSocketMatches }: Cluster): 'eds' | 'mutual_tls' | undefined {
  if (type.case !== 'type' || type.value !== Cluster_DiscoveryType.ORIGINAL_DST) return undefined
  const wish = metadata?.filterMetadata['trysail']?.['known_endpoints']
  if (wish === 'eds') return wish
  return wish === 'mutual_tls' && transportSocket === undefined && transportSocketMatches.length === 0 ? wish : undefined
}

/** The load assignment that lists the proxies of this one's workload, itself among them: Istio's name for it. */
export const fleetAssignment = 'local_cluster'

/** Whether the cluster's balancing depends on where the proxies like this one are. */
export function isZoneAware({ commonLbConfig }: Cluster): boolean {
  const specifier = commonLbConfig?.localityConfigSpecifier
  return specifier?.case === 'zoneAwareLbConfig' && specifier.value.routingEnabled?.value !== 0
}

/** A message never changes, and is asked about at every update of any other: unpacking a thousand of them takes 10 ms. */
const namesOf = new WeakMap<Cluster, readonly string[]>()

/** SDS names of the cluster's TLS contexts. */
export function clusterSecretNames(cluster: Cluster): readonly string[] {
  const known = namesOf.get(cluster)
  if (known !== undefined) return known
  const names = findSecretNames(cluster)
  namesOf.set(cluster, names)
  return names
}

function findSecretNames(cluster: Cluster): readonly string[] {
  const sockets = [cluster.transportSocket, ...cluster.transportSocketMatches.map((match) => match.transportSocket)]
  return [...new Set(sockets.flatMap(socketSecretNames))]
}

function socketSecretNames(socket: TransportSocket | undefined): readonly string[] {
  if (socket?.configType.case !== 'typedConfig') return []
  const any = socket.configType.value
  if (any.typeUrl.endsWith(`/${ProxyProtocolSocketSchema.typeName}`)) return socketSecretNames(anyUnpack(any, ProxyProtocolSocketSchema)?.transportSocket)
  if (!any.typeUrl.endsWith(`/${UpstreamTlsContextSchema.typeName}`)) return []
  const common = anyUnpack(any, UpstreamTlsContextSchema)?.commonTlsContext
  return common === undefined ? [] : secretNamesOf(decodeTlsContext(common))
}

export function checkCluster(cluster: Cluster): void {
  if (cluster.name === '') throw new MeshError('proxy/bad-config', 'a cluster without a name')
  clusterSecretNames(cluster)
}
