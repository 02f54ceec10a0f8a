// A proxy with another thread that is a real worker: connections are spread, and a thread that is lost is replaced while the
// other one serves.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { left, spawnThread } from '../../src/cli/proxy/threads.ts'
import { forOtherThread, ListenSet } from '../../src/net/listen-set.ts'
import type { BoundSocket } from '../../src/net/listen-set.ts'
import { listen } from '../../src/net/listen.ts'
import { offerSockets, takeOver } from '../../src/net/take-over.ts'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import type { ThreadHandle } from '../../src/proxy/threads/link.ts'
import { ThreadSet } from '../../src/proxy/threads/thread-set.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { startProxyWorld } from '../support/proxy-world.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'
import { tcpChain, tcpListener } from '../support/xds-messages.ts'

const noIdentity = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

interface Inherited {
  readonly port: number
  readonly first: readonly BoundSocket[]
  readonly other: readonly BoundSocket[]
}

async function startThreads(backend: { host: string; port: number }, inherited?: Inherited, onSpawn: (thread: ThreadHandle, count: number) => void = () => {}) {
  const settings = proxySettings({ name: 'web', concurrency: 2, adminPort: 0 })
  const sockets = new ListenSet({ sharing: 'first', inherited: inherited?.first ?? [] })
  const spawned: ThreadHandle[] = []
  const logs: string[] = []
  const world = await startProxyWorld({
    upstreams: { c: backend }, settings,
    parts: {
      listen: sockets.listen, threadNumber: 0,
      stats: (all) => all.flatMap(({ counters }) => counters),
      openThreads: (accepted) => new ThreadSet({
        count: 1, clock: systemClock, identity: noIdentity, sockets, log: (line) => logs.push(line), audit() {},
        spawn(number, gone) {
          const thread = spawnThread({ number, settings, places: { inbound: [], outbound: [], gateway: new Map() }, inherited: left(forOtherThread(inherited?.other ?? []), gone) })
          onSpawn(thread, spawned.push(thread))
          return thread
        },
      }, accepted),
    },
  })
  const port = inherited?.port ?? await freePort()
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

/** Two sockets of one address, as they come from the process before: in nobody's hands yet. */
async function passedOn(port: number): Promise<Inherited> {
  await using folder = await TempFolder.create()
  const servers = await Promise.all([0, 1].map(() => listen({ address: { host: '127.0.0.1', port }, reusePort: true, onConnection: () => assert.fail('the process before accepts') })))
  const sockets = servers.map(({ handle }) => ({ role: 'listener' as const, address: { host: '127.0.0.1', port }, on: { handle: handle! } }))
  const offer = await offerSockets(join(folder.path, 'offer'), { sockets: () => sockets, yieldTo: async () => void (await Promise.all(servers.map((one) => one.close()))) })
  const taken = await takeOver(join(folder.path, 'offer'))
  await taken!.confirm()
  offer.close()
  return { port, first: taken!.listeners.slice(0, 1), other: taken!.listeners.slice(1) }
}

test('a thread that breaks before it has taken its inherited sockets leaves them to the next one: no client waits in vain', { timeout: 60_000 }, async () => {
  await using backend = await namedServer('backend')
  const port = await freePort()
  const { world, spawned, taken } = await startThreads(backend.address, await passedOn(port), (thread, count) => {
    if (count === 1) thread.end()
  })
  await using _proxy = world.proxy
  assert.equal(spawned.length, 2)
  for (let i = 0; i < 40; i++) assert.equal(await converse(connect(port, '127.0.0.1'), 'x'), 'backend:x')
  const counts = await taken()
  assert.ok(counts.every((count) => count > 0), `both threads take connections: ${counts.join(', ')}`)
})
