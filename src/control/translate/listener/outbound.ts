// The listeners by which a sidecar's workload calls others (traffic spec 3.2). Those of services are never bound: the
// connection comes from virtualOutbound, which finds the best one by the original destination. Which services share one is
// outbound-plan.ts's business.
import { TrafficDirection } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { FilterChainSchema } from '../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Service } from '../../../model/service.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Snapshot } from '../../snapshot.ts'
import { addressOf } from '../endpoint/assignment.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'
import { metadataOf, serviceProvenance } from '../metadata.ts'
import { blackHoleCluster, httpProxyRoute, passthroughCluster, virtualOutbound } from '../names.ts'
import { forwardProxyPort, httpIdleMs, takesHttp10 } from '../proxy-config.ts'
import { isDualStack } from '../proxy-node.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { noRouteLogs } from './access-log.ts'
import { Claims, byteChain } from './byte-chains.ts'
import { httpConnectionManager, httpInspector, plainHttp, tlsInspector, toCluster } from './filters.ts'
import type { GrpcKind } from './filters.ts'
import type { ByteChain } from './l4-routes.ts'
import { hasDynamicNames } from '../outbound-ports.ts'
import { anyAddress, chainsAt, outboundPlan } from './outbound-plan.ts'

export type ListenerInit = Init<typeof ListenerSchema>
export type FilterChainInit = Init<typeof FilterChainSchema>

/** What a listener does when none of its chains takes a connection, and whether declared bytes share it with HTTP. */
interface ListenerView {
  readonly [part: string]: string | number | boolean | object | undefined
  readonly name: string
  readonly address: string
  readonly port: number
  /** Route table of its HTTP chain; empty for none. */
  readonly routes: string
  readonly grpc: GrpcKind
  /** Whose table that is, where it is one service's. */
  readonly service: Service | undefined
  /** ByteChain[] as JSON. */
  readonly chains: string
  /** Some of its services are declared to be no HTTP. */
  readonly declaredBytes: boolean
  readonly binds: boolean
  /** It stands for addresses of IPv6 too. */
  readonly dualStack: boolean
  readonly http10: boolean
  readonly idleMs: number | false
  readonly looksUp: boolean
  readonly mesh: MeshSettings
  readonly registryOnly: boolean
  readonly egressCluster: string
}

export const outboundListeners = translator<ListenerView, typeof ListenerSchema>('lds-outbound', {
  schema: ListenerSchema,
  names: (proxy, snapshot) => (proxy.type === 'sidecar'
    ? [virtualOutbound, ...proxyListener(proxy, snapshot), ...outboundPlan(proxy, snapshot).keys()] : []),
  view: (proxy, snapshot, name) => (proxy.type === 'sidecar' ? listenerView(proxy, snapshot, name) : undefined),
  build: buildListener,
})

/** Of the forward proxy. */
function proxyListener(proxy: ProxyNode, { mesh }: Snapshot): readonly string[] {
  const port = forwardProxyPort(proxy, mesh)
  return port === undefined ? [] : [`127.0.0.1_${port}`]
}

function listenerView(proxy: ProxyNode, snapshot: Snapshot, name: string): ListenerView | undefined {
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const { registryOnly, egressCluster, resolvesUnknown } = scope
  const none = { dualStack: false, service: undefined, chains: '[]', routes: '', grpc: 'none', declaredBytes: false, binds: false } as const
  const base = { ...none, name, http10: takesHttp10(proxy, snapshot), idleMs: httpIdleMs(proxy, snapshot), looksUp: resolvesUnknown || hasDynamicNames(scope), mesh: snapshot.mesh, registryOnly, egressCluster }
  if (name === virtualOutbound) return { ...base, dualStack: isDualStack(proxy), address: anyAddress, port: snapshot.mesh.outboundPort }
  if (proxyListener(proxy, snapshot).includes(name)) return { ...base, address: '127.0.0.1', port: forwardProxyPort(proxy, snapshot.mesh)!, binds: true, routes: httpProxyRoute }
  const bind = outboundPlan(proxy, snapshot).get(name)
  if (bind === undefined) return undefined
  const { address, port, routes, grpc, service } = bind
  return { ...base, dualStack: address === anyAddress && isDualStack(proxy), address, port, routes, grpc, service, chains: JSON.stringify(chainsAt(bind, proxy, snapshot)), declaredBytes: bind.declaredBytes, binds: bind.binds }
}

function buildListener(view: ListenerView): ListenerInit {
  const capture = view.name === virtualOutbound
  const common: ListenerInit = {
    name: view.name,
    address: addressOf(view.address, view.port),
    ...(view.dualStack && alsoV6(view.port)),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: capture ? noRouteLogs(view.mesh) : [],
  }
  if (capture) return { ...common, useOriginalDst: true, filterChains: captureChains(view) }
  // Whoever connects means it, and says by authority to whom it wants to go.
  if (view.routes.startsWith(httpProxyRoute) || view.routes.startsWith('unix://')) return { ...common, ...(!view.binds && { bindToPort: false }), filterChains: [{ filters: [http(view)] }] }
  return { ...common, ...serviceListener(view) }
}

export const alsoV6 = (port: number): ListenerInit => ({ additionalAddresses: [{ address: addressOf('::', port) }] })

function serviceListener(view: ListenerView): ListenerInit {
  const claims = new Claims()
  const bytes = (JSON.parse(view.chains) as ByteChain[]).flatMap((chain) => claims.claim(chain))
  const isRest = (chain: ByteChain): boolean => view.routes !== '' && takesAll(chain)
  const rest = bytes.find(isRest)
  const chains = bytes.filter((chain) => !isRest(chain)).map((chain) => byteChain(chain, view.mesh))
  // What none of them takes goes where it was going, on an address that is nobody's own.
  const otherwise = rest !== undefined ? byteChain(rest, view.mesh) : !bytes.some(takesAll) && view.address === anyAddress ? unknownChain(view) : undefined
  return {
    bindToPort: view.binds,
    ...inspection(view, bytes),
    filterChains: view.routes === '' ? chains : [httpChain(view), ...chains],
    ...(otherwise !== undefined && { defaultFilterChain: otherwise }),
  }
}

/**
 * Beside HTTP such a chain is the default one: chain matching never goes back, and who has been found to be plaintext,
 * which the chain for HTTP asks for, is looked for among those that ask for it only.
 */
const takesAll = ({ subnets, serverNames }: ByteChain): boolean => subnets.length + serverNames.length === 0

/** Declared bytes beside HTTP, or beside names of TLS: a server of theirs may speak first. */
const patienceMs = 5_000

/** Ready to wait for a client that says nothing for as long as it likes, unless it may be waiting for its server. */
function inspection(view: ListenerView, chains: readonly ByteChain[]): ListenerInit {
  const byName = chains.some((chain) => chain.serverNames.length > 0)
  if (view.routes === '' && !byName) return {}
  return {
    listenerFilters: [tlsInspector(), ...(view.routes === '' ? [] : [httpInspector()])],
    listenerFiltersTimeout: durationOf(view.mesh.detectionTimeoutMs || (view.declaredBytes ? patienceMs : 0)),
    continueOnListenerFiltersTimeout: true,
  }
}

function http(view: ListenerView) {
  const statPrefix = `outbound_${view.address}_${view.port}`
  return httpConnectionManager({ side: 'outbound', statPrefix, mesh: view.mesh, grpc: view.grpc, http10: view.http10, idleMs: view.idleMs, looksUp: view.looksUp, routes: view.routes })
}

function httpChain(view: ListenerView): FilterChainInit {
  return {
    filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: plainHttp },
    filters: [http(view)],
    ...(view.service !== undefined && { metadata: metadataOf(serviceProvenance(view.service)) }),
  }
}

/** What does not look like HTTP on a shared port goes where it was going, if the mesh lets it. */
function unknownChain(view: ListenerView): FilterChainInit {
  return { name: 'PassthroughFilterChain', filters: [toCluster(catchAllCluster(view), view.mesh)] }
}

const catchAllCluster = (view: ListenerView): string => (view.registryOnly ? blackHoleCluster : view.egressCluster || passthroughCluster)

/** A connection made to this port itself would come back for ever. */
function captureChains(view: ListenerView): FilterChainInit[] {
  return [
    { name: 'virtualOutbound-blackhole', filterChainMatch: { destinationPort: view.port }, filters: [toCluster(blackHoleCluster, view.mesh)] },
    { name: 'virtualOutbound-catchall-tcp', filters: [toCluster(catchAllCluster(view), view.mesh)] },
  ]
}
