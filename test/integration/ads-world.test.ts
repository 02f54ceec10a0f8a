// The real control plane behind ADS over real sockets: Bookinfo, edits, and what of them travels to whom.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fromBinary } from '@bufbuild/protobuf'
import { worldSource } from '../../src/control/serve/world-source.ts'
import { syncState } from '../../src/control/status/proxies.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { DeltaClient, SotwClient, sidecarNode } from '../support/ads-client.ts'
import { serveAds } from '../support/ads-world.ts'
import { bookinfo, endpoint, resource } from '../support/bookinfo-world.ts'

const node = sidecarNode('productpage', '127.1.0.1')
const version1 = resource('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ name: 'to-v1', route: [{ destination: { host: 'reviews', subset: 'v1' } }] }] })
const version2 = resource('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ name: 'to-v2', route: [{ destination: { host: 'reviews', subset: 'v2' } }] }] })
const subsets = resource('DestinationRule', 'reviews', { host: 'reviews', subsets: [{ name: 'v1', labels: { version: 'v1' } }, { name: 'v2', labels: { version: 'v2' } }] })

async function open(world = bookinfo(version1, subsets)) {
  const state = new WorldState()
  state.update(world)
  const served = await serveAds(worldSource(state))
  return { state, served, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() }
}

/** What Envoy asks for: all clusters, the endpoints of those that have some, all listeners, the routes of port 9080. */
async function subscribe(ads: DeltaClient): Promise<readonly string[]> {
  ads.ask('CDS', { node })
  const clusters = (await ads.take()).message.resources.map((one) => fromBinary(ClusterSchema, one.resource!.value))
  const names = clusters.filter((one) => one.clusterDiscoveryType.case === 'type' && one.clusterDiscoveryType.value === Cluster_DiscoveryType.EDS).map((one) => one.name)
  ads.ask('EDS', { subscribe: names })
  const endpoints = await ads.take()
  assert.deepEqual(endpoints.names, names.toSorted())
  ads.ask('LDS')
  assert.ok((await ads.take()).names.length > 0)
  ads.ask('RDS', { subscribe: ['9080'] })
  assert.deepEqual((await ads.take()).names, ['9080'])
  assert.deepEqual(await ads.settled(), [])
  return names
}

test('a proxy gets Bookinfo, and an edit of a route sends that route alone', async () => {
  await using at = await open()
  const ads = new DeltaClient(at.served.client)
  const names = await subscribe(ads)
  assert.ok(names.includes('outbound|9080|v1|reviews.default.svc.cluster.local'))
  const { generation } = at.state.update(bookinfo(version2, subsets))
  const edited = await ads.take()
  assert.equal(`${edited.type} ${edited.names.join()}`, 'RDS 9080')
  assert.match(Buffer.from(edited.message.resources[0]!.resource!.value).toString('latin1'), /outbound\|9080\|v2\|reviews/)
  assert.deepEqual(await ads.settled(), [])
  assert.deepEqual(await at.state.board.waitFor(generation, 5000), { generation, acked: 1, total: 1, complete: true })
})

test('a change of endpoints sends the assignments that it changes alone', async () => {
  await using at = await open()
  const ads = new DeltaClient(at.served.client)
  await subscribe(ads)
  const world = bookinfo(version1, subsets)
  at.state.update({ ...world, endpoints: [...world.endpoints, endpoint(world.services[1]!, world.workloads[3]!, { address: '127.1.0.9' })] })
  const changed = await ads.take()
  assert.equal(changed.type, 'EDS')
  assert.deepEqual(changed.names, ['outbound|9080||details.default.svc.cluster.local'])
  assert.deepEqual(await ads.settled(), [])
})

test('a subset that is new comes before the route to it, one that is gone goes after it', async () => {
  await using at = await open()
  const ads = new DeltaClient(at.served.client)
  await subscribe(ads)
  const third = resource('DestinationRule', 'reviews', { host: 'reviews', subsets: [{ name: 'v3', labels: { version: 'v2' } }] })
  const toThird = resource('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset: 'v3' } }] }] })
  at.state.update(bookinfo(toThird, third))
  const seen = [await ads.take(), await ads.take(), await ads.take(), await ads.take()]
  const reviews = (version: string) => `outbound|9080|${version}|reviews.default.svc.cluster.local`
  assert.deepEqual(seen.map(({ type, names, removed }) => [type, names, removed]), [
    ['CDS', [reviews('v3')], []],
    ['RDS', ['9080'], []],
    ['CDS', [], [reviews('v1'), reviews('v2')]],
    ['EDS', [], [reviews('v1'), reviews('v2')]],
  ])
})

test('a proxy that comes back with what it holds gets only what changed meanwhile', async () => {
  await using at = await open()
  const before = new DeltaClient(at.served.client)
  const held: Record<string, Record<string, string>> = { CDS: {}, RDS: {} }
  before.ask('CDS', { node })
  for (const { name, version } of (await before.take()).message.resources) held['CDS']![name] = version
  before.ask('RDS', { subscribe: ['9080'] })
  for (const { name, version } of (await before.take()).message.resources) held['RDS']![name] = version
  before.stream.raw.close()
  await before.stream.ended
  at.state.update(bookinfo(version2, subsets))
  const after = new DeltaClient(at.served.client)
  after.ask('CDS', { node, initial: held['CDS']! })
  after.ask('RDS', { subscribe: ['9080'], initial: held['RDS']! })
  const seen = await after.settled()
  assert.deepEqual(seen.map(({ type, names, removed }) => [type, ...names, ...removed]), [['RDS', '9080']])
})

test('the same in the other variant: all clusters first, then the one route that was edited', async () => {
  await using at = await open()
  const ads = new SotwClient(at.served.client)
  ads.ask('CDS', { node })
  assert.ok((await ads.take()).names.includes('outbound|9080||reviews.default.svc.cluster.local'))
  ads.ask('RDS', { names: ['9080'] })
  assert.deepEqual((await ads.take(['9080'])).names, ['9080'])
  assert.deepEqual(await ads.settled(), [])
  at.state.update(bookinfo(version2, subsets))
  const edited = await ads.take(['9080'])
  assert.deepEqual([edited.type, ...edited.names], ['RDS', '9080'])
  assert.deepEqual(await ads.settled(), [])
})

test('what a proxy refuses is an error in its status until it is mended', async () => {
  await using at = await open()
  const ads = new DeltaClient(at.served.client)
  await subscribe(ads)
  const { generation } = at.state.update(bookinfo(version2, subsets))
  const bad = await ads.next()
  ads.ask('RDS', { nonce: bad.nonce, error: '9080: not to my taste' })
  await ads.settled()
  const status = at.state.board.proxies.get(node.id)!
  assert.equal(syncState(status.types.get('RDS')), 'ERROR')
  assert.equal(status.types.get('RDS')?.error, '9080: not to my taste')
  assert.equal(at.state.board.rollout(generation).acked, 0)
  at.state.update(bookinfo(version1, subsets))
  await ads.take()
  await ads.settled()
  assert.equal(syncState(status.types.get('RDS')), 'SYNCED')
})

test('a proxy that leaves is no longer counted', async () => {
  await using at = await open()
  const ads = new DeltaClient(at.served.client)
  await subscribe(ads)
  assert.equal(at.state.board.rollout().total, 1)
  ads.stream.finish()
  await ads.stream.ended
  while (at.state.board.rollout().total > 0) await turn()
})
