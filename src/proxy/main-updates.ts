// From the wire to the plan: decodes the resources of one response, gives them to the planner, keeps what was accepted
// for people to look at, and words the NACK.
import { fromBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import { ClusterSchema } from '../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { Planner } from './plan.ts'
import { nackText } from './plan-updates.ts'
import type { Rejection, ResourceUpdate } from './plan-updates.ts'
import { resourceTypes } from './xds/accepted.ts'
import type { AcceptedByType, ResourceType, SentResource } from './xds/accepted.ts'

/** One response of the control plane, or what changed of it since the last one. */
export interface XdsUpdate {
  readonly typeUrl: string
  readonly version: string
  readonly resources: readonly SentResource[]
  readonly removed: readonly string[]
}

type Take = (update: XdsUpdate) => Rejection[]

export class Updates {
  readonly #accepted: AcceptedByType
  readonly #clock: Clock
  readonly #takers: Readonly<Record<ResourceType, Take>>

  constructor(planner: Planner, accepted: AcceptedByType, clock: Clock) {
    this.#accepted = accepted
    this.#clock = clock
    this.#takers = {
      clusters: taker(ClusterSchema, (update) => planner.updateClusters(update)),
      endpoints: taker(ClusterLoadAssignmentSchema, (update) => planner.updateEndpoints(update)),
      listeners: taker(ListenerSchema, (update) => planner.updateListeners(update)),
      routes: taker(RouteConfigurationSchema, (update) => planner.updateRoutes(update)),
      secrets: taker(SecretSchema, (update) => planner.updateSecrets(update)),
    }
  }

  /** The text of the NACK; undefined when all of it was accepted. */
  take(update: XdsUpdate): string | undefined {
    const type = typeOf(update.typeUrl)
    if (type === undefined) return `resources of type ${update.typeUrl} are not expected`
    const rejections = this.#takers[type](update)
    const byName = new Map(rejections.map(({ name, reason }) => [name, reason]))
    this.#accepted[type].record(update.resources, update.removed, byName, update.version, this.#clock.now())
    return nackText(rejections)
  }
}

export function typeOf(typeUrl: string): ResourceType | undefined {
  return (Object.keys(resourceTypes) as ResourceType[]).find((type) => resourceTypes[type] === typeUrl)
}

/** Decodes and takes; what cannot be decoded is rejected by the name that it was sent under. */
function taker<Schema extends DescMessage>(schema: Schema, take: (update: ResourceUpdate<MessageShape<Schema>>) => Rejection[]): Take {
  return ({ resources, removed }) => {
    const changed: MessageShape<Schema>[] = []
    const undecodable: Rejection[] = []
    for (const { name, any } of resources) {
      try {
        changed.push(fromBinary(schema, any.value))
      } catch (error) {
        undecodable.push({ name, reason: `not a ${schema.typeName}: ${describe(error)}` })
      }
    }
    return [...undecodable, ...take({ changed, removed })]
  }
}
