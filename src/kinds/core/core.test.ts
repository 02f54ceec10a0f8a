// The Kubernetes kinds: an exported cluster passes without noise, and what is wrong with a hand-written object is found.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatPath } from '../../model/resource.ts'
import { parseDocuments } from '../parse.ts'
import { ofKind } from '../table.ts'
import { defaultMeshConfig, isMeshConfigMap, meshConfigOf } from './config-map.ts'
import { secretValue } from './secret.ts'

const exported = new URL('../../../test/support/files/exported-cluster.yaml', import.meta.url)

const issuesOf = (document: unknown): string[] =>
  parseDocuments(JSON.stringify(document), 'f').issues.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`)

test('an exported cluster is read without an error or warning', () => {
  const { issues, objects } = parseDocuments(readFileSync(exported, 'utf8'), 'cluster.yaml')
  assert.deepEqual(issues, [])
  assert.deepEqual(objects.filter(({ handling, resource }) => handling === 'read' && resource === undefined), [])
  assert.deepEqual(objects.filter(({ handling }) => handling === 'inert').map(({ kind }) => kind), ['ReplicaSet', 'PersistentVolumeClaim', 'Certificate'])
})

test('what the mesh reads of an exported cluster is there, IPv6 and nulls too', () => {
  const { resources } = parseDocuments(readFileSync(exported, 'utf8'), 'cluster.yaml')
  const [reviews, headless] = ofKind(resources, 'Service')
  assert.deepEqual(reviews?.spec.spec.clusterIPs, ['10.96.12.7', 'fd00::12:7'])
  assert.deepEqual(reviews?.spec.spec.ports.map(({ targetPort }) => targetPort), [9080, 'admin'])
  assert.equal(reviews?.spec.status?.loadBalancer?.ingress?.[0]?.hostname, 'a.elb.amazonaws.com')
  assert.equal(headless?.spec.spec.selector, undefined)
  const [slice, empty] = ofKind(resources, 'EndpointSlice')
  assert.deepEqual(slice?.spec.endpoints.map(({ addresses }) => addresses[0]), ['fd00:10:244:1::5', 'fd00:10:244:1::6'])
  assert.deepEqual([empty?.spec.endpoints, empty?.spec.ports, empty?.metadata.creationTimestamp], [[], [], undefined])
  const [pod] = ofKind(resources, 'Pod')
  assert.deepEqual([pod?.metadata.owner?.name, pod?.metadata.deleting, pod?.spec.status?.podIPs?.[1]?.ip], ['reviews-v1-6b9f7', true, 'fd00:10:244:1::5'])
})

const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ name: 'http', port: 80 }] } }
const withSpec = (spec: object) => ({ ...service, spec: { ...service.spec, ...spec } })

for (const [title, document, expected] of [
  ['a service without ports', withSpec({ ports: [] }), 'error spec.ports: must have at least one port'],
  ['several ports without names', withSpec({ ports: [{ port: 80 }, { name: 'b', port: 81 }] }), 'error spec.ports[0]: needs a name, since there are several ports'],
  ['a port name twice', withSpec({ ports: [{ name: 'b', port: 80 }, { name: 'b', port: 81 }] }), 'error spec.ports[1].name: the port b is named twice'],
  ['an external name without a name', withSpec({ type: 'ExternalName' }), 'error spec.externalName: is required for type ExternalName'],
  ['a target port that is neither number nor name', withSpec({ ports: [{ port: 80, targetPort: 'A_' }] }), 'error spec.ports[0].targetPort: must be a port, 1 to 65535, or the name of one'],
  ['a target port out of range', withSpec({ ports: [{ port: 80, targetPort: 0 }] }), 'error spec.ports[0].targetPort: must be a port, 1 to 65535, or the name of one'],
  ['a mistyped field of a service', withSpec({ selectors: {} }), 'error spec.selectors: unknown field "selectors"; did you mean selector?'],
  ['traffic that stays local, since it is not served', withSpec({ internalTrafficPolicy: 'Local' }), 'warning spec.internalTrafficPolicy: internalTrafficPolicy: Local is not served yet: endpoints on all nodes are used'],
  ['gRPC by name, since it is not served', withSpec({ ports: [{ name: 'grpc-api', port: 80 }] }), 'warning spec.ports[0].name: name: grpc-api is not served yet: HTTP/1.1 is spoken, and HTTP/2 is refused'],
  ['an address type that is none', { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv5', endpoints: [] }, 'error addressType: must be one of IPv4, IPv6, FQDN, not "IPv5"; did you mean IPv4?'],
  ['an endpoint without addresses', { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{}] }, 'error endpoints[0].addresses: is required'],
  ['endpoints without an address', { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'a' }, subsets: [{ addresses: [{}] }] }, 'error subsets[0].addresses[0].ip: is required'],
  ['a secret that is not base64', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { key: 'se cret!' } }, 'error data.key: must be a base64 string'],
  ['a secret that is a number', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, stringData: { key: 12345 } }, 'error stringData.key: must be a string'],
  ['a value of a ConfigMap that is no text', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { key: true } }, 'error data.key: must be a string, not true: write it in quotes'],
  ['a Pod without a spec', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }, 'error spec: is required'],
] as const) {
  test(`${title} is said`, () => assert.deepEqual(issuesOf(document), [expected]))
}

test('messages about secrets never show their values', () => {
  const found = issuesOf({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { key: 'hunter2!' }, stringData: { other: ['hunter2'] } })
  assert.equal(found.length, 2)
  assert.ok(!found.join().includes('hunter2'))
})

test('stringData of a secret goes before data', () => {
  const [secret] = ofKind(parseDocuments(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { a: 'YQ==', b: 'Yg==' }, stringData: { b: 'c' } }), 'f').resources, 'Secret')
  assert.deepEqual(['a', 'b', 'c'].map((key) => secretValue(secret!.spec, key)?.toString()), ['a', 'c', undefined])
})

const mesh = (text: string, name = 'istio') => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'istio-system' }, data: { mesh: text } })

for (const [title, text, expected] of [
  ['a mistyped setting', 'xyzzy: 1\ntrustDomian: a', ['error data.mesh.xyzzy: line 1: xyzzy: unknown field "xyzzy"', 'error data.mesh.trustDomian: line 2: trustDomian: unknown field "trustDomian"; did you mean trustDomain?']],
  ['a value that is none', '# mesh\noutboundTrafficPolicy:\n  mode: DENY', ['error data.mesh.outboundTrafficPolicy.mode: line 3: outboundTrafficPolicy.mode: must be one of REGISTRY_ONLY, ALLOW_ANY, ALLOW_ANY_DYNAMIC_DNS, not "DENY"']],
  ['text that is no YAML', 'a: {', ['error data.mesh: line 1: Flow map in block collection must be sufficiently indented and end with a }']],
  ['what is not served yet', 'h2UpgradePolicy: UPGRADE\nproxyListenPort: 16001', [
    'warning data.mesh.h2UpgradePolicy: line 1: h2UpgradePolicy: h2UpgradePolicy: UPGRADE is not served yet: HTTP/1.1 is spoken',
    'warning data.mesh.proxyListenPort: line 2: proxyListenPort: proxyListenPort: 16001 is not served yet: it is 15001',
  ]],
  ['a setting of proxies that is not served', 'defaultConfig: { discoveryAddress: a, proxyMetadata: { A: b } }', [
    "warning data.mesh.defaultConfig.proxyMetadata: line 1: defaultConfig.proxyMetadata: this setting of Istio's own proxies is not served yet: the mesh accepts it and behaves as if it were not there",
  ]],
  ['spans that nobody sends', 'defaultProviders: { tracing: [zipkin] }', ['warning data.mesh.defaultProviders.tracing: line 1: defaultProviders.tracing: tracing is not served yet: no spans are sent']],
  ['what Istio has removed, without a word', 'mixerCheckServer: a\nsdsUdsPath: ""', []],
] as const) {
  test(`of the mesh's settings ${title} is said with its line`, () => assert.deepEqual(issuesOf(mesh(text)).map((one) => one.replace(/; known here.*/, '')), expected))
}

test('the mesh\'s settings have their defaults, and are read from istio and istio-REVISION only', () => {
  assert.deepEqual(['istio', 'istio-canary', 'istio-', 'other'].map(isMeshConfigMap), [true, true, false, false])
  assert.deepEqual(issuesOf(mesh('nonsense: 1', 'other')), [])
  const [map] = ofKind(parseDocuments(JSON.stringify(mesh('connectTimeout: 5s\nrootNamespace:\n')), 'f').resources, 'ConfigMap')
  assert.deepEqual(meshConfigOf(map!.spec), { ...defaultMeshConfig, connectTimeout: 5000 })
  assert.equal(defaultMeshConfig.rootNamespace, 'istio-system')
})
