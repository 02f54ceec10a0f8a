// The clusters that a proxy was sent, by name, with the endpoints that EDS has for them.
import { fromBinary } from '@bufbuild/protobuf'
import { ClusterSchema } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterLoadAssignment } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { explainPolicy } from './explain-cluster.ts'
import type { ExplainedPolicy } from './explain-cluster.ts'
import type { Destination } from './explain-route.ts'
import { assignmentNameOf } from './xds/cluster.ts'

/** Encoded messages, as on the wire. */
export interface SentClusters {
  readonly clusters: readonly Uint8Array[]
  readonly endpoints: readonly Uint8Array[]
}

export class ClusterLookup {
  readonly #clusters: ReadonlyMap<string, Cluster>
  readonly #assignments: ReadonlyMap<string, ClusterLoadAssignment>

  constructor({ clusters, endpoints }: SentClusters) {
    this.#clusters = new Map(clusters.map((bytes) => fromBinary(ClusterSchema, bytes)).map((one) => [one.name, one]))
    this.#assignments = new Map(endpoints.map((bytes) => fromBinary(ClusterLoadAssignmentSchema, bytes)).map((one) => [one.clusterName, one]))
  }

  has(name: string): boolean {
    return this.#clusters.has(name)
  }

  policyOf(destinations: readonly Destination[]): ExplainedPolicy | null {
    const cluster = destinations.map((one) => this.#clusters.get(one.cluster)).find((one) => one !== undefined)
    if (cluster === undefined) return null
    const name = assignmentNameOf(cluster)
    return explainPolicy(cluster, name === undefined ? undefined : this.#assignments.get(name))
  }
}
