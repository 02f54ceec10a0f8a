// Kubernetes Services as services of the mesh (traffic spec 5.1). Who is behind them is endpoints.ts's business.
import type { KubernetesServiceSpec } from '../../kinds/core/service.ts'
import type { Resource } from '../../model/resource.ts'
import type { Resolution, Service, ServicePort } from '../../model/service.ts'
import { protocolOf } from './protocol.ts'
import { serviceV6 } from './second-family.ts'

export type KubernetesService = Resource<KubernetesServiceSpec>

/** Objects without a time stamp count as made last; among themselves their order of appearance decides. */
export const undated = Number.MAX_SAFE_INTEGER

/** Whether it has to be given a virtual IP. */
export function needsAddress({ spec: { spec } }: KubernetesService): boolean {
  return spec.type !== 'ExternalName' && clusterAddresses(spec).length === 0 && !isHeadless(spec)
}

export const isHeadless = ({ clusterIP, clusterIPs }: KubernetesServiceSpec['spec']): boolean => clusterIP === 'None' || clusterIPs[0] === 'None'

/** The virtual IPs that it was given. */
export function clusterAddresses({ clusterIP, clusterIPs, externalIPs }: KubernetesServiceSpec['spec']): readonly string[] {
  const own = [...new Set([clusterIP, ...clusterIPs])].filter((one) => one !== '' && one !== 'None')
  return own.length === 0 ? own : [...new Set([...own, ...externalIPs])]
}

export function hostnameOf({ metadata: { name, namespace } }: KubernetesService, domain: string): string {
  return `${name}.${namespace}.svc.${domain}`.toLowerCase()
}

/** As a cluster of both families gives addresses: of IPv4, unless a Service asks for others, in its order. */
export function ofFamilies({ spec: { spec: { ipFamilies = [], ipFamilyPolicy = 'SingleStack' } } }: KubernetesService, v4: string, dualStack: boolean): readonly string[] {
  if (!dualStack) return [v4]
  const both = ipFamilies[0] === 'IPv6' ? [serviceV6(v4), v4] : [v4, serviceV6(v4)]
  return ipFamilyPolicy === 'SingleStack' && ipFamilies.length < 2 ? both.slice(0, 1) : both
}

/** `allocated`: the virtual IPs of a service that no cluster gave one. */
export function kubernetesService(resource: KubernetesService, allocated: readonly string[], domain: string): Service {
  const { metadata, spec: { spec } } = resource
  const alias = spec.type === 'ExternalName'
  return Object.freeze<Service>({
    hostname: hostnameOf(resource, domain),
    name: metadata.name,
    namespace: metadata.namespace,
    registry: 'Kubernetes',
    addresses: alias ? [] : addressesOf(spec, allocated),
    ports: spec.ports.map(servicePort),
    resolution: resolutionOf(spec),
    meshExternal: false,
    exportTo: exportToOf(metadata.annotations['networking.istio.io/exportTo']),
    labels: metadata.labels,
    annotations: metadata.annotations,
    selector: alias ? undefined : selectorOf(spec),
    aliasOf: alias ? spec.externalName.toLowerCase().replace(/\.$/, '') : undefined,
    subjectAltNames: [],
    ...(spec.trafficDistribution !== undefined && { trafficDistribution: spec.trafficDistribution }),
    ...(spec.internalTrafficPolicy === 'Local' && { nodeLocal: true }),
    ...externalAddresses(resource),
    creationTimestamp: metadata.creationTimestamp ?? undated,
    origin: resource.origin,
  })
}

/** Names of load balancers are not looked up. */
function externalAddresses({ spec: { spec, status } }: KubernetesService): Pick<Service, 'externalAddresses'> {
  const found = [...(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? ''), ...spec.externalIPs].filter((one) => one !== '')
  return found.length === 0 ? {} : { externalAddresses: [...new Set(found)] }
}

function addressesOf(spec: KubernetesServiceSpec['spec'], allocated: readonly string[]): readonly string[] {
  const given = clusterAddresses(spec)
  return given.length > 0 || allocated.length === 0 ? given : [...allocated, ...spec.externalIPs]
}

function resolutionOf(spec: KubernetesServiceSpec['spec']): Resolution {
  if (spec.type === 'ExternalName') return 'alias'
  return isHeadless(spec) ? 'passthrough' : 'client-side'
}

/** Endpoints of a Service without selector are listed by whoever made it. */
function selectorOf({ selector }: KubernetesServiceSpec['spec']): Service['selector'] {
  return selector === undefined || selector === null || Object.keys(selector).length === 0 ? undefined : selector
}

function servicePort({ name, port, protocol, appProtocol, targetPort }: KubernetesServiceSpec['spec']['ports'][number]): ServicePort {
  return {
    name,
    number: port,
    protocol: protocolOf({ name, number: port, transport: protocol, appProtocol }),
    targetPort: targetPort ?? port,
  }
}

/** `ns1, ns2`; nothing written means the mesh's default. */
function exportToOf(annotation: string | undefined): readonly string[] {
  return (annotation ?? '').split(',').map((one) => one.trim()).filter((one) => one !== '')
}
