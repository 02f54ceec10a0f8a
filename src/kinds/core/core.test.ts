// The Kubernetes kinds: an exported cluster passes without noise, and what is wrong with a hand-written object is found.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { formatPath } from '../../model/resource.ts'
import { parseDocuments } from '../parse.ts'
import { ofKind } from '../table.ts'
import { isMeshConfigMap, meshConfigOf } from './config-map.ts'
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
  ['a policy for traffic that is none', withSpec({ internalTrafficPolicy: 'local' }), 'error spec.internalTrafficPolicy: must be one of Cluster, Local, not "local"; did you mean Local?'],
  ['an address type that is none', { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv5', endpoints: [] }, 'error addressType: must be one of IPv4, IPv6, FQDN, not "IPv5"; did you mean IPv4?'],
  ['an endpoint without addresses', { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{}] }, 'error endpoints[0].addresses: is required'],
  ['endpoints without an address', { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'a' }, subsets: [{ addresses: [{}] }] }, 'error subsets[0].addresses[0].ip: is required'],
  ['a secret that is not base64', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { key: 'se cret!' } }, 'error data.key: must be a base64 string'],
  ['a secret that is a number', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, stringData: { key: 12345 } }, 'error stringData.key: must be a string'],
  ['a staple that nobody shows', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { 'tls.ocsp-staple': 'YQ==' } }, 'warning data.tls.ocsp-staple: is not served yet: no proxy staples it to its certificate, and clients that insist on it go elsewhere'],
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

test('a secret that is printed or serialised shows its keys and no value', () => {
  const [secret] = ofKind(parseDocuments(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { key: 'aHVudGVyMg==' }, stringData: { other: 'hunter2' } }), 'f').resources, 'Secret')
  for (const text of [JSON.stringify(secret), inspect(secret, { depth: 9 }), JSON.stringify({ deep: [secret!.spec] })]) assert.doesNotMatch(text, /hunter2|aHVudGVyMg/)
  assert.deepEqual(JSON.parse(JSON.stringify(secret!.spec)), { type: 'Opaque', data: { key: '[redacted]' }, stringData: { other: '[redacted]' } })
  assert.equal(secretValue(secret!.spec, 'other')?.toString(), 'hunter2')
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
  ['what is not served yet', 'enableTracing: true\nenableEnvoyAccessLogService: true', [
    'warning data.mesh.enableTracing: line 1: enableTracing: enableTracing is not served yet: no spans are sent',
    'warning data.mesh.enableEnvoyAccessLogService: line 2: enableEnvoyAccessLogService: enableEnvoyAccessLogService is not served yet: the mesh accepts it and behaves as if it were not there',
  ]],
  ['a setting of proxies that is not served', 'defaultConfig: { discoveryAddress: a, proxyMetadata: { A: b } }', [
    'warning data.mesh.defaultConfig.proxyMetadata.A: line 1: defaultConfig.proxyMetadata.A: a variable that no proxy here reads is not served yet: the mesh accepts it and behaves as if it were not there',
  ]],
  ['a curve that nobody knows', 'tlsDefaults: { ecdhCurves: [P-25] }', ['error data.mesh.tlsDefaults.ecdhCurves[0]: line 1: tlsDefaults.ecdhCurves[0]: must be one of X25519, P-256, P-384, P-521, X25519MLKEM768, not "P-25"; did you mean P-256?']],
  ['a mistyped setting of proxies', 'defaultConfig: { gatewayTopologie: {} }', ['error data.mesh.defaultConfig.gatewayTopologie: line 1: defaultConfig.gatewayTopologie: unknown field "gatewayTopologie"; did you mean gatewayTopology?']],
  ['what is served, without a word', 'meshMTLS: { minProtocolVersion: TLSV1_3 }\nproxyHttpPort: 15080\ndefaultConfig: { concurrency: 2, gatewayTopology: { numTrustedProxies: 1 } }\ndiscoverySelectors: [{ matchExpressions: [{ key: a, operator: Exists }] }]', []],
  ['spans that nobody sends', 'defaultProviders: { tracing: [zipkin] }', ['warning data.mesh.defaultProviders.tracing: line 1: defaultProviders.tracing: tracing is not served yet: no spans are sent']],
  ['what Istio has removed, without a word', 'mixerCheckServer: a\nsdsUdsPath: ""', []],
] as const) {
  test(`of the mesh's settings ${title} is said with its line`, () => assert.deepEqual(issuesOf(mesh(text)).map((one) => one.replace(/; known here.*/, '')), expected))
}

test('the mesh\'s settings have their defaults, and are read from istio and istio-REVISION only', () => {
  assert.deepEqual(['istio', 'istio-canary', 'istio-', 'other'].map(isMeshConfigMap), [true, true, false, false])
  assert.deepEqual(issuesOf(mesh('nonsense: 1', 'other')), [])
  const settingsOf = (text: string) => meshConfigOf(ofKind(parseDocuments(JSON.stringify(mesh(text)), 'f').resources, 'ConfigMap')[0]!.spec)!
  const defaults = settingsOf('')
  assert.deepEqual(settingsOf('connectTimeout: 5s\nrootNamespace:\n'), { ...defaults, connectTimeout: 5000 })
  assert.equal(defaults.rootNamespace, 'istio-system')
})

const annotated = (text: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', annotations: { 'proxy.istio.io/config': text } }, spec: { containers: [] } })
const annotation = 'warning metadata.annotations.proxy.istio.io/config:'

for (const [title, text, expected] of [
  ['what is served, without a word', 'concurrency: 2\ngatewayTopology: { numTrustedProxies: 1, proxyProtocol: }', []],
  ['what is not served yet', 'tracing: { sampling: 1 }', [`${annotation} tracing: tracing is not served yet: the mesh accepts it and behaves as if it were not there`]],
  ['a mistake, and that nothing of it counts', '{"gatewayTopology":{"numTrustedProxies":-1}}', [`${annotation} gatewayTopology.numTrustedProxies: must be at least 0, not -1; the annotation is not used`]],
  ['text that is no YAML', 'a: {', [`${annotation} line 1: Flow map in block collection must be sufficiently indented and end with a }; the annotation is not used`]],
  ['text that says nothing of the kind', 'hello', [`${annotation} must be an object, not "hello"; the annotation is not used`]],
] as const) {
  test(`of a workload's annotation for its proxy ${title} is said`, () => assert.deepEqual(issuesOf(annotated(text)).map((one) => one.replace(/; known here.*/, '')), expected))
}
