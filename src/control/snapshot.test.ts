import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource, service } from '../../test/support/bookinfo-world.ts'
import { createSnapshot } from './snapshot.ts'
import { serviceDomains } from './translate/route/virtual-host.ts'

const peer = { namespace: 'default', labels: { app: 'productpage' } }
const hosts = (scope: { services: readonly { hostname: string }[] }) => scope.services.map((one) => one.hostname.split('.')[0])

test('a snapshot keeps every object that says the same, and says what kinds changed', () => {
  const spec = { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }] }] }
  const first = createSnapshot(bookinfo(resource('VirtualService', 'a', spec), resource('VirtualService', 'b', spec)))
  const second = createSnapshot(bookinfo(resource('VirtualService', 'a', structuredClone(spec)), resource('VirtualService', 'b', { ...spec, hosts: ['details'] })), first)
  assert.equal(second.resources[0], first.resources[0])
  assert.notEqual(second.resources[1], first.resources[1])
  assert.equal(second.services, first.services)
  assert.equal(second.endpoints, first.endpoints)
  assert.deepEqual([...second.changed], ['VirtualService'])
  assert.equal(second.generation, 2)
})

test('nothing changed when the same is said again', () => {
  const first = createSnapshot(bookinfo())
  assert.equal(createSnapshot(bookinfo(), first).changed.size, 0)
})

const sidecar = (name: string, namespace: string, egress: string[], labels?: Record<string, string>) =>
  resource('Sidecar', name, { ...(labels && { workloadSelector: { labels } }), egress: [{ hosts: egress }] }, { namespace })

test('the Sidecar that selects a workload comes before that of its namespace, and that before the root one', () => {
  const root = sidecar('root', 'istio-system', ['*/reviews.default.svc.cluster.local'])
  const own = sidecar('own', 'default', ['./details.default.svc.cluster.local'])
  const chosen = sidecar('chosen', 'default', ['./productpage.default.svc.cluster.local'], { app: 'productpage' })
  assert.deepEqual(hosts(createSnapshot(bookinfo(root, own, chosen)).scopeOf(peer, 'sidecar')), ['productpage'])
  assert.deepEqual(hosts(createSnapshot(bookinfo(root, own)).scopeOf(peer, 'sidecar')), ['details'])
  assert.deepEqual(hosts(createSnapshot(bookinfo(root)).scopeOf(peer, 'sidecar')), ['reviews'])
  assert.equal(createSnapshot(bookinfo()).scopeOf(peer, 'sidecar').services.length, 3)
  assert.equal(createSnapshot(bookinfo(root)).scopeOf(peer, 'router').services.length, 3)
})

test('a scope excludes, imports nothing, and imports what its VirtualServices send to as clusters only', () => {
  const scope = (egress: string[], ...more: ReturnType<typeof resource>[]) =>
    createSnapshot(bookinfo(sidecar('s', 'default', egress), ...more)).scopeOf(peer, 'sidecar')
  assert.deepEqual(hosts(scope(['./*', '~default/reviews.default.svc.cluster.local'])), ['details', 'productpage'])
  assert.deepEqual(hosts(scope(['~/*'])), [])
  const sends = resource('VirtualService', 'v', { hosts: ['details'], http: [{ route: [{ destination: { host: 'reviews' } }] }] })
  const imported = scope(['./details.default.svc.cluster.local'], sends)
  assert.deepEqual(hosts(imported), ['details'])
  assert.ok(imported.serviceAt('reviews.default.svc.cluster.local'))
})

test('a host of two namespaces is that of the client, and what is not exported is not seen', () => {
  const of = (namespace: string, exportTo: string[]) =>
    service('x', { namespace, hostname: 'x.example.com', registry: 'External', exportTo })
  const world = { ...bookinfo(), services: [of('a', ['*']), of('default', ['*']), of('b', ['.'])] }
  const snapshot = createSnapshot(world)
  assert.equal(snapshot.scopeOf(peer, 'sidecar').serviceAt('x.example.com')?.namespace, 'default')
  assert.equal(snapshot.scopeOf({ namespace: 'c', labels: {} }, 'sidecar').serviceAt('x.example.com')?.namespace, 'a')
})

const domainCases: readonly [title: string, of: Parameters<typeof service>[1], client: string, expected: readonly string[]][] = [
  ['a client of the namespace may say the bare name', {}, 'default',
    ['foo.default.svc.cluster.local', 'foo.default.svc.cluster.local.', 'foo.default.svc', 'foo.default', 'foo', '240.240.0.1']],
  ['another client may not', { addresses: ['10.0.0.1', '10.0.0.0/8', 'fd00::1'] }, 'other',
    ['foo.default.svc.cluster.local', 'foo.default.svc.cluster.local.', 'foo.default.svc', 'foo.default', '10.0.0.1', '[fd00::1]']],
  ['a headless service also has the names of its Pods', { resolution: 'passthrough', addresses: [] }, 'other',
    ['foo.default.svc.cluster.local', 'foo.default.svc.cluster.local.', 'foo.default.svc', 'foo.default',
      '*.foo.default.svc.cluster.local', '*.foo.default.svc.cluster.local.', '*.foo.default.svc', '*.foo.default']],
  ['an external host is what it is', { hostname: 'api.example.com', registry: 'External', addresses: [] }, 'default', ['api.example.com']],
]

for (const [title, of, client, expected] of domainCases) {
  test(`domains: ${title}`, () => assert.deepEqual(serviceDomains(service('foo', of), client, 'cluster.local'), expected))
}
