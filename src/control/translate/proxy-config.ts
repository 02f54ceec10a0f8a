// How one proxy is set up: what its agent says, else what the mesh says for all, and over that what its workload is
// annotated with (security spec 6.4).
import { annotatedProxyConfig, http10Metadata, idleTimeoutMetadata } from '../../kinds/core/proxy-config.ts'
import { parseDuration } from '../../kinds/fields/duration.ts'
import type { Workload } from '../../model/workload.ts'
import type { Resource } from '../../model/resource.ts'
import { selects } from '../hosts.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import type { Snapshot } from '../snapshot.ts'
import type { ProxyConfigResource, ProxyConfigSpec } from '../specs.ts'
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

/** Field by field, as protobuf merges: what comes later says more of this one proxy. */
function proxyConfigOf(proxy: ProxyNode, snapshot: Snapshot): ProxyConfigSpec {
  const base = proxy.config ?? snapshot.mesh.proxyConfig
  const own = ownConfig(workloadOf(proxy, snapshot))
  const { forAll, forChosen } = resourcesFor(proxy, snapshot)
  if (own === nothing && forAll.length + forChosen.length === 0) return base
  return {
    gatewayTopology: { ...base.gatewayTopology, ...own.gatewayTopology },
    proxyMetadata: Object.assign({}, base.proxyMetadata, ...forAll, own.proxyMetadata, ...forChosen) as Record<string, string>,
  }
}

type Variables = Readonly<Record<string, string>>

/** What ProxyConfig resources say: those of the root namespace first; of several the oldest has the last word. */
function resourcesFor({ namespace, labels }: ProxyNode, snapshot: Snapshot): { readonly forAll: readonly Variables[]; readonly forChosen: readonly Variables[] } {
  const all = snapshot.ofKind('ProxyConfig') as readonly Resource<ProxyConfigResource>[]
  const of = (where: string, chosen: boolean): readonly Variables[] => all
    .filter(({ metadata, spec }) => metadata.namespace === where && (Object.keys(spec.selector?.matchLabels ?? {}).length > 0) === chosen && selects(spec.selector?.matchLabels ?? {}, labels))
    .map(({ spec }) => spec.environmentVariables ?? {}).toReversed()
  const { rootNamespace } = snapshot.mesh
  return { forAll: [...of(rootNamespace, false), ...(namespace === rootNamespace ? [] : of(namespace, false))], forChosen: of(namespace, true) }
}

/** What stands in front of a gateway. */
export const topologyOf = (proxy: ProxyNode, snapshot: Snapshot): NonNullable<ProxyConfigSpec['gatewayTopology']> =>
  proxyConfigOf(proxy, snapshot).gatewayTopology ?? {}

export const takesHttp10 = (proxy: ProxyNode, snapshot: Snapshot): boolean =>
  proxy.takesHttp10 || proxyConfigOf(proxy, snapshot).proxyMetadata?.[http10Metadata] === '1'

/** More than that is for ever, and not all of it fits into a Duration. */
const longestIdleMs = 10 * 365 * 86_400_000

/** How long connections of clients may be without requests; false where nobody says, or nothing that is a duration. */
export function httpIdleMs(proxy: ProxyNode, snapshot: Snapshot): number | false {
  const ms = parseDuration(proxy.idleTimeout || (proxyConfigOf(proxy, snapshot).proxyMetadata?.[idleTimeoutMetadata] ?? ''))
  return ms === undefined ? false : Math.min(ms, longestIdleMs)
}

/** Of the forward proxy on loopback; undefined for none. */
export const forwardProxyPort = (proxy: ProxyNode, mesh: MeshSettings): number | undefined => proxy.httpProxyPort ?? mesh.httpProxyPort
