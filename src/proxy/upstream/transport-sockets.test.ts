import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ProxyProtocolConfig_Version as Version } from '../../proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import { ProxyProtocolUpstreamTransportSchema as ProxyProtocolSocketSchema } from '../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { RawBufferSchema } from '../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { TlsContexts } from './tls-contexts.ts'
import { TransportSockets } from './transport-sockets.ts'

const contexts = new TlsContexts({ certificate: () => undefined, trust: () => undefined, onChange: () => () => {} })
const tls = (sni: string) => ({
  name: 'envoy.transport_sockets.tls',
  configType: { case: 'typedConfig' as const, value: anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, { sni, commonTlsContext: {} })) },
})
const plain = { name: 'envoy.transport_sockets.raw_buffer', configType: { case: 'typedConfig' as const, value: anyPack(RawBufferSchema, create(RawBufferSchema, {})) } }
const socketsOf = (init: MessageInitShape<typeof ClusterSchema>) => new TransportSockets(create(ClusterSchema, { name: 'c', ...init }), contexts)

test('the first match by labels decides, then the cluster\'s own socket, then none', () => {
  const sockets = socketsOf({
    transportSocket: tls('own'),
    transportSocketMatches: [
      { match: { tlsMode: 'istio', net: 'a' }, transportSocket: tls('both') },
      { match: { tlsMode: 'istio' }, transportSocket: tls('mesh') },
      { match: { tlsMode: 'disabled' }, transportSocket: plain },
    ],
  })
  const serverName = (labels: Record<string, string>) => sockets.socketFor(labels).tls?.serverName
  assert.equal(serverName({ tlsMode: 'istio', net: 'a' }), 'both')
  assert.equal(serverName({ tlsMode: 'istio', net: 'b' }), 'mesh')
  assert.equal(serverName({ tlsMode: 'disabled' }), undefined)
  assert.equal(serverName({}), 'own')
  assert.equal(socketsOf({}).socketFor({}).tls, undefined)
})

test('a match without labels takes every endpoint', () => {
  const sockets = socketsOf({ transportSocketMatches: [{ match: {}, transportSocket: tls('all') }] })
  assert.equal(sockets.socketFor({ anything: 'x' }).tls?.serverName, 'all')
})

test('a PROXY protocol head wraps TLS or plaintext', () => {
  const wrapped = (version: Version, transportSocket: ReturnType<typeof tls> | typeof plain) => ({
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    configType: { case: 'typedConfig' as const, value: anyPack(ProxyProtocolSocketSchema, create(ProxyProtocolSocketSchema, { config: { version }, transportSocket })) },
  })
  const first = socketsOf({ transportSocket: wrapped(Version.V1, plain) }).socketFor({})
  assert.deepEqual(first, { tls: undefined, proxyProtocol: 'v1' })
  const second = socketsOf({ transportSocket: wrapped(Version.V2, tls('inner')) }).socketFor({})
  assert.deepEqual([second.proxyProtocol, second.tls?.serverName], ['v2', 'inner'])
})

test('a socket of another kind is refused and never becomes plaintext', () => {
  const quic = { name: 'envoy.transport_sockets.quic' }
  assert.throws(() => socketsOf({ transportSocket: quic }), /cluster c: transport socket envoy.transport_sockets.quic is not supported/)
  assert.throws(() => socketsOf({ transportSocketMatches: [{ match: {}, transportSocket: quic }] }), /is not supported/)
  const empty = { name: 'tls', configType: { case: 'typedConfig' as const, value: anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, {})) } }
  assert.throws(() => socketsOf({ transportSocket: empty }), /cluster c: TLS without common_tls_context/)
})
