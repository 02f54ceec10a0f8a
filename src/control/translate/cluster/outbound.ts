// Clusters for services: one for each port, and one for each port and subset of its DestinationRule (traffic spec 3.4,
// 3.6, 3.8). How many endpoints there are and where is EDS's business, except for DNS names.
import type { JsonObject } from '@bufbuild/protobuf'
import { serviceKey } from '../../snapshot/services.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import { effectivePolicy, withMeshDefaults } from '../../snapshot/destination-rules.ts'
import type { Endpoint, Service, ServicePort } from '../../../model/service.ts'
import { formatSpiffeId } from '../../../model/spiffe-id.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { PolicyBlocks, WholePolicyBlocks } from '../../destination-rule-spec.ts'
import { ApiVersion } from '../../../proto/gen/envoy/config/core/v3/config_source_pb.ts'
import { Cluster_DiscoveryType as DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { DnsLookupFamily } from '../../../proto/gen/envoy/extensions/clusters/common/dns/v3/dns_pb.ts'
import { DnsClusterSchema } from '../../../proto/gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb.ts'
import { packed } from '../any.ts'
import { durationOf } from '../duration.ts'
import { loadAssignment } from '../endpoint/assignment.ts'
import { withPeerModes } from '../endpoint/peer-modes.ts'
import { nodeOf, placeOf, placementOf, prefersNodes, localityConfig } from '../endpoint/placement.ts'
import type { Placement } from '../endpoint/placement.ts'
import { configPath, metadataOf, resourceProvenance, serviceProvenance } from '../metadata.ts'
import { dnatServerName, outboundCluster, parseOutboundCluster } from '../names.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'
import { scopeKey } from '../shared.ts'
import type { Sharing } from '../shared.ts'
import { forwardProxy } from './forward-proxy.ts'
import { isHttp2, mayBeHttp, speaksTls, usablePorts } from './protocol.ts'
import { mutualTlsSocket, originatedTlsSocket, plainSocket, proxyProtocolSocket } from './tls.ts'
import type { TransportSocket, UpstreamTls } from './tls.ts'
import { circuitBreakers, connectTimeoutMs, httpProtocolOptions, keepalive, loadBalancing, outlierDetection, panicThreshold } from './traffic-policy.ts'
import type { ClusterInit, UpstreamProtocol } from './traffic-policy.ts'

/** `by-endpoint`: mTLS where the endpoint's proxy takes it. `always`: to all of them. */
type AutoTls = 'none' | 'by-endpoint' | 'always'

interface OutboundView extends Placement {
  readonly service: Service
  readonly port: ServicePort
  readonly subset: string
  readonly rule: MergedRule | undefined
  readonly mesh: MeshSettings
  /** SPIFFE URIs of the endpoints. */
  readonly identities: readonly string[]
  readonly autoTls: AutoTls
  /** Ports without a declared protocol are sniffed; gateways do not, since their clients may speak HTTP/2 to whom cannot. */
  readonly sniffs: boolean
  /** Our proxies are told by EDS whom clients may meet where they go. */
  readonly tellsMembers: boolean
  readonly discovery: 'eds' | 'dns' | 'logical-dns' | 'original-destination' | 'by-authority'
  /** Only for DNS. */
  readonly endpoints: readonly Endpoint[]
}

export const outboundClusters = translator<OutboundView, typeof ClusterSchema>('cds-outbound', {
  schema: ClusterSchema,
  names(proxy, snapshot) {
    return snapshot.scopeOf(proxy, proxy.type).reachable.flatMap((service) => clusterNames(proxy, snapshot, service))
  },
  view: outboundView,
  build: buildOutbound,
  sharing: outboundSharing,
})

/** Of endpoints and what else says something about a service, a cluster reads what is its own service's. */
export function outboundSharing(proxy: ProxyNode, snapshot: Snapshot): Sharing {
  const { mesh, destinationRules, endpoints, peerModes: { clients }, workloads } = snapshot
  const { reachable } = snapshot.scopeOf(proxy, proxy.type)
  return {
    key: `${scopeKey(proxy, snapshot)} ${proxy.network} ${placeOf(proxy, snapshot)} ${clientOf(proxy, snapshot)}`,
    whole: [mesh, clients, clients.disables ? workloads : undefined],
    parts: {
      indexes: [reachable, destinationRules],
      endpoints,
      of(name) {
        const found = findOutbound(proxy, snapshot, name)
        if (found === undefined) return { parts: [], service: undefined }
        const { service, port, rule } = found
        return {
          parts: [service, port, rule, ...service.ports.map((one) => endpoints.of(service, one))],
          service: serviceKey(service.hostname, service.namespace),
        }
      },
    },
  }
}

/** Labels and node of a client count only where a DestinationRule is for chosen clients, or prefers by them. */
function clientOf(proxy: ProxyNode, snapshot: Snapshot): string {
  const { destinationRules } = snapshot
  const { ordersByLabels } = destinationRules
  const node = ordersByLabels || prefersNodes(snapshot) ? nodeOf(proxy, snapshot) : ''
  return `${node} ${ordersByLabels || destinationRules.choosesClientsIn(proxy.namespace) ? JSON.stringify(proxy.labels) : ''}`
}

function clusterNames(proxy: ProxyNode, snapshot: Snapshot, service: Service): readonly string[] {
  const subsets = snapshot.destinationRules.lookup(proxy, service)?.subsets ?? []
  return usablePorts(service.ports).flatMap((port) =>
    ['', ...subsets.map((subset) => subset.name)].map((subset) => outboundCluster(port.number, subset, service.hostname)),
  )
}

/** The service, port, subset and rule that a cluster name stands for; undefined when the proxy has no such cluster. */
export function findOutbound(proxy: ProxyNode, snapshot: Snapshot, name: string) {
  const parsed = parseOutboundCluster(name)
  const service = parsed && snapshot.scopeOf(proxy, proxy.type).serviceAt(parsed.hostname)
  const port = service?.ports.find((one) => one.number === parsed?.port && one.protocol !== 'UDP')
  if (parsed === undefined || service === undefined || port === undefined) return undefined
  const rule = snapshot.destinationRules.lookup(proxy, service)
  if (parsed.subset !== '' && !rule?.subsets.some((one) => one.name === parsed.subset)) return undefined
  return { service, port, subset: parsed.subset, rule }
}

function outboundView(proxy: ProxyNode, snapshot: Snapshot, name: string): OutboundView | undefined {
  const found = findOutbound(proxy, snapshot, name)
  if (found === undefined) return undefined
  const { service, port, subset, rule } = found
  const endpoints = snapshot.endpoints.of(service, port)
  const policy = effectivePolicy(rule, port.number, subset)
  const discovery = discoveryOf(service, policy, proxy, port)
  return {
    ...found,
    mesh: snapshot.mesh,
    identities: identitiesOf(service, snapshot),
    autoTls: autoTls(service, snapshot, endpoints, discovery),
    tellsMembers: tellsMembers(discovery, endpoints),
    sniffs: proxy.type === 'sidecar',
    discovery,
    endpoints: discovery === 'dns' || discovery === 'logical-dns' ? endpoints : [],
    ...placementOf(service, policy, proxy, snapshot),
  }
}

/** Where a cluster's endpoints come from, at this proxy. */
export function discoveryOf(service: Service, policy: PolicyBlocks, proxy: ProxyNode, port: ServicePort): OutboundView['discovery'] {
  // Requests and ClientHellos name whom they want; other bytes go where the client's own DNS sent them.
  if (service.resolution === 'dynamic-dns') return mayBeHttp(port.protocol) || speaksTls(port) ? 'by-authority' : 'original-destination'
  // Gateways have no original destination to go to.
  if (policy.loadBalancer?.simple === 'PASSTHROUGH' && proxy.type === 'sidecar') return 'original-destination'
  if (service.resolution === 'dns') return 'dns'
  if (service.resolution === 'dns-round-robin') return 'logical-dns'
  return service.resolution === 'passthrough' && proxy.type === 'sidecar' ? 'original-destination' : 'eds'
}

function autoTls(service: Service, snapshot: Snapshot, endpoints: readonly Endpoint[], discovery: OutboundView['discovery']): AutoTls {
  if (!snapshot.mesh.enableAutoMtls || service.meshExternal) return 'none'
  if (snapshot.peerModes.clients.namespaceMode(service.namespace) === 'DISABLE') return 'none'
  if (discovery !== 'original-destination') return 'by-endpoint'
  const known = withPeerModes(endpoints, snapshot)
  if (!known.some((one) => one.mutualTls)) return 'none'
  return known.every((one) => one.mutualTls) ? 'always' : 'by-endpoint'
}

/** Envoy asks for no endpoints where clients choose the address, and knows nothing of those whom it finds there: to it all are plaintext, unless all take mutual TLS. */
export const tellsMembers = (discovery: OutboundView['discovery'], endpoints: readonly Endpoint[]): boolean =>
  discovery === 'original-destination' && endpoints.some((one) => one.mutualTls)

/** Who may answer for the service: the service accounts behind it, in our trust domain and its aliases. */
function identitiesOf(service: Service, snapshot: Snapshot): readonly string[] {
  const { trustDomain, trustDomainAliases } = snapshot.mesh
  const found = new Set<string>()
  for (const endpoint of service.ports.flatMap((port) => snapshot.endpoints.of(service, port))) {
    if (endpoint.serviceAccount === '') continue
    const namespace = endpoint.workload.split('/')[0] || endpoint.namespace
    for (const domain of [trustDomain, ...trustDomainAliases]) {
      found.add(formatSpiffeId({ trustDomain: domain, namespace, serviceAccount: endpoint.serviceAccount }))
    }
  }
  return [...found].sort()
}

function buildOutbound(view: OutboundView): ClusterInit {
  const policy = withMeshDefaults(effectivePolicy(view.rule, view.port.number, view.subset), view.mesh)
  const name = outboundCluster(view.port.number, view.subset, view.service.hostname)
  return {
    name,
    connectTimeout: durationOf(connectTimeoutMs(policy, view.mesh)),
    ...loadBalancing(policy.loadBalancer),
    ...discovery(view, name),
    circuitBreakers: circuitBreakers(policy.connectionPool, policy.retryBudget),
    outlierDetection: outlierDetection(policy.outlierDetection),
    commonLbConfig: {
      healthyPanicThreshold: { value: panicThreshold(policy.outlierDetection) },
      ...localityConfig(view),
    },
    upstreamConnectionOptions: keepalive(policy.connectionPool?.tcp?.tcpKeepalive, view.mesh.tcpKeepalive),
    ...httpOptions(view, policy),
    ...withProxyProtocol(transportSockets(view, policy), policy.proxyProtocol),
    metadata: clusterMetadata(view),
  } as ClusterInit
}

function discovery(view: OutboundView, name: string): ClusterInit {
  switch (view.discovery) {
    case 'eds':
      return {
        clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
        edsClusterConfig: {
          serviceName: name,
          edsConfig: {
            configSourceSpecifier: { case: 'ads', value: {} },
            initialFetchTimeout: durationOf(0),
            resourceApiVersion: ApiVersion.V3,
          },
        },
      }
    case 'original-destination':
      return { clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST }, lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }
    case 'by-authority':
      return { clusterDiscoveryType: { case: 'clusterType', value: forwardProxy }, lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }
    case 'dns':
    case 'logical-dns':
      return {
        clusterDiscoveryType: { case: 'clusterType', value: namesByDns(view) },
        loadAssignment: loadAssignment(name, dnsEndpoints(view), { dns: true, placement: view }),
      }
  }
}

/** Envoy has deprecated the fields of Cluster that said the same. */
function namesByDns({ discovery: kind, mesh }: OutboundView) {
  return {
    name: 'envoy.clusters.dns',
    typedConfig: packed(DnsClusterSchema, {
      dnsRefreshRate: durationOf(mesh.dnsRefreshMs), respectDnsTtl: true, dnsLookupFamily: DnsLookupFamily.V4_ONLY,
      allAddressesInSingleEndpoint: kind === 'logical-dns',
    }),
  }
}

/** Without endpoints, the host is its own. */
function dnsEndpoints(view: OutboundView): readonly Endpoint[] {
  const labels = view.rule?.subsets.find((one) => one.name === view.subset)?.labels ?? {}
  if (view.endpoints.length > 0) {
    return view.endpoints.filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
  }
  if (view.service.hostname.startsWith('*') || Object.keys(labels).length > 0) return []
  const { targetPort, number } = view.port
  return [{
    hostname: view.service.hostname, namespace: view.service.namespace, servicePortName: view.port.name,
    address: view.service.hostname, port: typeof targetPort === 'number' ? targetPort : number,
    labels: {}, locality: { region: '', zone: '', subzone: '' }, network: '', weight: 1, health: 'healthy',
    mutualTls: false, serviceAccount: '', workload: '',
  }]
}

function httpOptions(view: OutboundView, policy: PolicyBlocks): ClusterInit {
  const { tls } = policy
  const autoServerName = (tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL') && (tls.sni ?? '') === ''
  if (!mayBeHttp(view.port.protocol) && !autoServerName) return {}
  const named = [...(tls?.subjectAltNames ?? []), ...view.service.subjectAltNames].length > 0
  const autoVerify = !named && tls?.insecureSkipVerify !== true
  return httpProtocolOptions(upstreamProtocol(view, policy), policy.connectionPool, { autoServerName, autoVerify, errorCodes: policy.outlierDetection?.outlierDetectionHttpErrorCodes ?? [] })
}

/** What a DestinationRule asks for, then what the port is declared to speak, then what the mesh asks for (traffic spec 2.5). */
function upstreamProtocol({ port: { protocol }, mesh, sniffs }: OutboundView, policy: PolicyBlocks): UpstreamProtocol {
  if (!mayBeHttp(protocol)) return 'http1'
  const { useClientProtocol, h2UpgradePolicy = 'DEFAULT' } = policy.connectionPool?.http ?? {}
  if (useClientProtocol === true) return 'downstream'
  if (isHttp2(protocol) || h2UpgradePolicy === 'UPGRADE') return 'http2'
  if (protocol === 'auto') return sniffs ? 'downstream' : 'http1'
  return h2UpgradePolicy === 'DEFAULT' && mesh.upgradesToHttp2 ? 'http2' : 'http1'
}

interface TransportSockets {
  readonly transportSocket?: TransportSocket
  readonly transportSocketMatches?: { name: string; match: JsonObject; transportSocket: TransportSocket }[]
}

function transportSockets(view: OutboundView, policy: PolicyBlocks): TransportSockets {
  const http2 = upstreamProtocol(view, policy) === 'http2'
  const { tls } = policy
  switch (tls?.mode) {
    case 'ISTIO_MUTUAL':
      return { transportSocket: mutualTlsSocket({ ...meshTls(view, http2), ...(tls.sni !== undefined && tls.sni !== '' && { serverName: tls.sni }) }) }
    case 'SIMPLE':
    case 'MUTUAL':
      return { transportSocket: originatedTlsSocket(tls, http2, view.service.subjectAltNames, view.mesh.tlsDefaults) }
    case 'DISABLE':
      return {}
    default:
      return automaticTls(view, http2)
  }
}

/** Every socket of the cluster says first who the client is. */
function withProxyProtocol(sockets: TransportSockets, proxyProtocol: WholePolicyBlocks['proxyProtocol']): TransportSockets {
  if (proxyProtocol === undefined) return sockets
  const wrap = (socket: TransportSocket | undefined) => proxyProtocolSocket(socket ?? plainSocket(), proxyProtocol.version === 'V2')
  const matches = sockets.transportSocketMatches?.map((one) => ({ ...one, transportSocket: wrap(one.transportSocket) }))
  return matches === undefined ? { transportSocket: wrap(sockets.transportSocket) } : { transportSocketMatches: matches }
}

function automaticTls(view: OutboundView, http2: boolean): TransportSockets {
  if (view.autoTls === 'none') return {}
  const mutual = mutualTlsSocket(meshTls(view, http2))
  if (view.autoTls === 'always') return { transportSocket: mutual }
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual },
      { name: 'tlsMode-disabled', match: {}, transportSocket: plainSocket() },
    ],
  }
}

function meshTls(view: OutboundView, http2: boolean): UpstreamTls {
  return { serverName: dnatServerName(view.port.number, view.subset, view.service.hostname), identities: view.identities, http2 }
}

function clusterMetadata(view: OutboundView) {
  const { service, rule } = view
  const istio: JsonObject = {
    services: [{ host: service.hostname, name: service.name, namespace: service.namespace }],
    default_original_port: view.port.number,
    ...(view.subset !== '' && { subset: view.subset }),
    ...(rule !== undefined && { config: configPath(rule.rules[0]!) }),
  }
  const from = rule === undefined ? serviceProvenance(service) : resourceProvenance(rule.rules[0]!)
  return metadataOf({ ...from, istio, ...(view.tellsMembers && { knownEndpoints: 'eds' }) })
}
