// The clusters of a plan: which are accepted, which still wait for their endpoints, and which were taken away but are
// still named by a route that serves. The hosts, pools and balancers behind them are proxy/upstream's.
import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { Cluster } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterLoadAssignment } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { Rejection, ResourceUpdate } from './plan-updates.ts'
import { fetchTimeoutMs } from './plan-warming.ts'
import { assignmentNameOf, checkCluster, clusterSecretNames, fleetAssignment, isZoneAware } from './xds/cluster.ts'
import { checkAssignment } from './xds/endpoint.ts'

/** What runs the clusters. `update` takes all of them and throws, changing nothing, when one cannot be compiled. */
export interface ClusterStore {
  update(clusters: readonly Cluster[]): void
  updateEndpoints(assignment: ClusterLoadAssignment): void
}

export class PlannedClusters {
  readonly #store: ClusterStore
  readonly #clock: Clock
  readonly #settle: () => void
  readonly #accepted = new Map<string, Cluster>()
  /** Taken away, but still in use; the value stops the timer that ends the grace. */
  readonly #lingering = new Map<string, { readonly cluster: Cluster; readonly cancel: () => void }>()
  readonly #assignments = new Map<string, ClusterLoadAssignment>()
  /** Assignments waited for; a given-up one stays, without a timer. */
  readonly #awaited = new Map<string, { givenUp: boolean; cancel: () => void }>()

  /** `settle` is called when a wait or a grace has ended. */
  constructor(store: ClusterStore, clock: Clock, settle: () => void) {
    this.#store = store
    this.#clock = clock
    this.#settle = settle
  }

  get accepted(): ReadonlyMap<string, Cluster> {
    return this.#accepted
  }

  get assignments(): ReadonlyMap<string, ClusterLoadAssignment> {
    return this.#assignments
  }

  /** Of the clusters. */
  assignmentNames(): readonly string[] {
    return [...new Set([...this.#accepted.values()].flatMap((cluster) => assignmentNameOf(cluster) ?? []))]
  }

  /** With that of the fleet, where a cluster cares for it: nobody waits for that one. */
  wantedAssignments(): readonly string[] {
    const names = this.assignmentNames()
    return [...this.#accepted.values()].some(isZoneAware) ? [...names, fleetAssignment] : names
  }

  secretNames(): readonly string[] {
    return [...this.#accepted.values()].flatMap(clusterSecretNames)
  }

  /** Whether the cluster can serve, or is not known at all and will not be waited for. */
  isWarm(name: string): boolean {
    const cluster = this.#accepted.get(name)
    const assignment = cluster === undefined ? undefined : assignmentNameOf(cluster)
    return assignment === undefined || this.#awaited.get(assignment)?.givenUp !== false
  }

  allWarm(): boolean {
    return [...this.#awaited.values()].every(({ givenUp }) => givenUp)
  }

  update({ changed, removed }: ResourceUpdate<Cluster>, inUse: ReadonlySet<string>): Rejection[] {
    for (const name of removed) this.#remove(name, inUse)
    const rejections = this.#accept(changed)
    this.#awaitAssignments()
    return rejections
  }

  updateEndpoints({ changed, removed }: ResourceUpdate<ClusterLoadAssignment>): Rejection[] {
    const rejections: Rejection[] = []
    for (const assignment of changed) {
      try {
        checkAssignment(assignment)
        this.#store.updateEndpoints(assignment)
        this.#assignments.set(assignment.clusterName, assignment)
        this.#arrived(assignment.clusterName)
      } catch (error) {
        rejections.push({ name: assignment.clusterName, reason: describe(error) })
      }
    }
    // A load assignment that is taken away leaves its cluster as it is (xDS: only CDS removes clusters and their hosts).
    for (const name of removed) this.#arrived(name)
    return rejections
  }

  /** Lets go of clusters that were taken away and that nothing names any more. */
  release(inUse: ReadonlySet<string>): void {
    const free = [...this.#lingering.keys()].filter((name) => !inUse.has(name))
    for (const name of free) this.#drop(name)
    if (free.length > 0) this.#apply()
  }

  close(): void {
    for (const { cancel } of [...this.#lingering.values(), ...this.#awaited.values()]) cancel()
  }

  /** All at once when all are fine; one at a time to find out which are not. */
  #accept(changed: readonly Cluster[]): Rejection[] {
    const before = new Map(this.#accepted)
    try {
      for (const cluster of changed) this.#admit(cluster)
      this.#apply()
      return []
    } catch {
      this.#accepted.clear()
      for (const [name, cluster] of before) this.#accepted.set(name, cluster)
      return this.#acceptOneByOne(changed)
    }
  }

  #acceptOneByOne(changed: readonly Cluster[]): Rejection[] {
    const rejections: Rejection[] = []
    this.#apply()
    for (const cluster of changed) {
      const before = this.#accepted.get(cluster.name)
      try {
        this.#admit(cluster)
        this.#apply()
      } catch (error) {
        rejections.push({ name: cluster.name, reason: describe(error) })
        if (before === undefined) this.#accepted.delete(cluster.name)
        else this.#accepted.set(cluster.name, before)
        this.#apply()
      }
    }
    return rejections
  }

  #admit(cluster: Cluster): void {
    checkCluster(cluster)
    this.#drop(cluster.name)
    this.#accepted.set(cluster.name, cluster)
  }

  #remove(name: string, inUse: ReadonlySet<string>): void {
    const cluster = this.#accepted.get(name)
    if (cluster === undefined) return
    this.#accepted.delete(name)
    if (!inUse.has(name)) return
    // The route that stops naming it comes after the cluster's removal: until then requests must not fail for it.
    const cancel = this.#clock.after(fetchTimeoutMs, () => {
      this.#drop(name)
      this.#apply()
      this.#settle()
    })
    this.#lingering.set(name, { cluster, cancel })
  }

  #drop(name: string): void {
    this.#lingering.get(name)?.cancel()
    this.#lingering.delete(name)
  }

  #apply(): void {
    this.#store.update([...this.#accepted.values(), ...[...this.#lingering.values()].map(({ cluster }) => cluster)])
  }

  #awaitAssignments(): void {
    const wanted = new Set(this.assignmentNames())
    for (const name of wanted) if (!this.#assignments.has(name) && !this.#awaited.has(name)) this.#await(name)
    for (const name of this.#awaited.keys()) if (!wanted.has(name)) this.#arrived(name)
    for (const name of this.#assignments.keys()) if (!wanted.has(name) && name !== fleetAssignment) this.#assignments.delete(name)
  }

  #await(name: string): void {
    const awaited = { givenUp: false, cancel: this.#clock.after(fetchTimeoutMs, () => {
      awaited.givenUp = true
      this.#settle()
    }) }
    this.#awaited.set(name, awaited)
  }

  #arrived(name: string): void {
    this.#awaited.get(name)?.cancel()
    this.#awaited.delete(name)
  }
}
