// Connections in listeners with several filter chains: which one takes them, what of TLS it ends, and why not the others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { FilterChainMatchSchema, FilterChainSchema } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { TlsInspectorSchema } from '../../proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { TcpProxySchema } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { DownstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { compileExplainer } from '../explain.ts'
import type { Explanation } from '../explain.ts'

type Chain = MessageInitShape<typeof FilterChainSchema>
type Match = MessageInitShape<typeof FilterChainMatchSchema>

const to = (cluster: string, match?: Match, more: Chain = {}): Chain => create(FilterChainSchema, {
  ...(match !== undefined && { filterChainMatch: create(FilterChainMatchSchema, match) }),
  filters: [{ name: 'tcp', configType: { case: 'typedConfig', value: anyPack(TcpProxySchema, create(TcpProxySchema, { statPrefix: 'x', clusterSpecifier: { case: 'cluster', value: cluster } })) } }],
  ...more,
})
const range = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen })

function explain(chains: Chain[], request: { scheme: 'https' | 'tcp' | 'tls' | 'http'; sni?: string; host?: string }): Explanation {
  const listener = create(ListenerSchema, {
    name: 'edge', address: { address: { case: 'socketAddress', value: { address: '0.0.0.0', portSpecifier: { case: 'portValue', value: 443 } } } }, filterChains: chains,
    listenerFilters: [{ name: 'envoy.filters.listener.tls_inspector', configType: { case: 'typedConfig', value: anyPack(TlsInspectorSchema, create(TlsInspectorSchema)) } }],
  })
  const asked = compileExplainer({ listeners: [toBinary(ListenerSchema, listener)], routes: [], clusters: [], endpoints: [] })
  return asked({ method: 'GET', authority: 'a.example:443', path: '/', headers: [], source: { host: '192.0.2.1', port: 1 }, destination: { host: request.host ?? '10.0.0.1', port: 443 }, ...request })
}

const bySni = [to('a', { serverNames: ['a.example'] }), to('wild', { serverNames: ['*.example'] }), to('other', { serverNames: ['b.test'] })]

test('TLS that is passed on is chosen by its server name, and the chains for other names say so', () => {
  const { destinations, protocol, tls, considered } = explain(bySni, { scheme: 'tls' })
  assert.deepEqual([destinations[0]?.cluster, protocol, tls], ['a', 'tls', { endsHere: false, serverNames: ['a.example'], clientCertificate: 'none', secrets: [] }])
  assert.deepEqual(considered.map(({ whyNot }) => whyNot), ['is for server name b.test; but the client sends a.example'])
  assert.equal(explain(bySni, { scheme: 'tls', sni: 'x.y.example' }).destinations[0]?.cluster, 'wild')
})

test('a server name that no chain is for, and bytes that are not TLS, are told what there is', () => {
  const stranger = explain(bySni, { scheme: 'tls', sni: 'c.test' })
  assert.deepEqual([stranger.listener, stranger.protocol, stranger.destinations, stranger.considered.length], ['edge', null, [], 4])
  assert.match(stranger.considered[0]!.whyNot, /none of its filter chains takes TLS for that server name: the connection is closed/)
  const plain = explain(bySni, { scheme: 'tcp' })
  assert.equal(plain.considered[1]?.whyNot, 'is for server name a.example; but the connection is not TLS')
})

test('chains for other addresses say which, whatever the length of their range', () => {
  const chains = [to('narrow', { prefixRanges: [range('10.0.0.0', 24)] }), to('far', { prefixRanges: [range('10.9.0.0', 16)] }), to('wide', { prefixRanges: [range('10.0.0.0', 8)] })]
  const near = explain(chains, { scheme: 'tcp' })
  assert.deepEqual([near.destinations[0]?.cluster, near.considered.map(({ whyNot }) => whyNot)], ['narrow', ['is for addresses 10.9.0.0/16; but the connection goes to 10.0.0.1:443']])
  assert.equal(explain(chains, { scheme: 'tcp', host: '10.9.1.1' }).destinations[0]?.cluster, 'far')
})

test('TLS that is ended says with which secrets, and what it asks of the client', () => {
  const context = (requireClientCertificate: boolean | undefined, trust: boolean) => to('ended', undefined, { transportSocket: { name: 'tls', configType: { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, create(DownstreamTlsContextSchema, {
    ...(requireClientCertificate !== undefined && { requireClientCertificate }),
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: 'shop' }],
      ...(trust && { validationContextType: { case: 'validationContextSdsSecretConfig' as const, value: { name: 'shop-cacert' } } }),
    },
  })) } } })
  const asks = (chain: Chain) => explain([chain], { scheme: 'tls' }).tls
  assert.deepEqual(asks(context(undefined, false)), { endsHere: true, serverNames: [], clientCertificate: 'none', secrets: ['shop'] })
  assert.deepEqual(asks(context(false, true))?.clientCertificate, 'optional')
  assert.deepEqual(asks(context(true, true)), { endsHere: true, serverNames: [], clientCertificate: 'required', secrets: ['shop', 'shop-cacert'] })
  assert.match(explain([context(true, true)], { scheme: 'tcp' }).considered[0]!.whyNot, /its filter chain ends TLS, and the client sends none: the connection is closed/)
})
