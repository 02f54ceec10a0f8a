// Clusters whose endpoints are names, by the type that Envoy has for them: the fields of Cluster that say the same are
// deprecated, and read where they stand (cluster-config.ts).
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { AddressFamily } from '../../net/resolve.ts'
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { DnsLookupFamily as Family } from '../../proto/gen/envoy/extensions/clusters/common/dns/v3/dns_pb.ts'
import { DnsClusterSchema } from '../../proto/gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb.ts'

export interface DnsType {
  readonly kind: 'strict-dns' | 'logical-dns'
  readonly refreshRate: Duration | undefined
  readonly respectsTtl: boolean
  readonly family: AddressFamily
}

const families: Readonly<Record<number, AddressFamily>> = { [Family.V4_ONLY]: 'v4', [Family.V6_ONLY]: 'v6', [Family.V4_PREFERRED]: 'v4-first', [Family.ALL]: 'all' }

/** Undefined for clusters of other types. */
export function dnsTypeOf({ clusterDiscoveryType: type }: Pick<Cluster, 'clusterDiscoveryType'>): DnsType | undefined {
  const config = type.case === 'clusterType' ? type.value.typedConfig : undefined
  const found = config !== undefined && anyIs(config, DnsClusterSchema) ? anyUnpack(config, DnsClusterSchema) : undefined
  if (found === undefined) return undefined
  return {
    kind: found.allAddressesInSingleEndpoint ? 'logical-dns' : 'strict-dns',
    refreshRate: found.dnsRefreshRate,
    respectsTtl: found.respectDnsTtl,
    family: families[found.dnsLookupFamily] ?? 'v6-first',
  }
}
