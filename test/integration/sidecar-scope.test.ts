// What a Sidecar resource does to a real proxy: it holds only what it may reach, opens listeners of its own, and sends what
// it does not know where it is told.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import { typeUrls } from '../../src/xds/types.ts'
import { resource } from '../support/bookinfo-world.ts'
import { freePort } from '../support/hosts.ts'
import { httpPeer } from '../support/http-peers.ts'
import { MeshWorld, worldOf } from '../support/mesh-world.ts'
import type { ServiceInit } from '../support/mesh-world.ts'

const sidecar = (spec: object, more: Parameters<typeof resource>[3] = {}, name = 'default') => resource('Sidecar', name, spec, more)
const only = (...hosts: string[]) => ({ egress: [{ hosts }] })

test('of 300 services a proxy holds the two that it may reach, and what their routes send to', async () => {
  await using peer = await httpPeer('here')
  const services = Array.from({ length: 300 }, (_, i): ServiceInit => ({ name: `s${i}`, versions: { v1: peer.address } }))
  const route = resource('VirtualService', 's1', { hosts: ['s1'], gateways: ['mesh'], http: [{ match: [{ uri: { prefix: '/other' } }], route: [{ destination: { host: 's9' } }] }, { route: [{ destination: { host: 's1' } }] }] })
  await using mesh = await MeshWorld.start(worldOf(services, [route]))
  const outbound = () => mesh.resources(typeUrls.CDS).filter((name) => name.startsWith('outbound|'))
  assert.equal(outbound().length, 300)
  await mesh.apply(worldOf(services, [route, sidecar(only('./s1.default.svc.cluster.local', './s2.default.svc.cluster.local'))]))
  assert.deepEqual(outbound().map((name) => name.split('|')[3]!.slice(0, 2)).toSorted((one, other) => (one < other ? -1 : 1)), ['s1', 's2', 's9'])
  assert.equal(mesh.resources(typeUrls.EDS).length, 3)
  for (const name of ['s1', 's2']) assert.equal((await mesh.get(`http://${name}:9080/`)).body, 'here', name)
  assert.equal((await mesh.get('http://s1:9080/other')).body, 'here', 'a destination is reachable by its route')
})

test('the Sidecar that selects a workload wins over that of its namespace, that over the root namespace\'s', async () => {
  await using peer = await httpPeer('here')
  const services = ['a', 'b', 'c'].map((name): ServiceInit => ({ name, versions: { v1: peer.address } }))
  const root = sidecar(only('*/a.default.svc.cluster.local'), { namespace: 'istio-system' })
  const own = sidecar(only('*/b.default.svc.cluster.local'))
  const selected = sidecar({ workloadSelector: { labels: { app: 'productpage' } }, ...only('*/c.default.svc.cluster.local') }, {}, 'selected')
  const other = sidecar({ workloadSelector: { labels: { app: 'other' } }, ...only('*/a.default.svc.cluster.local') }, { created: -1 }, 'other')
  await using mesh = await MeshWorld.start(worldOf(services, [root]))
  const reaches = async () => {
    const clusters = mesh.resources(typeUrls.CDS).filter((name) => name.startsWith('outbound|'))
    return clusters.map((name) => name.split('|')[3]![0])
  }
  assert.deepEqual(await reaches(), ['a'])
  await mesh.apply(worldOf(services, [root, own]))
  assert.deepEqual(await reaches(), ['b'])
  await mesh.apply(worldOf(services, [root, own, selected, other]))
  assert.equal((await mesh.get('http://c:9080/')).status, 200)
  await mesh.apply(worldOf(services, [root, own, other]))
  assert.deepEqual(await reaches(), ['b'])
})

test('an egress listener that nothing captures for opens on loopback, and sends by Host', async () => {
  await using peer = await httpPeer('here')
  const port = await freePort()
  const more = { ports: [{ name: 'http', number: port, protocol: 'HTTP' as const, targetPort: port }] }
  const own = sidecar({ egress: [{ port: { number: port, protocol: 'HTTP', name: 'http' }, captureMode: 'NONE', hosts: ['./reviews.default.svc.cluster.local'] }] })
  await using mesh = await MeshWorld.start(worldOf([{ name: 'reviews', versions: { v1: peer.address }, more }], [own]))
  const ask = (host: string) => new Promise<string>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/', headers: { host } }, (response) => void text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject)).on('error', reject).end()
  })
  const limit = Date.now() + 5000
  let answer = ''
  while (answer !== '200 here' && Date.now() < limit) answer = await ask('reviews').catch(String)
  assert.equal(answer, '200 here')
  assert.equal(mesh.resources(typeUrls.LDS).includes(`127.0.0.1_${port}`), true)
})

test('what is for no known host goes to the egress proxy, or is refused', async () => {
  await using gate = await httpPeer('gate')
  const services = [{ name: 'egress', versions: { v1: gate.address } }, { name: 'a', versions: { v1: gate.address } }]
  const policy = (outboundTrafficPolicy: object) => [sidecar({ ...only('./a.default.svc.cluster.local'), outboundTrafficPolicy })]
  await using mesh = await MeshWorld.start(worldOf(services, policy({ mode: 'ALLOW_ANY', egressProxy: { host: 'egress.default.svc.cluster.local', port: { number: 9080 } } })))
  const { status, body } = await mesh.get('http://nobody.example.com/')
  assert.deepEqual([status, body], [200, 'gate'])
  await mesh.apply(worldOf(services, policy({ mode: 'REGISTRY_ONLY' })))
  assert.equal((await mesh.get('http://nobody.example.com/')).status, 502)
})

test('an ingress listener that nothing captures for opens where it says, in front of the application', async () => {
  await using application = await httpPeer('application')
  const port = await freePort()
  const own = sidecar({ ingress: [{ port: { number: port, protocol: 'HTTP', name: 'http' }, bind: '127.0.0.1', captureMode: 'NONE', defaultEndpoint: `127.0.0.1:${application.address.port}` }] })
  await using mesh = await MeshWorld.start(worldOf([], [own]))
  const limit = Date.now() + 5000
  let answer = ''
  while (answer !== 'application' && Date.now() < limit) answer = await fetch(`http://127.0.0.1:${port}/`).then(async (reply) => await reply.text(), String)
  assert.equal(answer, 'application')
  assert.ok(mesh.resources(typeUrls.LDS).includes(`127.0.0.1_${port}`))
})
