// Where connections of opaque bytes go: VirtualService.tcp and .tls as chains of a listener, each with what it matches
// (traffic spec 1.2.5, 1.2.6, 4.3). What can be decided for this client already is decided here.
import type { Service, ServicePort } from '../../../model/service.ts'
import { bySpecificity, covers, overlaps, selects } from '../../hosts.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { effectivePolicy, withMeshDefaults } from '../../snapshot/destination-rules.ts'
import type { MergedRule } from '../../snapshot/destination-rules.ts'
import { gatewayNames, hostsOf, meshGateway } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import type { RouteDestination, TcpMatch, TlsMatch } from '../../virtual-service-spec.ts'
import { serverHosts } from '../gateway-servers.ts'
import type { PlacedServer } from '../gateway-servers.ts'
import { speaksTls } from '../cluster/protocol.ts'
import { resourceProvenance, serviceProvenance } from '../metadata.ts'
import type { Provenance } from '../metadata.ts'
import { outboundCluster } from '../names.ts'
import { usedDestinations } from '../route/action.ts'
import { resolveDestination } from '../route/context.ts'
import type { TcpOptions, WeightedTarget } from './filters.ts'

/** Plain data: views carry it as text. */
export interface ByteChain {
  /** Ranges of destination addresses; empty: any. */
  readonly subnets: readonly string[]
  /** Of the ClientHello; empty for any, and connections that are not TLS. */
  readonly serverNames: readonly string[]
  readonly clusters: readonly WeightedTarget[]
  readonly statPrefix: string
  /** What the DestinationRule of the first cluster says of connections. */
  readonly options: TcpOptions
  /** The server name is looked up, and is the host, at this port; 0: the clusters have hosts of their own. */
  readonly namedPort: number
  readonly from: Provenance
}

/** For whom, and on which port. */
export interface ByteClient {
  readonly mesh: MeshSettings
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** `mesh`, or the gateway that serves. */
  readonly gateway: string
  readonly port: number
  serviceAt(hostname: string): Service | undefined
  ruleOf(service: Service): MergedRule | undefined
}

export const hasByteRules = ({ spec }: VirtualService): boolean => (spec.tcp ?? []).length + (spec.tls ?? []).length > 0

/** How connections to a service are known on a listener that others share: both empty where it has the listener alone. */
export interface KnownBy {
  readonly subnets: readonly string[]
  /** Only TLS has one. */
  readonly serverNames: readonly string[]
}

/** The chains of a service port at a sidecar, the service itself last. */
export function servicePortChains(all: readonly VirtualService[], service: Service, port: ServicePort, known: KnownBy, client: ByteClient): readonly ByteChain[] {
  const owners = rulesFor(all, service, client.mesh)
  const chains = speaksTls(port) ? tlsChains(owners, known.subnets, client) : tcpChains(owners, known.subnets, client)
  return chains.at(-1)?.last === true ? chains : [...chains, serviceChain(service, port, speaksTls(port) ? known : { ...known, serverNames: [] }, client)]
}

/** Exact hosts before wildcards, then as they come. */
function rulesFor(all: readonly VirtualService[], service: Service, mesh: MeshSettings): readonly VirtualService[] {
  const found = all.flatMap((one) => {
    const [host] = hostsOf(one, mesh).filter((name) => overlaps(name, service.hostname)).sort(bySpecificity)
    return host === undefined ? [] : [{ one, host }]
  })
  return found.sort((one, other) => wildness(one.host) - wildness(other.host)).map(({ one }) => one)
}

/** 0 for an exact name; the shorter a wildcard, the wilder. */
const wildness = (host: string): number => (host.startsWith('*') ? 1000 - host.length : 0)

/** A chain behind which no other of its service is ever met. */
type OrderedChain = ByteChain & { readonly last?: true }

/** The first rule that asks for no subnet ends the list. */
function tcpChains(owners: readonly VirtualService[], subnets: readonly string[], client: ByteClient): readonly OrderedChain[] {
  const chains: ByteChain[] = []
  for (const owner of owners) {
    for (const [index, rule] of (owner.spec.tcp ?? []).entries()) {
      const blocks = tcpBlocks(rule.match).filter(({ match }) => applies(match, owner, client))
      const make = (ranges: readonly string[], at: number | undefined) =>
        ruleChain(rule.route ?? [], owner, ['tcp', index, at], { subnets: ranges, serverNames: [] }, client)
      const any = blocks.find(({ match }) => (match.destinationSubnets ?? []).length === 0)
      if (any !== undefined) return [...chains, { ...make(subnets, any.at), last: true }]
      chains.push(...blocks.map(({ match, at }) => make(match.destinationSubnets ?? [], at)))
    }
  }
  return chains
}

/** A rule without any has one that always holds. */
function tcpBlocks(match: readonly TcpMatch[] | undefined): readonly { readonly match: TcpMatch; readonly at: number | undefined }[] {
  return match === undefined || match.length === 0 ? [{ match: {}, at: undefined }] : match.map((one, at) => ({ match: one, at }))
}

function tlsChains(owners: readonly VirtualService[], subnets: readonly string[], client: ByteClient): readonly OrderedChain[] {
  return owners.flatMap((owner) => tlsRules(owner, client).map(({ rule, index, match, at }) => {
    const own = match.destinationSubnets ?? []
    return ruleChain(rule, owner, ['tls', index, at], { subnets: own.length > 0 ? own : subnets, serverNames: match.sniHosts.map(lowerCase) }, client)
  }))
}

const lowerCase = (name: string): string => name.toLowerCase()

function tlsRules(owner: VirtualService, client: ByteClient) {
  return (owner.spec.tls ?? []).flatMap((rule, index) =>
    rule.match.map((match, at) => ({ rule: rule.route ?? [], index, match, at })).filter(({ match }) => applies(match, owner, client)))
}

/** The chains of one gateway server that does not end TLS; names outside of its hosts are none of its business. */
export function passthroughChains(owners: readonly VirtualService[], one: PlacedServer, client: ByteClient): readonly ByteChain[] {
  return owners.filter((owner) => isOffered(owner, one, client.mesh)).flatMap((owner) => tlsRules(owner, client).flatMap(({ rule, index, match, at }) => {
    const serverNames = narrowed(match.sniHosts.map(lowerCase), serverHosts(one).map(({ host }) => host))
    return serverNames.length === 0 ? [] : [ruleChain(rule, owner, ['tls', index, at], { subnets: [], serverNames: serverNames.includes('*') ? [] : serverNames }, client)]
  }))
}

/** Of each pair that overlaps, the narrower name. */
function narrowed(names: readonly string[], hosts: readonly string[]): readonly string[] {
  const found = names.flatMap((name) => hosts.flatMap((host) => (covers(host, name) ? [name] : covers(name, host) ? [host] : [])))
  return [...new Set(found)]
}

/** What a gateway's server does with bytes: the first tcp rule of the first VirtualService that has one for it. */
export function gatewayTcpChain(owners: readonly VirtualService[], one: PlacedServer, client: ByteClient): ByteChain | undefined {
  for (const owner of owners.filter((each) => isOffered(each, one, client.mesh))) {
    for (const [index, rule] of (owner.spec.tcp ?? []).entries()) {
      const block = tcpBlocks(rule.match).find(({ match }) => applies(match, owner, client))
      if (block !== undefined) return ruleChain(rule.route ?? [], owner, ['tcp', index, block.at], { subnets: [], serverNames: [] }, client)
    }
  }
  return undefined
}

/** Whether a VirtualService shares a host with a server that takes those of its namespace. */
function isOffered(owner: VirtualService, one: PlacedServer, mesh: MeshSettings): boolean {
  const hosts = hostsOf(owner, mesh)
  return serverHosts(one).some(({ namespace, host }) =>
    (namespace === '*' || namespace === owner.metadata.namespace) && hosts.some((own) => overlaps(host, own)))
}

/** Gateways know nothing of where clients run. */
function applies(match: Partial<TcpMatch & TlsMatch>, owner: VirtualService, { gateway, port, labels, namespace }: ByteClient): boolean {
  const gateways = match.gateways !== undefined && match.gateways.length > 0 ? match.gateways : owner.spec.gateways
  if (!gatewayNames(gateways, owner.metadata.namespace).includes(gateway)) return false
  if (match.port && match.port !== port) return false
  return gateway !== meshGateway || (selects(match.sourceLabels ?? {}, labels) && (!match.sourceNamespace || match.sourceNamespace === namespace))
}

type Matches = Pick<ByteChain, 'subnets' | 'serverNames'>

function ruleChain(routes: readonly RouteDestination[], owner: VirtualService, [list, rule, match]: readonly ['tcp' | 'tls', number, number | undefined], matches: Matches, client: ByteClient): ByteChain {
  const targets = usedDestinations(routes).map(({ destination, weight }) => ({ ...resolveDestination(destination, owner, routeContext(client)), weight: weight ?? 1 }))
  const place = match === undefined ? ['spec', list, rule] : ['spec', list, rule, 'match', match]
  const from = { ...resourceProvenance(owner), origin: owner.locate(place), rule, ...(match !== undefined && { match }) }
  return {
    ...matches,
    clusters: targets.map(({ cluster, weight }) => ({ cluster, weight })),
    statPrefix: targets.length === 1 ? targets[0]!.cluster : `${owner.metadata.name}.${owner.metadata.namespace}`,
    options: optionsOf(targets[0], client),
    namedPort: list === 'tls' ? targets.find(({ service }) => service?.resolution === 'dynamic-dns')?.port ?? 0 : 0,
    from,
  }
}

function serviceChain(service: Service, port: ServicePort, matches: Matches, client: ByteClient): ByteChain {
  const cluster = outboundCluster(port.number, '', service.hostname)
  return {
    ...matches, clusters: [{ cluster, weight: 1 }], statPrefix: cluster,
    options: optionsOf({ service, port: port.number, subset: '' }, client),
    namedPort: service.resolution === 'dynamic-dns' && speaksTls(port) ? port.number : 0, from: serviceProvenance(service),
  }
}

interface PolicyTarget {
  readonly service: Service | undefined
  readonly port: number
  readonly subset: string
}

function optionsOf(target: PolicyTarget | undefined, { mesh, ruleOf }: ByteClient): TcpOptions {
  if (target?.service === undefined) return {}
  const { loadBalancer, connectionPool, tunnel } = withMeshDefaults(effectivePolicy(ruleOf(target.service), target.port, target.subset), mesh)
  const { idleTimeout, maxConnectionDuration } = connectionPool?.tcp ?? {}
  return {
    ...(idleTimeout !== undefined && { idleMs: idleTimeout }),
    ...(maxConnectionDuration !== undefined && { longestMs: maxConnectionDuration }),
    ...(loadBalancer?.consistentHash?.useSourceIp === true && { byClientAddress: true }),
    ...(tunnel !== undefined && { tunnel: { to: `${bracketed(tunnel.targetHost)}:${tunnel.targetPort}`, byPost: tunnel.protocol?.toUpperCase() === 'POST' } }),
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

function routeContext(client: ByteClient): Parameters<typeof resolveDestination>[2] {
  return {
    mesh: client.mesh, clientNamespace: client.namespace, clientLabels: client.labels, gateways: [client.gateway],
    port: client.port, listensForTls: false, serviceAt: client.serviceAt, ruleOf: client.ruleOf,
    delegateAt: () => undefined,
  }
}
