// Incremental xDS: each response has what changed. On a new stream the client tells the versions that it has, and gets
// the difference.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryResponse } from '../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { healthTypeUrl } from '../../xds/types.ts'
import type { XdsUpdate } from '../main-updates.ts'
import type { SentResource } from './accepted.ts'
import { offer, rejection, unwell } from './protocol.ts'
import type { XdsProtocol } from './protocol.ts'
import type { Subscription } from './subscription.ts'

export const deltaProtocol: XdsProtocol = {
  path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',

  first: ({ typeUrl, wildcard, wanted, versions }, node) => encode({
    typeUrl,
    ...(node === undefined ? {} : { node }),
    // A first request without names asks for all there is.
    resourceNamesSubscribe: wildcard ? [] : [...wanted],
    initialResourceVersions: Object.fromEntries(versions),
  }),

  changed: ({ typeUrl }, { added, removed }) => encode({ typeUrl, resourceNamesSubscribe: [...added], resourceNamesUnsubscribe: [...removed] }),

  mention: (typeUrl, names) => encode({ typeUrl, resourceNamesSubscribe: [...names] }),

  health: (problem) => encode({ typeUrl: healthTypeUrl, ...(problem === undefined ? {} : { errorDetail: unwell(problem) }) }),

  take(bytes, subscriptionOf, onUpdate) {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes)
    const { typeUrl, nonce } = response
    const subscription = subscriptionOf(typeUrl)
    const update = updateOf(response, subscription)
    const nack = offer(update, onUpdate)
    remember(subscription, update, nack === undefined)
    return encode({ typeUrl, responseNonce: nonce, ...(nack === undefined ? {} : { errorDetail: rejection(nack) }) })
  },
}

function encode(init: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): Uint8Array {
  return toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, init))
}

/** Without what was unsubscribed while the response was under way, and without heartbeats, which carry no resource. */
function updateOf(response: DeltaDiscoveryResponse, subscription: Subscription): XdsUpdate {
  const resources: SentResource[] = []
  for (const { name, version, resource } of response.resources) {
    if (resource !== undefined && subscription.wants(name)) resources.push({ name, version, any: resource })
  }
  return { typeUrl: response.typeUrl, version: response.systemVersionInfo, resources, removed: response.removedResources }
}

function remember({ versions }: Subscription, { resources, removed }: XdsUpdate, accepted: boolean): void {
  for (const name of removed) versions.delete(name)
  if (accepted) for (const { name, version } of resources) versions.set(name, version)
}
