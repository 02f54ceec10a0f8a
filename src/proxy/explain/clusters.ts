// The clusters that a proxy was sent, by name, with the endpoints that EDS has for them, or that a running proxy has.
import { fromBinary } from '@bufbuild/protobuf'
import type { Hash64 } from '../../lib/xxhash64.ts'
import { ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Address } from '../../model/address.ts'
import { ClusterLoadAssignmentSchema } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { explainPolicy } from './cluster.ts'
import type { ExplainedPolicy } from './cluster.ts'
import { explainEndpoints, explainMet, startingCluster } from './endpoints.ts'
import type { ExplainedEndpoints, FindCluster, StartingCluster } from './endpoints.ts'
import type { Explanation } from './answer.ts'
import type { Destination } from './route.ts'
import { hostName } from '../upstream/endpoints.ts'
import type { RuntimeHost } from '../upstream/host.ts'
import { MeshEndpoints } from '../upstream/mesh-endpoints.ts'
import { assignmentNameOf, knownEndpointsOf } from '../xds/cluster.ts'

/** Encoded messages, as on the wire. */
export interface SentClusters {
  readonly clusters: readonly Uint8Array[]
  readonly endpoints: readonly Uint8Array[]
}

/** Of all destinations together; a list is to be read by a person. */
const maxEndpoints = 100

export class ClusterLookup {
  readonly #clusters: ReadonlyMap<string, Cluster>
  readonly #assignments: ReadonlyMap<string, ClusterLoadAssignment>
  readonly #running: FindCluster | undefined
  readonly #policies = new Map<string, ExplainedPolicy>()
  readonly #starting = new Map<string, StartingCluster>()
  readonly #mesh = new MeshEndpoints(() => this.#clusters.values().flatMap((one) => (assignmentNameOf(one) === undefined ? [] : this.#startingAt(one).hosts)))
  /** As a proxy starts with them, for requests without a hash. */
  readonly #unhashed = new Map<string, ExplainedEndpoints>()

  /** `running`: a proxy that serves; without one, the hosts are those that it would start with. */
  constructor({ clusters, endpoints }: SentClusters, running?: FindCluster) {
    this.#clusters = new Map(clusters.map((bytes) => fromBinary(ClusterSchema, bytes)).map((one) => [one.name, one]))
    this.#assignments = new Map(endpoints.map((bytes) => fromBinary(ClusterLoadAssignmentSchema, bytes)).map((one) => [one.clusterName, one]))
    this.#running = running
  }

  has(name: string): boolean {
    return this.#clusters.has(name)
  }

  /** `to`: where the client connects. */
  policyOf(destinations: readonly Destination[], to: Address): ExplainedPolicy | null {
    const cluster = destinations.map((one) => this.#clusters.get(one.cluster)).find((one) => one !== undefined)
    if (cluster === undefined) return null
    const known = this.#policies.get(cluster.name) ?? explainPolicy(cluster, this.#assignmentOf(cluster))
    this.#policies.set(cluster.name, known)
    const met = this.#metAt(cluster, to)
    return met === undefined ? known : { ...known, tls: tlsTo(met, known.tls) }
  }

  /** `decided`: the cluster that it will be, where there is no draw. */
  endpointsOf(destinations: readonly Destination[], decided: string | undefined, hash: Hash64 | undefined, to: Address): Pick<Explanation, 'chosen' | 'endpoints'> {
    const asked = destinations.filter(({ cluster }) => decided === undefined || cluster === decided)
    const found = asked.map(({ cluster }) => this.#endpointsOf(cluster, hash, to))
    const [only] = asked
    const endpoints = found.flatMap((one) => one.endpoints).slice(0, maxEndpoints)
    if (decided === undefined || only === undefined) return { chosen: null, endpoints }
    const { host, subset, port, cluster } = only
    return { chosen: { host, subset, port, cluster, endpoint: found[0]!.chosen }, endpoints }
  }

  #endpointsOf(name: string, hash: Hash64 | undefined, to: Address): ExplainedEndpoints {
    const message = this.#clusters.get(name)
    if (message === undefined) return { endpoints: [], chosen: null }
    if (knownEndpointsOf(message) !== undefined) return explainMet(message, this.#metAt(message, to))
    const running = this.#running?.(name)
    if (running !== undefined) return explainEndpoints(message, running, hash)
    if (hash !== undefined) return explainEndpoints(message, this.#startingAt(message), hash)
    const known = this.#unhashed.get(name) ?? explainEndpoints(message, this.#startingAt(message), undefined)
    this.#unhashed.set(name, known)
    return known
  }

  /** Whoever is where the client meant to go: a member of the cluster, or anybody whom the mesh knows. */
  #metAt(cluster: Cluster, to: Address): RuntimeHost | undefined {
    const name = hostName(to)
    switch (knownEndpointsOf(cluster)) {
      case 'eds': return this.#startingAt(cluster).hosts.find((one) => one.name === name)
      case 'mutual_tls': return this.#mesh.at(name)
      case undefined: return undefined
    }
  }

  #startingAt(cluster: Cluster): StartingCluster {
    const known = this.#starting.get(cluster.name) ?? startingCluster(cluster, this.#assignmentOf(cluster))
    this.#starting.set(cluster.name, known)
    return known
  }

  #assignmentOf(cluster: Cluster): ClusterLoadAssignment | undefined {
    const name = assignmentNameOf(cluster)
    return name === undefined ? undefined : this.#assignments.get(name)
  }
}

function tlsTo({ socket: { tls } }: RuntimeHost, otherwise: string): string {
  if (tls === undefined) return 'DISABLE'
  return tls.speaksMesh ? 'ISTIO_MUTUAL' : otherwise
}
