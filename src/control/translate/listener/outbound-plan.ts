// Which listeners a sidecar has for the services that it reaches, and which services share one (traffic spec 3.2): by
// address and port. Of two that want the same connections the first one has them: Kubernetes' services before others, then
// the oldest.
import type { Service, ServicePort } from '../../../model/service.ts'
import type { Snapshot } from '../../snapshot.ts'
import { importedBy } from '../../snapshot/sidecars.ts'
import type { SidecarScope } from '../../snapshot/sidecars.ts'
import { meshGateway } from '../../snapshot/virtual-services.ts'
import type { VirtualService } from '../../snapshot/virtual-services.ts'
import { grpcOf, speaksTls } from '../cluster/protocol.ts'
import { listenerName } from '../names.ts'
import { addressRanges, forwardTable, portsReached, sharedPorts, sniffedRoute, virtualAddresses } from '../outbound-ports.ts'
import type { Egress, PortOfService, Reach } from '../outbound-ports.ts'
import { isDualStack } from '../proxy-node.ts'
import type { ProxyNode } from '../proxy-node.ts'
import type { GrpcKind } from './filters.ts'
import { hasByteRules, servicePortChains } from './l4-routes.ts'
import type { ByteChain, ByteClient, KnownBy } from './l4-routes.ts'

export const anyAddress = '0.0.0.0'

interface BytesOf extends PortOfService {
  readonly known: KnownBy
}

/** One listener. */
export interface Bind {
  readonly address: string
  readonly port: number
  /** Route table of its HTTP; empty for none. */
  routes: string
  /** Of the services that share the table. */
  grpc: GrpcKind
  /** Whose table that is, where it is one service's. */
  service: Service | undefined
  declaredBytes: boolean
  /** It opens: nothing captures for it. */
  binds: boolean
  readonly bytes: BytesOf[]
}

export type OutboundPlan = ReadonlyMap<string, Bind>

/** Of what it is made: a scope may be that of an earlier snapshot, with other endpoints. */
interface MadePlan {
  readonly plan: OutboundPlan
  readonly endpoints: Snapshot['endpoints']
}

const plans = new WeakMap<SidecarScope, WeakMap<ProxyNode, MadePlan>>()

/** By name of the listener. */
export function outboundPlan(proxy: ProxyNode, snapshot: Snapshot): OutboundPlan {
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const known = plans.get(scope)?.get(proxy)
  if (known?.endpoints === snapshot.endpoints) return known.plan
  const plan = makePlan(proxy, snapshot, scope)
  const byProxy = plans.get(scope) ?? new WeakMap<ProxyNode, MadePlan>()
  byProxy.set(proxy, { plan, endpoints: snapshot.endpoints })
  plans.set(scope, byProxy)
  return plan
}

const alone: KnownBy = { subnets: [], serverNames: [] }

function makePlan(proxy: ProxyNode, snapshot: Snapshot, scope: SidecarScope): OutboundPlan {
  const plan = new Map<string, Bind>()
  const at = (address: string, port: number): Bind => {
    const name = listenerName(address, port)
    const bind = plan.get(name) ?? { address, port, routes: '', grpc: 'none', service: undefined, declaredBytes: false, binds: false, bytes: [] }
    plan.set(name, bind)
    return bind
  }
  const add = (address: string, reached: PortOfService, known: KnownBy, port = reached.port.number) => {
    const bind = at(address, port)
    bind.bytes.push({ ...reached, known })
    bind.declaredBytes ||= reached.port.protocol !== 'auto' && !speaksTls(reached.port)
  }
  const shared = sharedHttp(scope)
  for (const [port, http] of shared) Object.assign(at(anyAddress, port), http)
  for (const reached of portsReached(scope, 'sniffed')) {
    for (const address of virtualAddresses(reached.service)) {
      const bind = at(address, reached.port.number)
      if (bind.routes === '') Object.assign(bind, { routes: sniffedRoute(reached.service, reached.port), service: reached.service })
      add(address, reached, alone)
    }
  }
  for (const reached of portsReached(scope, 'opaque')) {
    for (const address of virtualAddresses(reached.service)) add(address, reached, knownAtOwn(reached))
    if (addressRanges(reached.service).length > 0 || isElsewhere(reached, proxy)) add(anyAddress, reached, knownAnywhere(reached))
  }
  for (const reached of portsReached(scope, 'any-address')) add(anyAddress, reached, knownAnywhere(reached))
  for (const reached of portsReached(scope, 'endpoints')) {
    for (const address of endpointAddresses(reached, proxy, snapshot)) add(address, reached, alone)
  }
  for (const { address, port, binds, bytes, http } of ownListeners(scope)) {
    if (http !== undefined) Object.assign(at(address, port), http)
    else if (shared.has(port)) Object.assign(at(address, port), shared.get(port))
    for (const reached of bytes) add(address, reached, alone, port)
    const bind = plan.get(listenerName(address, port))
    if (bind !== undefined) bind.binds = binds
  }
  return plan
}

/** Where clients know nothing of an address that was allocated, they go to whatever their own resolver says. */
const isElsewhere = ({ service }: PortOfService, proxy: ProxyNode): boolean => service.autoAllocated === true && !proxy.capturesDns

/** By port, ascending. */
function sharedHttp(scope: SidecarScope): ReadonlyMap<number, Pick<Bind, 'routes' | 'grpc'>> {
  const byPort = Map.groupBy(portsReached(scope, 'shared'), ({ port }) => port.number)
  return new Map(sharedPorts(scope).map((port) => [port, { routes: String(port), grpc: grpcOf(byPort.get(port)!.map((one) => one.port.protocol)) }]))
}

interface OwnListener {
  readonly address: string
  readonly port: number
  readonly binds: boolean
  readonly bytes: readonly PortOfService[]
  /** Of a forward proxy and of a unix socket: on others it is that of the port. */
  readonly http?: Pick<Bind, 'routes' | 'grpc'>
}

/**
 * Egress listeners that a Sidecar resource asks for by address, or because nothing captures: workloads connect to them, so
 * the first service of bytes that is imported for the port has all that does not look like HTTP.
 */
function ownListeners(scope: SidecarScope): readonly OwnListener[] {
  return (scope.sidecar?.spec.egress ?? []).flatMap((listener): OwnListener[] => {
    const { port, bind = '', captureMode } = listener
    if (port !== undefined && bind.startsWith('unix://')) return [unixListener(scope, listener, bind)]
    const binds = captureMode === 'NONE'
    const routes = forwardTable(listener)
    if (routes !== undefined) {
      return [{ address: bind || (binds ? '127.0.0.1' : anyAddress), port: port!.number, binds, bytes: [], http: { routes, grpc: grpcImported(scope, listener) } }]
    }
    if (port === undefined || (bind === '' && !binds)) return []
    const bytes = (['opaque', 'any-address', 'endpoints'] as const).flatMap((reach) => portsReached(scope, reach).filter((one) => one.port.number === port.number))
    return [{ address: bind === '' ? '127.0.0.1' : bind, port: port.number, binds, bytes: bytes.slice(0, 1) }]
  })
}

/** Requests say by their authority to which service and port they go; bytes go to the first service that there is for them. */
function unixListener(scope: SidecarScope, listener: Egress, bind: string): OwnListener {
  const own = { address: bind, port: 0, binds: true }
  const routes = forwardTable(listener)
  if (routes !== undefined) return { ...own, bytes: [], http: { routes, grpc: grpcImported(scope, listener) } }
  return { ...own, bytes: importedPorts(scope, listener, ['opaque', 'any-address', 'endpoints']).slice(0, 1) }
}

function importedPorts(scope: SidecarScope, listener: Egress, reaches: readonly Reach[]): readonly PortOfService[] {
  const imported = importedBy(listener, scope.sidecar!.metadata.namespace, scope.services)
  return reaches.flatMap((reach) => portsReached(scope, reach).filter((one) => imported.includes(one.service)))
}

const grpcImported = (scope: SidecarScope, listener: Egress): GrpcKind => grpcOf(importedPorts(scope, listener, ['shared', 'sniffed']).map((one) => one.port.protocol))

/** Its address says who is meant; to whom names below it lead, only the name that a client asks for. */
const knownAtOwn = ({ service, port }: PortOfService): KnownBy =>
  service.resolution === 'dynamic-dns' && speaksTls(port) ? { subnets: [], serverNames: [service.hostname] } : alone

/** By ranges of addresses; else, where it speaks TLS, by the name that clients ask for. */
function knownAnywhere({ service, port }: PortOfService): KnownBy {
  const subnets = addressRanges(service)
  return { subnets, serverNames: subnets.length === 0 && speaksTls(port) ? [service.hostname] : [] }
}

/** Of a headless service, without the proxy's own: what a workload sends to itself does not come here. */
function endpointAddresses({ service, port }: PortOfService, proxy: ProxyNode, snapshot: Snapshot): readonly string[] {
  const all = snapshot.endpoints.of(service, port).flatMap(({ address, furtherAddresses = [] }) => [address, ...(isDualStack(proxy) ? furtherAddresses : [])])
  return [...new Set(all)].filter((address) => !proxy.addresses.includes(address))
}

const rulesOfScope = new WeakMap<SidecarScope, readonly VirtualService[]>()

function byteRules(scope: SidecarScope): readonly VirtualService[] {
  const found = rulesOfScope.get(scope) ?? scope.virtualServices.filter(hasByteRules)
  rulesOfScope.set(scope, found)
  return found
}

/** Where the bytes of a listener go. */
export function chainsAt(bind: Bind, proxy: ProxyNode, snapshot: Snapshot): readonly ByteChain[] {
  const scope = snapshot.scopeOf(proxy, proxy.type)
  const client: ByteClient = {
    mesh: snapshot.mesh, namespace: proxy.namespace, labels: proxy.labels, gateway: meshGateway, port: bind.port,
    serviceAt: scope.serviceAt,
    ruleOf: (service) => snapshot.destinationRules.lookup(proxy, service),
  }
  return bind.bytes.flatMap(({ service, port, known }: { service: Service; port: ServicePort; known: KnownBy }) =>
    servicePortChains(byteRules(scope), service, port, known, client))
}
