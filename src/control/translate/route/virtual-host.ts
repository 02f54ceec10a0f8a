// Virtual hosts of a route table: their domains (traffic spec 3.4), and the rule that no domain may appear twice.
import type { VirtualHost, VirtualHostSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { Service, ServicePort } from '../../../model/service.ts'
import { effectivePolicy } from '../../snapshot/destination-rules.ts'
import type { SidecarScope } from '../../snapshot/sidecars.ts'
import { metadataOf, serviceProvenance } from '../metadata.ts'
import { dynamicDnsCluster, outboundCluster, passthroughCluster } from '../names.ts'
import { timeouts } from './action.ts'
import type { RouteContext } from './context.ts'
import { hashPolicy } from './hash-policy.ts'
import type { RouteInit } from './http-rules.ts'
import { retryPolicy } from './retry.ts'
import type { Init } from '../any.ts'

export type VirtualHostInit = Init<typeof VirtualHostSchema> & { readonly domains: string[] }

/** Every name by which clients of a namespace call a service. */
export function serviceDomains(service: Service, clientNamespace: string, domain: string): readonly string[] {
  const addresses = service.addresses.filter((address) => !address.includes('/')).map(bracketed)
  const suffix = `.${service.namespace}.svc.${domain}`
  if (!service.hostname.endsWith(suffix)) return [service.hostname, ...addresses]
  const name = service.hostname.slice(0, -suffix.length)
  const short = `${name}.${service.namespace}`
  const names = [service.hostname, `${service.hostname}.`, `${short}.svc`, short]
  if (clientNamespace === service.namespace) names.push(name)
  // The hosts of a headless service are names of Pods below it.
  const below = service.resolution === 'passthrough' ? names.map((one) => `*.${one}`) : []
  return [...names, ...below, ...addresses]
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Names with their port, as a forward proxy is asked for them; without it too where it is HTTP's own. */
export function withPorts(domains: readonly string[], port: number): readonly string[] {
  return [...domains.map((domain) => `${domain}:${port}`), ...(port === 80 ? domains : [])]
}

/** Collects virtual hosts; a domain belongs to the first that claims it, and one left without domains is dropped. */
export class VirtualHostList {
  readonly hosts: (VirtualHostInit | VirtualHost)[] = []
  readonly #claimed = new Set<string>()

  add(host: VirtualHostInit | VirtualHost): void {
    const names = claimsOf(host)
    const domains = host.domains.filter((_, at) => this.#claim(names[at]!))
    if (domains.length === host.domains.length) this.hosts.push(host)
    else if (domains.length > 0) this.hosts.push({ ...host, domains })
  }

  #claim(domain: string): boolean {
    if (this.#claimed.has(domain)) return false
    this.#claimed.add(domain)
    return true
  }
}

const claims = new WeakMap<object, readonly string[]>()

/** The host's domains without regard to case. Most hosts are in many tables. */
function claimsOf(host: VirtualHostInit | VirtualHost): readonly string[] {
  const names = claims.get(host) ?? host.domains.map((domain) => domain.toLowerCase())
  claims.set(host, names)
  return names
}

export function virtualHost(name: string, domains: readonly string[], routes: readonly RouteInit[]): VirtualHostInit {
  return { name, domains: [...domains], routes: [...routes], includeRequestAttemptCount: true }
}

/** A service without VirtualService: everything to the service itself. */
export function defaultRoute(service: Service, port: ServicePort, context: RouteContext): RouteInit {
  const rule = context.ruleOf(service)
  const hashed = hashPolicy(rule, port.number, '')
  const retry = retryPolicy(undefined, context.mesh.defaultRetry, hashed.length > 0)
  return {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    decorator: { operation: `${service.hostname}:${port.number}/*` },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: outboundCluster(port.number, '', service.hostname) },
        ...timeouts(0),
        ...(retry !== undefined && { retryPolicy: retry }),
        hashPolicy: hashed,
      },
    },
    metadata: metadataOf(serviceProvenance(service)),
  }
}

/** How a scope treats hosts that nobody knows. */
export type Unknown = Pick<SidecarScope, 'registryOnly' | 'resolvesUnknown' | 'egressCluster'>

/** Passed on to where they were going or to an egress gateway, looked up by name, or refused with 502. */
export function catchAllHost({ registryOnly, resolvesUnknown, egressCluster }: Unknown): VirtualHostInit {
  const name = registryOnly ? 'block_all' : resolvesUnknown ? 'allow_any_dynamic_dns' : 'allow_any'
  const cluster = resolvesUnknown ? dynamicDnsCluster : egressCluster || passthroughCluster
  return virtualHost(name, ['*'], [{
    name,
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: registryOnly
      ? { case: 'directResponse', value: { status: 502 } }
      : { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, ...timeouts(0) } },
  }])
}

/** Whether a rule says anything that shows in routes: then, and only then, routes depend on it. */
export function affectsRoutes(service: Service, context: Pick<RouteContext, 'ruleOf'>): boolean {
  const rule = context.ruleOf(service)
  if (rule === undefined) return false
  const subsets = ['', ...rule.subsets.map((subset) => subset.name)]
  return service.ports.some((port) => subsets.some((subset) => effectivePolicy(rule, port.number, subset).loadBalancer?.consistentHash !== undefined))
}

