// Accepted xDS compiled into what serves: listeners, route tables, clusters. A Plan is replaced whole and never edited;
// what did not change is shared with the last one. The Planner takes updates, says which resources it rejects, and swaps
// a listener or route table in when what it depends on has arrived.
import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { Cluster } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterLoadAssignment } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { Secret } from '../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import type { CompiledListener } from './listen/compile.ts'
import { PlannedClusters } from './plan-clusters.ts'
import type { ClusterStore } from './plan-clusters.ts'
import type { Rejection, ResourceUpdate, WantedNames } from './plan-updates.ts'
import { WarmingSet } from './plan-warming.ts'
import { routeClusterNames } from './xds/route.ts'
import { meshTrustName } from '../xds/types.ts'
import { decodeSecret, localSecretNames } from './xds/secret.ts'
import type { SecretStore } from './xds/secret.ts'

/** A route table with the message that it was compiled from. */
export interface PlannedRoutes {
  readonly name: string
  readonly message: RouteConfiguration
  readonly compiled: CompiledRoutes
  readonly clusterNames: readonly string[]
}

export interface Plan {
  /** Counts up with every replacement. */
  readonly generation: number
  readonly listeners: ReadonlyMap<string, CompiledListener>
  readonly routes: ReadonlyMap<string, PlannedRoutes>
}

export const emptyPlan: Plan = { generation: 0, listeners: new Map(), routes: new Map() }

export interface PlanParts {
  readonly clock: Clock
  readonly clusters: ClusterStore
  readonly secrets: SecretStore
  compileRoutes(config: RouteConfiguration): CompiledRoutes
  /** `previous` is the version that serves now: parts that did not change are taken over from it. */
  compileListener(message: Listener, previous: CompiledListener | undefined): CompiledListener
  /** A new plan is in force. Called with the one before it. */
  onPlan(plan: Plan, before: Plan): void
  /** The names to subscribe to have changed. */
  onWanted(wanted: WantedNames): void
}

export class Planner {
  readonly clusters: PlannedClusters
  readonly #parts: PlanParts
  readonly #listeners: WarmingSet<CompiledListener>
  readonly #routes: WarmingSet<PlannedRoutes>
  readonly #seen = new Set<string>()
  readonly #becameReady = Promise.withResolvers<void>()
  #plan = emptyPlan
  #wanted = ''
  #ready = false

  constructor(parts: PlanParts) {
    const settle = () => this.#settle()
    this.#parts = parts
    this.clusters = new PlannedClusters(parts.clusters, parts.clock, settle)
    this.#listeners = new WarmingSet(parts.clock, settle)
    this.#routes = new WarmingSet(parts.clock, settle)
    parts.secrets.onChange(settle)
  }

  get plan(): Plan {
    return this.#plan
  }

  /** The first clusters and listeners were accepted, and all that they depend on has arrived or was given up. */
  get ready(): boolean {
    return this.#ready
  }

  get whenReady(): Promise<void> {
    return this.#becameReady.promise
  }

  /** Names of listeners and route tables that wait for something. */
  get warming(): number {
    return this.#listeners.waitingCount + this.#routes.waitingCount
  }

  updateClusters(update: ResourceUpdate<Cluster>): Rejection[] {
    const rejections = this.clusters.update(update, this.#clustersInUse())
    this.#seen.add('clusters')
    this.#settle()
    return rejections
  }

  updateEndpoints(update: ResourceUpdate<ClusterLoadAssignment>): Rejection[] {
    const rejections = this.clusters.updateEndpoints(update)
    this.#settle()
    return rejections
  }

  updateListeners({ changed, removed }: ResourceUpdate<Listener>): Rejection[] {
    for (const name of removed) this.#listeners.remove(name)
    const rejections = collect(changed, (message) => {
      this.#listeners.put(this.#parts.compileListener(message, this.#listeners.newest(message.name)))
    })
    this.#seen.add('listeners')
    this.#settle(removed.length > 0)
    return rejections
  }

  updateRoutes({ changed, removed }: ResourceUpdate<RouteConfiguration>): Rejection[] {
    // A table that is taken away while a listener names it stays: answering 404 would be worse than the last good table.
    const named = this.#routeNames()
    for (const name of removed) if (!named.has(name)) this.#routes.remove(name)
    const rejections = collect(changed, (message) => {
      const clusterNames = routeClusterNames(message)
      this.#routes.put({ name: message.name, message, compiled: this.#parts.compileRoutes(message), clusterNames })
    })
    this.#settle()
    return rejections
  }

  updateSecrets({ changed, removed }: ResourceUpdate<Secret>): Rejection[] {
    for (const name of removed) this.#parts.secrets.remove(name)
    const rejections = collect(changed, (message) => this.#parts.secrets.set(message.name, decodeSecret(message)))
    for (const { name } of rejections) this.#parts.secrets.refuse(name)
    return rejections
  }

  close(): void {
    this.#listeners.close()
    this.#routes.close()
    this.clusters.close()
  }

  /** Swaps in what misses nothing any more, route tables first: listeners wait for them. */
  #settle(force = false): void {
    const routes = this.#routes.settle(({ clusterNames }) => clusterNames.every((name) => this.clusters.isWarm(name)))
    const listeners = this.#listeners.settle((listener) => this.#isComplete(listener))
    const pruned = this.#pruneRoutes()
    if (routes || listeners || pruned || force) this.#replace()
    this.clusters.release(this.#clustersInUse())
    this.#announce()
    this.#checkReady()
  }

  #isComplete({ routeNames, secretNames, clusterNames }: CompiledListener): boolean {
    return (
      routeNames.every((name) => this.#routes.active.has(name)) &&
      secretNames.every((name) => this.#parts.secrets.isAnswered(name)) &&
      clusterNames.every((name) => this.clusters.isWarm(name))
    )
  }

  #replace(): void {
    const before = this.#plan
    this.#plan = { generation: before.generation + 1, listeners: this.#listeners.active, routes: this.#routes.active }
    this.#parts.onPlan(this.#plan, before)
  }

  #clustersInUse(): ReadonlySet<string> {
    const inUse = new Set<string>()
    for (const { clusterNames } of this.#routes.all()) for (const name of clusterNames) inUse.add(name)
    for (const { clusterNames } of this.#listeners.all()) for (const name of clusterNames) inUse.add(name)
    return inUse
  }

  #routeNames(): ReadonlySet<string> {
    return new Set([...this.#listeners.all()].flatMap(({ routeNames }) => routeNames))
  }

  /** Drops tables that no listener names. Connections of listeners that are gone keep the last table they had. */
  #pruneRoutes(): boolean {
    const named = this.#routeNames()
    const unused = [...this.#routes.all()].filter(({ name }) => !named.has(name))
    for (const { name } of unused) this.#routes.remove(name)
    return unused.length > 0
  }

  #announce(): void {
    const routes = this.#routeNames()
    const secrets = new Set([...this.#listeners.all()].flatMap(({ secretNames }) => secretNames))
    for (const name of this.clusters.secretNames()) secrets.add(name)
    if (secrets.has('ROOTCA')) secrets.add(meshTrustName)
    const wanted: WantedNames = {
      endpoints: [...this.clusters.wantedAssignments()].sort(),
      routes: [...routes].sort(),
      secrets: [...secrets].filter((name) => !localSecretNames.has(name)).sort(),
    }
    const key = JSON.stringify(wanted)
    if (key === this.#wanted) return
    this.#wanted = key
    this.#parts.onWanted(wanted)
  }

  #checkReady(): void {
    const complete = this.#seen.size === 2 && this.warming === 0 && this.clusters.allWarm()
    if (this.#ready || !complete) return
    this.#ready = true
    this.#becameReady.resolve()
  }
}

/** Runs `take` for each; what throws is rejected, the others are taken. */
function collect<Message extends { readonly name: string }>(messages: readonly Message[], take: (message: Message) => void): Rejection[] {
  const rejections: Rejection[] = []
  for (const message of messages) {
    try {
      take(message)
    } catch (error) {
      rejections.push({ name: message.name, reason: describe(error) })
    }
  }
  return rejections
}
