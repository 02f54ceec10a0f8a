// How one proxy is set up: what its agent says, else what the mesh says for all, and over that what its workload is
// annotated with (security spec 6.4).
import { annotatedProxyConfig, http10Metadata } from '../../kinds/core/proxy-config.ts'
import type { Workload } from '../../model/workload.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import type { Snapshot } from '../snapshot.ts'
import type { ProxyConfigSpec } from '../specs.ts'
import { workloadOf } from './inbound-ports.ts'
import type { ProxyNode } from './proxy-node.ts'

const annotated = new WeakMap<Workload, ProxyConfigSpec>()
const nothing: ProxyConfigSpec = {}

function ownConfig(workload: Workload | undefined): ProxyConfigSpec {
  if (workload === undefined) return nothing
  const known = annotated.get(workload) ?? annotatedProxyConfig(workload.annotations) ?? nothing
  annotated.set(workload, known)
  return known
}

/** Field by field, as protobuf merges. */
function proxyConfigOf(proxy: ProxyNode, snapshot: Snapshot): ProxyConfigSpec {
  const base = proxy.config ?? snapshot.mesh.proxyConfig
  const own = ownConfig(workloadOf(proxy, snapshot))
  if (own === nothing) return base
  return { gatewayTopology: { ...base.gatewayTopology, ...own.gatewayTopology }, proxyMetadata: { ...base.proxyMetadata, ...own.proxyMetadata } }
}

/** What stands in front of a gateway. */
export const topologyOf = (proxy: ProxyNode, snapshot: Snapshot): NonNullable<ProxyConfigSpec['gatewayTopology']> =>
  proxyConfigOf(proxy, snapshot).gatewayTopology ?? {}

export const takesHttp10 = (proxy: ProxyNode, snapshot: Snapshot): boolean =>
  proxy.takesHttp10 || proxyConfigOf(proxy, snapshot).proxyMetadata?.[http10Metadata] === '1'

/** Of the forward proxy on loopback; undefined for none. */
export const forwardProxyPort = (proxy: ProxyNode, mesh: MeshSettings): number | undefined => proxy.httpProxyPort ?? mesh.httpProxyPort
