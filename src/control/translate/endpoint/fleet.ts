// EDS of the cluster that zone aware routing compares with (traffic spec 2.3): the proxies of a client's own workload, by
// locality. The name is Istio's, for its proxies ask for it by themselves.
import type { Endpoint } from '../../../model/service.ts'
import type { Workload } from '../../../model/workload.ts'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { selects } from '../../hosts.ts'
import type { Snapshot } from '../../snapshot.ts'
import { peerOf, workloadOf } from '../inbound-ports.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { loadAssignment } from './assignment.ts'

export const fleetName = 'local_cluster'

interface FleetView {
  readonly [part: string]: string | object
  readonly members: readonly Workload[]
  readonly clusterId: string
}

export const fleetEndpoints = translator<FleetView, typeof ClusterLoadAssignmentSchema>('eds-fleet', {
  schema: ClusterLoadAssignmentSchema,
  names: (proxy, snapshot) => (proxy.discoversFleet || snapshot.destinationRules.zoneAware ? [fleetName] : []),
  view: (proxy, snapshot, name) => (name === fleetName ? { members: membersOf(proxy, snapshot), clusterId: proxy.clusterId } : undefined),
  build: ({ members, clusterId }) => loadAssignment(fleetName, members.filter(({ addresses }) => addresses.length > 0).map(endpointOf), { clusterId }),
})

/** Those that the oldest of its services selects; without a service, those of the same owner. */
function membersOf(proxy: ProxyNode, snapshot: Snapshot): readonly Workload[] {
  const neighbours = byNamespace(snapshot.workloads.all).get(proxy.namespace) ?? []
  const services = snapshot.servicesOf(peerOf(proxy, snapshot)).filter(({ selector }) => selector !== undefined)
  const [oldest] = services.toSorted((one, other) => one.creationTimestamp - other.creationTimestamp)
  if (oldest !== undefined) return neighbours.filter(({ labels }) => selects(oldest.selector!, labels))
  const owner = workloadOf(proxy, snapshot)?.workloadName
  return owner === undefined ? [] : neighbours.filter(({ workloadName }) => workloadName === owner)
}

const grouped = new WeakMap<readonly Workload[], ReadonlyMap<string, readonly Workload[]>>()

function byNamespace(workloads: readonly Workload[]): ReadonlyMap<string, readonly Workload[]> {
  const known = grouped.get(workloads) ?? Map.groupBy(workloads, ({ namespace }) => namespace)
  grouped.set(workloads, known)
  return known
}

/** Nobody connects there: only how many there are, and where, is of interest. */
function endpointOf(one: Workload): Endpoint {
  return {
    hostname: '', namespace: one.namespace, servicePortName: '', address: one.addresses[0]!, port: 1, labels: one.labels, locality: one.locality,
    network: one.network, weight: 1, health: one.ready ? 'healthy' : 'unhealthy', mutualTls: false, serviceAccount: one.serviceAccount,
    workload: `${one.namespace}/${one.name}`,
  }
}
