// An xDS client for tests on the bare gRPC client: every request is said by the test, nothing is acknowledged by itself.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import {
  DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema, DiscoveryRequestSchema, DiscoveryResponseSchema,
} from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryResponse, DiscoveryResponse } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeNameOf, typeUrls } from '../../src/xds/types.ts'
import type { TypeName } from '../../src/xds/types.ts'
import type { GrpcClient, GrpcStream } from './grpc-client.ts'

export interface TestNode {
  readonly id: string
  readonly metadata?: JsonObject
}

export const sidecarNode = (name: string, address: string, serviceAccount = `bookinfo-${name}`): TestNode => ({
  id: `sidecar~${address}~${name}.default~default.svc.cluster.local`,
  metadata: { NAME: name, NAMESPACE: 'default', SERVICE_ACCOUNT: serviceAccount, LABELS: { app: name } },
})

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService'

interface Sent {
  readonly node?: TestNode
  readonly nonce?: string
  readonly error?: string
}

/** What `Received` says of a response: enough to compare at a glance. */
export interface Received<Response> {
  readonly type: TypeName | undefined
  readonly names: readonly string[]
  readonly removed: readonly string[]
  readonly nonce: string
  readonly message: Response
}

abstract class AdsClient<Response> {
  readonly stream: GrpcStream

  constructor(client: GrpcClient, path: string) {
    this.stream = client.open(path)
  }

  protected abstract read(bytes: Uint8Array): Received<Response>

  /** Fails when the stream ends instead. */
  async next(): Promise<Received<Response>> {
    const bytes = await this.stream.next()
    if (bytes !== undefined) return this.read(bytes)
    const { status, message } = await this.stream.ended
    throw new Error(`the stream ended with ${status}: ${message}`)
  }

  /** Everything that was asked for before has been answered, and nothing else: the server answers in order. */
  abstract settled(): Promise<readonly Received<Response>[]>
}

export class DeltaClient extends AdsClient<DeltaDiscoveryResponse> {
  constructor(client: GrpcClient) {
    super(client, `${service}/DeltaAggregatedResources`)
  }

  ask(type: string, request: Sent & { subscribe?: readonly string[]; unsubscribe?: readonly string[]; initial?: Record<string, string> } = {}): void {
    const { node, nonce = '', error, subscribe = [], unsubscribe = [], initial = {} } = request
    const init: MessageInitShape<typeof DeltaDiscoveryRequestSchema> = {
      typeUrl: type in typeUrls ? typeUrls[type as TypeName] : type, responseNonce: nonce, resourceNamesSubscribe: [...subscribe],
      resourceNamesUnsubscribe: [...unsubscribe], initialResourceVersions: initial,
      ...(node !== undefined && { node }), ...(error !== undefined && { errorDetail: { code: 13, message: error } }),
    }
    this.stream.send(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, init)))
  }

  ack({ type, nonce }: Received<unknown>): void {
    this.ask(type!, { nonce })
  }

  /** The next response, acknowledged. */
  async take(): Promise<Received<DeltaDiscoveryResponse>> {
    const response = await this.next()
    this.ack(response)
    return response
  }

  async settled(): Promise<readonly Received<DeltaDiscoveryResponse>[]> {
    const probe = `no such secret ${Math.random()}`
    this.ask('SDS', { subscribe: [probe] })
    const seen: Received<DeltaDiscoveryResponse>[] = []
    for (;;) {
      const response = await this.take()
      if (response.removed.includes(probe)) return seen
      seen.push(response)
    }
  }

  protected read(bytes: Uint8Array): Received<DeltaDiscoveryResponse> {
    const message = fromBinary(DeltaDiscoveryResponseSchema, bytes)
    return { type: typeNameOf(message.typeUrl), names: message.resources.map((one) => one.name).sort(), removed: message.removedResources.toSorted(), nonce: message.nonce, message }
  }
}

export class SotwClient extends AdsClient<DiscoveryResponse> {
  #probes: string[] = []
  #secretNonce = ''

  constructor(client: GrpcClient) {
    super(client, `${service}/StreamAggregatedResources`)
  }

  ask(type: string, request: Sent & { names?: readonly string[]; version?: string } = {}): void {
    const { node, nonce = '', error, names = [], version = '' } = request
    const init: MessageInitShape<typeof DiscoveryRequestSchema> = {
      typeUrl: type in typeUrls ? typeUrls[type as TypeName] : type, responseNonce: nonce, resourceNames: [...names], versionInfo: version,
      ...(node !== undefined && { node }), ...(error !== undefined && { errorDetail: { code: 13, message: error } }),
    }
    this.stream.send(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, init)))
  }

  ack({ type, nonce, message }: Received<DiscoveryResponse>, names: readonly string[] = []): void {
    this.ask(type!, { nonce, names, version: message.versionInfo })
  }

  async take(names: readonly string[] = []): Promise<Received<DiscoveryResponse>> {
    const response = await this.next()
    this.ack(response, names)
    return response
  }

  async settled(): Promise<readonly Received<DiscoveryResponse>[]> {
    this.#probes = [...this.#probes, `no such secret ${this.#probes.length}`]
    this.ask('SDS', { names: this.#probes, nonce: this.#secretNonce })
    const seen: Received<DiscoveryResponse>[] = []
    for (;;) {
      const response = await this.next()
      if (response.type !== 'SDS') {
        seen.push(response)
        continue
      }
      this.#secretNonce = response.nonce
      this.ack(response, this.#probes)
      return seen
    }
  }

  protected read(bytes: Uint8Array): Received<DiscoveryResponse> {
    const message = fromBinary(DiscoveryResponseSchema, bytes)
    // The resources' own names are inside; tests of names use `namesIn`.
    return { type: typeNameOf(message.typeUrl), names: message.resources.map((any) => namesIn(any.value)).sort(), removed: [], nonce: message.nonce, message }
  }
}

/** Clusters, listeners, routes, assignments and secrets all have their name in field 1. */
function namesIn(resource: Uint8Array): string {
  if (resource[0] !== 0x0a) return ''
  const long = resource[1]! >= 0x80
  const length = long ? (resource[1]! & 0x7f) | (resource[2]! << 7) : resource[1]!
  const start = long ? 3 : 2
  return new TextDecoder().decode(resource.subarray(start, start + length))
}
