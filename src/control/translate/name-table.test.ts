import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NameTable } from '../../proto/gen/istio/networking/nds/v1/nds_pb.ts'
import type { Endpoint, Service } from '../../model/service.ts'
import { bookinfo, endpoint, resource, service, workload } from '../../../test/support/bookinfo-world.ts'
import { createSnapshot } from '../snapshot.ts'
import type { Snapshot, World } from '../snapshot.ts'
import { readProxyNode } from './proxy-node.ts'
import { ProxyResources } from './proxy-resources.ts'
import { BuildCache } from './translator.ts'

interface Wanted {
  readonly services: readonly Service[]
  readonly endpoints?: readonly Endpoint[]
  readonly resources?: World['resources']
  readonly namespace?: string
  readonly network?: string
  /** Of the proxy. */
  readonly ips?: string
}

const cache = new BuildCache()

function built(snapshot: Snapshot, namespace = 'default', network = '', ips = '127.1.0.1,fd00::9') {
  const node = readProxyNode({ id: `sidecar~${ips.split(',')[0]}~client.${namespace}~${namespace}.svc.cluster.local`, metadata: { NETWORK: network, INSTANCE_IPS: ips } })
  return new ProxyResources(node, cache, (problem) => assert.fail(problem.message)).get('NDS', '', snapshot)!
}

/** `host ip,ip` or, of Kubernetes, `host ip,ip short namespace`. */
function names({ services, endpoints = [], resources = [], namespace, network, ips }: Wanted): readonly string[] {
  const { table } = built(createSnapshot({ resources, services, workloads: [], endpoints }), namespace, network, ips).message as NameTable
  return Object.entries(table).map(([host, { ips, shortname, namespace: of }]) => [host, ips.join(','), shortname, of].filter((part) => part !== '').join(' '))
}

const external = (hostname: string, more: Partial<Service> = {}) =>
  service(hostname, { hostname, registry: 'External', addresses: ['240.240.0.9'], resolution: 'dns', ...more })
const headless = service('db', { addresses: [], resolution: 'passthrough', ports: [{ name: 'tcp', number: 5432, protocol: 'TCP', targetPort: 5432 }] })
const member = (name: string, address: string, more: Partial<Endpoint> = {}) =>
  endpoint(headless, workload(name, address, { app: 'db' }), { memberName: name, ...more })

test('Services are known by their host, with what their short names are made of', () => {
  assert.deepEqual(names({ services: [service('reviews'), service('ratings', { namespace: 'other', addresses: ['10.0.0.1', 'fd00::1', '10.1.0.0/16'] })] }), [
    'ratings.other.svc.cluster.local 10.0.0.1,fd00::1 ratings other',
    'reviews.default.svc.cluster.local 240.240.0.1 reviews default',
  ])
})

test('a workload is told addresses of the families that it has, or else those that there are', () => {
  const services = [service('both', { addresses: ['10.0.0.1', 'fd00::1'] }), service('six', { addresses: ['fd00::2'] })]
  const shown = (ips: string) => names({ services, ips }).map((line) => line.split(' ')[1])
  assert.deepEqual(shown('127.1.0.1'), ['10.0.0.1', 'fd00::2'])
  assert.deepEqual(shown('fd00::9'), ['fd00::1', 'fd00::2'])
  assert.deepEqual(shown('fd00::9,127.1.0.1'), ['10.0.0.1,fd00::1', 'fd00::2'])
})

test('ServiceEntries are known by their hosts, wildcards by what is below them, and those without an address not at all', () => {
  assert.deepEqual(names({ services: [external('api.example.com'), external('*.example.org'), external('none.example.com', { addresses: [] }), external('*'), external('*-x.example.com')] }), [
    '*.example.org 240.240.0.9', 'api.example.com 240.240.0.9',
  ])
})

test('a member of both families is known by the addresses of those that the client has', () => {
  const endpoints = [member('db-0', '10.0.0.1', { furtherAddresses: ['fd00::1'] })]
  const shown = (ips: string) => names({ services: [headless], endpoints, ips }).map((line) => line.split(' ')[1])
  assert.deepEqual([shown('127.1.0.1'), shown('127.1.0.1,fd00::9'), shown('fd00::9')], [['10.0.0.1', '10.0.0.1'], ['10.0.0.1,fd00::1', '10.0.0.1,fd00::1'], ['fd00::1', 'fd00::1']])
})

test('a headless service stands for its ready endpoints, each of which has a name of its own', () => {
  const endpoints = [member('db-0', '10.0.0.1'), member('db-1', '10.0.0.2'), member('db-2', '10.0.0.3', { health: 'unhealthy' }), endpoint(headless, workload('x', '10.0.0.4', {}))]
  assert.deepEqual(names({ services: [headless], endpoints }), [
    'db-0.db.default.svc.cluster.local 10.0.0.1 db-0.db default',
    'db-1.db.default.svc.cluster.local 10.0.0.2 db-1.db default',
    'db.default.svc.cluster.local 10.0.0.1,10.0.0.2,10.0.0.4 db default',
  ])
})

test('endpoints in other networks are left out, since nobody stands between', () => {
  const endpoints = [member('db-0', '10.0.0.1', { network: 'here' }), member('db-1', '10.0.0.2', { network: 'there' }), member('db-2', '10.0.0.3')]
  assert.deepEqual(names({ services: [headless], endpoints, network: 'here' }).at(-1), 'db.default.svc.cluster.local 10.0.0.1,10.0.0.3 db default')
})

test('an ExternalName for a host of the mesh has the addresses of that host', () => {
  const alias = service('short', { addresses: [], resolution: 'alias', aliasOf: 'api.example.com' })
  assert.deepEqual(names({ services: [alias, external('api.example.com')] }), ['api.example.com 240.240.0.9', 'short.default.svc.cluster.local 240.240.0.9 short default'])
})

test('a Sidecar says which names there are', () => {
  const sidecar = resource('Sidecar', 'default', { egress: [{ hosts: ['./*'] }] })
  const services = [service('reviews'), service('ratings', { namespace: 'other' })]
  assert.deepEqual(names({ services, resources: [sidecar] }), ['reviews.default.svc.cluster.local 240.240.0.1 reviews default'])
  assert.deepEqual(names({ services, resources: [sidecar], namespace: 'third' }).length, 2)
})

test('proxies that see the same share one table, and a push that changes no name sends none', () => {
  const world = bookinfo()
  const first = createSnapshot(world)
  const table = built(first)
  assert.equal(built(first), table)
  const next = createSnapshot({ ...world, endpoints: world.endpoints.slice(1), resources: [resource('VirtualService', 'x', { hosts: ['reviews'] })] }, first)
  assert.equal(built(next), table)
})
