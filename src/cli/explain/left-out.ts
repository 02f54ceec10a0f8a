// Rules for the asked host that never came to the client's proxy, and why: translation decides ports, gateways, labels of
// the client, visibility and precedence before any request.
import { covers } from '../../control/hosts.ts'
import type { Snapshot } from '../../control/snapshot.ts'
import { boundGateways, gatewayNames, hostsOf, meshGateway } from '../../control/snapshot/virtual-services.ts'
import type { VirtualService } from '../../control/snapshot/virtual-services.ts'
import type { HttpMatch, HttpRule } from '../../control/virtual-service-spec.ts'
import { gatewayKey, gatewayServers, serverHosts } from '../../control/translate/gateway-servers.ts'
import type { PlacedServer } from '../../control/translate/gateway-servers.ts'
import type { ProxyNode } from '../../control/translate/proxy-node.ts'
import { canBeSent } from '../../control/translate/route/action.ts'
import { matchesEverything, obstacleTo } from '../../control/translate/route/match.ts'
import type { Obstacle } from '../../control/translate/route/match.ts'
import type { Origin } from '../../model/resource.ts'
import { at, notImported, strangers } from './strangers.ts'

export interface LeftOut {
  readonly route: string
  readonly whyNot: string
}

export interface LeftOutQuery {
  readonly proxy: ProxyNode
  readonly snapshot: Snapshot
  /** Every name by which the host may be meant, fully qualified ones included. */
  readonly hosts: readonly string[]
  /** Where the connection goes. */
  readonly port: number
  /** The VirtualService that the request matched, `namespace/name`. */
  readonly matched: string | null
  /** Whether the request found a service at all. */
  readonly declared: boolean
  /** What the client's connection met: rules for other protocols are not near. Null: nothing. */
  readonly protocol: 'http' | 'tcp' | 'tls' | null
}

/** A list is to be read by a person. */
const maxListed = 20

export function leftOut(query: LeftOutQuery): readonly LeftOut[] {
  const { snapshot, hosts, proxy } = query
  const gateways = serversAt(query).map((one) => gatewayKey(one.gateway))
  const named = snapshot.virtualServices.all.filter((one) => {
    // What is for every host of some other gateway is not near.
    const near = (host: string): boolean => host !== '*' || gateways.some((key) => boundGateways(one).has(key))
    return hostsOf(one, snapshot.mesh).some((host) => near(host) && hosts.some((asked) => covers(host, asked)))
  })
  const services = query.declared || proxy.type !== 'sidecar' ? [] : strangers(query)
  return [...services, ...named.flatMap((one) => whole(one, query) ?? blocks(one, query))].slice(0, maxListed)
}

const keyOf = ({ metadata }: VirtualService): string => `${metadata.namespace}/${metadata.name}`

function entry(one: VirtualService, path: string, origin: Origin, whyNot: string): LeftOut {
  return { route: `${path === '' ? '' : `${path} of `}VirtualService ${keyOf(one)} ${at(origin)}`, whyNot }
}

/** Why nothing of a VirtualService is there; undefined where only single blocks can be missing. */
function whole(one: VirtualService, query: LeftOutQuery): readonly LeftOut[] | undefined {
  const { proxy, snapshot, matched } = query
  const because = (whyNot: string): readonly LeftOut[] => [entry(one, '', one.origin, whyNot)]
  if (!snapshot.virtualServices.sees(proxy.namespace, one)) return because(`is not exported to namespace ${proxy.namespace}`)
  if (proxy.type !== 'sidecar') return notOffered(one, query)?.map((whyNot) => entry(one, '', one.origin, whyNot))
  const bound = gatewaysOf(one)
  if (!bound.includes(meshGateway)) return because(`is for ${bound.join(', ')}; but workloads' own requests pass no gateway: add "${meshGateway}" to its gateways`)
  const { virtualServices, sidecar } = snapshot.scopeOf(proxy, proxy.type)
  if (!virtualServices.includes(one)) return sidecar === undefined ? [] : because(notImported(sidecar))
  const delegates = (one.spec.http ?? []).some((rule) => rule.delegate !== undefined)
  if (matched === null || matched === keyOf(one) || delegates) return undefined
  return because(`VirtualService ${matched} has the host: rules of two are not merged for workloads`)
}

/** A gateway serves only hosts that both its server and the VirtualService name. */
function notOffered(one: VirtualService, query: LeftOutQuery): readonly string[] | undefined {
  const bound = boundGateways(one)
  const servers = serversAt(query).filter(({ gateway }) => bound.has(gatewayKey(gateway)))
  const hosts = servers.flatMap((server) => serverHosts(server)).filter(({ namespace }) => namespace === '*' || namespace === one.metadata.namespace)
  if (servers.length === 0 || hosts.some(({ host }) => query.hosts.some((asked) => covers(host, asked)))) return undefined
  const { gateway } = servers[0]!
  const offered = servers.flatMap(({ server }) => server.hosts).join(', ')
  return [`Gateway ${gatewayKey(gateway)} ${at(gateway.origin)} offers ${offered} at this port`]
}

function serversAt({ proxy, snapshot, port }: LeftOutQuery): readonly PlacedServer[] {
  return proxy.type === 'sidecar' ? [] : gatewayServers(proxy, snapshot).filter((one) => one.port === port)
}

function gatewaysOf(one: VirtualService): readonly string[] {
  const inBlocks = (one.spec.http ?? []).flatMap((rule) => rule.match ?? []).flatMap((match) => match.gateways ?? [])
  const { namespace } = one.metadata
  return [...new Set([...gatewayNames(one.spec.gateways, namespace), ...(inBlocks.length === 0 ? [] : gatewayNames(inBlocks, namespace))])]
}

/** Of a proxy's own VirtualServices: blocks that cannot hold for it, and what stands behind one that always holds. */
function blocks(one: VirtualService, query: LeftOutQuery): readonly LeftOut[] {
  const lists = query.protocol === null ? (['http', 'tcp', 'tls'] as const) : query.protocol === 'http' ? (['http'] as const) : (['tcp', 'tls'] as const)
  return lists.flatMap((list) => blocksOf(one, list, query))
}

/** What translation reads of a block is the same for requests and connections. */
type Rules = readonly Pick<HttpRule, 'match' | 'delegate' | 'redirect'>[]

function blocksOf(one: VirtualService, list: 'http' | 'tcp' | 'tls', query: LeftOutQuery): readonly LeftOut[] {
  const rules = (one.spec as Readonly<Partial<Record<typeof list, Rules>>>)[list] ?? []
  const context = contextOf(query)
  const found: LeftOut[] = []
  let closedBy: string | undefined
  for (const [index, rule] of rules.entries()) {
    const matches: readonly (HttpMatch | undefined)[] = rule.match === undefined || rule.match.length === 0 ? [undefined] : rule.match
    for (const [position, match] of matches.entries()) {
      const path = match === undefined ? `${list}[${index}]` : `${list}[${index}].match[${position}]`
      const origin = one.locate(match === undefined ? ['spec', list, index] : ['spec', list, index, 'match', position])
      const obstacle = obstacleTo(match ?? {}, one, context)
      const missing = rule.delegate === undefined ? unsent(rule.redirect) : missingDelegate(one, rule.delegate, query.snapshot)
      if (closedBy !== undefined) found.push(entry(one, path, origin, `is never reached: ${closedBy} takes every ${list === 'http' ? 'request' : 'connection'}`))
      else if (obstacle !== undefined) found.push(entry(one, path, origin, wordsFor(obstacle, match ?? {}, one, context)))
      else if (missing !== undefined) found.push(entry(one, path, origin, missing))
      else if (rule.delegate === undefined && (match === undefined || (list === 'http' && matchesEverything(match)))) closedBy = path
    }
  }
  return found
}

const unsent = (redirect: HttpRule['redirect']): string | undefined =>
  (redirect === undefined || canBeSent(redirect) ? undefined : `redirects with ${redirect.redirectCode}, which cannot be sent`)

function missingDelegate(root: VirtualService, delegate: { readonly name?: string | undefined; readonly namespace?: string | undefined }, { virtualServices }: Snapshot): string | undefined {
  const namespace = delegate.namespace || root.metadata.namespace
  const name = delegate.name ?? ''
  if (virtualServices.delegatesFor(root)(namespace, name) !== undefined) return undefined
  return `delegates to ${namespace}/${name}, which is no VirtualService without hosts that namespace ${root.metadata.namespace} sees`
}

type Context = Parameters<typeof obstacleTo>[2]

function contextOf(query: LeftOutQuery): Context {
  const { proxy, snapshot, port } = query
  const servers = serversAt(query)
  return {
    mesh: snapshot.mesh,
    clientNamespace: proxy.namespace,
    clientLabels: proxy.labels,
    gateways: proxy.type === 'sidecar' ? [meshGateway] : servers.map((one) => gatewayKey(one.gateway)),
    port: servers[0]?.server.port.number ?? port,
    listensForTls: false,
    serviceAt: () => undefined,
    ruleOf: () => undefined,
    delegateAt: () => undefined,
  }
}

function wordsFor(obstacle: Obstacle, match: HttpMatch, owner: VirtualService, context: Context): string {
  const pairs = (labels: Readonly<Record<string, string>>) => Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(', ') || 'none'
  switch (obstacle) {
    case 'port': return `needs: port ${match.port ?? ''}; but the request goes to ${context.port}`
    case 'gateways': {
      const named = match.gateways !== undefined && match.gateways.length > 0 ? match.gateways : owner.spec.gateways
      return `is for ${gatewayNames(named, owner.metadata.namespace).join(', ')}; but the request comes by ${context.gateways.join(', ') || 'no gateway'}`
    }
    case 'sourceLabels': return `needs: a client with labels ${pairs(match.sourceLabels ?? {})}; but it has ${pairs(context.clientLabels)}`
    case 'sourceNamespace': return `needs: a client of namespace ${match.sourceNamespace ?? ''}; but it is of ${context.clientNamespace}`
  }
}
