// Endpoints as Envoy groups them: by locality, each with the metadata that TLS choice and metric labels need.
import type { JsonObject } from '@bufbuild/protobuf'
import type { Endpoint } from '../../../model/service.ts'
import { HealthStatus } from '../../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { LbEndpointSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import type { AddressSchema } from '../../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { Init } from '../any.ts'
import { nowhere, placeEndpoints, weightOf } from './placement.ts'
import type { Placed, Placement } from './placement.ts'

export type AssignmentInit = Init<typeof ClusterLoadAssignmentSchema>

interface AssignmentOptions {
  /** Addresses are names that the proxy resolves, and say nothing about health. */
  readonly dns?: boolean
  readonly clusterId?: string
  /** The client reaches addresses of both families: whoever has several is told with all of them. */
  readonly dualStack?: boolean
  readonly placement?: Placement
}

export function loadAssignment(clusterName: string, endpoints: readonly Endpoint[], options: AssignmentOptions): AssignmentInit {
  return { clusterName, endpoints: placeEndpoints(endpoints, options.placement ?? nowhere).map((placed) => localityGroup(placed, options)) }
}

function localityGroup({ priority, locality: { region, zone, subzone }, weight, endpoints }: Placed, options: AssignmentOptions) {
  return {
    ...(region !== '' && { locality: { region, zone, subZone: subzone } }),
    ...(priority > 0 && { priority }),
    // Unless an operator says otherwise the sum of those of its endpoints: each of them keeps its share.
    loadBalancingWeight: weight,
    lbEndpoints: endpoints.map((one) => lbEndpoint(one, options)),
  }
}

function lbEndpoint(one: Endpoint, { dns = false, clusterId = '', dualStack = false }: AssignmentOptions): Init<typeof LbEndpointSchema> {
  return {
    hostIdentifier: { case: 'endpoint', value: { address: addressOf(one.address, one.port), ...(dualStack && furtherOf(one)) } },
    loadBalancingWeight: weightOf(one),
    ...(!dns && one.health !== 'healthy' && { healthStatus: healthOf(one) }),
    metadata: { filterMetadata: endpointMetadata(one, clusterId) },
  }
}

const furtherOf = ({ furtherAddresses = [], port }: Endpoint) => ({ additionalAddresses: furtherAddresses.map((host) => ({ address: addressOf(host, port) })) })

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
