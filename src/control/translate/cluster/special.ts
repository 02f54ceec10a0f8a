// The clusters that every sidecar has: where unknown traffic goes on, and where it ends.
import { Cluster_DiscoveryType as DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Snapshot } from '../../snapshot.ts'
import { durationOf } from '../duration.ts'
import { passesToKnown } from '../metadata.ts'
import { blackHoleCluster, dynamicDnsCluster, inboundPassthroughCluster, passthroughCluster } from '../names.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { forwardProxy } from './forward-proxy.ts'
import { originatedTlsSocket } from './tls.ts'
import { circuitBreakers, connectTimeoutMs, httpProtocolOptions, keepalive } from './traffic-policy.ts'
import type { ClusterInit } from './traffic-policy.ts'

interface SpecialView {
  readonly [part: string]: string | object
  readonly name: string
  readonly mesh: MeshSettings
}

const names = [blackHoleCluster, passthroughCluster, inboundPassthroughCluster]

function namesFor(proxy: ProxyNode, { mesh }: Snapshot): readonly string[] {
  if (proxy.type !== 'sidecar') return [blackHoleCluster]
  return mesh.resolvesUnknown ? [...names, dynamicDnsCluster] : names
}

/** Connections to hosts that nobody declared are not kept for the hour that others are. */
const passthroughIdleMs = 300_000

export const specialClusters = translator<SpecialView, typeof ClusterSchema>('cds-special', {
  schema: ClusterSchema,
  names: namesFor,
  view: (proxy, snapshot, name) => (namesFor(proxy, snapshot).includes(name) ? { name, mesh: snapshot.mesh } : undefined),
  build: buildSpecial,
})

function buildSpecial({ name, mesh }: SpecialView): ClusterInit {
  const common = { name, connectTimeout: durationOf(connectTimeoutMs({ connectionPool: mesh.defaultConnectionPool }, mesh)) }
  if (name === blackHoleCluster) return { ...common, clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC } }
  if (name === dynamicDnsCluster) return { ...common, ...byAuthority(mesh) }
  return {
    ...common,
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    circuitBreakers: circuitBreakers(mesh.defaultConnectionPool),
    upstreamConnectionOptions: keepalive(mesh.defaultConnectionPool?.tcp?.tcpKeepalive, mesh.tcpKeepalive),
    ...httpProtocolOptions('downstream', mesh.defaultConnectionPool, { idleMs: passthroughIdleMs }),
    ...(name === inboundPassthroughCluster && { upstreamBindConfig: ownSources }),
    ...(name === passthroughCluster && mesh.enableAutoMtls && { metadata: passesToKnown }),
  }
}

/** Hosts that nobody knows, by the name that a request has for them. */
function byAuthority({ defaultConnectionPool: pool, tcpKeepalive, unknownTls: tls, tlsDefaults }: MeshSettings): ClusterInit {
  const originates = tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL'
  const autoServerName = originates && (tls.sni ?? '') === ''
  const autoVerify = tls?.insecureSkipVerify !== true && (tls?.subjectAltNames ?? []).length === 0
  return {
    clusterDiscoveryType: { case: 'clusterType', value: forwardProxy },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    circuitBreakers: circuitBreakers(pool),
    upstreamConnectionOptions: keepalive(pool?.tcp?.tcpKeepalive, tcpKeepalive),
    ...httpProtocolOptions('downstream', pool, { idleMs: passthroughIdleMs, autoServerName, autoVerify }),
    ...(originates && { transportSocket: originatedTlsSocket(tls, false, [], tlsDefaults) }),
  }
}

type BindConfig = NonNullable<ClusterInit['upstreamBindConfig']>

const socketAddress = (address: string) => ({ address, portSpecifier: { case: 'portValue' as const, value: 0 } })

/** So that capture knows our own connections to the application and leaves them alone. */
export const ownSource = (host: string): BindConfig => ({ sourceAddress: socketAddress(host.includes(':') ? '::6' : '127.0.0.6') })

/** Of whichever family the client used. */
const ownSources: BindConfig = { sourceAddress: socketAddress('127.0.0.6'), extraSourceAddresses: [{ address: socketAddress('::6') }] }
