import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resource, service } from '../../../test/support/bookinfo-world.ts'
import { meshSettings } from '../mesh-settings.ts'
import { DestinationRuleIndex, effectivePolicy, withMeshDefaults } from './destination-rules.ts'
import type { DestinationRule } from './destination-rules.ts'
import type { DestinationRuleSpec } from '../destination-rule-spec.ts'

const reviews = service('reviews', { namespace: 'shop' })

function rule(namespace: string, name: string, spec: Partial<DestinationRuleSpec> & { host: string }): DestinationRule {
  return resource('DestinationRule', name, { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } }, ...spec }, { namespace })
}

function chosen(rules: readonly DestinationRule[], namespace: string, labels: Record<string, string> = {}): string | undefined {
  const found = new DestinationRuleIndex(rules, meshSettings(), undefined).lookup({ namespace, labels }, reviews)
  return found?.rules.map((one) => one.metadata.name).join('+')
}

const host = 'reviews.shop.svc.cluster.local'
const cases: readonly [title: string, rules: readonly DestinationRule[], client: string, expected: string | undefined][] = [
  ["the client's namespace comes before the service's", [rule('shop', 'service', { host }), rule('client', 'client', { host })], 'client', 'client'],
  ["the service's namespace comes before the root", [rule('istio-system', 'root', { host }), rule('shop', 'service', { host })], 'client', 'service'],
  ['the root namespace is the last', [rule('istio-system', 'root', { host: '*.svc.cluster.local' })], 'client', 'root'],
  ['a third namespace is never used', [rule('third', 'third', { host })], 'client', undefined],
  ["a wildcard in the client's namespace hides an exact host in the service's",
    [rule('client', 'wide', { host: '*.cluster.local' }), rule('shop', 'exact', { host })], 'client', 'wide'],
  ['inside a location the most specific host is used',
    [rule('shop', 'wide', { host: '*.local' }), rule('shop', 'narrow', { host: '*.shop.svc.cluster.local' })], 'client', 'narrow'],
  ['an exact rule for others hides a wildcard of its location, and the search goes on',
    [rule('shop', 'for-q', { host, exportTo: ['q'] }), rule('shop', 'wide', { host: '*.local' }), rule('istio-system', 'root', { host })], 'client', 'root'],
  ['a private rule of the service is for its own namespace only', [rule('shop', 'private', { host, exportTo: ['.'] })], 'client', undefined],
  ['a client in the root namespace has only the private rules of it first',
    [rule('istio-system', 'public', { host }), rule('shop', 'service', { host })], 'istio-system', 'service'],
  ['a short host is resolved in the namespace of the rule', [rule('shop', 'short', { host: 'reviews' })], 'client', 'short'],
]

for (const [title, rules, client, expected] of cases) {
  test(title, () => assert.equal(chosen(rules, client), expected))
}

test('a rule for chosen clients wins over one for all, and only for them', () => {
  const rules = [rule('client', 'all', { host }), rule('client', 'some', { host, workloadSelector: { matchLabels: { app: 'a' } } })]
  assert.equal(chosen(rules, 'client', { app: 'a' }), 'some')
  assert.equal(chosen(rules, 'client', { app: 'b' }), 'all')
})

test('rules of one host are merged: subsets by name, the traffic policy of the oldest that has one', () => {
  const rules = [
    rule('shop', 'old', { host, trafficPolicy: undefined, subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
    rule('shop', 'new', { host, subsets: [{ name: 'v1', labels: { version: 'x' } }, { name: 'v2' }] }),
  ]
  const merged = new DestinationRuleIndex(rules, meshSettings(), undefined).lookup({ namespace: 'client', labels: {} }, reviews)
  assert.deepEqual(merged?.subsets.map((one) => [one.name, one.labels]), [['v1', { version: 'v1' }], ['v2', undefined]])
  assert.equal(merged?.trafficPolicy?.loadBalancer?.simple, 'RANDOM')
})

test('rules with other exportTo are kept apart', () => {
  const rules = [rule('shop', 'one', { host }), rule('shop', 'two', { host, exportTo: ['client', 'shop'] })]
  assert.equal(chosen(rules, 'client'), 'one')
})

test('an unchanged rule is the same object in the next index', () => {
  const rules = [rule('shop', 'one', { host })]
  const before = new DestinationRuleIndex(rules, meshSettings(), undefined)
  const after = new DestinationRuleIndex([...rules], meshSettings(), before)
  const client = { namespace: 'client', labels: {} }
  assert.equal(after.lookup(client, reviews), before.lookup(client, reviews))
})

const layered = new DestinationRuleIndex([rule('shop', 'layers', {
  host,
  trafficPolicy: {
    loadBalancer: { simple: 'RANDOM' },
    connectionPool: { tcp: { maxConnections: 1 } },
    portLevelSettings: [{ port: { number: 81 }, tls: { mode: 'DISABLE' } }],
  },
  subsets: [
    { name: 'blocks', trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN' } } },
    { name: 'ports', trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN' }, portLevelSettings: [{ port: { number: 80 }, tls: { mode: 'SIMPLE' } }] } },
  ],
})], meshSettings(), undefined).lookup({ namespace: 'client', labels: {} }, reviews)

const summary = (port: number, subset: string) => {
  const { loadBalancer, connectionPool, tls } = effectivePolicy(layered, port, subset)
  return [loadBalancer?.simple, connectionPool?.tcp?.maxConnections, tls?.mode]
}

test('a port entry replaces the top level whole', () => {
  assert.deepEqual(summary(80, ''), ['RANDOM', 1, undefined])
  assert.deepEqual(summary(81, ''), [undefined, undefined, 'DISABLE'])
})

test('a subset replaces only the blocks that it sets, a port entry of the subset all of them', () => {
  assert.deepEqual(summary(80, 'blocks'), ['ROUND_ROBIN', 1, undefined])
  assert.deepEqual(summary(80, 'ports'), [undefined, undefined, 'SIMPLE'])
  assert.deepEqual(summary(82, 'ports'), ['ROUND_ROBIN', 1, undefined])
})

const budgeted = new DestinationRuleIndex([rule('shop', 'whole', {
  host,
  trafficPolicy: {
    loadBalancer: { simple: 'RANDOM' }, proxyProtocol: { version: 'V2' }, retryBudget: { percent: 10 },
    portLevelSettings: [{ port: { number: 81 }, tls: { mode: 'DISABLE' } }],
  },
  subsets: [
    { name: 'own', trafficPolicy: { retryBudget: { percent: 50 }, portLevelSettings: [{ port: { number: 80 }, tls: { mode: 'SIMPLE' } }] } },
  ],
})], meshSettings(), undefined).lookup({ namespace: 'client', labels: {} }, reviews)

test('blocks that no port entry can set go with the top level, and stay with a subset', () => {
  const whole = (port: number, subset: string) => {
    const { proxyProtocol, retryBudget, loadBalancer } = effectivePolicy(budgeted, port, subset)
    return [proxyProtocol?.version, retryBudget?.percent, loadBalancer?.simple]
  }
  assert.deepEqual(whole(80, ''), ['V2', 10, 'RANDOM'])
  assert.deepEqual(whole(81, ''), [undefined, undefined, undefined])
  assert.deepEqual(whole(80, 'own'), ['V2', 50, undefined])
  assert.deepEqual(whole(82, 'own'), ['V2', 50, 'RANDOM'])
})

test('the mesh fills pool and outlier detection that a rule leaves out, each as a whole', () => {
  const mesh = meshSettings({ defaultTrafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } }, outlierDetection: { interval: 1_000 } } })
  const filled = withMeshDefaults(effectivePolicy(layered, 80, ''), mesh)
  assert.deepEqual([filled.connectionPool?.tcp?.maxConnections, filled.outlierDetection?.interval, filled.loadBalancer?.simple], [1, 1_000, 'RANDOM'])
  assert.equal(withMeshDefaults(effectivePolicy(undefined, 80, ''), mesh).connectionPool?.tcp?.maxConnections, 7)
})

test('labels of clients matter where any rule or the mesh orders endpoints by them', () => {
  const ordering = { loadBalancer: { localityLbSetting: { failoverPriority: ['version'] } } }
  const by = (rules: readonly DestinationRule[], mesh = meshSettings()) => new DestinationRuleIndex(rules, mesh, undefined).ordersByLabels
  assert.equal(by([rule('shop', 'plain', { host })]), false)
  assert.equal(by([rule('shop', 'top', { host, trafficPolicy: ordering })]), true)
  assert.equal(by([rule('shop', 'port', { host, trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, ...ordering }] } })]), true)
  assert.equal(by([rule('shop', 'subset', { host, subsets: [{ name: 'a', trafficPolicy: ordering }] })]), true)
  assert.equal(by([], meshSettings({ localityLbSetting: { failoverPriority: ['version'] } })), true)
})
