// Short ways to write the xDS messages that tests feed to a proxy.
import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import { AddressSchema } from '../../src/proto/gen/envoy/config/core/v3/address_pb.ts'
import { TrafficDirection } from '../../src/proto/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterChainMatchSchema, FilterChainSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Listener } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { HttpInspectorSchema } from '../../src/proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { OriginalDstSchema } from '../../src/proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts'
import { TlsInspectorSchema } from '../../src/proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { TcpProxySchema } from '../../src/proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { DownstreamTlsContextSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'

export const pack = <Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): Any => anyPack(schema, create(schema, init))

export const typed = <Schema extends DescMessage>(name: string, schema: Schema, init: MessageInitShape<Schema>) => ({
  name, configType: { case: 'typedConfig' as const, value: pack(schema, init) },
})

export const socketAddress = (host: string, port: number) =>
  create(AddressSchema, { address: { case: 'socketAddress', value: { address: host, portSpecifier: { case: 'portValue', value: port } } } })

type ChainInit = MessageInitShape<typeof FilterChainSchema>
type MatchInit = MessageInitShape<typeof FilterChainMatchSchema>

/** A chain that forwards bytes to a cluster. */
export const tcpChain = (name: string, cluster: string, match: MatchInit = {}, transportSocket?: ChainInit['transportSocket'], before: NonNullable<ChainInit['filters']> = []): ChainInit => ({
  name,
  filterChainMatch: match,
  filters: [...before, typed('envoy.filters.network.tcp_proxy', TcpProxySchema, { statPrefix: cluster, clusterSpecifier: { case: 'cluster', value: cluster } })],
  ...(transportSocket === undefined ? {} : { transportSocket }),
})

/** Mutual TLS as Istio's inbound chains have it, by the SDS names of the proxy's own identity. */
export const mutualTls = (trustDomain = 'cluster.local', alpn: readonly string[] = ['istio-peer-exchange', 'h2', 'http/1.1']) =>
  typed('envoy.transport_sockets.tls', DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
      alpnProtocols: [...alpn],
      validationContextType: {
        case: 'combinedValidationContext',
        value: {
          validationContextSdsSecretConfig: { name: 'ROOTCA' },
          defaultValidationContext: { matchTypedSubjectAltNames: [{ sanType: 3, matcher: { matchPattern: { case: 'prefix', value: `spiffe://${trustDomain}/` } } }] },
        },
      },
    },
  })

export const inspectors = [
  typed('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {}),
  typed('envoy.filters.listener.http_inspector', HttpInspectorSchema, {}),
]
export const originalDst = typed('envoy.filters.listener.original_dst', OriginalDstSchema, {})

export function tcpListener(name: string, host: string, port: number, over: MessageInitShape<typeof ListenerSchema>): Listener {
  return create(ListenerSchema, { name, address: socketAddress(host, port), trafficDirection: TrafficDirection.INBOUND, ...over })
}
