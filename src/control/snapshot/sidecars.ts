// What one sidecar sees of the mesh (traffic spec 1.6): the services and VirtualServices that its Sidecar resource imports,
// or all that are visible to its namespace.
import type { Resource } from '../../model/resource.ts'
import type { Service } from '../../model/service.ts'
import { covers, overlaps, resolveHost, selects } from '../hosts.ts'
import { sameItems } from '../intern.ts'
import type { MeshSettings } from '../mesh-settings.ts'
import { boundGateways, destinationsOf, hostsOf, meshGateway } from './virtual-services.ts'
import type { VirtualService, VirtualServiceIndex } from './virtual-services.ts'
import type { ServiceIndex } from './services.ts'
import type { SidecarSpec } from '../specs.ts'
import type { Destination } from '../virtual-service-spec.ts'
import { outboundCluster } from '../translate/names.ts'

export type Sidecar = Resource<SidecarSpec>

export interface SidecarScope {
  readonly sidecar: Sidecar | undefined
  /** All services that the namespace may see. */
  readonly visible: readonly Service[]
  /** Listeners and routes are for these; one per host name. */
  readonly services: readonly Service[]
  /** Clusters are for these: also destinations of imported VirtualServices. */
  readonly reachable: readonly Service[]
  /** Bound to the mesh, the ones that win first. */
  readonly virtualServices: readonly VirtualService[]
  readonly registryOnly: boolean
  /** As the mesh says, where no Sidecar says anything. */
  readonly resolvesUnknown: boolean
  /** The cluster that takes what is for no known host; empty: it goes where the client meant it to. */
  readonly egressCluster: string
  serviceAt(hostname: string): Service | undefined
}

interface EgressHost {
  readonly namespace: string
  readonly host: string
  readonly exclude: boolean
  readonly port: number | undefined
}

const everything: readonly EgressHost[] = [{ namespace: '*', host: '*', exclude: false, port: undefined }]

/** The Sidecar of a workload: selected by labels, else of its namespace, else of the root namespace. */
export function sidecarFor(
  sidecars: readonly Sidecar[],
  peer: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): Sidecar | undefined {
  const own = sidecars.filter((one) => one.metadata.namespace === peer.namespace)
  return own.find((one) => selectorOf(one) !== undefined && selects(selectorOf(one)!, peer.labels))
    ?? own.find((one) => selectorOf(one) === undefined)
    ?? sidecars.find((one) => one.metadata.namespace === rootNamespace && selectorOf(one) === undefined)
}

function selectorOf(sidecar: Sidecar): Readonly<Record<string, string>> | undefined {
  const labels = sidecar.spec.workloadSelector?.labels
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels
}

export interface ScopeWorld {
  readonly mesh: MeshSettings
  readonly services: ServiceIndex
  readonly virtualServices: VirtualServiceIndex
}

/** `before`: an earlier scope of the same namespace and Sidecar by name. What says the same as in that one is the same object. */
export function sidecarScope(world: ScopeWorld, namespace: string, sidecar: Sidecar | undefined, before?: SidecarScope): SidecarScope {
  const hosts = egressHosts(sidecar, namespace)
  const visible = world.services.visibleTo(namespace)
  const imported = before !== undefined && before.visible === visible && before.sidecar === sidecar
    ? before.services : oneByHost(importServices(visible, hosts), namespace)
  const services = keep(before?.services, imported)
  const virtualServices = keep(before?.virtualServices, world.virtualServices.visibleTo(namespace).filter(
    (one) => boundGateways(one).has(meshGateway) && imports(hosts, one, world.mesh),
  ))
  const reachable = keep(before?.reachable, withDestinations(world, namespace, services, virtualServices, egressProxyOf(sidecar)))
  const serviceAt = before?.reachable === reachable ? before.serviceAt : finder(reachable)
  const scope = {
    sidecar, visible, services, reachable, virtualServices,
    registryOnly: registryOnly(sidecar, world.mesh),
    resolvesUnknown: world.mesh.resolvesUnknown && sidecar?.spec.outboundTrafficPolicy === undefined,
    egressCluster: egressCluster(sidecar, world.mesh),
    serviceAt,
  }
  return before !== undefined && sameItems(Object.values(before), Object.values(scope)) ? before : scope
}

const keep = <Item>(before: readonly Item[] | undefined, now: readonly Item[]): readonly Item[] =>
  (before !== undefined && (before === now || sameItems(before, now)) ? before : now)

function finder(services: readonly Service[]): SidecarScope['serviceAt'] {
  const byHost = new Map(services.map((service) => [service.hostname, service]))
  return (hostname) => byHost.get(hostname)
}

function registryOnly(sidecar: Sidecar | undefined, mesh: MeshSettings): boolean {
  const policy = sidecar?.spec.outboundTrafficPolicy
  return policy === undefined ? mesh.registryOnly : policy.mode === 'REGISTRY_ONLY' || policy.mode === undefined
}

/** Where nothing else is known, everything goes to one service: an egress gateway. */
const egressProxyOf = (sidecar: Sidecar | undefined): Destination | undefined => sidecar?.spec.outboundTrafficPolicy?.egressProxy

function egressCluster(sidecar: Sidecar | undefined, mesh: MeshSettings): string {
  const proxy = egressProxyOf(sidecar)
  if (proxy === undefined || registryOnly(sidecar, mesh)) return ''
  return outboundCluster(proxy.port?.number ?? 0, proxy.subset ?? '', resolveHost(proxy.host, sidecar!.metadata.namespace, mesh.domain))
}

function egressHosts(sidecar: Sidecar | undefined, namespace: string): readonly EgressHost[] {
  const listeners = sidecar?.spec.egress
  if (listeners === undefined || listeners.length === 0) return everything
  return listeners.flatMap((listener) => listener.hosts.map((text) => egressHost(text, namespace, portOf(listener))))
}

/** A forward proxy and a unix socket, whose port is 0, are for all ports. */
const portOf = ({ port }: NonNullable<SidecarSpec['egress']>[number]): number | undefined => (port?.protocol === 'HTTP_PROXY' ? undefined : port?.number || undefined)

/** Of these services, those that one egress listener imports. */
export function importedBy({ hosts }: Pick<NonNullable<SidecarSpec['egress']>[number], 'hosts'>, namespace: string, services: readonly Service[]): readonly Service[] {
  return importServices(services, hosts.map((text) => egressHost(text, namespace, undefined)))
}

function egressHost(text: string, namespace: string, port: number | undefined): EgressHost {
  const slash = text.indexOf('/')
  const from = slash < 0 ? '*' : text.slice(0, slash)
  const host = text.slice(slash + 1).toLowerCase()
  if (from === '~') return { namespace: '', host, exclude: false, port }
  const exclude = from.startsWith('~')
  const named = exclude ? from.slice(1) : from
  return { namespace: named === '.' ? namespace : named, host, exclude, port }
}

function importServices(all: readonly Service[], hosts: readonly EgressHost[]): readonly Service[] {
  if (hosts === everything) return all
  return all.flatMap((service) => {
    const matching = hosts.filter((one) => inNamespace(one, service.namespace) && covers(one.host, service.hostname))
    if (matching.length === 0 || matching.some((one) => one.exclude)) return []
    return matching.some((one) => one.port === undefined) ? [service] : trimmed(service, matching.map((one) => one.port!))
  })
}

const inNamespace = (one: EgressHost, namespace: string): boolean => one.namespace === '*' || one.namespace === namespace

const trims = new WeakMap<Service, Map<string, Service>>()

/** The service with only these ports; the same object each time, as views compare by identity. */
function trimmed(service: Service, ports: readonly number[]): readonly Service[] {
  const kept = service.ports.filter((port) => ports.includes(port.number))
  if (kept.length === 0) return []
  if (kept.length === service.ports.length) return [service]
  const known = trims.get(service) ?? new Map<string, Service>()
  trims.set(service, known)
  const key = kept.map((port) => port.number).join()
  const found = known.get(key) ?? Object.freeze({ ...service, ports: kept })
  known.set(key, found)
  return [found]
}

/** A host in several namespaces: the client's own wins, then the order of the list, which is Kubernetes first, then age. */
function oneByHost(services: readonly Service[], namespace: string): readonly Service[] {
  const chosen = new Map<string, Service>()
  for (const service of services) {
    const known = chosen.get(service.hostname)
    if (known === undefined || (known.namespace !== namespace && service.namespace === namespace)) chosen.set(service.hostname, service)
  }
  return chosen.size === services.length ? services : [...chosen.values()]
}

function imports(hosts: readonly EgressHost[], one: VirtualService, mesh: MeshSettings): boolean {
  if (hosts === everything) return true
  const named = hostsOf(one, mesh)
  return hosts.some((egress) => !egress.exclude && inNamespace(egress, one.metadata.namespace)
    && named.some((host) => overlaps(egress.host, host)))
}

function withDestinations(
  world: ScopeWorld,
  namespace: string,
  services: readonly Service[],
  virtualServices: readonly VirtualService[],
  egressProxy: Destination | undefined,
): readonly Service[] {
  const known = new Set(services.map((service) => service.hostname))
  const added: Service[] = []
  const named = egressProxy === undefined ? [] : [resolveHost(egressProxy.host, namespace, world.mesh.domain)]
  for (const host of [...virtualServices.flatMap((one) => destinationsOf(one, world.mesh)), ...named]) {
    if (known.has(host)) continue
    known.add(host)
    const found = world.services.visibleTo(namespace).find((service) => service.hostname === host)
    if (found !== undefined) added.push(found)
  }
  return added.length === 0 ? services : [...services, ...added]
}
