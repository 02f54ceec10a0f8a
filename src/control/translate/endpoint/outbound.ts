// EDS: the endpoints of one service port, or of those that a subset's labels select (traffic spec 5.2).
import type { Endpoint, Service, ServicePort } from '../../../model/service.ts'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { selects } from '../../hosts.ts'
import { effectivePolicy, withMeshDefaults } from '../../snapshot/destination-rules.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { PolicyBlocks } from '../../destination-rule-spec.ts'
import { discoveryOf, findOutbound, outboundClusters, outboundSharing, tellsMembers } from '../cluster/outbound.ts'
import { outboundCluster } from '../names.ts'
import { isDualStack } from '../proxy-node.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { loadAssignment } from './assignment.ts'
import { networksKey, throughNetworks } from './networks.ts'
import { withPeerModes } from './peer-modes.ts'
import { nodeOf, placementOf } from './placement.ts'
import type { Placement } from './placement.ts'

interface EndpointsView extends Placement {
  readonly service: Service
  readonly port: ServicePort
  readonly subset: string
  /** Those of the subset. */
  readonly endpoints: readonly Endpoint[]
  readonly clusterId: string
  readonly dualStack: boolean
}

export const outboundEndpoints = translator<EndpointsView, typeof ClusterLoadAssignmentSchema>('eds-outbound', {
  schema: ClusterLoadAssignmentSchema,
  names: outboundClusters.names,
  view: endpointsView,
  sharing(proxy, snapshot) {
    const sharing = outboundSharing(proxy, snapshot)
    return { ...sharing, key: `${sharing.key} ${proxy.clusterId} ${isDualStack(proxy)} ${networksKey(proxy, snapshot)}` }
  },
  build: (view) => loadAssignment(outboundCluster(view.port.number, view.subset, view.service.hostname), view.endpoints, { clusterId: view.clusterId, dualStack: view.dualStack, placement: view }),
})

function endpointsView(proxy: ProxyNode, snapshot: Snapshot, name: string): EndpointsView | undefined {
  const found = findOutbound(proxy, snapshot, name)
  if (found === undefined) return undefined
  const { service, port, subset, rule } = found
  const policy = effectivePolicy(rule, port.number, subset)
  const discovery = discoveryOf(service, policy, proxy, port)
  if (discovery !== 'eds' && !tellsMembers(discovery, snapshot.endpoints.of(service, port))) return undefined
  const labels = rule?.subsets.find((one) => one.name === subset)?.labels ?? {}
  // With a panic threshold, hosts that are known to be down could be chosen: then they are not sent at all (2.4).
  const healthyOnly = (withMeshDefaults(policy, snapshot.mesh).outlierDetection?.minHealthPercent ?? 0) > 0
  const endpoints = withPeerModes(snapshot.endpoints.of(service, port), snapshot)
  const node = service.nodeLocal === true ? nodeOf(proxy, snapshot) : undefined
  const fits = (one: Endpoint): boolean =>
    selects(labels, one.labels) && (!healthyOnly || one.health === 'healthy') && (node === undefined || (one.labels['kubernetes.io/hostname'] ?? '') === node)
  const all = subset === '' && !healthyOnly && node === undefined
  return {
    service,
    port,
    subset,
    endpoints: throughNetworks(all ? endpoints : endpoints.filter(fits), isMutual(policy, service, snapshot), proxy, snapshot),
    clusterId: proxy.clusterId,
    dualStack: isDualStack(proxy),
    ...placementOf(service, policy, proxy, snapshot),
  }
}

/** Whether the client speaks the mesh's mutual TLS, to endpoints that take it. */
function isMutual({ tls }: PolicyBlocks, { meshExternal }: Service, { mesh }: Snapshot): boolean {
  return tls?.mode === undefined ? mesh.enableAutoMtls && !meshExternal : tls.mode === 'ISTIO_MUTUAL'
}
