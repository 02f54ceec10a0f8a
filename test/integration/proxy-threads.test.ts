// A proxy with another thread that is a real worker: connections are spread, and a thread that is lost is replaced while the
// other one serves.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { spawnThread } from '../../src/cli/proxy-threads.ts'
import { ListenSet } from '../../src/net/listen-set.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import type { ThreadHandle } from '../../src/proxy/threads/link.ts'
import { ThreadSet } from '../../src/proxy/threads/thread-set.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { until } from '../support/process-mesh.ts'
import { startProxyWorld } from '../support/proxy-world.ts'
import { tcpChain, tcpListener } from '../support/xds-messages.ts'

const noIdentity = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

async function startThreads(backend: { host: string; port: number }) {
  const settings = proxySettings({ name: 'web', concurrency: 2, adminPort: 0 })
  const sockets = new ListenSet({ sharing: 'first' })
  const spawned: ThreadHandle[] = []
  const logs: string[] = []
  const world = await startProxyWorld({
    upstreams: { c: backend }, settings,
    parts: {
      listen: sockets.listen, threadNumber: 0,
      stats: (all) => all.flatMap(({ counters }) => counters),
      openThreads: (accepted) => new ThreadSet({
        count: 1, clock: systemClock, identity: noIdentity, sockets, log: (line) => logs.push(line), audit() {},
        spawn(number) {
          const thread = spawnThread({ number, settings, places: { inbound: [], outbound: [], gateway: new Map() }, inherited: [] })
          spawned.push(thread)
          return thread
        },
      }, accepted),
    },
  })
  const port = await freePort()
  const endpoint = { endpoint: { address: { address: { case: 'socketAddress' as const, value: { address: backend.host, portSpecifier: { case: 'portValue' as const, value: backend.port } } } } } }
  world.control.send(ClusterSchema, [create(ClusterSchema, {
    name: 'c', clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint.endpoint } }] }] },
  })])
  world.control.send(ListenerSchema, [tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'c')] })])
  await world.proxy.whenReady
  /** Connections that each thread has taken so far. */
  const taken = async (): Promise<number[]> => {
    const answer = await fetch(`http://127.0.0.1:${world.proxy.adminPort}/stats?filter=downstream_cx_total`)
    const text = await answer.text()
    return [0, 1].map((thread) => Number(new RegExp(`worker_${thread}\\.downstream_cx_total: (\\d+)`).exec(text)?.[1] ?? 0))
  }
  return { world, port, spawned, logs, taken }
}

test('a thread that is lost is replaced: the other one serves meanwhile, then both do', { timeout: 60_000 }, async () => {
  await using backend = await namedServer('backend')
  const { world, port, spawned, logs, taken } = await startThreads(backend.address)
  await using proxy = world.proxy
  const ask = async () => await converse(connect(port, '127.0.0.1'), 'x')
  const spread = async () => {
    const before = await taken()
    await until(async () => {
      assert.equal(await ask(), 'backend:x')
      return (await taken()).every((count, thread) => count > (before[thread] ?? 0))
    }, 'both threads take connections')
  }
  await spread()
  spawned[0]!.end()
  await until(() => logs.some((line) => /thread 1 has ended, its connections are lost: exit code 1; another one takes its place/.test(line)), 'the loss is told')
  for (let i = 0; i < 20; i++) assert.equal(await ask(), 'backend:x')
  await until(() => spawned.length === 2, 'another thread')
  const [, before = 0] = await taken()
  await until(async () => {
    assert.equal(await ask(), 'backend:x')
    return ((await taken())[1] ?? 0) > before
  }, 'the new thread takes connections')
  assert.equal(proxy.state, 'LIVE')
})

test('a port that somebody else has is not shared with them', { timeout: 60_000 }, async () => {
  await using backend = await namedServer('backend')
  const { world, port, logs } = await startThreads(backend.address)
  await using proxy = world.proxy
  const other = new ListenSet({ sharing: 'first' })
  await assert.rejects(other.listen({ address: { host: '127.0.0.1', port }, onConnection: (inbound) => inbound.destroy() }), { code: 'net/in-use' })
  assert.deepEqual([proxy.state, logs], ['LIVE', []])
})
