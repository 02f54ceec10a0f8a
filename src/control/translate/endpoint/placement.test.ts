import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint } from '../../../model/service.ts'
import { service, workload } from '../../../../test/support/bookinfo-world.ts'
import { meshSettings } from '../../mesh-settings.ts'
import { createSnapshot } from '../../snapshot.ts'
import type { LocalityLbSetting } from '../../destination-rule-spec.ts'
import { readProxyNode } from '../proxy-node.ts'
import { localityConfig, placeEndpoints, placeOf, placementOf, prefersNodes, weighsLocalities } from './placement.ts'
import type { Placement } from './placement.ts'

function endpoint(address: string, place: string, labels: Record<string, string> = {}, weight = 1): Endpoint {
  const [region = '', zone = '', subzone = ''] = place.split('/')
  return {
    address, labels, weight, locality: { region, zone, subzone }, port: 80, hostname: 'h', namespace: 'n', servicePortName: 'http',
    network: '', health: 'healthy', mutualTls: false, serviceAccount: '', workload: '',
  }
}

const at = (place: string, setting: LocalityLbSetting = {}, over: Partial<Placement> = {}): Placement => ({ setting, tiers: true, place, labels: '', ...over } as Placement)

/** `address@priority*weight` of all, in order. */
const shown = (endpoints: readonly Endpoint[], placement: Placement) =>
  placeEndpoints(endpoints, placement).map(({ priority, weight, endpoints: group }) => `${group.map(({ address }) => address).join('+')}@${priority}*${weight}`)

const spread = [endpoint('sub', 'r1/z1/s1'), endpoint('zone', 'r1/z1/s2'), endpoint('region', 'r1/z2/s1'), endpoint('far', 'r2/z1/s1'), endpoint('farther', 'r3/z1/s1')]

const cases: [title: string, endpoints: readonly Endpoint[], placement: Placement, wanted: string[]][] = [
  ['without anything all are equal, grouped by locality', spread, at('', {}, { tiers: false }), ['sub@0*1', 'zone@0*1', 'region@0*1', 'far@0*1', 'farther@0*1']],
  ['nearer ones come first: subzone, zone, region, the rest', spread, at('r1/z1/s1'), ['sub@0*1', 'zone@1*1', 'region@2*1', 'far@3*1', 'farther@3*1']],
  ['tiers that are empty are closed up', spread.slice(2), at('r1/z1/s1'), ['region@0*1', 'far@1*1', 'farther@1*1']],
  ['a failover region comes before other regions', spread, at('r1/z1/s1', { failover: [{ from: 'r1', to: 'r3' }] }), ['sub@0*1', 'zone@1*1', 'region@2*1', 'farther@3*1', 'far@4*1']],
  ['a failover of another region says nothing', spread, at('r1/z1/s1', { failover: [{ from: 'r2', to: 'r3' }] }), ['sub@0*1', 'zone@1*1', 'region@2*1', 'far@3*1', 'farther@3*1']],
  ['distribute gives localities their weight, and nothing to those it does not name', spread,
    at('r1/z1/s1', { distribute: [{ from: 'r1/z1/*', to: { 'r1/z1/*': 80, 'r2/*': 20 } }] }), ['sub@0*40', 'zone@0*40', 'far@0*20']],
  ['what an entry gives to several is divided by their weights', [endpoint('a', 'r1/z1/', {}, 3), endpoint('b', 'r1/z2/', {}, 1), endpoint('c', 'r2/z1/')],
    at('r1/z9/', { distribute: [{ from: 'r1', to: { r1: 60, r2: 40 } }] }), ['a@0*45', 'b@0*15', 'c@0*40']],
  ['only the first entry that covers the client counts', spread, at('r1/z1/s1', { distribute: [{ from: 'r2/*', to: { 'r1/*': 100 } }, { from: '*', to: { 'r3/*': 100 } }] }), ['farther@0*100']],
  ['balanced by zones, regions are tiers: the own, where it fails over to, the rest', spread, at('r1/z1/s1', { failover: [{ from: 'r1', to: 'r3' }] }, { zoneAware: {} }),
    ['sub@0*1', 'zone@0*1', 'region@0*1', 'farther@1*1', 'far@2*1']],
  ['balanced by zones, labels come before regions', [endpoint('a', 'r2/z1/', { v: '1' }), endpoint('b', 'r1/z1/', { v: '2' }), endpoint('c', 'r1/z2/', { v: '1' })],
    at('r1/z1/s1', { failoverPriority: ['v'] }, { zoneAware: {}, labels: '{"v":"1"}' }), ['c@0*1', 'a@1*1', 'b@2*1']],
  ['a client that no entry covers falls back to tiers', spread, at('r1/z1/s1', { distribute: [{ from: 'r9/*', to: { 'r1/*': 100 } }] }), ['sub@0*1', 'zone@1*1', 'region@2*1', 'far@3*1', 'farther@3*1']],
]
for (const [title, endpoints, placement, wanted] of cases) test(title, () => assert.deepEqual(shown(endpoints, placement), wanted))

test('failoverPriority: the first label that differs decides', () => {
  const endpoints = [endpoint('none', ''), endpoint('both', '', { app: 'x', version: 'v1' }), endpoint('app', '', { app: 'x', version: 'v2' }), endpoint('version', '', { version: 'v1' })]
  const placement = at('', { failoverPriority: ['app', 'version'] }, { labels: JSON.stringify({ app: 'x', version: 'v1' }) })
  assert.deepEqual(shown(endpoints, placement), ['both@0*1', 'app@1*1', 'none+version@2*2'])
})

test('failoverPriority with failover: labels first, places among those that are equal', () => {
  const endpoints = [endpoint('near', 'r1/z1/', { v: '2' }), endpoint('far', 'r2/z1/', { v: '1' }), endpoint('here', 'r1/z1/', { v: '1' })]
  const placement = at('r1/z1/', { failoverPriority: ['v'], failover: [{ from: 'r1', to: 'r2' }] }, { labels: '{"v":"1"}' })
  assert.deepEqual(shown(endpoints, placement), ['here@0*1', 'far@1*1', 'near@2*1'])
})

test('localities are drawn by weight for distribute, and for failover with outlier detection', () => {
  assert.equal(weighsLocalities(at('r', { distribute: [{ from: 'r', to: { r: 100 } }] }, { tiers: false })), true)
  assert.equal(weighsLocalities(at('r', { failover: [{ from: 'r', to: 's' }] })), true)
  assert.equal(weighsLocalities(at('r', { failover: [{ from: 'r', to: 's' }] }, { tiers: false })), false)
  assert.equal(weighsLocalities(at('r')), false)
})

const shop = service('shop')
const proxyAt = (locality: { region: string; zone: string }) => readProxyNode({ id: 'sidecar~10.0.0.9~web-1.default~x', locality })
const snapshotOf = (more: Partial<Parameters<typeof createSnapshot>[0]> = {}) => createSnapshot({ resources: [], services: [shop], workloads: [], endpoints: [], ...more })

test('a client whose node says no place is where its workload is', () => {
  const web = workload('web-1', '10.0.0.9', {}, { locality: { region: 'r2', zone: 'z2', subzone: '' } })
  const snapshot = snapshotOf({ workloads: [web] })
  assert.equal(placeOf(proxyAt({ region: '', zone: '' }), snapshot), 'r2/z2/')
  assert.equal(placeOf(proxyAt({ region: 'r1', zone: 'z1' }), snapshot), 'r1/z1/')
  assert.equal(placeOf(proxyAt({ region: '', zone: '' }), snapshotOf()), '')
})

test('the rule comes before the wish of the service, that before the mesh; tiers need outlier detection or a wish', () => {
  const client = proxyAt({ region: 'r1', zone: 'z1' })
  const mesh = meshSettings({ localityLbSetting: { failover: [{ from: 'r1', to: 'r2' }] } })
  const place = (of: Parameters<typeof placementOf>[0], policy: Parameters<typeof placementOf>[1]) => {
    const { setting, tiers } = placementOf(of, policy, client, snapshotOf({ mesh }))
    return setting === undefined ? 'flat' : `${Object.keys(setting).join()} ${tiers}`
  }
  const wishing = { ...shop, trafficDistribution: 'PreferClose' }
  const annotated = { ...shop, annotations: { 'networking.istio.io/traffic-distribution': 'PreferSameNode' } }
  const rule = { loadBalancer: { localityLbSetting: { distribute: [{ from: 'r1/*', to: { 'r1/*': 100 } }] } } }
  assert.equal(place(shop, {}), 'flat')
  assert.equal(place(shop, { outlierDetection: {} }), 'failover true')
  assert.equal(place(wishing, {}), 'failoverPriority true')
  assert.equal(place(annotated, {}), 'failoverPriority true')
  assert.equal(place(wishing, rule), 'distribute false')
  assert.equal(place(wishing, { loadBalancer: { localityLbSetting: { enabled: false } } }), 'flat')
  assert.equal(place({ ...shop, trafficDistribution: 'Whatever' }, {}), 'flat')
})

test('balancing by zones comes first in a rule, after the wish of a service in the mesh, and asks for no outlier detection', () => {
  const client = proxyAt({ region: 'r1', zone: 'z1' })
  const mesh = meshSettings({ zoneAwareLbSetting: { minClusterSize: 3 }, localityLbSetting: { failover: [{ from: 'r1', to: 'r2' }] } })
  const shown = (of: Parameters<typeof placementOf>[0], policy: Parameters<typeof placementOf>[1], from = client) => {
    const placement = placementOf(of, policy, from, snapshotOf({ mesh }))
    return [placement.tiers, localityConfig(placement).localityConfigSpecifier]
  }
  const zoneAware = (value: object) => ({ case: 'zoneAwareLbConfig', value })
  const wishing = { ...shop, trafficDistribution: 'PreferClose' }
  assert.deepEqual(shown(shop, {}), [true, zoneAware({ minClusterSize: 3n })])
  assert.deepEqual(shown(shop, { loadBalancer: { zoneAwareLbSetting: { enabled: true } } }), [true, zoneAware({})])
  assert.deepEqual(shown(wishing, { loadBalancer: { zoneAwareLbSetting: { enabled: false } } }), [false, zoneAware({ routingEnabled: { value: 0 } })])
  assert.deepEqual(shown(wishing, {}), [true, { case: 'localityWeightedLbConfig', value: {} }])
  assert.deepEqual(shown(shop, { loadBalancer: { localityLbSetting: {} } }), [false, undefined])
  assert.deepEqual(shown(shop, {}, proxyAt({ region: '', zone: '' })), [false, zoneAware({ minClusterSize: 3n })])
})

test('whether a service wants its clients on its own node is known of the whole snapshot', () => {
  assert.equal(prefersNodes(snapshotOf()), false)
  assert.equal(prefersNodes(snapshotOf({ services: [{ ...shop, trafficDistribution: 'PreferSameNode' }] })), true)
})
