// The servers of the Gateways that select a proxy, put together by port (traffic spec 4.1): on which port each really
// listens, what it speaks, and which of two that cannot share a port gives way: the younger.
import type { Gateway, Snapshot } from '../snapshot.ts'
import type { GatewayServer } from '../specs.ts'
import { peerOf, targetPortOf, workloadOf } from './inbound-ports.ts'
import type { ProxyNode } from './proxy-node.ts'

export type ServerFamily = 'http' | 'tls' | 'tcp'

export interface PlacedServer {
  readonly gateway: Gateway
  readonly index: number
  readonly server: GatewayServer
  readonly family: ServerFamily
  /** Where the listener opens, which is the target port of the gateway's Service. */
  readonly port: number
  readonly bind: string
  /** RDS name; empty for servers without HTTP. */
  readonly route: string
}

const httpProtocols = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']
const tlsProtocols = ['HTTPS', 'TLS']

/** A server that gives way to an older one. */
export interface RefusedServer {
  readonly server: PlacedServer
  readonly other: PlacedServer
}

export interface Placement {
  readonly accepted: readonly PlacedServer[]
  readonly refused: readonly RefusedServer[]
}

const placed = new WeakMap<Snapshot, WeakMap<ProxyNode, Placement>>()

export const gatewayServers = (proxy: ProxyNode, snapshot: Snapshot): readonly PlacedServer[] => placeServers(proxy, snapshot).accepted

export function placeServers(proxy: ProxyNode, snapshot: Snapshot): Placement {
  const known = placed.get(snapshot)?.get(proxy)
  if (known !== undefined) return known
  const found = place(proxy, snapshot)
  const byProxy = placed.get(snapshot) ?? new WeakMap<ProxyNode, Placement>()
  byProxy.set(proxy, found)
  placed.set(snapshot, byProxy)
  return found
}

function place(proxy: ProxyNode, snapshot: Snapshot): Placement {
  const families = new Map<string, ServerFamily>()
  const accepted: PlacedServer[] = []
  const refused: RefusedServer[] = []
  for (const one of snapshot.gatewaysFor(peerOf(proxy, snapshot).labels).flatMap((gateway) => serversOf(gateway, proxy, snapshot))) {
    const at = `${one.bind} ${one.port}`
    const family = families.get(at)
    const other = family === undefined || family === one.family ? accepted.find((each) => clash(one, each)) : accepted.find((each) => isAt(one, each))
    if (other !== undefined) {
      refused.push({ server: one, other })
      continue
    }
    families.set(at, one.family)
    accepted.push(one)
  }
  return { accepted, refused }
}

const isAt = (one: PlacedServer, other: PlacedServer): boolean => one.port === other.port && one.bind === other.bind

/**
 * Two servers of one port that end TLS must differ in their hosts: the server name chooses between them. Those that pass it
 * on may share hosts: they take the names of their routes.
 */
function clash(one: PlacedServer, other: PlacedServer): boolean {
  if (!isAt(one, other)) return false
  if (one.family === 'tcp') return true
  if (one.family === 'http' || passesTlsOn(one) || passesTlsOn(other)) return false
  if (one.route !== '' && one.route === other.route) return true
  return serverHosts(one).some((host) => serverHosts(other).some((mine) => mine.host === host.host))
}

function serversOf(gateway: Gateway, proxy: ProxyNode, snapshot: Snapshot): readonly PlacedServer[] {
  return (gateway.spec.servers ?? []).map((server, index) => {
    const port = listenPort(server.port.number, proxy, snapshot)
    const bind = server.bind ?? ''
    const family = familyOf(server)
    return { gateway, index, server, family, port, bind, route: routeName(gateway, server, family, port, bind) }
  })
}

function familyOf(server: GatewayServer): ServerFamily {
  const protocol = server.port.protocol.toUpperCase()
  return httpProtocols.includes(protocol) ? 'http' : tlsProtocols.includes(protocol) ? 'tls' : 'tcp'
}

/** Without a mode, as in protobuf, it is the first one. */
export const tlsModeOf = ({ tls }: Pick<GatewayServer, 'tls'>): string => tls?.mode ?? 'PASSTHROUGH'

/** Whether the proxy ends TLS and reads HTTP. */
export const terminatesHttps = (one: PlacedServer): boolean => one.family === 'tls' && readsHttps(one.server)

/** TLS goes on as it comes, by its server name. */
export const passesTlsOn = (one: PlacedServer): boolean => one.family === 'tls' && tlsModeOf(one.server).endsWith('PASSTHROUGH')

const readsHttps = (server: GatewayServer): boolean =>
  server.port.protocol.toUpperCase() === 'HTTPS' && !tlsModeOf(server).endsWith('PASSTHROUGH')

function routeName(gateway: Gateway, server: GatewayServer, family: ServerFamily, port: number, bind: string): string {
  const suffix = bind === '' ? '' : `.${bind}`
  if (family === 'http') return `http.${port}${suffix}`
  return readsHttps(server) ? `https.${port}.${server.port.name}.${gateway.metadata.name}.${gateway.metadata.namespace}${suffix}` : ''
}

/**
 * A server names a port of the gateway's Service; the listener opens what that Service targets. Without a Service it is the
 * port itself: where that takes root which the proxy has not got, the proxy says so, or stands elsewhere (agent/gateway-ports).
 */
function listenPort(number: number, proxy: ProxyNode, snapshot: Snapshot): number {
  const workload = workloadOf(proxy, snapshot)
  for (const service of snapshot.servicesOf(peerOf(proxy, snapshot))) {
    const port = service.ports.find((one) => one.number === number)
    const target = port === undefined ? undefined : targetPortOf(port, workload)
    if (target !== undefined) return target
  }
  return number
}

export interface ServerHost {
  /** Where a VirtualService must live: `*` for anywhere. */
  readonly namespace: string
  readonly host: string
}

/** `ns/host`, `./host`, `host`. */
export function serverHosts(one: Pick<PlacedServer, 'gateway' | 'server'>): readonly ServerHost[] {
  return one.server.hosts.map((text) => {
    const slash = text.indexOf('/')
    const namespace = slash < 0 ? '*' : text.slice(0, slash)
    return { namespace: namespace === '.' ? one.gateway.metadata.namespace : namespace, host: text.slice(slash + 1).toLowerCase() }
  })
}

export const gatewayKey = (gateway: Gateway): string => `${gateway.metadata.namespace}/${gateway.metadata.name}`
