// The resource types that travel on an xDS stream: their type URLs, their short names, and the order in which a proxy
// takes them so that nothing refers to what it has not got yet.

export type TypeName = 'CDS' | 'EDS' | 'LDS' | 'RDS' | 'SDS' | 'NDS' | 'PCDS'

const prefix = 'type.googleapis.com/'

export const typeUrls: Readonly<Record<TypeName, string>> = {
  CDS: `${prefix}envoy.config.cluster.v3.Cluster`,
  EDS: `${prefix}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  LDS: `${prefix}envoy.config.listener.v3.Listener`,
  RDS: `${prefix}envoy.config.route.v3.RouteConfiguration`,
  SDS: `${prefix}envoy.extensions.transport_sockets.tls.v3.Secret`,
  NDS: `${prefix}istio.networking.nds.v1.NameTable`,
  PCDS: `${prefix}istio.mesh.v1alpha1.ProxyConfig`,
}

/** Clusters before their endpoints, both before the listeners and routes that send to them (traffic spec 6.2). */
export const pushOrder: readonly TypeName[] = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS', 'NDS', 'PCDS']

const byUrl = new Map(pushOrder.map((name) => [typeUrls[name], name]))

/** Undefined for types that are not served. */
export function typeNameOf(typeUrl: string): TypeName | undefined {
  return byUrl.get(typeUrl)
}

/** Whether a client may ask for all there is of a type. Of the others, it names what it wants. */
export function canWildcard(type: TypeName): boolean {
  return type === 'CDS' || type === 'LDS' || type === 'NDS' || type === 'PCDS'
}

/** The secret that says whom the mesh trusts; ours, not Envoy's. */
export const meshTrustName = 'mesh-trust'

/** How agents say how their application is: well, or an error. */
export const healthTypeUrl = `${prefix}istio.v1.HealthInformation`
