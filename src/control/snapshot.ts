// The frozen, indexed world that one push sees. It keeps every object of the last snapshot that still says the same, so
// translators can compare by identity. Resources that cannot be translated are kept out, or held at their last good
// version, by the caller (status/admission.ts).
import { isDeepStrictEqual } from 'node:util'
import type { Resource } from '../model/resource.ts'
import type { Endpoint, Service } from '../model/service.ts'
import type { Workload } from '../model/workload.ts'
import { selects } from './hosts.ts'
import { internList, sameItems } from './intern.ts'
import { AttachedPolicies } from './snapshot/attached.ts'
import type { RequestAuthentication } from './snapshot/request-authentication.ts'
import type { AuthorizationPolicy } from './snapshot/authorization.ts'
import { meshSettings } from './mesh-settings.ts'
import type { MeshSettings } from './mesh-settings.ts'
import { DestinationRuleIndex } from './snapshot/destination-rules.ts'
import type { DestinationRule } from './snapshot/destination-rules.ts'
import { settledModes } from './peer-mode-switch.ts'
import type { PeerModes } from './peer-mode-switch.ts'
import { PeerAuthenticationIndex } from './snapshot/peer-authentication.ts'
import type { PeerAuthentication } from './snapshot/peer-authentication.ts'
import { EndpointIndex, ServiceIndex, WorkloadIndex, servicesOf } from './snapshot/services.ts'
import { sidecarFor, sidecarScope } from './snapshot/sidecars.ts'
import type { Sidecar, SidecarScope } from './snapshot/sidecars.ts'
import { VirtualServiceIndex } from './snapshot/virtual-services.ts'
import type { VirtualService } from './snapshot/virtual-services.ts'
import type { GatewaySpec } from './specs.ts'

export type Gateway = Resource<GatewaySpec>

/** PEM: roots of the mesh, and what is revoked, or empty. */
export interface MeshTrust {
  readonly roots: string
  readonly crl: string
}

/** What all sources together say. */
export interface World {
  readonly resources: readonly Resource[]
  readonly services: readonly Service[]
  readonly workloads: readonly Workload[]
  readonly endpoints: readonly Endpoint[]
  readonly mesh?: MeshSettings | undefined
  /** Keys of issuers, by where they come from (jwks/key-store.ts). The same map while they are the same. */
  readonly keySets?: ReadonlyMap<string, string> | undefined
  readonly trust?: MeshTrust | undefined
}

/** Anything that is a client or server in the mesh: a proxy's node, a workload. */
export interface Peer {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: readonly string[]
}

export interface Snapshot {
  readonly generation: number
  readonly mesh: MeshSettings
  readonly resources: readonly Resource[]
  readonly services: ServiceIndex
  readonly endpoints: EndpointIndex
  readonly workloads: WorkloadIndex
  readonly virtualServices: VirtualServiceIndex
  readonly destinationRules: DestinationRuleIndex
  readonly peerAuthentications: PeerAuthenticationIndex
  /** The same, while a change of it is under way. */
  readonly peerModes: PeerModes
  readonly authorizations: AttachedPolicies<AuthorizationPolicy>
  readonly requestAuthentications: AttachedPolicies<RequestAuthentication>
  readonly keySets: ReadonlyMap<string, string>
  /** Undefined until there is a CA. */
  readonly trust: MeshTrust | undefined
  readonly sidecars: readonly Sidecar[]
  /** By age. */
  readonly gateways: readonly Gateway[]
  /** Kinds with a change since the last snapshot, and `Endpoint`, `HeadlessEndpoint`, `Service`, `Workload`, `MeshConfig`, `KeySet`, `Trust`. */
  readonly changed: ReadonlySet<string>
  scopeOf(peer: Pick<Peer, 'namespace' | 'labels'>, type: string): SidecarScope
  servicesOf(peer: Peer): readonly Service[]
  gatewaysFor(labels: Readonly<Record<string, string>>): readonly Gateway[]
  /** What the next snapshot shares. */
  readonly world: World
  /** By age. The same list as before where nothing of the kind changed. */
  ofKind(kind: string): readonly Resource[]
  /** The newest scope of each key, in whichever snapshot it was asked for. */
  readonly lastScopes: Map<string, SidecarScope>
  /** Resources as they were written, also those that an earlier version stands in for. */
  readonly written: readonly Resource[]
}

/** Namespaces and Sidecars of a very large mesh; what is dropped is made again. */
const maxScopes = 10_000

const defaultMesh = meshSettings()
const noKeys: ReadonlyMap<string, string> = new Map()
const empty: World = { resources: [], services: [], workloads: [], endpoints: [] }

/** `written`: resources before admission. `modesFor`: where changes of peer modes are made in steps. */
export function createSnapshot(given: World, earlier?: Snapshot, written: readonly Resource[] = given.resources, modesFor: (target: PeerAuthenticationIndex) => PeerModes = settledModes): Snapshot {
  const world = internWorld(given, earlier?.world ?? empty)
  const before = earlier?.world ?? empty
  const mesh = world.mesh ?? defaultMesh
  const byKind = groupByKind(world.resources, earlier)
  const services = world.services === before.services && earlier?.mesh === mesh ? earlier.services : new ServiceIndex(world.services, mesh)
  const endpoints = world.endpoints === before.endpoints && earlier !== undefined
    ? earlier.endpoints : new EndpointIndex(world.endpoints, earlier?.endpoints)
  const indexes = indexesOf(byKind, mesh, earlier)
  const { virtualServices } = indexes
  const peerModes = modesFor(indexes.peerAuthentications)
  const sidecars = byKind('Sidecar') as readonly Sidecar[]
  const gateways = byKind('Gateway') as readonly Gateway[]
  const scopes = new Map<string, SidecarScope>()
  const lastScopes = earlier?.lastScopes ?? new Map<string, SidecarScope>()
  const owned = new WeakMap<object, readonly Service[]>()
  const parts = { mesh, services, virtualServices }
  return Object.freeze<Snapshot>({
    generation: (earlier?.generation ?? 0) + 1,
    world,
    written,
    mesh,
    resources: world.resources,
    services,
    endpoints,
    workloads: earlier !== undefined && world.workloads === before.workloads ? earlier.workloads : new WorkloadIndex(world.workloads),
    ...indexes,
    peerModes,
    keySets: world.keySets ?? noKeys,
    trust: world.trust,
    sidecars,
    gateways,
    changed: changesTo(world, peerModes, earlier),
    ofKind: byKind,
    lastScopes,
    scopeOf(peer, type) {
      const sidecar = type === 'sidecar' ? sidecarFor(sidecars, peer, mesh.rootNamespace) : undefined
      const key = `${peer.namespace} ${sidecar === undefined ? '' : `${sidecar.metadata.namespace}/${sidecar.metadata.name}`}`
      const known = scopes.get(key)
      if (known !== undefined) return known
      const scope = sidecarScope(parts, peer.namespace, sidecar, lastScopes.get(key))
      if (lastScopes.size >= maxScopes) lastScopes.clear()
      lastScopes.set(key, scope)
      scopes.set(key, scope)
      return scope
    },
    servicesOf(peer) {
      const found = owned.get(peer) ?? servicesOf(services, endpoints, peer)
      owned.set(peer, found)
      return found
    },
    gatewaysFor: (labels) => gateways.filter((one) => selects(one.spec.selector ?? {}, labels)),
  })
}

/** The objects of `before` where `now` says the same. */
export function internResources(before: readonly Resource[], now: readonly Resource[]): readonly Resource[] {
  return internList(before, now, (one) => `${one.kind}/${one.metadata.namespace}/${one.metadata.name}`, sameResource)
}

function internWorld(given: World, before: World): World {
  return {
    resources: internResources(before.resources, given.resources),
    services: internList(before.services, given.services, (one) => `${one.namespace}/${one.hostname}`),
    workloads: internList(before.workloads, given.workloads, (one) => `${one.namespace}/${one.name}`),
    endpoints: internList(before.endpoints, given.endpoints, (one) => `${one.namespace}/${one.hostname}/${one.servicePortName}/${one.address}/${one.port}`),
    mesh: sameMesh(before.mesh, given.mesh) ? before.mesh : given.mesh,
    keySets: given.keySets,
    trust: isDeepStrictEqual(before.trust, given.trust) ? before.trust : given.trust,
  }
}

const sameMesh = (one: MeshSettings | undefined, other: MeshSettings | undefined): boolean => JSON.stringify(one) === JSON.stringify(other)

function sameResource(one: Resource, other: Resource): boolean {
  return isDeepStrictEqual(content(one), content(other))
}

const content = (one: Resource): object => ({ apiVersion: one.apiVersion, metadata: one.metadata, spec: one.spec, origin: one.origin })

type ByKind = Snapshot['ofKind']

/** Of resources of one kind each; the index of before where they are those of before. Not in the snapshot's own closure: that would keep the earlier one. */
function indexesOf(byKind: ByKind, mesh: MeshSettings, earlier: Snapshot | undefined): Pick<Snapshot, 'virtualServices' | 'destinationRules' | 'peerAuthentications' | 'authorizations' | 'requestAuthentications'> {
  const index = <Of extends Resource, Index>(kind: string, before: Index | undefined, make: (all: readonly Of[]) => Index): Index =>
    (before !== undefined && earlier?.mesh === mesh && byKind(kind) === earlier.ofKind(kind) ? before : make(byKind(kind) as readonly Of[]))
  return {
    virtualServices: index('VirtualService', earlier?.virtualServices, (all: readonly VirtualService[]) => new VirtualServiceIndex(all, mesh)),
    destinationRules: index('DestinationRule', earlier?.destinationRules, (all: readonly DestinationRule[]) => new DestinationRuleIndex(all, mesh, earlier?.destinationRules)),
    peerAuthentications: index('PeerAuthentication', earlier?.peerAuthentications, (all: readonly PeerAuthentication[]) => new PeerAuthenticationIndex(all, mesh.rootNamespace)),
    authorizations: index('AuthorizationPolicy', earlier?.authorizations, (all: readonly AuthorizationPolicy[]) => new AttachedPolicies(all, mesh.rootNamespace)),
    requestAuthentications: index('RequestAuthentication', earlier?.requestAuthentications, (all: readonly RequestAuthentication[]) => new AttachedPolicies(all, mesh.rootNamespace)),
  }
}

/** By kind, the oldest first; documents without a time stamp come after, in their order of appearance. */
function groupByKind(resources: readonly Resource[], earlier: Snapshot | undefined): ByKind {
  if (earlier !== undefined && earlier.resources === resources) return earlier.ofKind
  const groups = Map.groupBy(resources, (one) => one.kind)
  const sorted = new Map<string, readonly Resource[]>()
  for (const [kind, group] of groups) {
    const now = group.sort(byAge)
    const before = earlier?.ofKind(kind) ?? []
    sorted.set(kind, sameItems(before, now) ? before : now)
  }
  return (kind) => sorted.get(kind) ?? none
}

const none: readonly never[] = []

function byAge(one: Resource, other: Resource): number {
  const [at, otherAt] = [one.metadata.creationTimestamp, other.metadata.creationTimestamp]
  if (at === undefined || otherAt === undefined) return Number(at === undefined) - Number(otherAt === undefined)
  if (at !== otherAt) return at - otherAt
  return one.metadata.name.localeCompare(other.metadata.name, 'en') || one.metadata.namespace.localeCompare(other.metadata.namespace, 'en')
}

/** Those of headless services have a listener each at sidecars; those of services without a selector say whose workload is behind them. */
function endpointsOfHeadless({ services, endpoints }: World): readonly Endpoint[] {
  const headless = new Set(services.filter((one) => one.resolution === 'passthrough' || (one.selector === undefined && one.resolution !== 'alias')).map((one) => `${one.namespace}/${one.hostname}`))
  return headless.size === 0 ? [] : endpoints.filter((one) => headless.has(`${one.namespace}/${one.hostname}`))
}

function changesTo(world: World, { clients, others }: PeerModes, earlier: Snapshot | undefined): ReadonlySet<string> {
  const changed = changes(earlier?.world ?? empty, world)
  if (earlier !== undefined && (earlier.peerModes.clients !== clients || !sameItems(earlier.peerModes.others, others))) changed.add('PeerAuthentication')
  return changed
}

function changes(before: World, now: World): Set<string> {
  const changed = new Set<string>()
  if (before.services !== now.services) changed.add('Service')
  if (before.workloads !== now.workloads) changed.add('Workload')
  if (before.endpoints !== now.endpoints) {
    changed.add('Endpoint')
    if (!sameItems(endpointsOfHeadless(before), endpointsOfHeadless(now))) changed.add('HeadlessEndpoint')
  }
  if (before.mesh !== now.mesh) changed.add('MeshConfig')
  if (before.trust !== now.trust) changed.add('Trust')
  if (before.keySets !== now.keySets && now.keySets !== undefined) changed.add('KeySet')
  if (before.resources === now.resources) return changed
  const old = Map.groupBy(before.resources, (one) => one.kind)
  const fresh = Map.groupBy(now.resources, (one) => one.kind)
  for (const kind of new Set([...old.keys(), ...fresh.keys()])) {
    if (!sameItems(old.get(kind) ?? [], fresh.get(kind) ?? [])) changed.add(kind)
  }
  return changed
}
