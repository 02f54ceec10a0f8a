// The two variants of the aggregated discovery service on the wire: requests read into what subscriptions take, responses
// written around resources that were encoded once. A response is bytes shared by all proxies, and a few of its own.
import { createHash } from 'node:crypto'
import { fromBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Node } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from '../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { DeltaSubscription } from '../../xds/delta-subscription.ts'
import type { DeltaRequest } from '../../xds/delta-subscription.ts'
import { SotwSubscription } from '../../xds/sotw-subscription.ts'
import type { SotwRequest } from '../../xds/sotw-subscription.ts'
import type { Response, Subscription } from '../../xds/subscription.ts'
import type { ServedResource } from './resource-source.ts'

export interface AdsRequest<Request> {
  readonly node: Node | undefined
  readonly typeUrl: string
  readonly names: readonly string[]
  readonly request: Request
  /** What the client has to say against what it was sent, or, of types that carry nothing, of itself. */
  readonly error: string | undefined
}

export interface Encoding {
  readonly typeUrl: string
  readonly response: Response<ServedResource>
  readonly nonce: string
  readonly generation: number
}

export interface Variant<Request> {
  readonly label: string
  readonly path: string
  /** Throws when the bytes are no such request. */
  decode(bytes: Uint8Array): AdsRequest<Request>
  subscribe(canWildcard: boolean): Subscription<Request, ServedResource>
  /** In parts, so that the resources' own bytes are never copied. */
  encode(encoding: Encoding): Uint8Array[]
}

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService'

export const delta: Variant<DeltaRequest> = {
  label: 'delta',
  path: `${service}/DeltaAggregatedResources`,
  decode(bytes) {
    const { node, typeUrl, responseNonce, errorDetail, ...read } = fromBinary(DeltaDiscoveryRequestSchema, bytes)
    const request = {
      subscribe: read.resourceNamesSubscribe, unsubscribe: read.resourceNamesUnsubscribe, initialVersions: read.initialResourceVersions,
      nonce: responseNonce, error: errorDetail?.message,
    }
    return { node, typeUrl, names: request.subscribe, request, error: request.error }
  },
  subscribe: (canWildcard) => new DeltaSubscription(canWildcard),
  encode({ typeUrl, response, nonce, generation }) {
    const rest = new BinaryWriter()
    for (const name of response.removed) text(rest, 6, name)
    return [...resourceParts(response, deltaHeads, deltaHead), ownBytes(rest, String(generation), typeUrl, nonce)]
  },
}

export const sotw: Variant<SotwRequest> = {
  label: 'state of the world',
  path: `${service}/StreamAggregatedResources`,
  decode(bytes) {
    const { node, typeUrl, resourceNames, responseNonce, errorDetail } = fromBinary(DiscoveryRequestSchema, bytes)
    const error = errorDetail?.message
    return { node, typeUrl, names: resourceNames, request: { names: resourceNames, nonce: responseNonce, error }, error }
  },
  subscribe: (canWildcard) => new SotwSubscription(canWildcard),
  encode: ({ typeUrl, response, nonce }) =>
    [...resourceParts(response, sotwHeads, sotwHead), ownBytes(new BinaryWriter(), versionOf(response), typeUrl, nonce)],
}

/** What goes before a resource's bytes in a response is the same for everyone who gets the resource. */
type Heads = WeakMap<ServedResource, Uint8Array>
const deltaHeads: Heads = new WeakMap()
const sotwHeads: Heads = new WeakMap()

function resourceParts({ resources }: Response<ServedResource>, heads: Heads, make: (one: ServedResource) => Uint8Array): Uint8Array[] {
  return resources.flatMap((one) => {
    const head = heads.get(one) ?? make(one)
    heads.set(one, head)
    return [head, one.bytes]
  })
}

/** `resources` (2) of a DiscoveryResponse: an Any. */
function sotwHead(one: ServedResource): Uint8Array {
  const any = anyHead(one)
  return new BinaryWriter().tag(2, WireType.LengthDelimited).uint32(any.length + one.bytes.length).raw(any).finish()
}

/** `resources` (2) of a DeltaDiscoveryResponse: name (3), version (1) and an Any (2), which comes last. */
function deltaHead(one: ServedResource): Uint8Array {
  const any = anyHead(one)
  const inner = new BinaryWriter()
  text(inner, 3, one.name)
  text(inner, 1, one.version)
  const bytes = inner.tag(2, WireType.LengthDelimited).uint32(any.length + one.bytes.length).raw(any).finish()
  return new BinaryWriter().tag(2, WireType.LengthDelimited).uint32(bytes.length + one.bytes.length).raw(bytes).finish()
}

/** type_url (1) and all of value (2) but the bytes. */
function anyHead({ typeUrl, bytes }: ServedResource): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, typeUrl)
  return writer.tag(2, WireType.LengthDelimited).uint32(bytes.length).finish()
}

/** Version (1), type_url (4) and nonce (5), the same fields in both variants. */
function ownBytes(writer: BinaryWriter, version: string, typeUrl: string, nonce: string): Uint8Array {
  text(writer, 1, version)
  text(writer, 4, typeUrl)
  text(writer, 5, nonce)
  return writer.finish()
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value)
}

/** Equal contents have equal versions, also after a restart. */
function versionOf({ resources }: Response<ServedResource>): string {
  const hash = createHash('sha256')
  for (const { name, version } of resources) hash.update(`${name}\0${version}\0`)
  return hash.digest('base64url').slice(0, 16)
}
