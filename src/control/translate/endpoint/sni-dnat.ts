// EDS of an east-west gateway: of a service's endpoints those that end mutual TLS themselves and are in the gateway's own
// network (traffic spec 4.1, 5.5).
import type { Endpoint } from '../../../model/service.ts'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { selects } from '../../hosts.ts'
import type { Snapshot } from '../../snapshot.ts'
import { dnatClusters, findDnat } from '../cluster/sni-dnat.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { loadAssignment } from './assignment.ts'
import { withPeerModes } from './peer-modes.ts'

interface DnatEndpointsView {
  readonly [part: string]: string | object
  readonly name: string
  readonly endpoints: readonly Endpoint[]
  readonly clusterId: string
}

export const dnatEndpoints = translator<DnatEndpointsView, typeof ClusterLoadAssignmentSchema>('eds-sni-dnat', {
  schema: ClusterLoadAssignmentSchema,
  names: dnatClusters.names,
  view: dnatEndpointsView,
  build: ({ name, endpoints, clusterId }) => loadAssignment(name, endpoints, { clusterId }),
})

function dnatEndpointsView(proxy: ProxyNode, snapshot: Snapshot, name: string): DnatEndpointsView | undefined {
  const found = findDnat(proxy, snapshot, name)
  if (found === undefined) return undefined
  const labels = found.rule?.subsets.find((one) => one.name === found.subset)?.labels ?? {}
  const endpoints = withPeerModes(snapshot.endpoints.of(found.service, found.port), snapshot)
    .filter((one) => one.mutualTls && selects(labels, one.labels) && (one.network === '' || proxy.network === '' || one.network === proxy.network))
  return { name, endpoints, clusterId: proxy.clusterId }
}
