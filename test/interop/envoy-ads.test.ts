// A real Envoy on our ADS, in both variants: it takes Bookinfo and edits of it without refusing anything. Runs where
// there is an Envoy (envoy-binary.ts).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { worldSource } from '../../src/control/serve/world-source.ts'
import type { ProxyRecord } from '../../src/control/status/proxies.ts'
import { syncState } from '../../src/control/status/proxies.ts'
import { WorldState } from '../../src/control/world-state.ts'
import type { TestNode } from '../support/ads-client.ts'
import { sidecarNode } from '../support/ads-client.ts'
import { serveAds } from '../support/ads-world.ts'
import { bookinfo, resource, service } from '../support/bookinfo-world.ts'
import { findEnvoy } from './envoy-binary.ts'
import { startAgent, startEnvoy as startRealEnvoy } from './real-envoy.ts'
import type { RunningEnvoy } from './real-envoy.ts'

const { path: envoy, missing } = findEnvoy()
const skip = missing ?? false

const subsets = resource('DestinationRule', 'reviews', { host: 'reviews', subsets: [{ name: 'v1', labels: { version: 'v1' } }, { name: 'v2', labels: { version: 'v2' } }] })
const routeTo = (subset: string) => resource('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ name: `to-${subset}`, route: [{ destination: { host: 'reviews', subset } }] }] })
const gateway = resource('Gateway', 'bookinfo', { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: 18080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] })
const ingress = resource('VirtualService', 'bookinfo', { hosts: ['*'], gateways: ['bookinfo'], http: [{ match: [{ uri: { prefix: '/' } }], route: [{ destination: { host: 'productpage' } }] }] })
const world = (subset: string) => bookinfo(subsets, routeTo(subset), gateway, ingress)

const nodes: Readonly<Record<string, TestNode>> = {
  sidecar: sidecarNode('productpage', '127.1.0.1'),
  gateway: { id: 'router~127.1.0.5~ingress.default~default.svc.cluster.local', metadata: { NAME: 'ingress', NAMESPACE: 'default', LABELS: { app: 'ingress', istio: 'ingressgateway' } } },
}

function startEnvoy(node: TestNode, apiType: string, port: number, agentPort: number): RunningEnvoy {
  return startRealEnvoy({ envoy: envoy!, node, apiType, port, agentPort })
}

/** Whether a proxy has all the types, or as much as it says until the time is over. */
async function taken(state: WorldState, id: string): Promise<ProxyRecord> {
  const until = Date.now() + 20_000
  for (;;) {
    const record = state.board.proxies.get(id)
    const done = record !== undefined && ['CDS', 'EDS', 'LDS', 'RDS'].every((type) => syncState(record.types.get(type as 'CDS')) !== 'NOT_SENT')
    if (done && (await state.board.waitFor(state.snapshot.generation, 5000)).complete) return record
    assert.ok(Date.now() < until, `after 20 s: ${JSON.stringify(record === undefined ? 'not connected' : [...record.types])}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

for (const apiType of ['DELTA_GRPC', 'GRPC']) {
  for (const [kind, node] of Object.entries(nodes)) {
    test(`Envoy as a ${kind} takes Bookinfo and an edit over ${apiType}`, { skip, timeout: 60_000 }, async () => {
      const state = new WorldState()
      state.update(world('v1'))
      await using served = await serveAds(worldSource(state))
      await using agent = await startAgent()
      await using running = startEnvoy(node, apiType, served.server.plaintextAddress!.port, agent.plaintextAddress!.port)
      const record = await taken(state, node.id).catch((error: unknown) => assert.fail(`${String(error)}\n${running.output()}\n${served.log.join('\n')}`))
      const sent = record.types.get('RDS')!.sent
      const { generation } = state.update(world('v2'))
      assert.equal((await state.board.waitFor(generation, 10_000)).complete, true)
      if (kind === 'sidecar') assert.equal(record.types.get('RDS')!.sent, sent + 1)
      const { services, ...rest } = world('v2')
      const grown = state.update({ ...rest, services: [...services, service('ratings', { addresses: ['240.240.0.9'] })] })
      assert.equal((await state.board.waitFor(grown.generation, 10_000)).complete, true)
      const shrunk = state.update(world('v1'))
      assert.equal((await state.board.waitFor(shrunk.generation, 10_000)).complete, true)
      assert.deepEqual([...record.types].filter(([, { nacked, error }]) => nacked > 0 || error !== ''), [], running.output())
      assert.deepEqual(served.log.filter((line) => !/ connected \(| left$/.test(line)), [])
    })
  }
}

test('Envoy that finds a restarted control plane says what it holds, and gets only what changed', { skip, timeout: 60_000 }, async () => {
  const node = nodes['sidecar']!
  await using agent = await startAgent()
  const state = new WorldState()
  state.update(world('v1'))
  const first = await serveAds(worldSource(state))
  const { port } = first.server.plaintextAddress!
  await using running = startEnvoy(node, 'DELTA_GRPC', port, agent.plaintextAddress!.port)
  try {
    await taken(state, node.id)
  } finally {
    await first[Symbol.asyncDispose]()
  }
  const restarted = new WorldState()
  restarted.update(world('v2'))
  await using _ = await serveAds(worldSource(restarted), port)
  const until = Date.now() + 30_000
  while (restarted.board.proxies.get(node.id)?.types.get('RDS') === undefined) {
    assert.ok(Date.now() < until, `not back after 30 s: ${running.output()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal((await restarted.board.waitFor(restarted.snapshot.generation, 5000)).complete, true)
  assert.deepEqual([...restarted.board.proxies.get(node.id)!.types].map(([type, { sent, nacked }]) => [type, sent, nacked]), [['RDS', 1, 0]])
})
