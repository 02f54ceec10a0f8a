// All clusters of one proxy: takes Cluster and ClusterLoadAssignment messages, keeps what did not change as it is, starts
// what is new, and lets what was replaced or removed finish its work. Waiting for endpoints is proxy/plan's.
import { equals } from '@bufbuild/protobuf'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { resolveName } from '../../net/resolve.ts'
import type { ResolveName } from '../../net/resolve.ts'
import { ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster as ClusterMessage } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterStatus } from '../admin/clusters.ts'
import type { Secrets } from '../identity/secrets.ts'
import type { UpstreamSide } from '../proxy-parts.ts'
import { fleetAssignment } from '../xds/cluster.ts'
import { decodeEndpoints } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import { MeshEndpoints } from './mesh-endpoints.ts'
import { Connector } from './pool/connector.ts'
import { RunningCluster } from './running-cluster.ts'
import type { RunningClusterParts } from './running-cluster.ts'
import type { ClusterSharing } from './sharing.ts'
import type { StatLine } from './stats.ts'
import { TlsContexts } from './tls-contexts.ts'
import type { Cluster } from './types.ts'
import { fleetOf } from './zone-aware.ts'
import type { Fleet } from './zone-aware.ts'

export interface ClustersParts {
  readonly secrets: Secrets
  /** Where an address really is, when that differs. */
  dial(address: Address, tls: boolean): Address
  /** Clusters say where connections to their hosts come from. */
  readonly bindsSources?: boolean
  readonly clock?: Clock
  /** A number in [0, 1). */
  readonly random?: () => number
  readonly resolve?: ResolveName
  /** `region/zone/subzone` of this proxy; empty for none. */
  readonly locality?: string
  readonly sharing?: ClusterSharing | undefined
  /** One line for people. */
  readonly log?: (line: string) => void
}

/** What a proxy needs of its upstream side, and its counters. */
export interface Clusters extends UpstreamSide {
  /** `cluster.NAME.upstream_rq_total` and so on. */
  stats(): readonly StatLine[]
  /** Clusters that were replaced or removed and still carry something. */
  readonly retired: number
}

export function openClusters(parts: ClustersParts): Clusters {
  return new ClusterSet(parts)
}

/** How late an idle connection may be closed. Nothing that is too old is used meanwhile. */
const sweepMs = 1_000

class ClusterSet implements Clusters {
  readonly #clock: Clock
  readonly #parts: RunningClusterParts
  #clusters = new Map<string, RunningCluster>()
  /** By the name of their load assignment; nearly always one for each. */
  #byAssignment = new Map<string, RunningCluster[]>()
  readonly #endpoints = new Map<string, readonly EndpointSettings[]>()
  readonly #retired = new Set<RunningCluster>()
  readonly #log: (line: string) => void
  readonly #locality: string
  #fleet: Fleet | undefined
  #saidKeepAlive = false
  #toSweep = new Set<RunningCluster>()
  #cancelSweep: (() => void) | undefined
  #closed = false

  constructor({ secrets, dial, bindsSources = false, clock = systemClock, random = Math.random, resolve = resolveName, log = () => undefined, locality = '', sharing }: ClustersParts) {
    this.#clock = clock
    this.#locality = locality
    this.#log = log
    this.#parts = {
      clock, random, resolve, sharing, fleet: () => this.#fleet,
      contexts: new TlsContexts(secrets),
      connector: new Connector(dial, bindsSources),
      meshEndpoints: new MeshEndpoints(() => this.#clusters.values().flatMap((cluster) => cluster.members)),
      onIdle: (cluster) => this.#sweepLater(cluster),
    }
  }

  get retired(): number {
    return this.#retired.size
  }

  readonly lookup = (name: string): Cluster | undefined => this.#clusters.get(name)

  /** All of them; throws what is wrong with one, and then nothing has changed. */
  update(messages: readonly ClusterMessage[]): void {
    const before = this.#clusters
    const after = new Map(messages.map((message) => [message.name, this.#keepOrCreate(message)]))
    this.#clusters = after
    this.#byAssignment = Map.groupBy(after.values(), ({ assignmentName }) => assignmentName)
    for (const [name, cluster] of after) if (before.get(name) !== cluster) cluster.start(this.#endpoints.get(cluster.assignmentName))
    for (const [name, cluster] of before) if (after.get(name) !== cluster) this.#retire(cluster)
    this.#forgetEndpoints()
  }

  updateEndpoints(assignment: ClusterLoadAssignment): void {
    const name = assignment.clusterName
    const endpoints = decodeEndpoints(assignment)
    if (name === fleetAssignment) this.#knowFleet(endpoints)
    this.#endpoints.set(name, endpoints)
    for (const cluster of this.#byAssignment.get(name) ?? []) cluster.updateEndpoints(endpoints)
  }

  #knowFleet(endpoints: readonly EndpointSettings[]): void {
    this.#fleet = fleetOf(endpoints, this.#locality)
    for (const cluster of this.#clusters.values()) cluster.fleetChanged()
  }

  statuses(): readonly ClusterStatus[] {
    return [...this.#clusters.values()].map((cluster) => cluster.status())
  }

  stats(): readonly StatLine[] {
    return [...this.#clusters.values()].flatMap((cluster) => cluster.statLines())
  }

  close(): void {
    this.#closed = true
    this.#cancelSweep?.()
    for (const cluster of [...this.#clusters.values(), ...this.#retired]) cluster.close()
  }

  #keepOrCreate(message: ClusterMessage): RunningCluster {
    const known = this.#clusters.get(message.name)
    if (known !== undefined && (known.message === message || equals(ClusterSchema, known.message, message))) return known
    const cluster = new RunningCluster(message, this.#parts, known?.stats)
    this.#sayKeepAlive(cluster)
    return cluster
  }

  /** Once: what is true of one cluster is true of all. */
  #sayKeepAlive({ name, keepAliveProblem }: RunningCluster): void {
    if (keepAliveProblem === undefined || this.#saidKeepAlive) return
    this.#saidKeepAlive = true
    this.#log(`cluster ${name}: interval and probes of TCP keep-alive are the operating system's own, since ${keepAliveProblem}`)
  }

  #retire(cluster: RunningCluster): void {
    this.#retired.add(cluster)
    cluster.retire()
    this.#sweepLater(cluster)
  }

  /** Assignments may come before their cluster, but not stay without one. */
  #forgetEndpoints(): void {
    for (const name of this.#endpoints.keys()) if (!this.#byAssignment.has(name)) this.#endpoints.delete(name)
  }

  #sweepLater(cluster: RunningCluster): void {
    this.#toSweep.add(cluster)
    if (this.#closed) return
    this.#cancelSweep ??= this.#clock.after(sweepMs, () => this.#sweep())
  }

  #sweep(): void {
    this.#cancelSweep = undefined
    const due = this.#toSweep
    this.#toSweep = new Set()
    for (const cluster of due) {
      if (cluster.sweep()) this.#sweepLater(cluster)
      else this.#retired.delete(cluster)
    }
  }
}
