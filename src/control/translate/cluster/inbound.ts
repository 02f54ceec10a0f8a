// Clusters behind inbound listeners: the application itself, at the workload's own address (traffic spec 3.5).
import type { ConnectionPool } from '../../destination-rule-spec.ts'
import { Cluster_DiscoveryType as DiscoveryType, ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { durationOf } from '../duration.ts'
import { addressOf } from '../endpoint/assignment.ts'
import { inboundPorts } from '../inbound-ports.ts'
import type { InboundPort } from '../inbound-ports.ts'
import { metadataOf } from '../metadata.ts'
import { inboundCluster, parseInboundCluster } from '../names.ts'
import { translator } from '../translator.ts'
import { isHttp2, mayBeHttp } from './protocol.ts'
import { ownSource } from './special.ts'
import { circuitBreakers, httpProtocolOptions, keepalive } from './traffic-policy.ts'
import type { ClusterInit, UpstreamProtocol } from './traffic-policy.ts'

interface InboundClusterView {
  readonly [part: string]: string | object
  /** InboundPort as JSON. */
  readonly port: string
  readonly mesh: MeshSettings
}

export const inboundClusters = translator<InboundClusterView, typeof ClusterSchema>('cds-inbound', {
  schema: ClusterSchema,
  names: (proxy, snapshot) =>
    proxy.type === 'sidecar' ? inboundPorts(proxy, snapshot).map((port) => inboundCluster(port.targetPort)) : [],
  view(proxy, snapshot, name) {
    const targetPort = proxy.type === 'sidecar' ? parseInboundCluster(name) : undefined
    const port = targetPort === undefined ? undefined : inboundPorts(proxy, snapshot).find((one) => one.targetPort === targetPort)
    // The mode is the listener's business: without it, a change of policy leaves the cluster alone.
    return port === undefined ? undefined : { port: JSON.stringify({ ...port, mode: undefined }), mesh: snapshot.mesh }
  },
  build: buildInbound,
})

function buildInbound(view: InboundClusterView): ClusterInit {
  const port = JSON.parse(view.port) as InboundPort
  const name = inboundCluster(port.targetPort)
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
    connectTimeout: durationOf(connectTimeoutMs(port.pool, view.mesh)),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: addressOf(port.endpoint.host, port.endpoint.port) } } }] }],
    },
    circuitBreakers: circuitBreakers(port.pool),
    upstreamConnectionOptions: keepalive(port.pool?.tcp?.tcpKeepalive, view.mesh.tcpKeepalive),
    ...(mayBeHttp(port.protocol) && httpProtocolOptions(protocolOf(port), port.pool)),
    ...(/^(127\.|::1$|unix:)/.test(port.endpoint.host) ? {} : { upstreamBindConfig: ownSource(port.endpoint.host) }),
    metadata: metadataOf({
      ...port.from,
      istio: { services: [{ host: port.hostname, name: port.serviceName, namespace: port.namespace }] },
    }),
  }
}

/** No upgrade here: what the application does not say of itself it may not understand. */
function protocolOf({ protocol, pool }: InboundPort): UpstreamProtocol {
  if (protocol === 'auto' || pool?.http?.useClientProtocol === true) return 'downstream'
  return isHttp2(protocol) ? 'http2' : 'http1'
}

const connectTimeoutMs = (pool: ConnectionPool | undefined, mesh: MeshSettings): number => pool?.tcp?.connectTimeout || mesh.connectTimeoutMs
