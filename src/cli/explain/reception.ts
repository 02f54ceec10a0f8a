// The other end: what mutual TLS the proxies of a destination ask for, and whether they would take the client's
// connection or close it. Decided by the filter chains of their own inbound listeners.
import { selects } from '../../control/hosts.ts'
import type { Snapshot } from '../../control/snapshot.ts'
import { inboundPorts } from '../../control/translate/inbound-ports.ts'
import { virtualInbound } from '../../control/translate/names.ts'
import { findOutbound } from '../../control/translate/cluster/outbound.ts'
import type { ProxyNode } from '../../control/translate/proxy-node.ts'
import { typeUrls } from '../../control/translate/table.ts'
import type { WorldState } from '../../control/world-state.ts'
import type { Address } from '../../model/address.ts'
import type { Workload } from '../../model/workload.ts'
import { takesConnection } from '../../proxy/explain.ts'
import type { Denial, ExplainedConnection, Explanation } from '../../proxy/explain.ts'
import type { Door } from './authorization.ts'
import { ofWorkload } from './client.ts'

export interface Reception {
  /** Modes of the ports behind the destinations, each once. */
  readonly modes: readonly string[]
  /** Set when none of them would take the connection. */
  readonly denial: Denial | undefined
  /** Those that would: policies may still deny what comes. */
  readonly doors: readonly Door[]
}

interface Port {
  readonly mode: string
  readonly taken: boolean
  readonly policy: string
  readonly door: Door | undefined
}

/** Of a service with thousands of endpoints, a few say enough. */
const maxWorkloads = 50

export function receptionOf(state: WorldState, client: ProxyNode, explained: Explanation, source: Address): Reception {
  const { policy, protocol } = explained
  const spoken = { tls: policy?.tls ?? 'auto', bytes: protocol !== 'http' }
  const ports = askedBy(explained).flatMap(({ cluster, workload }) => portsBehind(cluster, workload, state, client, spoken, source))
  const modes = [...new Set(ports.map((one) => one.mode))].sort()
  const [first] = ports
  if (first === undefined || ports.some((one) => one.taken)) return { modes, denial: undefined, doors: ports.flatMap(({ taken, door }) => (taken && door !== undefined ? [door] : [])) }
  const how = policy?.tls === 'DISABLE' ? 'plaintext' : 'mutual TLS'
  return { modes, doors: [], denial: { policy: first.policy, rule: null, reason: `it is ${first.mode}, and the client sends ${how}: the connection is closed` } }
}

/** Of a cluster all workloads, or only the one to whose address the client goes. */
export function askedBy({ destinations, policy, endpoints: [known] }: Explanation): readonly { readonly cluster: string; readonly workload: string | null }[] {
  if (policy?.discovery === 'ORIGINAL_DST' && known !== undefined) return [known]
  return [...new Set(destinations.map((one) => one.cluster))].map((cluster) => ({ cluster, workload: null }))
}

function portsBehind(cluster: string, only: string | null, state: WorldState, client: ProxyNode, spoken: Spoken, source: Address): readonly Port[] {
  const { snapshot } = state
  const found = findOutbound(client, snapshot, cluster)
  if (found === undefined) return []
  const { service, port, subset, rule } = found
  const known = snapshot.endpoints.of(service, port)
  if (known.length === 0 && !service.meshExternal) return [unknownPort(service.namespace, snapshot)]
  const labels = rule?.subsets.find((one) => one.name === subset)?.labels ?? {}
  const names = new Set(known.filter((one) => one.mutualTls && selects(labels, one.labels) && (only === null || one.workload === only)).map((one) => one.workload))
  const workloads = snapshot.workloads.all.filter((one) => one.mutualTls && names.has(`${one.namespace}/${one.name}`)).slice(0, maxWorkloads)
  return workloads.flatMap((workload) => portOf(workload, { hostname: service.hostname, port: port.number, spoken, source }, state))
}

/** Nobody is there yet: what would hold for whoever comes, unless a policy selects it. */
const unknownPort = (namespace: string, { peerAuthentications }: Snapshot): Port =>
  ({ mode: peerAuthentications.namespaceMode(namespace), taken: true, policy: '', door: undefined })

/** What the client's proxy sends. */
interface Spoken {
  readonly tls: string
  readonly bytes: boolean
}

interface Wanted {
  readonly hostname: string
  readonly port: number
  readonly spoken: Spoken
  readonly source: Address
}

function portOf(workload: Workload, { hostname, port, spoken: { tls, bytes }, source }: Wanted, state: WorldState): readonly Port[] {
  const session = state.connect(ofWorkload(workload, state.snapshot).node)
  const inbound = inboundPorts(session.node, state.snapshot).find((one) => one.hostname === hostname && one.servicePort === port)
  const listener = session.get(typeUrls.LDS, virtualInbound)
  if (inbound === undefined || listener === undefined) return []
  const mutual = tls === 'ISTIO_MUTUAL' || (tls === 'auto' && inbound.mode !== 'DISABLE')
  const connection: ExplainedConnection = {
    destination: { host: workload.addresses[0] ?? source.host, port: inbound.targetPort },
    source,
    transport: tls === 'DISABLE' || (tls === 'auto' && !mutual) ? 'raw_buffer' : 'tls',
    serverName: tls === 'DISABLE' ? '' : hostname,
    applicationProtocols: mutual ? [bytes ? 'istio-peer-exchange' : 'istio-http/1.1', 'istio'] : bytes ? [] : ['http/1.1'],
  }
  const taken = tls === 'auto' || takesConnection(listener.bytes, connection, tls === 'ISTIO_MUTUAL')
  return [{ mode: inbound.mode, taken, policy: policyOf(workload, inbound.targetPort, state.snapshot), door: { listener: listener.bytes, connection, mutual } }]
}

function policyOf(workload: Workload, port: number, snapshot: Snapshot): string {
  const found = snapshot.peerAuthentications.decidedBy(workload, port)?.metadata
  return found === undefined ? 'PeerAuthentication' : `PeerAuthentication/${found.namespace}/${found.name}`
}
