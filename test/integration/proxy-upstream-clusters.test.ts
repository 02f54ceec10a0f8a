// Clusters over their whole life: endpoints and clusters that change under load, dead hosts, DNS, opaque connections.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { systemClock } from '../../src/lib/clock.ts'
import type { Address } from '../../src/model/address.ts'
import type { ResolveName } from '../../src/net/resolve.ts'
import { HealthStatus } from '../../src/proto/gen/envoy/config/core/v3/health_check_pb.ts'
import { Cluster_DiscoveryType as DiscoveryType, Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { clustersPath } from '../../src/proxy/admin/clusters.ts'
import { PlannedClusters } from '../../src/proxy/plan-clusters.ts'
import type { Cluster } from '../../src/proxy/upstream/types.ts'
import { Recorder } from '../support/connection-pair.ts'
import { freePort, namedServer } from '../support/hosts.ts'
import { httpPeer, onHeads, plainAnswer, scriptedPeer } from '../support/http-peers.ts'
import type { Handler } from '../support/http-peers.ts'
import { manualClock } from '../support/manual-clock.ts'
import {
  Asked, UpstreamWorld, ask, assignment, choose, connectThrough, edsCluster, failureOf, lbEndpoint, limits, staticCluster,
} from '../support/upstream-world.ts'
import { until } from '../support/until.ts'

/** The default. */
const roundRobin = { lbPolicy: LbPolicy.ROUND_ROBIN }
const leastRequest = { lbPolicy: LbPolicy.LEAST_REQUEST }

/** Asks again and again, a few at a time, until told to stop; then says how many answers there were, by body. */
function load(cluster: () => Cluster, clients = 8) {
  const answers = new Map<string, number>()
  const failures: unknown[] = []
  let going = true
  const client = async () => {
    while (going) {
      try {
        const { body } = await ask(cluster())
        answers.set(body, (answers.get(body) ?? 0) + 1)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const work = Promise.all(Array.from({ length: clients }, client))
  return {
    answers, failures,
    async stop() {
      going = false
      await work
    },
  }
}

const total = (answers: ReadonlyMap<string, number>) => [...answers.values()].reduce((sum, count) => sum + count, 0)

test('a cluster that is replaced under load loses no request, and the old one is freed', async () => {
  await using peer = await httpPeer((_request, response) => void setImmediate(() => response.end('ok')))
  using world = new UpstreamWorld()
  world.serve(staticCluster('c', [peer.address]))
  const running = load(() => world.clusters.lookup('c')!)
  for (let i = 0; i < 20; i++) {
    const before = total(running.answers)
    await until(() => total(running.answers) > before + 10)
    world.serve(staticCluster('c', [peer.address], { connectTimeout: { seconds: BigInt(3 + i) } }))
  }
  await running.stop()
  assert.deepEqual(running.failures, [])
  await until(() => world.clusters.retired === 0 && peer.open <= 8)
})

test('an exchange that began on a cluster which was replaced meanwhile may still ask it again', async () => {
  await using peer = await httpPeer('ok')
  using world = new UpstreamWorld()
  const old = world.serve(staticCluster('c', [peer.address]))
  await ask(old)
  world.serve(staticCluster('c', [peer.address], { connectTimeout: { seconds: 9n } }))
  assert.equal((await ask(old)).body, 'ok')
  await until(() => world.clusters.retired === 0 && peer.open === 0)
})

test('a cluster that is removed finishes what it carries', async () => {
  let finish = (): void => {}
  await using peer = await httpPeer((_request, response) => (finish = () => void response.end('late')))
  const clock = manualClock()
  using world = new UpstreamWorld({ clock })
  const asked = new Asked(world.serve(staticCluster('c', [peer.address])))
  await until(() => peer.requests === 1)
  world.clusters.update([])
  assert.equal(world.clusters.lookup('c'), undefined)
  clock.pass(5_000)
  assert.equal(world.clusters.retired, 1)
  finish()
  assert.equal((await asked.answer).body, 'late')
  clock.pass(1_000)
  assert.equal(world.clusters.retired, 0)
  await until(() => peer.open === 0)
})

test('an equal message leaves a cluster and its connections as they are', async () => {
  await using peer = await httpPeer('ok')
  using world = new UpstreamWorld()
  const first = world.serve(staticCluster('c', [peer.address]))
  await ask(first)
  const second = world.serve(staticCluster('c', [peer.address]))
  assert.equal(second, first)
  assert.equal((await ask(second)).reused, true)
})

test('endpoints that come and go under load lose no request, and those that stay keep their connections', async () => {
  const slow = (name: string): Handler => (_request, response) => void setImmediate(() => response.end(name))
  await using a = await httpPeer(slow('a'))
  await using b = await httpPeer(slow('b'))
  using world = new UpstreamWorld()
  const cluster = world.serve(edsCluster('c', roundRobin))
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address), lbEndpoint(b.address)]))
  const running = load(() => cluster)
  for (let i = 0; i < 20; i++) {
    const before = total(running.answers)
    await until(() => total(running.answers) > before + 10)
    const both = i % 2 === 1
    world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address), ...(both ? [lbEndpoint(b.address)] : [])]))
  }
  await running.stop()
  assert.deepEqual(running.failures, [])
  assert.ok(running.answers.get('b')! > 0)
  assert.ok(a.connections.length <= 8, `${a.connections.length} connections to the host that stayed`)
})

test('a host that leaves is not chosen any more, and its idle connections are closed', async () => {
  await using a = await httpPeer('a')
  await using b = await httpPeer('b')
  using world = new UpstreamWorld()
  const cluster = world.serve(edsCluster('c', roundRobin))
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address), lbEndpoint(b.address)]))
  for (let i = 0; i < 4; i++) await ask(cluster)
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(b.address)]))
  for (let i = 0; i < 4; i++) assert.equal((await ask(cluster)).body, 'b')
  await until(() => a.open === 0)
})

test('endpoints that came before their cluster, or with an earlier version of it, are not forgotten', async () => {
  await using a = await httpPeer('a')
  using world = new UpstreamWorld()
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address)]))
  assert.equal((await ask(world.serve(edsCluster('c')))).body, 'a')
  assert.equal((await ask(world.serve(edsCluster('c', leastRequest)))).body, 'a')
})

test('requests are spread by weight', async () => {
  await using a = await httpPeer('a')
  await using b = await httpPeer('b')
  using world = new UpstreamWorld()
  const cluster = world.serve(edsCluster('c', roundRobin))
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address, { loadBalancingWeight: 3 }), lbEndpoint(b.address, { loadBalancingWeight: 1 })]))
  for (let i = 0; i < 40; i++) await ask(cluster)
  assert.deepEqual([a.requests, b.requests], [30, 10])
})

test('unhealthy and draining endpoints get nothing; with none left there is no host, unless the cluster panics', async () => {
  await using a = await httpPeer('a')
  await using b = await httpPeer('b')
  using world = new UpstreamWorld()
  const unhealthy = (peer: { address: Address }) => lbEndpoint(peer.address, { healthStatus: HealthStatus.UNHEALTHY })
  const cluster = world.serve(edsCluster('c', { ...roundRobin, commonLbConfig: { healthyPanicThreshold: { value: 0 } } }))
  world.clusters.updateEndpoints(assignment('c', [unhealthy(a), lbEndpoint(b.address)]))
  for (let i = 0; i < 4; i++) assert.equal((await ask(cluster)).body, 'b')
  world.clusters.updateEndpoints(assignment('c', [unhealthy(a), lbEndpoint(b.address, { healthStatus: HealthStatus.DRAINING })]))
  assert.equal((await failureOf(ask(cluster))).reason, 'no-host')
  const panics = world.serve(edsCluster('c', roundRobin))
  assert.equal((await ask(panics)).status, 200)
  assert.ok(world.stat('cluster.c.lb_healthy_panic') > 0)
})

test('too few healthy hosts and all of them get their share, also those that fail: from the threshold on only the healthy ones', async () => {
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => httpPeer(name)))
  await using stack = new AsyncDisposableStack()
  for (const one of all) stack.use(one)
  using world = new UpstreamWorld()
  const cluster = world.serve(edsCluster('c', { ...roundRobin, commonLbConfig: { healthyPanicThreshold: { value: 50 } } }))
  const served = async (healthy: number): Promise<readonly number[]> => {
    world.clusters.updateEndpoints(assignment('c', all.map(({ address }, i) => lbEndpoint(address, i < healthy ? {} : { healthStatus: HealthStatus.UNHEALTHY }))))
    const before = all.map(({ requests }) => requests)
    for (let i = 0; i < 40; i++) await ask(cluster)
    return all.map(({ requests }, i) => requests - before[i]!)
  }
  assert.deepEqual(await served(2), [20, 20, 0, 0], 'half of them are enough')
  assert.deepEqual(await served(1), [10, 10, 10, 10], 'a quarter is not')
  assert.ok(world.stat('cluster.c.lb_healthy_panic') >= 40)
  assert.deepEqual(await served(4), [10, 10, 10, 10])
})

test('a host that has just come warms up: its share grows with its time', async () => {
  await using a = await httpPeer('a')
  await using b = await httpPeer('b')
  let later = 0
  using world = new UpstreamWorld({ clock: { ...systemClock, now: () => Date.now() + later } })
  const cluster = world.serve(edsCluster('c', {
    ...roundRobin, lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig: { slowStartWindow: { seconds: 600n }, minWeightPercent: { value: 10 } } } },
  }))
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address)]))
  await ask(cluster)
  later += 900_000
  world.clusters.updateEndpoints(assignment('c', [lbEndpoint(a.address), lbEndpoint(b.address)]))
  const share = async (): Promise<number> => {
    const before = [a.requests, b.requests] as const
    for (let i = 0; i < 110; i++) await ask(cluster)
    return (b.requests - before[1]) / (a.requests - before[0])
  }
  const near = async (wanted: number): Promise<void> => {
    const found = await share()
    assert.ok(Math.abs(found - wanted) <= 0.06, `${found.toFixed(2)} requests for each of the warm host, not ${wanted}`)
  }
  await near(0.1)
  later += 300_000
  await near(0.5)
  later += 300_000
  await near(1)
})

test('a host that refuses connections is left out, is tried again later, and comes back', async () => {
  const port = await freePort()
  const dead = { host: '127.0.0.1', port }
  await using alive = await httpPeer('alive')
  const clock = manualClock()
  using world = new UpstreamWorld({ clock })
  const cluster = world.serve(staticCluster('c', [dead, alive.address], roundRobin))
  const results: string[] = []
  const askOnce = async () => results.push(await ask(cluster).then(({ body }) => body, () => 'failed'))
  for (let i = 0; i < 12; i++) await askOnce()
  assert.equal(results.filter((result) => result === 'failed').length, 3, results.join(' '))
  assert.deepEqual(results.slice(-6), Array(6).fill('alive'))
  assert.equal(world.stat('cluster.c.membership_suspect'), 1)
  clock.pass(1_000)
  results.length = 0
  for (let i = 0; i < 6; i++) await askOnce()
  assert.equal(results.filter((result) => result === 'failed').length, 1, 'one try, and out again')
  await using revived = await httpPeer('revived', undefined, port)
  assert.equal(revived.address.port, port)
  clock.pass(2_000)
  results.length = 0
  for (let i = 0; i < 6; i++) await askOnce()
  assert.ok(results.filter((result) => result === 'revived').length >= 3, results.join(' '))
  assert.equal(world.stat('cluster.c.membership_suspect'), 0)
})

test('a request that failed on a dead host finds another at once', async () => {
  const dead = { host: '127.0.0.1', port: await freePort() }
  await using alive = await httpPeer('alive')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [dead, alive.address], roundRobin))
  for (let i = 0; i < 10; i++) {
    const first = choose(cluster)
    const answer = await ask(cluster, { host: first }).catch(() => {
      const next = cluster.chooseHost({ hash: undefined, originalDestination: undefined, tried: [first] })!
      return ask(cluster, { host: next })
    })
    assert.equal(answer.body, 'alive')
  }
})

test('a cluster whose only host is dead tries it every time', async () => {
  const port = await freePort()
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [{ host: '127.0.0.1', port }]))
  for (let i = 0; i < 6; i++) assert.equal((await failureOf(ask(cluster))).reason, 'connection-failure')
  await using revived = await httpPeer('back', undefined, port)
  assert.equal((await ask(cluster)).body, 'back')
  assert.equal(revived.requests, 1)
})

test('a restart of a host under load fails only what was on its way to it, and the load goes to the others meanwhile', async () => {
  await using stays = await httpPeer('stays')
  const first = await httpPeer('goes')
  const { address } = first
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [address, stays.address], roundRobin))
  const running = load(() => cluster, 4)
  await until(() => (running.answers.get('goes') ?? 0) > 20)
  await first[Symbol.asyncDispose]()
  const before = running.answers.get('stays')!
  await until(() => running.answers.get('stays')! > before + 50)
  await using again = await httpPeer('again', undefined, address.port)
  await until(() => again.requests > 20)
  await running.stop()
  assert.ok(running.failures.length <= 4 + 3 + 4, `${running.failures.length} failures`)
})

test('STRICT_DNS makes a host of every address, follows the name, and keeps the last good answer', async () => {
  await using a = await httpPeer('a')
  let answer: readonly string[] | undefined = ['127.0.0.1', '127.0.0.2']
  const asked: string[] = []
  const resolve: ResolveName = async (name) => {
    asked.push(name)
    if (answer === undefined) throw new Error('no name server')
    return { addresses: answer, ttlMs: 5_000 }
  }
  const clock = manualClock()
  using world = new UpstreamWorld({ clock, resolve })
  const { port } = a.address
  world.serve(staticCluster('c', [{ host: 'web.test', port }], { ...roundRobin, ...dns(DiscoveryType.STRICT_DNS) }))
  const hosts = () => world.clusters.statuses()[0]!.hosts.map(({ name }) => name)
  assert.deepEqual(hosts(), [`web.test:${port}`])
  await until(() => hosts().length === 2)
  assert.deepEqual(hosts(), [`127.0.0.1:${port}`, `127.0.0.2:${port}`])
  answer = undefined
  clock.pass(5_200)
  await until(() => asked.length === 2)
  assert.equal(hosts().length, 2)
  answer = ['127.0.0.1']
  clock.pass(1_200)
  await until(() => hosts().length === 1)
  assert.equal((await ask(world.clusters.lookup('c')!)).body, 'a')
  world.clusters.update([])
  clock.pass(600_000)
  assert.equal(asked.length, 3, 'a cluster that is gone asks no more')
})

test('LOGICAL_DNS is one host: new connections go to the new address, old ones stay', async () => {
  const slow: Handler = (_request, response) => void response.end('old')
  await using old = await httpPeer(slow)
  const addresses = ['127.0.0.1']
  const resolve: ResolveName = () => Promise.resolve({ addresses: [...addresses], ttlMs: undefined })
  const clock = manualClock()
  const dialled: string[] = []
  using world = new UpstreamWorld({ clock, resolve, dial: (address) => (dialled.push(address.host), address) })
  const cluster = world.serve(staticCluster('c', [{ host: 'web.test', port: old.address.port }], dns(DiscoveryType.LOGICAL_DNS)))
  await until(() => (world.clusters.statuses()[0]!.hosts[0] as { connectTo?: Address }).connectTo?.host === '127.0.0.1')
  await ask(cluster)
  addresses[0] = '127.0.0.2'
  clock.pass(30_200)
  await until(() => (world.clusters.statuses()[0]!.hosts[0] as { connectTo?: Address }).connectTo?.host === '127.0.0.2')
  assert.equal((await ask(cluster)).reused, true)
  const [one, two] = [new Asked(cluster), new Asked(cluster)]
  await Promise.allSettled([one.answer, two.answer])
  assert.deepEqual(dialled, ['127.0.0.1', '127.0.0.2'])
  assert.equal(world.clusters.statuses()[0]!.hosts[0]!.name, `web.test:${old.address.port}`)
})

test('a name that never resolved is no host, and the first request may look it up itself', async () => {
  await using a = await httpPeer('a')
  using world = new UpstreamWorld({ resolve: () => Promise.reject(new Error('no such name')) })
  const cluster = world.serve(staticCluster('c', [{ host: 'localhost', port: a.address.port }], dns(DiscoveryType.STRICT_DNS)))
  assert.equal((await ask(cluster)).body, 'a')
  await until(() => world.clusters.statuses()[0]!.hosts.length === 0)
  assert.equal((await failureOf(ask(cluster))).reason, 'no-host')
})

const dns = (type: DiscoveryType) => ({ clusterDiscoveryType: { case: 'type' as const, value: type }, dnsRefreshRate: { seconds: 30n }, respectDnsTtl: true })

const passthrough = { clusterDiscoveryType: { case: 'type' as const, value: DiscoveryType.ORIGINAL_DST }, lbPolicy: LbPolicy.CLUSTER_PROVIDED }

test('ORIGINAL_DST goes where the client meant to go, through the dial map, and forgets hosts that are not used', async () => {
  await using a = await httpPeer('a')
  const clock = manualClock()
  using world = new UpstreamWorld({ clock, dial: (address) => (address.host === '10.0.0.1' ? a.address : address) })
  const cluster = world.serve(staticCluster('c', [], passthrough))
  const originalDestination = { host: '10.0.0.1', port: 80 }
  assert.equal((await ask(cluster, { originalDestination })).body, 'a')
  assert.equal((await ask(cluster, { originalDestination })).reused, true)
  assert.equal((await failureOf(ask(cluster))).reason, 'no-host')
  assert.deepEqual(world.clusters.statuses()[0]!.hosts.map(({ name }) => name), ['10.0.0.1:80'])
  clock.pass(3_600_000)
  await until(() => a.open === 0)
  clock.pass(1_000)
  assert.deepEqual(world.clusters.statuses()[0]!.hosts, [])
})

test('an opaque connection counts until it closes, whoever closes it', async () => {
  await using server = await namedServer('raw')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [server.address]))
  const host = choose(cluster)
  const transport = await connectThrough(cluster, host)
  const recorder = new Recorder(transport)
  transport.resume()
  transport.writeLatin1('hello')
  await recorder.until(() => recorder.bytes.toString() === 'raw:hello')
  assert.deepEqual([host.active, world.stat('cluster.c.upstream_cx_active')], [1, 1])
  transport.destroy()
  await until(() => host.active === 0)
  assert.equal(world.stat('cluster.c.upstream_cx_active'), 0)
})

test('an opaque connection over the limit fails with overflow, and one to a dead host counts against it', async () => {
  await using server = await namedServer('raw')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [server.address], limits({ maxConnections: 1 })))
  const first = await connectThrough(cluster)
  assert.equal((await failureOf(connectThrough(cluster))).reason, 'overflow')
  first.destroy()
  await until(() => world.stat('cluster.c.upstream_cx_active') === 0)
  const second = await connectThrough(cluster)
  second.destroy()
  const dead = world.serve(staticCluster('c', [{ host: '127.0.0.1', port: await freePort() }]))
  assert.equal((await failureOf(connectThrough(dead))).reason, 'connection-failure')
  assert.equal(world.stat('cluster.c.upstream_cx_connect_fail'), 1)
})

test('a connection that is not wanted any more before it is there leaves no trace', async () => {
  await using server = await namedServer('raw')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [server.address], limits({ maxConnections: 1 })))
  const stop = cluster.connect(choose(cluster), { onTransport: () => assert.fail('given up'), onFailure: () => assert.fail('given up') })
  stop()
  stop()
  const transport = await connectThrough(cluster)
  assert.equal(world.stat('cluster.c.upstream_cx_active'), 1)
  transport.destroy()
})

test('what one cluster gets wrong is said, and nothing has changed then', async () => {
  await using a = await httpPeer('a')
  using world = new UpstreamWorld()
  const good = staticCluster('good', [a.address])
  const cluster = world.serve(good)
  const wrong = staticCluster('wrong', [], { transportSocket: { name: 'envoy.transport_sockets.quic' } })
  assert.throws(() => world.clusters.update([wrong, good]), /cluster wrong: transport socket envoy.transport_sockets.quic is not supported/)
  assert.throws(() => world.clusters.update([staticCluster('l', [], dns(DiscoveryType.LOGICAL_DNS))]), /cluster l: LOGICAL_DNS with 0 endpoints/)
  assert.throws(() => world.clusters.updateEndpoints(assignment('good', [{ hostIdentifier: { case: 'endpointName', value: 'x' } }])), /good: an endpoint without an address/)
  assert.equal(world.clusters.lookup('good'), cluster)
  assert.equal(world.clusters.lookup('wrong'), undefined)
  assert.equal((await ask(cluster)).body, 'a')
})

test('of many clusters in one update only the bad one is rejected, in words, and the others serve', async () => {
  await using a = await httpPeer('a')
  using world = new UpstreamWorld()
  const planned = new PlannedClusters(world.clusters, manualClock(), () => {})
  const wrong = staticCluster('wrong', [], { clusterDiscoveryType: { case: 'clusterType', value: { name: 'envoy.clusters.aggregate' } } })
  const rejections = planned.update({ changed: [staticCluster('one', [a.address]), wrong, edsCluster('two')], removed: [] }, new Set())
  assert.deepEqual(rejections, [{ name: 'wrong', reason: 'cluster wrong: cluster_type envoy.clusters.aggregate is not served yet' }])
  assert.deepEqual(planned.updateEndpoints({ changed: [assignment('two', [lbEndpoint(a.address)])], removed: [] }), [])
  assert.equal(planned.isWarm('two'), true)
  for (const name of ['one', 'two']) assert.equal((await ask(world.clusters.lookup(name)!)).body, 'a')
  planned.update({ changed: [], removed: ['one', 'two'] }, new Set(['two']))
  assert.equal((await ask(world.clusters.lookup('two')!)).body, 'a', 'a route still names it')
  planned.release(new Set())
  assert.equal(world.clusters.lookup('two'), undefined)
  planned.close()
})

test('/clusters shows what was counted, and who is left out', async () => {
  const dead = { host: '127.0.0.1', port: await freePort() }
  await using alive = await httpPeer('alive')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [dead, alive.address], roundRobin))
  for (let i = 0; i < 8; i++) await ask(cluster).catch(() => {})
  const answer = clustersPath(() => world.clusters.statuses()).answer
  const { body: text } = await answer({ query: new URLSearchParams() } as Parameters<typeof answer>[0])
  assert.match(String(text), new RegExp(`c::127.0.0.1:${dead.port}::cx_connect_fail::3\n`))
  assert.match(String(text), new RegExp(`c::127.0.0.1:${dead.port}::health_flags::/failed_outlier_check\n`))
  assert.match(String(text), new RegExp(`c::127.0.0.1:${alive.address.port}::health_flags::healthy\n`))
  assert.match(String(text), new RegExp(`c::127.0.0.1:${alive.address.port}::rq_total::5\n`))
})

test('retries are limited by the cluster', async () => {
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [], limits({ maxRetries: 1 })))
  assert.deepEqual([cluster.tryRetry(), cluster.tryRetry()], [true, false])
  cluster.retryDone()
  assert.equal(cluster.tryRetry(), true)
  assert.deepEqual(['upstream_rq_retry', 'upstream_rq_retry_overflow'].map((name) => world.stat(`cluster.c.${name}`)), [2, 1])
})

test('a pipe is a host too', async () => {
  const path = `/tmp/trysail-test-${process.pid}.sock`
  const { createServer } = await import('node:http')
  const server = createServer((_request, response) => void response.end('through a pipe')).listen(path)
  await once(server, 'listening')
  try {
    using world = new UpstreamWorld()
    const pipe = { hostIdentifier: { case: 'endpoint' as const, value: { address: { address: { case: 'pipe' as const, value: { path } } } } } }
    const cluster = world.serve(edsCluster('c'))
    world.clusters.updateEndpoints(assignment('c', [pipe]))
    assert.equal((await ask(cluster)).body, 'through a pipe')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('counters go on when a cluster is replaced', async () => {
  await using peer = await httpPeer('ok')
  using world = new UpstreamWorld()
  await ask(world.serve(staticCluster('c', [peer.address])))
  await ask(world.serve(staticCluster('c', [peer.address], leastRequest)))
  await until(() => world.stat('cluster.c.upstream_cx_active') === 1)
  assert.deepEqual(['upstream_rq_total', 'upstream_cx_total', 'membership_total', 'upstream_rq_active'].map((name) => world.stat(`cluster.c.${name}`)), [2, 2, 1, 0])
})

test('endpoints and clusters that come and go a thousand times leave nothing behind', async () => {
  await using peer = await httpPeer('ok')
  const clock = manualClock()
  using world = new UpstreamWorld({ clock })
  for (let i = 0; i < 1_000; i++) {
    if (i % 10 === 0) world.serve(edsCluster('c', { connectTimeout: { seconds: BigInt(1 + i) } }))
    world.clusters.updateEndpoints(assignment('c', [lbEndpoint(i % 100 === 0 ? peer.address : { host: '127.0.0.1', port: 1 + i })]))
    if (i % 100 === 0) await ask(world.clusters.lookup('c')!)
  }
  clock.pass(1_000)
  await until(() => peer.open === 0)
  clock.pass(1_000)
  assert.deepEqual([world.clusters.retired, clock.waiting, world.clusters.statuses()[0]!.hosts.length], [0, 0, 1])
})

test('a thousand clusters that nothing uses have no timers and cost no connection', () => {
  const clock = manualClock()
  using world = new UpstreamWorld({ clock })
  world.clusters.update(Array.from({ length: 1000 }, (_, i) => edsCluster(`c${i}`)))
  clock.pass(2_000)
  assert.equal(clock.waiting, 0)
  assert.equal(world.clusters.statuses().length, 1000)
})

test('a peer whose answers come in single bytes is read right', async () => {
  await using peer = await scriptedPeer((socket) => onHeads(socket, () => {
    const bytes = Array.from(Buffer.from(plainAnswer('slow but whole')))
    const next = (): void => {
      if (bytes.length > 0) socket.write(Buffer.of(bytes.shift()!), () => setImmediate(next))
    }
    next()
  }))
  using world = new UpstreamWorld()
  assert.equal((await ask(world.serve(staticCluster('c', [peer.address])))).body, 'slow but whole')
})
