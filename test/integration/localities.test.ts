// Where requests go when places matter, through a whole proxy below a real control plane: by zones, as far as the proxies of
// the client's workload allow it, and from region to region as hosts fail one after the other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { World } from '../../src/control/snapshot.ts'
import type { Locality } from '../../src/model/service.ts'
import { resource, workload } from '../support/bookinfo-world.ts'
import { httpPeer } from '../support/http-peers.ts'
import { MeshWorld, worldOf } from '../support/mesh-world.ts'

const localityOf = (place: string): Locality => {
  const [region = '', zone = ''] = place.split('/')
  return { region, zone, subzone: '' }
}

interface Spec {
  /** Hosts of `shop`, by name; a name is `region/zone#number`. */
  readonly hosts: Readonly<Record<string, { readonly host: string; readonly port: number }>>
  /** Places of the client's own workload, its own first. */
  readonly fleet: readonly string[]
  readonly loadBalancer: object
  readonly more?: object
  readonly down?: readonly string[]
  /** Of the Service; then there is no DestinationRule. */
  readonly trafficDistribution?: string
}

function worldWith({ hosts, fleet, loadBalancer, more = {}, down = [], trafficDistribution }: Spec): World {
  const rule = resource('DestinationRule', 'shop', { host: 'shop', trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN', ...loadBalancer }, ...more } })
  const wish = trafficDistribution === undefined ? {} : { more: { trafficDistribution } }
  const world = worldOf([{ name: 'shop', versions: hosts, ...wish }, { name: 'productpage', versions: {} }], trafficDistribution === undefined ? [rule] : [])
  const names = Object.keys(hosts)
  return {
    ...world,
    workloads: fleet.map((place, i) => workload(i === 0 ? 'productpage' : `productpage-${i}`, `127.1.0.${i + 1}`, { app: 'productpage', version: 'v1' }, { locality: localityOf(place) })),
    endpoints: world.endpoints.map((one, i) => {
      const locality = localityOf(names[i]!.split('#')[0]!)
      const labels = { ...one.labels, 'topology.kubernetes.io/region': locality.region, 'topology.kubernetes.io/zone': locality.zone } // as sources say it
      return { ...one, locality, labels, health: down.includes(names[i]!) ? 'unhealthy' as const : 'healthy' as const }
    }),
  }
}

/** Per cent of the answers by place. */
async function shares(mesh: MeshWorld, count = 300): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  const client = async () => {
    for (let i = 0; i < count / 6; i++) {
      const { status, body } = await mesh.get('http://shop:9080/')
      assert.equal(status, 200, body)
      found[body] = (found[body] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 6 }, client))
  return Object.fromEntries(Object.entries(found).map(([place, hits]) => [place, (100 * hits) / count]))
}

/** Within what a draw of 300 may differ, five standard deviations and one more. */
function near(actual: Record<string, number>, wanted: Record<string, number>): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(wanted).sort(), JSON.stringify(actual))
  for (const [place, share] of Object.entries(wanted)) assert.ok(Math.abs(actual[place]! - share) <= 16, `${place}: ${actual[place]} %, not about ${share}`)
}

async function peers(...names: readonly string[]) {
  const stack = new AsyncDisposableStack()
  const all: Record<string, { readonly host: string; readonly port: number }> = {}
  for (const name of names) all[name] = stack.use(await httpPeer(name.split('#')[0]!)).address
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('by zones: what is near stays, as far as the fleet is spread like the hosts; the rest goes where there is room', { timeout: 60_000 }, async () => {
  await using hosts = await peers('r/z1#1', 'r/z1#2', 'r/z2#1', 'r/z2#2')
  const spec = { hosts: hosts.all, loadBalancer: { zoneAwareLbSetting: { minClusterSize: 3 } } }
  await using mesh = await MeshWorld.start(worldWith({ ...spec, fleet: ['r/z1', 'r/z2'] }), 'r/z1')
  near(await shares(mesh), { 'r/z1': 100 })
  await mesh.apply(worldWith({ ...spec, fleet: ['r/z1', 'r/z1', 'r/z1', 'r/z2'] }))
  near(await shares(mesh), { 'r/z1': 66, 'r/z2': 34 })
  await mesh.apply(worldWith({ ...spec, fleet: ['r/z1', 'r/z1', 'r/z1', 'r/z2'], down: ['r/z1#1'] }))
  near(await shares(mesh), { 'r/z1': 44, 'r/z2': 56 })
  // Fewer than the least: zones do not matter.
  await mesh.apply(worldWith({ ...spec, fleet: ['r/z1', 'r/z1', 'r/z1', 'r/z2'], down: ['r/z1#1', 'r/z1#2'] }))
  near(await shares(mesh), { 'r/z2': 100 })
})

test('by zones, other regions wait until the own one fails, and then the one comes first that failover names', { timeout: 60_000 }, async () => {
  await using hosts = await peers('r/z1#1', 'far/z1#1', 'near/z1#1')
  const spec = { hosts: hosts.all, fleet: ['r/z1'], loadBalancer: { zoneAwareLbSetting: { failover: [{ from: 'r', to: 'near' }] } } }
  await using mesh = await MeshWorld.start(worldWith(spec), 'r/z1')
  near(await shares(mesh), { 'r/z1': 100 })
  await mesh.apply(worldWith({ ...spec, down: ['r/z1#1'] }))
  near(await shares(mesh), { 'near/z1': 100 })
  await mesh.apply(worldWith({ ...spec, down: ['r/z1#1', 'near/z1#1'] }))
  near(await shares(mesh), { 'far/z1': 100 })
})

test('hosts of the own zone that go one by one: nothing spills while enough are left, then what they cannot carry, then all', { timeout: 60_000 }, async () => {
  const own = ['r/z1#1', 'r/z1#2', 'r/z1#3', 'r/z1#4']
  await using hosts = await peers(...own, 'r/z2#1', 'r/z2#2')
  const spec = { hosts: hosts.all, fleet: ['r/z1'], loadBalancer: {}, more: { outlierDetection: {} } }
  await using mesh = await MeshWorld.start(worldWith(spec), 'r/z1')
  // 1.4 times the healthy share is what a priority carries.
  for (const [dead, wanted] of [[0, { 'r/z1': 100 }], [1, { 'r/z1': 100 }], [2, { 'r/z1': 70, 'r/z2': 30 }], [3, { 'r/z1': 35, 'r/z2': 65 }], [4, { 'r/z2': 100 }]] as const) {
    await mesh.apply(worldWith({ ...spec, down: own.slice(0, dead) }))
    near(await shares(mesh), wanted)
  }
})

test('a Service that prefers what is close needs no rule: the own zone has all, and another one when nothing is left there', { timeout: 60_000 }, async () => {
  await using hosts = await peers('r/z1#1', 'r/z2#1', 'r/z2#2')
  const spec = { hosts: hosts.all, fleet: ['r/z1'], loadBalancer: {}, trafficDistribution: 'PreferClose' }
  await using mesh = await MeshWorld.start(worldWith(spec), 'r/z1')
  near(await shares(mesh), { 'r/z1': 100 })
  const { 'r/z1#1': _gone, ...far } = hosts.all
  await mesh.apply(worldWith({ ...spec, hosts: far }))
  near(await shares(mesh), { 'r/z2': 100 })
})

test('servers that refuse connections are left out without a word of the control plane, and the next zone takes over', { timeout: 60_000 }, async () => {
  await using far = await peers('r/z2#1')
  const dead = await peers('r/z1#1', 'r/z1#2')
  const spec = { hosts: { ...dead.all, ...far.all }, fleet: ['r/z1'], loadBalancer: {}, more: { outlierDetection: { consecutive5xxErrors: 1, interval: 60_000, maxEjectionPercent: 100 } } }
  await using mesh = await MeshWorld.start(worldWith(spec), 'r/z1')
  near(await shares(mesh), { 'r/z1': 100 })
  await dead[Symbol.asyncDispose]()
  // The default retries go on to another host, and so does what they have learnt.
  for (let i = 0; i < 20; i++) await mesh.get('http://shop:9080/')
  near(await shares(mesh), { 'r/z2': 100 })
})
