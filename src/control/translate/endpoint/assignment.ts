// Endpoints as Envoy groups them: by locality, each with the metadata that TLS choice and metric labels need.
import type { JsonObject } from '@bufbuild/protobuf'
import type { Endpoint, Locality } from '../../../model/service.ts'
import { HealthStatus } from '../../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { LbEndpointSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import type { AddressSchema } from '../../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { Init } from '../any.ts'

export type AssignmentInit = Init<typeof ClusterLoadAssignmentSchema>

/** `dns`: addresses are names that the proxy resolves, and say nothing about health. */
export function loadAssignment(clusterName: string, endpoints: readonly Endpoint[], dns = false, clusterId = ''): AssignmentInit {
  const groups = Map.groupBy(endpoints, (one) => localityKey(one.locality))
  const sorted = [...groups].sort(([one], [other]) => (one < other ? -1 : 1))
  return { clusterName, endpoints: sorted.map(([, group]) => localityGroup(group, dns, clusterId)) }
}

const localityKey = (at: Locality): string => `${at.region}/${at.zone}/${at.subzone}`

function localityGroup(group: readonly Endpoint[], dns: boolean, clusterId: string) {
  const { region, zone, subzone } = group[0]!.locality
  return {
    ...(region !== '' && { locality: { region, zone, subZone: subzone } }),
    // Weights of localities are sums of those of their endpoints: each endpoint keeps its share.
    loadBalancingWeight: group.reduce((sum, one) => sum + weightOf(one), 0),
    lbEndpoints: group.map((one) => lbEndpoint(one, dns, clusterId)),
  }
}

const weightOf = (one: Endpoint): number => Math.max(1, one.weight)

function lbEndpoint(one: Endpoint, dns: boolean, clusterId: string): Init<typeof LbEndpointSchema> {
  return {
    hostIdentifier: { case: 'endpoint', value: { address: addressOf(one.address, one.port) } },
    loadBalancingWeight: weightOf(one),
    ...(!dns && one.health !== 'healthy' && { healthStatus: healthOf(one) }),
    metadata: { filterMetadata: endpointMetadata(one, clusterId) },
  }
}

const healthOf = (one: Endpoint): HealthStatus => (one.health === 'draining' ? HealthStatus.DRAINING : HealthStatus.UNHEALTHY)

/** An address, or `unix:///path`. */
export function addressOf(host: string, port: number): Init<typeof AddressSchema> {
  if (host.startsWith('unix://')) return { address: { case: 'pipe', value: { path: host.slice('unix://'.length) } } }
  return { address: { case: 'socketAddress', value: { address: host, portSpecifier: { case: 'portValue', value: port } } } }
}

function endpointMetadata(one: Endpoint, clusterId: string): Record<string, JsonObject> {
  return {
    istio: { workload: workloadText(one, clusterId) },
    ...(one.mutualTls && { 'envoy.transport_socket_match': { tlsMode: 'istio' } }),
  }
}

/** `workload;namespace;canonical name;canonical revision;cluster`, which telemetry splits. */
function workloadText(one: Endpoint, clusterId: string): string {
  const [namespace = '', name = ''] = one.workload.split('/')
  const canonical = one.labels['service.istio.io/canonical-name'] ?? one.labels['app.kubernetes.io/name'] ?? one.labels['app'] ?? name
  const revision = one.labels['service.istio.io/canonical-revision'] ?? one.labels['app.kubernetes.io/version'] ?? one.labels['version'] ?? 'latest'
  return [name, namespace || one.namespace, canonical, revision, clusterId].join(';')
}
