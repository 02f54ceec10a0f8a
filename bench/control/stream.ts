// A proxy of the control plane's bench: an incremental stream without a socket. It asks for what a proxy asks for, and
// acknowledges what it gets when it is told to, so that its own work is not taken for the control plane's.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { CallHandler, StreamMethod } from '../../src/control/serve/rpc.ts'
import { Cluster_DiscoveryType, ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { NodeSchema } from '../../src/proto/gen/envoy/config/core/v3/base_pb.ts'
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryResponse } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../src/xds/types.ts'

export class BenchProxy {
  readonly #handler: CallHandler
  #sent: (readonly Uint8Array[])[] = []
  readonly #routes = new Set<string>()
  readonly #endpoints = new Set<string>()
  resources = 0

  constructor(delta: StreamMethod, index: number, namespace: string) {
    const caller = { remoteAddress: { host: '127.0.0.1', port: 1 }, encrypted: false, uris: [], bearer: '' }
    this.#handler = delta.open({
      caller,
      send: (parts) => {
        this.#sent.push(parts)
        return Promise.resolve()
      },
      end: (error) => {
        if (error !== undefined) throw error
      },
    })
    const node = create(NodeSchema, {
      id: `sidecar~10.200.${index >> 8}.${index & 255}~client-${index}.${namespace}~${namespace}.svc.cluster.local`,
      metadata: { NAMESPACE: namespace, HTTP_PROXY_PORT: '15080', LABELS: { app: `client-${index}` } },
    })
    for (const typeUrl of [typeUrls.CDS, typeUrls.LDS]) this.#handler.onMessage(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { node, typeUrl })))
  }

  /** What came since the last time, as requests to be handed over by `answer`; empty for nothing. */
  read(): readonly Uint8Array[] {
    const responses = this.#sent.map((parts) => fromBinary(DeltaDiscoveryResponseSchema, Buffer.concat(parts)))
    this.#sent = []
    this.resources += responses.reduce((sum, { resources }) => sum + resources.length, 0)
    return responses.flatMap((response) => this.#requests(response))
  }

  answer(requests: readonly Uint8Array[]): void {
    for (const request of requests) this.#handler.onMessage(request)
  }

  close(): void {
    this.#handler.onClose()
  }

  #requests({ typeUrl, nonce, resources }: DeltaDiscoveryResponse): readonly Uint8Array[] {
    const ack = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }))
    if (typeUrl === typeUrls.CDS) {
      const clusters = resources.filter(({ resource }) => fromBinary(ClusterSchema, resource!.value).clusterDiscoveryType.value === Cluster_DiscoveryType.EDS)
      return [ack, ...this.#subscribe(typeUrls.EDS, clusters.map(({ name }) => name), this.#endpoints)]
    }
    if (typeUrl !== typeUrls.LDS) return [ack]
    const names = resources.flatMap(({ name }) => (name === '127.0.0.1_15080' ? ['http_proxy'] : name.startsWith('0.0.0.0_') ? [name.slice('0.0.0.0_'.length)] : []))
    return [ack, ...this.#subscribe(typeUrls.RDS, names, this.#routes)]
  }

  #subscribe(typeUrl: string, names: readonly string[], known: Set<string>): readonly Uint8Array[] {
    const fresh = names.filter((name) => !known.has(name))
    for (const name of fresh) known.add(name)
    return fresh.length === 0 ? [] : [toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl, resourceNamesSubscribe: fresh }))]
  }
}
