// Clusters of an east-west gateway: the endpoints of one service port without any TLS of our own, since the client's goes
// through to them (traffic spec 3.4, 4.1).
import { effectivePolicy } from '../../snapshot/destination-rules.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import type { Service } from '../../../model/service.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Snapshot } from '../../snapshot.ts'
import { ApiVersion } from '../../../proto/gen/envoy/config/core/v3/config_source_pb.ts'
import { ClusterSchema, Cluster_DiscoveryType as DiscoveryType } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { durationOf } from '../duration.ts'
import { metadataOf, serviceProvenance } from '../metadata.ts'
import { outboundCluster } from '../names.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { dnatNames, parseDnatName } from '../sni-dnat.ts'
import { translator } from '../translator.ts'
import { findOutbound } from './outbound.ts'
import { circuitBreakers, connectTimeoutMs, outlierDetection } from './traffic-policy.ts'
import type { ClusterInit } from './traffic-policy.ts'

interface DnatView {
  readonly [part: string]: string | number | object | undefined
  readonly name: string
  readonly service: Service
  readonly port: number
  readonly subset: string
  readonly rule: MergedRule | undefined
  readonly mesh: MeshSettings
}

export const dnatClusters = translator<DnatView, typeof ClusterSchema>('cds-sni-dnat', {
  schema: ClusterSchema,
  names: (proxy, snapshot) => [...dnatNames(proxy, snapshot)],
  view: dnatView,
  build: buildDnat,
})

/** The service behind a name of an east-west gateway; undefined when this proxy has no such name. */
export function findDnat(proxy: ProxyNode, snapshot: Snapshot, name: string) {
  const parsed = parseDnatName(name)
  if (parsed === undefined || !dnatNames(proxy, snapshot).has(name)) return undefined
  return findOutbound(proxy, snapshot, outboundCluster(parsed.port, parsed.subset, parsed.hostname))
}

function dnatView(proxy: ProxyNode, snapshot: Snapshot, name: string): DnatView | undefined {
  const found = findDnat(proxy, snapshot, name)
  if (found === undefined) return undefined
  return { name, service: found.service, port: found.port.number, subset: found.subset, rule: found.rule, mesh: snapshot.mesh }
}

function buildDnat({ name, service, port, subset, rule, mesh }: DnatView): ClusterInit {
  const policy = effectivePolicy(rule, port, subset)
  return {
    name,
    connectTimeout: durationOf(connectTimeoutMs(policy, mesh)),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
    edsClusterConfig: {
      serviceName: name,
      edsConfig: { configSourceSpecifier: { case: 'ads', value: {} }, initialFetchTimeout: durationOf(0), resourceApiVersion: ApiVersion.V3 },
    },
    circuitBreakers: circuitBreakers(policy.connectionPool),
    outlierDetection: outlierDetection(policy.outlierDetection),
    metadata: metadataOf({ ...serviceProvenance(service), istio: { services: [{ host: service.hostname, name: service.name, namespace: service.namespace }], default_original_port: port } }),
  }
}
