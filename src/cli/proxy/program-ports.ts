// Where the application of a proxy takes requests: what `--inbound` says, or where the kernel captures, what the clusters behind
// its inbound listeners lead to. A gateway has no application.
import type { Address } from '../../model/address.ts'
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Places } from '../proxy-places.ts'

/** Of a proxy, what it has accepted. */
interface ClustersOf {
  readonly planner: { readonly clusters: { readonly accepted: ReadonlyMap<string, Cluster> } }
}

export function programPorts({ inbound, netfilter }: Places, ip: string, proxy: ClustersOf | undefined): readonly Address[] {
  if (netfilter === undefined) return inbound.map(({ goal }) => goal)
  return [...(proxy?.planner.clusters.accepted.values() ?? [])].flatMap((cluster) => goalOf(cluster, ip) ?? [])
}

/** `inbound|8080||`. An application behind a socket of the file system is not asked. */
function goalOf({ name, loadAssignment }: Cluster, ip: string): Address | undefined {
  const [, port] = /^inbound\|(\d+)\|/.exec(name) ?? []
  if (port === undefined) return undefined
  const host = loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier
  if (host?.case !== 'endpoint') return { host: ip, port: Number(port) }
  const at = host.value.address?.address
  return at?.case === 'socketAddress' && at.value.portSpecifier.case === 'portValue' ? { host: at.value.address, port: at.value.portSpecifier.value } : undefined
}
