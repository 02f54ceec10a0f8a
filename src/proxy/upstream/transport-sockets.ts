// Which transport socket a host gets: the first match by the endpoint's labels, else the cluster's own, else plain.
import type { JsonObject } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../../lib/errors.ts'
import type { Cluster as ClusterMessage } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { TransportSocket } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { RawBufferSchema } from '../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { UpstreamTls } from './tls.ts'
import type { TlsContexts } from './tls-contexts.ts'

interface Match {
  readonly labels: JsonObject
  readonly tls: UpstreamTls | undefined
}

export class TransportSockets {
  readonly #matches: readonly Match[]
  readonly #otherwise: UpstreamTls | undefined

  constructor(message: ClusterMessage, contexts: TlsContexts) {
    const decode = (socket: TransportSocket | undefined) => decodeSocket(socket, contexts, message.name)
    this.#matches = message.transportSocketMatches.map(({ match, transportSocket }) => ({ labels: match ?? {}, tls: decode(transportSocket) }))
    this.#otherwise = decode(message.transportSocket)
  }

  /** Undefined: plain. */
  tlsFor(labels: JsonObject): UpstreamTls | undefined {
    const found = this.#matches.find((match) => Object.entries(match.labels).every(([key, value]) => labels[key] === value))
    return found === undefined ? this.#otherwise : found.tls
  }
}

/** A socket of another kind is refused: it must not turn into plaintext. */
function decodeSocket(socket: TransportSocket | undefined, contexts: TlsContexts, cluster: string): UpstreamTls | undefined {
  if (socket === undefined) return undefined
  const any = socket.configType.value
  if (any === undefined && socket.name === 'envoy.transport_sockets.raw_buffer') return undefined
  if (any !== undefined && any.typeUrl.endsWith(`/${RawBufferSchema.typeName}`)) return undefined
  const context = any === undefined ? undefined : anyUnpack(any, UpstreamTlsContextSchema)
  if (context === undefined) {
    throw new MeshError('proxy/bad-config', `cluster ${cluster}: transport socket ${any?.typeUrl ?? socket.name} is not supported`)
  }
  return new UpstreamTls(context, contexts, cluster)
}
