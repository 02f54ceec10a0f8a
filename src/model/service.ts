// What every registry produces, whatever it is: services, their ports, and the endpoints behind them.
import type { Origin } from './resource.ts'

/** Istio's protocols (traffic spec 3.3). `auto` is sniffed. */
export type Protocol =
  | 'HTTP' | 'HTTP2' | 'HTTPS' | 'GRPC' | 'GRPC-Web' | 'TCP' | 'TLS' | 'UDP'
  | 'Mongo' | 'Redis' | 'MySQL' | 'HTTP_PROXY' | 'auto'

export interface ServicePort {
  readonly name: string
  readonly number: number
  readonly protocol: Protocol
  /** A number, or the name of a port of the workload. Equal to `number` when the source says nothing. */
  readonly targetPort: number | string
}

/**
 * How endpoints are found (traffic spec 3.8, 5.3).
 * `client-side`: known endpoints (ClusterIP, STATIC). `passthrough`: the original destination (headless, NONE).
 */
export type Resolution = 'client-side' | 'passthrough' | 'dns' | 'dns-round-robin' | 'dynamic-dns' | 'alias'

export interface Service {
  /** Fully qualified, or a wildcard (ServiceEntry). With the namespace, the key. */
  readonly hostname: string
  readonly name: string
  readonly namespace: string
  readonly registry: 'Kubernetes' | 'External' | 'Consul' | 'Nomad' | 'Mesos'
  /** Virtual IPs or CIDRs; never empty for `client-side` services (allocated where the source gives none). */
  readonly addresses: readonly string[]
  /** Nobody else knows of its addresses: clients that do not ask us for names go elsewhere. */
  readonly autoAllocated?: boolean | undefined
  readonly ports: readonly ServicePort[]
  readonly resolution: Resolution
  /** MESH_EXTERNAL: no automatic mTLS, no identity expected. */
  readonly meshExternal: boolean
  /** `*`, `.`, `~` or namespaces. */
  readonly exportTo: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Selects workloads of the same namespace; undefined when endpoints are listed. */
  readonly selector: Readonly<Record<string, string>> | undefined
  /** ExternalName: the host that this one stands for. */
  readonly aliasOf: string | undefined
  /** ServiceEntry.subjectAltNames. */
  readonly subjectAltNames: readonly string[]
  /** Kubernetes' wish to stay near, `PreferClose` and the like; annotations may say it too. */
  readonly trafficDistribution?: string | undefined
  /** Where it is reached from outside of its network: those of its load balancer, and others that were given to it. */
  readonly externalAddresses?: readonly string[] | undefined
  /** Clients use endpoints of their own node, and no others. */
  readonly nodeLocal?: boolean | undefined
  readonly creationTimestamp: number
  readonly origin: Origin
}

export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

export type EndpointHealth = 'healthy' | 'unhealthy' | 'draining'

export interface Endpoint {
  /** Host name of the service it belongs to, and that service's namespace. */
  readonly hostname: string
  readonly namespace: string
  /** Name of the service port. */
  readonly servicePortName: string
  /** Where to connect: an IP, a DNS name, or `unix:///path` with port 0. */
  readonly address: string
  readonly port: number
  /** Where else: its addresses of the other family. */
  readonly furtherAddresses?: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly locality: Locality
  readonly network: string
  readonly weight: number
  readonly health: EndpointHealth
  /** Whether the endpoint's own proxy takes mutual TLS (security.istio.io/tlsMode=istio). */
  readonly mutualTls: boolean
  readonly serviceAccount: string
  /** Key of the workload behind it, `namespace/name`; empty when unknown. */
  readonly workload: string
  /** Of a headless service: its own name below the service's, as Pods of a StatefulSet have one. */
  readonly memberName?: string
}
