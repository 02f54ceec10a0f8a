// State-of-the-world xDS, for servers without the incremental one: each response has all resources of clusters and
// listeners, so that what is missing was removed; of the other types it has some of those that were asked for.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DiscoveryResponse } from '../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { healthTypeUrl, typeUrls } from '../../xds/types.ts'
import type { XdsUpdate } from '../main-updates.ts'
import { offer, rejection, unwell } from './protocol.ts'
import type { XdsProtocol } from './protocol.ts'
import type { Subscription } from './subscription.ts'

/** Of these there is one resource, without a name. */
const nameless: ReadonlySet<string> = new Set([typeUrls.NDS, typeUrls.PCDS])

export const sotwProtocol: XdsProtocol = {
  path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',

  first: (subscription, node) => encode(subscription, node === undefined ? {} : { node }),

  changed: (subscription) => encode(subscription),

  health: (problem) => toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl: healthTypeUrl, ...(problem === undefined ? {} : { errorDetail: unwell(problem) }) })),

  mention: (typeUrl, names) => toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl, resourceNames: [...names] })),

  take(bytes, subscriptionOf, onUpdate) {
    const response = fromBinary(DiscoveryResponseSchema, bytes)
    const subscription = subscriptionOf(response.typeUrl)
    const update = updateOf(response, subscription)
    const nack = offer(update, onUpdate)
    subscription.nonce = response.nonce
    if (nack === undefined) subscription.version = response.versionInfo
    return encode(subscription, nack === undefined ? {} : { errorDetail: rejection(nack) })
  },
}

/** Every request says all of it: names, the version that is in use, the nonce that it answers. */
function encode({ typeUrl, wanted, version, nonce }: Subscription, more: Parameters<typeof create<typeof DiscoveryRequestSchema>>[1] = {}): Uint8Array {
  return toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl, versionInfo: version, responseNonce: nonce, resourceNames: [...wanted], ...more }))
}

function updateOf({ typeUrl, versionInfo, resources }: DiscoveryResponse, subscription: Subscription): XdsUpdate {
  const sent = resources.map((any) => ({ name: nameless.has(typeUrl) ? '' : nameIn(any.value), version: versionInfo, any })).filter(({ name }) => subscription.wants(name))
  const removed = subscription.wildcard ? removedFrom(subscription, new Set(sent.map(({ name }) => name))) : []
  return { typeUrl, version: versionInfo, resources: sent, removed }
}

function removedFrom(subscription: Subscription, named: ReadonlySet<string>): readonly string[] {
  const removed = [...subscription.named].filter((name) => !named.has(name))
  subscription.named = named
  return removed
}

/** Clusters, assignments, listeners, routes and secrets all have their name in field 1; the table of names has none. Empty when it cannot be read. */
export function nameIn(message: Uint8Array): string {
  const reader = new BinaryReader(message)
  let name = ''
  try {
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag()
      if (field === 1 && type === WireType.LengthDelimited) name = reader.string()
      else reader.skip(type, field)
    }
    return name
  } catch {
    return '' // whoever decodes it whole says what is wrong with it
  }
}
