// Edits of routing under load, through a real control plane and a real proxy: no request may notice that something moves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Resource } from '../../src/model/resource.ts'
import { resource } from '../support/bookinfo-world.ts'
import { httpPeer } from '../support/http-peers.ts'
import { MeshWorld, worldOf } from '../support/mesh-world.ts'
import type { Reply } from '../support/mesh-world.ts'

/** Each of the two can be turned down where time is short. */
const trials = Number(process.env['EDIT_TRIALS'] ?? 1000)
const edits = Number(process.env['ROUTE_EDITS'] ?? 5000)

const url = 'http://reviews:9080/'

/** Asks on and on; what was not as expected is kept. */
function load(mesh: MeshWorld, connections: number, isRight: (reply: Reply) => boolean) {
  const wrong: string[] = []
  let going = true
  let count = 0
  const work = Promise.all(Array.from({ length: connections }, async () => {
    while (going) {
      const reply = await mesh.get(url)
      count++
      if (!isRight(reply) && wrong.length < 20) wrong.push(`${reply.status} ${reply.body}`)
      await new Promise((resolve) => setTimeout(resolve, 3))
    }
  }))
  return {
    wrong,
    async stop(): Promise<number> {
      going = false
      await work
      return count
    },
  }
}

const rule = (subset: string, version: string): Resource =>
  resource('DestinationRule', 'reviews', { host: 'reviews', subsets: [{ name: subset, labels: { version } }] })
const route = (subset: string): Resource =>
  resource('VirtualService', 'reviews', { hosts: ['reviews'], gateways: ['mesh'], http: [{ route: [{ destination: { host: 'reviews', subset } }] }] })

test(`${trials} times a DestinationRule and its VirtualService change in one apply: no request meets the one before the other`, async () => {
  await using v1 = await httpPeer('v1')
  await using v2 = await httpPeer('v2')
  const worldWith = (i: number) => worldOf([{ name: 'reviews', versions: { v1: v1.address, v2: v2.address } }], [rule(`s${i}`, i % 2 === 0 ? 'v1' : 'v2'), route(`s${i}`)])
  await using mesh = await MeshWorld.start(worldWith(0))
  const clients = load(mesh, 3, ({ status }) => status === 200)
  for (let i = 1; i <= trials; i++) {
    await mesh.apply(worldWith(i))
    const { status, body } = await mesh.get(url)
    assert.deepEqual([status, body], [200, i % 2 === 0 ? 'v1' : 'v2'], `trial ${i}`)
    assert.deepEqual(clients.wrong, [], `trial ${i}`)
  }
  const asked = await clients.stop()
  assert.deepEqual(clients.wrong, [])
  assert.ok(asked >= trials / 10, `${asked} requests`)
})

test(`${edits} edits of a route under load fail no request, and the last one holds`, async () => {
  await using v1 = await httpPeer('v1')
  const worldWith = (i: number) => worldOf([{ name: 'reviews', versions: { v1: v1.address } }], [
    resource('VirtualService', 'reviews', { hosts: ['reviews'], gateways: ['mesh'], http: [
      { match: [{ uri: { prefix: `/only-${i}` } }], route: [{ destination: { host: 'nowhere' } }] },
      { route: [{ destination: { host: 'reviews' } }], headers: { response: { set: { 'x-edit': String(i) } } } },
    ] }),
  ])
  await using mesh = await MeshWorld.start(worldWith(0))
  const clients = load(mesh, 4, ({ status, headers }) => status === 200 && headers['x-edit'] !== undefined)
  for (let i = 1; i <= edits; i++) {
    mesh.state.update(worldWith(i))
    // What comes faster than it can be sent is sent together: every tenth is waited for.
    if (i % 10 === 0) await mesh.apply(worldWith(i))
  }
  await mesh.apply(worldWith(edits))
  const asked = await clients.stop()
  assert.deepEqual(clients.wrong, [])
  assert.ok(asked > 100, `${asked} requests`)
  assert.equal((await mesh.get(url)).headers['x-edit'], String(edits))
})

test('services come and go with their routes and rules in one apply each, and the others never notice', async () => {
  await using v1 = await httpPeer('v1')
  const steady = { name: 'reviews', versions: { v1: v1.address } }
  await using mesh = await MeshWorld.start(worldOf([steady], []))
  const clients = load(mesh, 3, ({ status }) => status === 200)
  for (let i = 1; i <= 50; i++) {
    const name = `extra-${i}`
    const own = [
      resource('DestinationRule', name, { host: name, subsets: [{ name: 'one', labels: { version: 'one' } }] }),
      resource('VirtualService', name, { hosts: [name], gateways: ['mesh'], http: [{ route: [{ destination: { host: name, subset: 'one' } }] }] }),
    ]
    await mesh.apply(worldOf([steady, { name, versions: { one: v1.address } }], own))
    assert.equal((await mesh.get(`http://${name}:9080/`)).status, 200, name)
    await mesh.apply(worldOf([steady], []))
  }
  await clients.stop()
  assert.deepEqual(clients.wrong, [])
})

test('a Pod whose labels change moves to another subset, and those that stay keep their connections', async () => {
  const names = ['a', 'b', 'c'] as const
  await using stack = new AsyncDisposableStack()
  const peers = Object.fromEntries(await Promise.all(names.map(async (name) => [name, stack.use(await httpPeer(name))] as const)))
  const resources = [
    resource('DestinationRule', 'reviews', { host: 'reviews', trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN' } }, subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })) }),
    resource('VirtualService', 'reviews', { hosts: ['reviews'], gateways: ['mesh'], http: [
      { match: [{ headers: { 'x-version': { exact: 'v2' } } }], route: [{ destination: { host: 'reviews', subset: 'v2' } }] }, { route: [{ destination: { host: 'reviews', subset: 'v1' } }] },
    ] }),
  ]
  const worldWith = (versionOfB: string) => {
    const world = worldOf([{ name: 'reviews', versions: Object.fromEntries(names.map((name) => [name, peers[name]!.address])) }], resources)
    const versions: Record<string, string> = { a: 'v1', b: versionOfB, c: 'v2' }
    return { ...world, endpoints: world.endpoints.map((one, i) => ({ ...one, labels: { ...one.labels, version: versions[names[i]!]! } })) }
  }
  await using mesh = await MeshWorld.start(worldWith('v1'))
  const answering = async (version: string): Promise<string> => {
    const seen = new Set<string>()
    for (let i = 0; i < 12; i++) {
      const { status, body } = await mesh.get(url, { 'x-version': version })
      assert.equal(status, 200, body)
      seen.add(body)
    }
    return [...seen].sort().join()
  }
  assert.deepEqual([await answering('v1'), await answering('v2')], ['a,b', 'c'])
  const before = [peers['a']!.connections.length, peers['c']!.connections.length]
  for (const [version, v1, v2] of [['v2', 'a', 'b,c'], ['v1', 'a,b', 'c']] as const) {
    await mesh.apply(worldWith(version))
    assert.deepEqual([await answering('v1'), await answering('v2')], [v1, v2])
  }
  assert.deepEqual([peers['a']!.connections.length, peers['c']!.connections.length], before, 'no new connection was needed')
})
