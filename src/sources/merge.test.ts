import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint, Service } from '../model/service.ts'
import { parseText } from './files/load.ts'
import { assemble } from './files/assemble.ts'
import { readFiles } from './files/read.ts'
import { WorldMerger } from './merge.ts'
import type { MergedWorld } from './merge.ts'
import type { SourceState } from './source.ts'

const stateOf = (yaml: string, file = 'mesh.yaml'): SourceState =>
  assemble([{ content: parseText(yaml, file, { namespace: 'default' }), held: [], leaving: false }])

function worldOf(yaml: string, ready?: ReadonlyMap<string, boolean>): MergedWorld {
  const state = stateOf(yaml)
  assert.deepEqual(state.issues.filter((one) => one.severity === 'error'), [])
  return new WorldMerger().merge([state], ready)
}

/** `host:port name -> address:port`, and what is unusual about the endpoint. */
function places({ endpoints }: MergedWorld): string[] {
  return endpoints.map((one: Endpoint) =>
    [`${one.hostname.replace('.svc.cluster.local', '')}/${one.servicePortName}`, `${one.address}:${one.port}`,
      one.health === 'healthy' ? '' : one.health, one.mutualTls ? 'mtls' : ''].filter((part) => part !== '').join(' '))
}

const serviceNamed = ({ services }: MergedWorld, name: string): Service => services.find((one) => one.name === name)!

const service = (name: string, more: string): string => `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: ${more}\n`
const pod = (name: string, ip: string, more = ''): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: x${more} } }
spec: { serviceAccountName: sa-${name}, nodeName: n1, containers: [{ name: c, ports: [{ name: web, containerPort: 8080 }] }] }
status: { phase: Running, podIP: ${ip}, conditions: [{ type: Ready, status: 'True' }] }
`
const entry = (name: string, more: string, labels = '{ app: x }'): string =>
  `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name}, labels: ${labels} }\nspec: ${more}\n`
const serviceEntry = (name: string, more: string, created = ''): string =>
  `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name}${created} }\nspec: ${more}\n`
const process = (name: string, more: string): string =>
  `apiVersion: trysail.dev/v1\nkind: Process\nmetadata: { name: ${name}, labels: { app: x } }\nspec: ${more}\n`
const all = (...parts: string[]): string => parts.join('---\n')

const x80 = '{ selector: { app: x }, ports: [{ name: http, port: 80, targetPort: 8080 }] }'

test('Bookinfo has four services, six workloads, and an endpoint of each workload', async () => {
  const state = await readFiles([new URL('../../samples/bookinfo/mesh', import.meta.url).pathname])
  const world = new WorldMerger().merge([state])
  assert.deepEqual(world.issues, [])
  assert.deepEqual(world.services.map((one) => one.name).sort(), ['details', 'productpage', 'ratings', 'reviews'])
  const expected = ['details-v1', 'productpage-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3']
  assert.deepEqual(world.workloads.map((one) => one.name).sort(), expected)
  assert.deepEqual(world.endpoints.map((one) => one.workload).sort(), expected.map((name) => `default/${name}`))
  for (const one of world.endpoints) {
    assert.equal(one.port, 9080)
    assert.equal(one.mutualTls, true)
    assert.equal(one.servicePortName, 'http')
    assert.match(one.serviceAccount, /^bookinfo-/)
    assert.deepEqual(world.workloads.find((each) => `default/${each.name}` === one.workload)!.addresses, [one.address])
  }
  assert.equal(new Set(world.endpoints.map((one) => one.address)).size, 6)
  assert.equal(new Set(world.services.flatMap((one) => one.addresses)).size, 4)
})

const endpointCases: readonly (readonly [title: string, yaml: string, endpoints: readonly string[]])[] = [
  ['a Service takes the Pods that it selects, at its target port', all(service('s', x80), pod('p1', '1.1.1.1'), pod('p2', '1.1.1.2')), ['s.default/http 1.1.1.1:8080', 's.default/http 1.1.1.2:8080']],
  ['a target port by name is a port of the Pod', all(service('s', '{ selector: { app: x }, ports: [{ name: http, port: 80, targetPort: web }] }'), pod('p', '1.1.1.1')), ['s.default/http 1.1.1.1:8080']],
  ['a target port that the Pod does not name has no endpoint', all(service('s', '{ selector: { app: x }, ports: [{ name: http, port: 80, targetPort: other }] }'), pod('p', '1.1.1.1')), []],
  ['every port of a Service has endpoints, UDP left out', all(service('s', '{ selector: { app: x }, ports: [{ name: a, port: 80 }, { name: b, port: 81, targetPort: 9000 }, { name: dns, port: 53, protocol: UDP }] }'), pod('p', '1.1.1.1')), ['s.default/a 1.1.1.1:80', 's.default/b 1.1.1.1:9000']],
  ['all labels of a selector count', all(service('s', '{ selector: { app: x, v: "2" }, ports: [{ port: 80 }] }'), pod('p1', '1.1.1.1', ', v: "1"'), pod('p2', '1.1.1.2', ', v: "2"')), ['s.default/ 1.1.1.2:80']],
  ['a Pod with a sidecar takes mutual TLS', all(service('s', x80), pod('p', '1.1.1.1', ', security.istio.io/tlsMode: istio')), ['s.default/http 1.1.1.1:8080 mtls']],
  ['a Pod that is not ready is sent as unhealthy', all(service('s', x80), pod('p', '1.1.1.1').replace("'True'", "'False'")), ['s.default/http 1.1.1.1:8080 unhealthy']],
  ['publishNotReadyAddresses sends it as healthy', all(service('s', x80.replace('{', '{ publishNotReadyAddresses: true,')), pod('p', '1.1.1.1').replace("'True'", "'False'")), ['s.default/http 1.1.1.1:8080']],
  ['a Pod that terminates, has ended or has no address yet is no endpoint', all(service('s', x80),
    pod('p1', '1.1.1.1').replace('labels:', "deletionTimestamp: '2026-01-01T00:00:00Z', labels:"), pod('p2', '1.1.1.2').replace('Running', 'Succeeded'), pod('p3', "''")), []],
  ['a Pod of another namespace is not selected', all(service('s', x80), pod('p', '1.1.1.1').replace('metadata: {', 'metadata: { namespace: other,')), []],
  ['a headless Service has endpoints like any other', all(service('s', x80.replace('{', '{ clusterIP: None,')), pod('p', '1.1.1.1')), ['s.default/http 1.1.1.1:8080']],
  ['an EndpointSlice goes before the selector, dedups, and leaves out what terminates', all(service('s', x80), pod('p1', '1.1.1.1', ', security.istio.io/tlsMode: istio'), pod('p2', '1.1.1.2'), `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: s-1, labels: { kubernetes.io/service-name: s } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: [1.1.1.1], targetRef: { kind: Pod, name: p1 } }
- { addresses: [1.1.1.1] }
- { addresses: [1.1.1.9], conditions: { ready: false } }
- { addresses: [1.1.1.8], conditions: { ready: false, serving: true, terminating: true } }
`), ['s.default/http 1.1.1.1:8080 mtls', 's.default/http 1.1.1.9:8080 unhealthy']],
  ['slices on this machine are used as they stand, each with the Pod of its port', all(service('s', x80), pod('p1', '127.0.0.1'), pod('p2', '127.0.0.1', ', security.istio.io/tlsMode: istio').replace('8080', '9090'), `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: s-1, labels: { kubernetes.io/service-name: s } }
addressType: IPv4
ports: [{ name: http, port: 9090 }]
endpoints: [{ addresses: [127.0.0.1] }]
`), ['s.default/http 127.0.0.1:9090 mtls']],
  ['slices of names are passed over', all(service('s', x80), "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: s-1, labels: { kubernetes.io/service-name: s } }\naddressType: FQDN\nports: [{ name: http, port: 80 }]\nendpoints: [{ addresses: [a.example.com] }]\n"), []],
  ['Endpoints serve where there is no slice', all(service('s', '{ ports: [{ name: http, port: 80 }] }'), `apiVersion: v1
kind: Endpoints
metadata: { name: s }
subsets:
- { addresses: [{ ip: 127.0.0.1 }], notReadyAddresses: [{ ip: 127.0.0.2 }], ports: [{ name: http, port: 3000 }] }
`), ['s.default/http 127.0.0.1:3000', 's.default/http 127.0.0.2:3000 unhealthy']],
  ['a Service selects WorkloadEntries; their ports override the target port', all(service('s', x80), entry('w1', '{ address: 2.2.2.1 }'), entry('w2', '{ address: 2.2.2.2, ports: { http: 9999 }, serviceAccount: sa }')), ['s.default/http 2.2.2.1:8080', 's.default/http 2.2.2.2:9999 mtls']],
  ['an unhealthy WorkloadEntry is sent as such', all(service('s', x80), `${entry('w1', '{ address: 2.2.2.1 }')}status: { conditions: [{ type: Healthy, status: 'False' }] }\n`), ['s.default/http 2.2.2.1:8080 unhealthy']],
  ['a selected socket has no port', all(service('s', x80), entry('w', '{ address: "unix:///run/app.sock" }')), ['s.default/http unix:///run/app.sock:0']],
  ['STATIC lists its endpoints: port map, then target port, then number', serviceEntry('e', `{ hosts: [e.example.com], resolution: STATIC,
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }, { number: 443, name: tls, protocol: TLS }],
  endpoints: [{ address: 3.3.3.1 }, { address: 3.3.3.2, ports: { http: 7070 } }] }`), ['e.example.com/http 3.3.3.1:8080', 'e.example.com/tls 3.3.3.1:443', 'e.example.com/http 3.3.3.2:7070', 'e.example.com/tls 3.3.3.2:443']],
  ['STATIC without endpoints is at its addresses', serviceEntry('e', '{ hosts: [e.example.com], addresses: [3.3.3.1, 3.3.4.0/24], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }] }'), ['e.example.com/http 3.3.3.1:80']],
  ['every host of an entry has its endpoints', serviceEntry('e', '{ hosts: [a.example.com, B.Example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 3.3.3.1 }] }'), ['a.example.com/http 3.3.3.1:80', 'b.example.com/http 3.3.3.1:80']],
  ['an entry selects Pods, Processes and WorkloadEntries', all(
    serviceEntry('e', '{ hosts: [e.example.com], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], workloadSelector: { labels: { app: x } } }'),
    pod('p', '1.1.1.1'), entry('w', '{ address: 2.2.2.1, ports: { http: 81 } }'), process('q', '{ proxyType: none, address: 127.0.0.1, ports: [{ containerPort: 80 }] }')),
  ['e.example.com/http 1.1.1.1:80', 'e.example.com/http 127.0.0.1:80', 'e.example.com/http 2.2.2.1:81']],
  ['two entries of one host and namespace join their endpoints', all(
    serviceEntry('e1', '{ hosts: [e.example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 3.3.3.1 }] }'),
    serviceEntry('e2', '{ hosts: [e.example.com], resolution: STATIC, ports: [{ number: 80, name: web, protocol: HTTP }], endpoints: [{ address: 3.3.3.2 }] }')),
  ['e.example.com/http 3.3.3.1:80', 'e.example.com/http 3.3.3.2:80']],
  ['NONE has no endpoints', serviceEntry('e', '{ hosts: [e.example.com], resolution: NONE, ports: [{ number: 80, name: http, protocol: HTTP }] }'), []],
]

for (const [title, yaml, expected] of endpointCases) {
  test(`endpoints: ${title}`, () => assert.deepEqual(places(worldOf(yaml)), expected))
}

const serviceCases: readonly (readonly [title: string, yaml: string, expected: Partial<Service>])[] = [
  ['a ClusterIP is its address', service('s', '{ clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], ports: [{ port: 80 }] }'), { hostname: 's.default.svc.cluster.local', addresses: ['10.0.0.1', 'fd00::1'], resolution: 'client-side', exportTo: [], selector: undefined }],
  ['external IPs are further addresses', service('s', '{ clusterIP: 10.0.0.1, externalIPs: [9.9.9.9], ports: [{ port: 80 }] }'), { addresses: ['10.0.0.1', '9.9.9.9'] }],
  ['a headless Service has none, and goes to the original destination', service('s', '{ clusterIP: None, ports: [{ port: 80 }] }'), { addresses: [], resolution: 'passthrough' }],
  ['ExternalName stands for another host', service('s', '{ type: ExternalName, externalName: Other.example.com. }'), { addresses: [], resolution: 'alias', aliasOf: 'other.example.com', ports: [] }],
  ['ports keep number, name and target', service('s', '{ clusterIP: None, ports: [{ name: grpc-x, port: 80, targetPort: web }] }'), { ports: [{ name: 'grpc-x', number: 80, protocol: 'GRPC', targetPort: 'web' }] }],
  ['exportTo is an annotation', service('s', '{ clusterIP: None, ports: [{ port: 80 }] }').replace('{ name: s }', '{ name: s, annotations: { networking.istio.io/exportTo: "a, b" } }'), { exportTo: ['a', 'b'] }],
  ['NONE goes to the original destination and needs no address', serviceEntry('s', '{ hosts: [s.example.com], ports: [{ number: 80, name: http, protocol: HTTP }] }'), { hostname: 's.example.com', registry: 'External', resolution: 'passthrough', addresses: [], meshExternal: true }],
  ['DNS is found by name', serviceEntry('s', '{ hosts: [s.example.com], addresses: [9.9.9.9], location: MESH_INTERNAL, resolution: DNS, subjectAltNames: [a], exportTo: ["."], ports: [{ number: 443, name: tls, protocol: TLS, targetPort: 8443 }] }'), { resolution: 'dns', addresses: ['9.9.9.9'], meshExternal: false, subjectAltNames: ['a'], exportTo: ['.'], ports: [{ name: 'tls', number: 443, protocol: 'TLS', targetPort: 8443 }] }],
  ['a wildcard is given no address', serviceEntry('s', '{ hosts: ["*.example.com"], resolution: STATIC, endpoints: [{ address: 10.0.0.1 }], ports: [{ number: 443, name: tls, protocol: TLS }] }'), { resolution: 'client-side', addresses: [] }],
  ['but where names below are looked up when they are asked for', serviceEntry('s', '{ hosts: ["*.example.com"], resolution: DYNAMIC_DNS, ports: [{ number: 443, name: tls, protocol: TLS }] }'), { resolution: 'dynamic-dns', addresses: ['240.240.62.58'], autoAllocated: true }],
  ['a label turns the allocation of addresses off', serviceEntry('s', '{ hosts: [s.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }', ', labels: { networking.istio.io/enable-autoallocate-ip: "false" }'), { addresses: [] }],
  ['an address that a controller wrote into the status is used', `${serviceEntry('s', '{ hosts: [s.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }')}status: { addresses: [{ value: 240.240.1.1, host: s.example.com }, { value: 240.240.1.2, host: other }] }\n`, { addresses: ['240.240.1.1'] }],
]

for (const [title, yaml, expected] of serviceCases) {
  test(`services: ${title}`, () => {
    const found = serviceNamed(worldOf(yaml), 's')
    for (const [field, value] of Object.entries(expected)) assert.deepEqual(found[field as keyof Service], value, field)
  })
}

test('services that need an address and have none are given one: Kubernetes Services and hosts of ServiceEntries', () => {
  const world = worldOf(all(service('s', x80), serviceEntry('e', '{ hosts: [e.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }')))
  assert.match(serviceNamed(world, 's').addresses.join(), /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/)
  assert.match(serviceNamed(world, 'e').addresses.join(), /^240\.240\.\d+\.\d+$/)
})

test('a Process is a Pod to the mesh: an address of its own, its ports, its identity', () => {
  const { workloads } = worldOf(all(
    process('side', '{ serviceAccount: sa, ports: [{ name: http, containerPort: 80, hostPort: 4000 }] }'),
    process('bare', '{ proxyType: none, address: 127.0.0.5, ports: [{ containerPort: 80 }] }'),
    process('gate', '{ proxyType: router, ports: [{ containerPort: 8080 }] }'),
  ))
  const [side, bare, gate] = workloads
  assert.match(side!.addresses.join(), /^10\.1[2-9]\d\.\d+\.\d+$/)
  assert.deepEqual(side!.ports, [{ name: 'http', containerPort: 80, hostPort: 4000 }])
  assert.deepEqual([side!.mutualTls, side!.serviceAccount, side!.ready, side!.workloadName], [true, 'sa', true, 'side'])
  assert.deepEqual([bare!.addresses, bare!.mutualTls], [['127.0.0.5'], false])
  assert.deepEqual([gate!.mutualTls, gate!.addresses[0]!.startsWith('10.')], [false, true])
})

test('where there are both families, a Process has addresses of both, and a Service those that it asks for', () => {
  const ask = (families: string) => `{ selector: { app: x }, ${families} ports: [{ port: 80 }] }`
  const yaml = all(process('side', '{ ports: [{ containerPort: 80 }] }'), service('one', ask('')), service('six', ask('ipFamilies: [IPv6],')), service('prefers', ask('ipFamilyPolicy: PreferDualStack,')), service('both', ask('ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6, IPv4],')))
  const { workloads, services, endpoints } = new WorldMerger({ dualStack: true }).merge([stateOf(yaml)])
  const families = (addresses: readonly string[]) => addresses.map((one) => (one.includes(':') ? 6 : 4)).join()
  assert.deepEqual([...workloads, ...services].map(({ name, addresses }) => `${name} ${families(addresses)}`), ['side 4,6', 'one 4', 'six 6', 'prefers 4,6', 'both 6,4'])
  assert.deepEqual(endpoints.map(({ address, furtherAddresses = [] }) => families([address, ...furtherAddresses])), ['4,6', '4,6', '4,6', '4,6'])
})

test('whoever supervises Processes says which of them are ready', () => {
  const yaml = all(service('s', x80), process('a', '{ ports: [{ containerPort: 8080 }] }'), process('b', '{ ports: [{ containerPort: 8080 }] }'))
  const health = (ready: [string, boolean][]) => worldOf(yaml, new Map(ready)).endpoints.map((one) => `${one.workload} ${one.health}`)
  assert.deepEqual(health([]), ['default/a healthy', 'default/b healthy'])
  assert.deepEqual(health([['default/b', false]]), ['default/a healthy', 'default/b unhealthy'])
})

test('a workload is where its own label says, else where its node is; endpoints carry that as labels', () => {
  const node = 'apiVersion: v1\nkind: Node\nmetadata: { name: n1, labels: { topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1, topology.istio.io/subzone: s1 } }\n'
  const network = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: istio-system, labels: { topology.istio.io/network: net1 } }\n'
  const world = worldOf(all(node, network, service('s', x80), pod('p1', '1.1.1.1'), pod('p2', '1.1.1.2', ', istio-locality: r2.z2'), entry('w', '{ address: 2.2.2.2, locality: r3/z3/s3, network: net3, weight: 5 }')))
  const [one, two, three] = world.endpoints
  assert.deepEqual([one!.locality, one!.network, one!.weight], [{ region: 'r1', zone: 'z1', subzone: 's1' }, 'net1', 1])
  assert.deepEqual(one!.labels, {
    app: 'x', 'topology.kubernetes.io/region': 'r1', 'topology.kubernetes.io/zone': 'z1', 'topology.istio.io/subzone': 's1', 'topology.istio.io/network': 'net1', 'kubernetes.io/hostname': 'n1',
  })
  assert.deepEqual(two!.locality, { region: 'r2', zone: 'z2', subzone: '' })
  assert.deepEqual([three!.locality, three!.network, three!.weight], [{ region: 'r3', zone: 'z3', subzone: 's3' }, 'net3', 5])
})

test("a Pod's workload is the Deployment behind its ReplicaSet, or the CronJob behind its Job", () => {
  const owned = (kind: string, name: string, labels = '') =>
    worldOf(pod('p', '1.1.1.1', labels).replace('labels:', `ownerReferences: [{ kind: ${kind}, name: ${name}, controller: true }], labels:`)).workloads[0]!.workloadName
  assert.equal(owned('ReplicaSet', 'web-5d8f', ', pod-template-hash: 5d8f'), 'web')
  assert.equal(owned('ReplicaSet', 'web-5d8f'), 'web-5d8f')
  assert.equal(owned('StatefulSet', 'db'), 'db')
  assert.equal(owned('Job', 'backup-28123456'), 'backup')
  assert.equal(worldOf(pod('p', '1.1.1.1')).workloads[0]!.workloadName, 'p')
})

test('a ServiceEntry of a host that is a Kubernetes Service has no effect, and says so', () => {
  const world = worldOf(all(service('s', x80), serviceEntry('e', '{ hosts: [s.default.svc.cluster.local], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 3.3.3.3 }] }')))
  assert.deepEqual(world.services.map((one) => one.registry), ['Kubernetes'])
  assert.deepEqual(places(world), [])
  assert.deepEqual(world.issues.map(({ severity, resource, path }) => ({ severity, resource, path })), [
    { severity: 'warning', resource: 'ServiceEntry/default/e', path: ['spec', 'hosts', 0] },
  ])
})

test('of two entries that disagree about one host the older one stands, and the other says so', () => {
  const ports = 'ports: [{ number: 80, name: http, protocol: HTTP }]'
  const world = worldOf(all(
    serviceEntry('young', `{ hosts: [e.example.com], resolution: DNS, ${ports} }`, ", creationTimestamp: '2026-02-01T00:00:00Z'"),
    serviceEntry('old', `{ hosts: [e.example.com], resolution: NONE, ${ports} }`, ", creationTimestamp: '2026-01-01T00:00:00Z'"),
  ))
  assert.deepEqual(world.services.map((one) => [one.name, one.resolution]), [['old', 'passthrough']])
  assert.match(world.issues[0]!.message, /older ServiceEntry old \(mesh\.yaml:\d+\)/)
})

test('entries of one host in two namespaces are two services', () => {
  const spec = '{ hosts: [e.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }'
  const world = worldOf(all(serviceEntry('e', spec), serviceEntry('e', spec, ', namespace: other')))
  assert.deepEqual(world.services.map((one) => one.namespace), ['default', 'other'])
  assert.equal(new Set(world.services.flatMap((one) => one.addresses)).size, 2)
})

test('a WorkloadEntry with a name, behind a service that takes addresses only, is said to get no traffic', () => {
  const world = worldOf(all(service('s', x80), entry('w', '{ address: app.example.com }')))
  assert.deepEqual(places(world), [])
  assert.equal(world.issues[0]!.resource, 'WorkloadEntry/default/w')
  assert.match(world.issues[0]!.message, /app\.example\.com is a name/)
})

const meshConfig = (namespace: string, mesh: string, name = 'istio') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\ndata: { mesh: "${mesh}" }\n`

test("the mesh's settings are those of the ConfigMap istio in its root namespace", () => {
  assert.equal(worldOf(service('s', x80)).meshConfig, undefined)
  assert.equal(worldOf(meshConfig('istio-system', 'trustDomain: td1')).meshConfig?.trustDomain, 'td1')
  assert.equal(worldOf(meshConfig('own-root', 'rootNamespace: own-root')).meshConfig?.rootNamespace, 'own-root')
  const both = worldOf(all(meshConfig('istio-system', 'trustDomain: td2', 'istio-canary'), meshConfig('istio-system', 'trustDomain: td1'), meshConfig('default', 'trustDomain: td3')))
  assert.equal(both.meshConfig?.trustDomain, 'td1')
  assert.deepEqual(both.issues.map((one) => one.resource), ['ConfigMap/istio-system/istio-canary', 'ConfigMap/default/istio'])
})

test('of several sources the first one that has a resource decides', () => {
  const merger = new WorldMerger()
  const [one, other] = [stateOf(service('s', x80), 'one.yaml'), stateOf(all(service('s', x80), service('t', x80)), 'other.yaml')]
  const world = merger.merge([one, other])
  assert.deepEqual(world.services.map((each) => `${each.name} ${each.origin.file}`), ['s one.yaml', 't other.yaml'])
  assert.deepEqual(world.issues.map((issue) => [issue.resource, issue.origin.file]), [['Service/default/s', 'other.yaml']])
  assert.match(world.issues[0]!.message, /one\.yaml:1/)
})

test('resources leave out what became services and workloads', () => {
  const world = worldOf(all(service('s', x80), pod('p', '1.1.1.1'), entry('w', '{ address: 2.2.2.2 }'), process('q', '{}'), 'apiVersion: v1\nkind: Secret\nmetadata: { name: t }\n'))
  assert.deepEqual(world.resources.map((one) => one.kind), ['WorkloadEntry', 'Process', 'Secret'])
})

test('what did not change is the same object, in the same lists', () => {
  const merger = new WorldMerger()
  const still = stateOf(all(service('s', x80), pod('p1', '1.1.1.1'), pod('p2', '1.1.1.2'), process('q', '{ ports: [{ containerPort: 8080 }] }')))
  const first = merger.merge([still, stateOf(serviceEntry('e', '{ hosts: [e.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }'), 'e.yaml')])
  const second = merger.merge([still, stateOf(serviceEntry('f', '{ hosts: [f.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }'), 'e.yaml')])
  assert.notEqual(second.services, first.services)
  assert.equal(second.services[0], first.services[0])
  assert.equal(second.workloads, first.workloads)
  assert.equal(second.endpoints, first.endpoints)
  const third = merger.merge([still], new Map([['default/q', false]]))
  assert.equal(third.workloads[0], first.workloads[0])
  assert.notEqual(third.workloads[2], first.workloads[2])
  const again = merger.merge([still], new Map([['default/q', false]]))
  assert.equal(again.endpoints, third.endpoints)
  assert.equal(again.workloads, third.workloads)
})

test('members of a headless service are known by the names that Pods, slices and Processes have', () => {
  const statefulPod = (name: string, ip: string): string => pod(name, ip).replace('serviceAccountName', `hostname: ${name}, subdomain: db, serviceAccountName`)
  const headless = (more: string): string => service('db', `{ clusterIP: None, ${more}ports: [{ name: tcp, port: 8080 }] }`)
  const members = (...parts: string[]): string[] => worldOf(all(...parts)).endpoints.filter(({ hostname }) => hostname.startsWith('db.')).map(({ address, memberName }) => `${address} ${memberName ?? '-'}`)
  const selecting = 'selector: { app: x }, '
  assert.deepEqual(members(headless(selecting), statefulPod('db-0', '10.0.0.1'), pod('plain', '10.0.0.2'), process('Own', '{ ports: [{ name: tcp, containerPort: 8080 }] }')).map((line) => line.replace(/^\S+ own/, 'a local address own')), ['10.0.0.1 db-0', '10.0.0.2 -', 'a local address own'])
  assert.deepEqual(members(service('db', x80), statefulPod('db-0', '10.0.0.1')), ['10.0.0.1 -'], 'not below a Service that has an address')
  const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
ports: [{ name: tcp, port: 8080 }]
endpoints: [{ addresses: [10.0.0.3], hostname: Given }, { addresses: [10.0.0.4] }]
`
  assert.deepEqual(members(headless(''), slice), ['10.0.0.3 given', '10.0.0.4 -'])
})
