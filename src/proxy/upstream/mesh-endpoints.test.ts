import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CertificateValidationContext, CertificateValidationContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { UpstreamTlsContextSchema } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { RuntimeHost } from './host.ts'
import { MeshEndpoints } from './mesh-endpoints.ts'
import { ClusterStats } from './stats.ts'
import { TlsContexts } from './tls-contexts.ts'
import { UpstreamTls } from './tls.ts'

type Names = NonNullable<Exclude<MessageInitShape<typeof CertificateValidationContextSchema>, CertificateValidationContext>['matchTypedSubjectAltNames']>

const contexts = new TlsContexts({ certificate: () => undefined, trust: () => undefined, onChange: () => () => {} })
const tlsOf = (cluster: string, alpnProtocols: string[], matchTypedSubjectAltNames: Names = []): UpstreamTls => new UpstreamTls(create(UpstreamTlsContextSchema, {
  commonTlsContext: {
    alpnProtocols,
    validationContextType: { case: 'combinedValidationContext', value: { validationContextSdsSecretConfig: { name: 'ROOTCA' }, defaultValidationContext: { matchTypedSubjectAltNames } } },
  },
}), contexts, cluster)
const mesh = (cluster: string, ...names: readonly string[]): UpstreamTls =>
  tlsOf(cluster, ['istio-peer-exchange', 'istio'], names.map((exact) => ({ sanType: 3, matcher: { matchPattern: { case: 'exact', value: exact } } })))
const originated = tlsOf('outside', ['h2'])

interface Known {
  readonly tlsMode?: string
  readonly workload?: string
  readonly host?: string
  readonly further?: readonly { readonly host: string; readonly port: number }[]
}

function endpoint(tls: UpstreamTls | undefined, { tlsMode = 'istio', workload = 'web-1;default;web;v1;k', host = '10.0.0.1', further }: Known = {}): RuntimeHost {
  const address = { host, port: 8080 }
  const name = host.includes(':') ? `[${host}]:8080` : `${host}:8080`
  const settings = { address, name, connectTo: address, weight: 1, health: 'healthy' as const, priority: 0, locality: '', localityWeight: 0, workload, socketLabels: { tlsMode }, ...(further !== undefined && { further }) }
  return new RuntimeHost(settings, { stats: new ClusterStats(), socket: { tls, proxyProtocol: undefined }, now: () => 0, onSuspicion: () => {} })
}

const at = '10.0.0.1:8080'

test('an endpoint is known when it takes the mesh\'s mutual TLS and its cluster speaks it', () => {
  const found = (host: RuntimeHost, name = at): RuntimeHost | undefined => new MeshEndpoints(() => [host]).at(name)
  const known = endpoint(mesh('web'))
  assert.equal(found(known), known)
  assert.equal(found(known, '10.0.0.1:8081'), undefined)
  assert.equal(found(endpoint(undefined)), undefined, 'DISABLE')
  assert.equal(found(endpoint(originated)), undefined, 'SIMPLE')
  assert.equal(found(endpoint(mesh('web'), { tlsMode: 'disabled' })), undefined, 'not in the mesh')
  assert.equal(found(endpoint(mesh('web'), { workload: ';default;web;v1;k' })), undefined, 'the gateway of another network')
})

test('an address of IPv6 is known in every spelling', () => {
  const known = endpoint(mesh('web'), { host: '2001:DB8:0:0::1' })
  const endpoints = new MeshEndpoints(() => [known])
  assert.equal(endpoints.at('[2001:db8::1]:8080'), known)
  endpoints.remove(known)
  assert.equal(endpoints.at('[2001:db8::1]:8080'), undefined)
})

test('an endpoint of both families is known at its addresses of both', () => {
  const known = endpoint(mesh('web'), { further: [{ host: 'fd00:0::7', port: 8080 }] })
  const endpoints = new MeshEndpoints(() => [known])
  assert.deepEqual([endpoints.at(at), endpoints.at('[fd00::7]:8080'), endpoints.at('[fd00::7]:8081')], [known, known, undefined])
  endpoints.remove(known)
  assert.deepEqual([endpoints.at(at), endpoints.at('[fd00::7]:8080')], [undefined, undefined])
})

test('nothing is kept until somebody asks; from then on it follows what comes and goes', () => {
  const first = endpoint(mesh('web'))
  const all = new Set([first])
  let counted = 0
  const endpoints = new MeshEndpoints(() => (counted++, all))
  endpoints.add(first)
  endpoints.remove(first)
  assert.equal(counted, 0)
  assert.equal(endpoints.at(at), first)
  endpoints.remove(endpoint(mesh('web')))
  assert.equal(endpoints.at(at), first, 'another one of that name has gone')
  endpoints.remove(first)
  assert.equal(endpoints.at(at), undefined)
  const second = endpoints.add(endpoint(mesh('web')))
  assert.deepEqual([endpoints.at(at), counted], [second, 1])
})

test('of several that know it the one goes first that takes the fewest identities, then by its name', () => {
  const many = endpoint(mesh('a', 'spiffe://x', 'spiffe://y'))
  const few = endpoint(mesh('c', 'spiffe://x'))
  const same = endpoint(mesh('b', 'spiffe://x'))
  const any = endpoint(mesh('0'))
  const plain = endpoint(undefined)
  for (const order of [[many, few, same, any, plain], [plain, any, same, few, many], [few, plain, many, any, same]]) {
    const endpoints = new MeshEndpoints(() => order)
    const met: (RuntimeHost | undefined)[] = []
    for (const expected of [same, few, many, any]) {
      met.push(endpoints.at(at))
      endpoints.remove(expected)
    }
    assert.deepEqual(met.map((one) => one?.socket.tls?.cluster), ['b', 'c', 'a', '0'])
    assert.equal(endpoints.at(at), undefined)
  }
})
