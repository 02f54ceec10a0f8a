// Reads a load assignment: which hosts a cluster has, with what weight, health, priority and metadata.
import type { JsonObject } from '@bufbuild/protobuf'
import { MeshError } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Address as AddressMessage } from '../../proto/gen/envoy/config/core/v3/address_pb.ts'
import { HealthStatus } from '../../proto/gen/envoy/config/core/v3/health_check_pb.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { LbEndpoint, LocalityLbEndpoints } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import type { HostHealth } from './types.ts'

export interface EndpointSettings {
  readonly address: Address
  readonly name: string
  /** Where connections go: the address itself, or what its name resolves to. */
  readonly connectTo: Address
  /** Where the same endpoint is too. */
  readonly further?: readonly Address[]
  readonly weight: number
  readonly health: HostHealth
  /** 0 is used first. */
  readonly priority: number
  /** `region/zone/subzone`. */
  readonly locality: string
  /** Of all of its locality together; 0 where that was not said. */
  readonly localityWeight: number
  /** `workload;namespace;canonical name;revision;cluster`, or empty. */
  readonly workload: string
  /** By what the cluster chooses the endpoint's transport socket. */
  readonly socketLabels: JsonObject
}

export function hostName(address: Address): string {
  return address.host.startsWith('unix://') ? address.host.slice('unix://'.length) : formatAddress(address)
}

/** An address that is listed twice counts once: the first one. */
export function decodeEndpoints(assignment: ClusterLoadAssignment): EndpointSettings[] {
  const found = new Map<string, EndpointSettings>()
  for (const group of assignment.endpoints) {
    const place = placeOf(group)
    for (const endpoint of group.lbEndpoints) {
      const decoded = decodeEndpoint(endpoint, place, assignment.clusterName)
      if (!found.has(decoded.name)) found.set(decoded.name, decoded)
    }
  }
  return [...found.values()]
}

type Place = Pick<EndpointSettings, 'priority' | 'locality' | 'localityWeight'>

function placeOf({ priority, locality, loadBalancingWeight }: LocalityLbEndpoints): Place {
  const name = locality === undefined ? '' : `${locality.region}/${locality.zone}/${locality.subZone}`
  return { priority, locality: name, localityWeight: loadBalancingWeight ?? 0 }
}

function decodeEndpoint(endpoint: LbEndpoint, place: Place, cluster: string): EndpointSettings {
  const { hostIdentifier, metadata } = endpoint
  if (hostIdentifier.case !== 'endpoint') throw new MeshError('proxy/bad-config', `${cluster}: an endpoint without an address`)
  const address = decodeAddress(hostIdentifier.value.address, cluster)
  const further = hostIdentifier.value.additionalAddresses.map((one) => decodeAddress(one.address, cluster))
  const workload = metadata?.filterMetadata['istio']?.['workload']
  return {
    address,
    name: hostName(address),
    connectTo: address,
    ...(further.length > 0 && { further }),
    weight: Math.max(1, endpoint.loadBalancingWeight ?? 1),
    health: healthOf(endpoint.healthStatus),
    ...place,
    workload: typeof workload === 'string' ? workload : '',
    socketLabels: metadata?.filterMetadata['envoy.transport_socket_match'] ?? {},
  }
}

function decodeAddress(message: AddressMessage | undefined, cluster: string): Address {
  const address = message?.address
  if (address?.case === 'pipe') return { host: `unix://${address.value.path}`, port: 0 }
  if (address?.case === 'socketAddress' && address.value.portSpecifier.case === 'portValue') {
    return { host: address.value.address, port: address.value.portSpecifier.value }
  }
  throw new MeshError('proxy/bad-config', `${cluster}: an endpoint whose address is neither a socket nor a pipe`)
}

/** A degraded host still serves. */
function healthOf(status: HealthStatus): HostHealth {
  switch (status) {
    case HealthStatus.DRAINING: return 'draining'
    case HealthStatus.UNHEALTHY:
    case HealthStatus.TIMEOUT: return 'unhealthy'
    default: return 'healthy'
  }
}
