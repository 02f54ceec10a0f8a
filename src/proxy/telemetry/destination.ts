// Which service an exchange or a connection was for, as metric labels name it (security spec 3.1).
import type { Cluster } from '../upstream/types.ts'
import type { Destination } from './istio-labels.ts'

const specialClusters = new Set(['BlackHoleCluster', 'PassthroughCluster', 'InboundPassthroughCluster', 'InboundPassthroughClusterIpv4', 'InboundPassthroughClusterIpv6'])

/** Routes for hosts that nobody declared. */
const specialRoutes: Readonly<Record<string, string>> = { block_all: 'BlackHoleCluster', allow_any: 'PassthroughCluster' }

/** `authority`: what the client called it; empty where that must not become a label (inbound, gateways). */
export function httpDestination(cluster: Cluster | undefined, clusterName: string, routeName: string, authority: string): Destination {
  const special = specialRoutes[routeName] ?? (specialClusters.has(clusterName) ? clusterName : undefined)
  if (special !== undefined) return { host: authority, name: special, namespace: '' }
  return ofService(cluster) ?? { host: authority, name: firstLabel(authority), namespace: '' }
}

export function tcpDestination(cluster: Cluster | undefined, clusterName: string): Destination {
  if (specialClusters.has(clusterName)) return { host: clusterName, name: clusterName, namespace: '' }
  return ofService(cluster) ?? { host: '', name: '', namespace: '' }
}

function ofService(cluster: Cluster | undefined): Destination | undefined {
  const service = cluster?.service
  if (service === undefined || service.host === '') return undefined
  return { host: service.host, name: service.name || firstLabel(service.host), namespace: service.namespace }
}

/** `reviews` of `reviews.default.svc.cluster.local:9080`; the whole of what is no name, such as an address. */
function firstLabel(host: string): string {
  return /^[a-z]/i.test(host) ? host.split(/[.:]/, 1)[0]! : host
}
