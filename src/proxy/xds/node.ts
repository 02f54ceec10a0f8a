// How a proxy introduces itself to the control plane: Istio's node id and metadata (traffic spec 6.4).
import { create } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import { NodeSchema } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { Node } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { readinessMetadata } from '../../xds/readiness.ts'
import type { ProxySettings } from '../settings.ts'

/** `sidecar~10.0.0.1~reviews-v1.default~default.svc.cluster.local`. */
export function nodeIdOf({ type, ip, name, namespace, domain }: ProxySettings): string {
  return `${type}~${ip}~${name}.${namespace}~${namespace}.svc.${domain}`
}

export interface NodeWords {
  /** The proxy's own. */
  readonly version?: string | undefined
  /** It says when its application takes requests. */
  readonly tellsReadiness?: boolean | undefined
}

export function nodeOf(settings: ProxySettings, { version = '', tellsReadiness = false }: NodeWords = {}): Node {
  const [region = '', zone = '', subZone = ''] = settings.locality.split('/')
  return create(NodeSchema, {
    id: nodeIdOf(settings),
    cluster: clusterOf(settings),
    metadata: { ...metadataOf(settings), ...(version === '' ? {} : { TRYSAIL_VERSION: version }), ...(tellsReadiness && { [readinessMetadata]: 'true' }) },
    ...(region === '' ? {} : { locality: { region, zone, subZone } }),
    userAgentName: 'trysail',
  })
}

function clusterOf({ labels, name, workloadName, namespace }: ProxySettings): string {
  return `${labels['app'] ?? (workloadName || name)}.${namespace}`
}

function metadataOf(settings: ProxySettings): JsonObject {
  const { name, namespace, serviceAccount, labels, workloadName, clusterId, meshId, network, httpProxyPort, autoRegisterGroup, dnsCapture } = settings
  return {
    NAME: name,
    NAMESPACE: namespace,
    SERVICE_ACCOUNT: serviceAccount,
    LABELS: { ...labels },
    WORKLOAD_NAME: workloadName || name,
    CLUSTER_ID: clusterId,
    MESH_ID: meshId,
    INSTANCE_IPS: [...new Set([settings.ip, ...settings.instanceIps])].join(','),
    INTERCEPTION_MODE: settings.interceptionMode,
    ...(dnsCapture && { DNS_CAPTURE: 'true', DNS_AUTO_ALLOCATE: 'true' }),
    ...(autoRegisterGroup === '' ? {} : { AUTO_REGISTER_GROUP: autoRegisterGroup }),
    ...(network === '' ? {} : { NETWORK: network }),
    ...(httpProxyPort === 0 ? {} : { HTTP_PROXY_PORT: String(httpProxyPort) }),
  }
}
