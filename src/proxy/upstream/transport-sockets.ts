// Which transport socket a host gets: the first match by the endpoint's labels, else the cluster's own, else plain. A PROXY
// protocol head may come before either.
import type { JsonObject } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { ProxyProtocolVersion } from '../../codec/proxy-protocol.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Cluster as ClusterMessage } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { TransportSocket } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ProxyProtocolConfig_Version as ProxyVersion } from '../../proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import { ProxyProtocolUpstreamTransportSchema as ProxyProtocolSocketSchema } from '../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { RawBufferSchema } from '../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { UpstreamTls } from './tls.ts'
import type { TlsContexts } from './tls-contexts.ts'

export interface HostSocket {
  /** Undefined: plain. */
  readonly tls: UpstreamTls | undefined
  /** Undefined: the server is told nothing of the client. */
  readonly proxyProtocol: ProxyProtocolVersion | undefined
  /** Where connections come from, at most one address for each family; without it, from where the route says. */
  readonly sources?: readonly string[]
}

interface Match {
  readonly labels: JsonObject
  readonly socket: HostSocket
}

const plain: HostSocket = { tls: undefined, proxyProtocol: undefined }

export class TransportSockets {
  readonly #matches: readonly Match[]
  readonly #otherwise: HostSocket

  constructor(message: ClusterMessage, contexts: TlsContexts) {
    const sources = sourcesOf(message)
    const decode = (socket: TransportSocket | undefined): HostSocket => ({ ...decodeSocket(socket, contexts, message.name), ...(sources.length > 0 && { sources }) })
    this.#matches = message.transportSocketMatches.map(({ match, transportSocket }) => ({ labels: match ?? {}, socket: decode(transportSocket) }))
    this.#otherwise = decode(message.transportSocket)
  }

  socketFor(labels: JsonObject): HostSocket {
    const found = this.#matches.find((match) => Object.entries(match.labels).every(([key, value]) => labels[key] === value))
    return found === undefined ? this.#otherwise : found.socket
  }
}

function sourcesOf({ upstreamBindConfig: bind }: ClusterMessage): readonly string[] {
  if (bind === undefined) return []
  return [bind.sourceAddress, ...bind.extraSourceAddresses.map(({ address }) => address)].flatMap((one) => one?.address ?? [])
}

/** A socket of another kind is refused: it must not turn into plaintext. */
function decodeSocket(socket: TransportSocket | undefined, contexts: TlsContexts, cluster: string): HostSocket {
  if (socket === undefined) return plain
  const any = socket.configType.value
  if (any === undefined && socket.name === 'envoy.transport_sockets.raw_buffer') return plain
  if (any !== undefined && any.typeUrl.endsWith(`/${RawBufferSchema.typeName}`)) return plain
  const wrapped = any === undefined ? undefined : anyUnpack(any, ProxyProtocolSocketSchema)
  if (wrapped !== undefined) {
    const version = wrapped.config?.version === ProxyVersion.V2 ? 'v2' : 'v1'
    return { ...decodeSocket(wrapped.transportSocket, contexts, cluster), proxyProtocol: version }
  }
  const context = any === undefined ? undefined : anyUnpack(any, UpstreamTlsContextSchema)
  if (context === undefined) {
    throw new MeshError('proxy/bad-config', `cluster ${cluster}: transport socket ${any?.typeUrl ?? socket.name} is not supported`)
  }
  return { tls: new UpstreamTls(context, contexts, cluster), proxyProtocol: undefined }
}
