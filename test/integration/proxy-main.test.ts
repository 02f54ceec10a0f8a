// A whole proxy against a scripted control plane: readiness, NACKs, a control plane that is away, drain and end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterSchema, Cluster_DiscoveryType } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { startProxyWorld } from '../support/proxy-world.ts'
import type { ProxyWorld } from '../support/proxy-world.ts'
import { tcpChain, tcpListener } from '../support/xds-messages.ts'

const fixed = (name: string) => create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC } })
const eds = (name: string) => create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS } })
const listener = (port: number, cluster: string, name = 'l') => tcpListener(name, '127.0.0.1', port, { filterChains: [tcpChain('tcp', cluster)] })
const admin = async ({ proxy }: ProxyWorld, path: string, method = 'GET') => {
  const answer = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`, { method })
  return { status: answer.status, body: await answer.text() }
}

test('a proxy is ready once its first clusters and listeners serve, and says so', async () => {
  await using backend = await namedServer('backend')
  await using world = await startProxyWorld({ upstreams: { c: backend.address } })
  const { proxy, control } = world
  assert.deepEqual(await admin(world, '/ready'), { status: 503, body: 'INITIALIZING: no configuration yet\n' })
  const port = await freePort()
  control.send(ClusterSchema, [eds('c')])
  assert.deepEqual(control.subscribed.get('type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment'), ['c'])
  control.send(ListenerSchema, [listener(port, 'c')])
  assert.equal((await admin(world, '/ready')).status, 503)
  control.send(ClusterLoadAssignmentSchema, [create(ClusterLoadAssignmentSchema, { clusterName: 'c' })])
  await proxy.whenReady
  assert.deepEqual(await admin(world, '/ready'), { status: 200, body: 'LIVE\n' })
  assert.equal(await converse(connect(port, '127.0.0.1'), 'x'), 'backend:x')
  assert.match((await admin(world, '/listeners')).body, new RegExp(`^l::127.0.0.1:${port}$`, 'm'))
})

async function serving(upstream: { host: string; port: number }, settings = {}) {
  const world = await startProxyWorld({ upstreams: { c: upstream }, settings })
  const port = await freePort()
  world.control.send(ClusterSchema, [fixed('c')])
  world.control.send(ListenerSchema, [listener(port, 'c')])
  await world.proxy.whenReady
  return { ...world, world, port }
}

test('a bad resource is rejected with a reason, shown in the dump, and what served goes on serving', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address)
  up.control.send(ListenerSchema, [create(ListenerSchema, { ...listener(up.port, 'c'), filterChains: [] }), listener(await freePort(), 'c', 'good')])
  assert.equal(up.control.nacks.length, 1)
  assert.match(up.control.nacks[0]!, /^listener l .*no filter chain$/)
  assert.equal(await converse(connect(up.port, '127.0.0.1'), 'x'), 'backend:x')
  assert.ok(up.proxy.boundAddress('good') !== undefined || up.proxy.planner.plan.listeners.has('good'))
  const { body } = await admin(up.world, '/config_dump')
  assert.match(body, /"error_state": \{\s*"details": "listener l/)
})

test('bytes that are no message are rejected by the name that they came under', async () => {
  await using up = await startProxyWorld({ upstreams: {} })
  up.control.sendBytes('type.googleapis.com/envoy.config.cluster.v3.Cluster', 'broken', new Uint8Array([0xff, 0xff, 0xff]))
  assert.match(up.control.nacks[0]!, /^broken: not a envoy.config.cluster.v3.Cluster/)
  up.control.sendBytes('type.googleapis.com/no.such.Type', 'x', new Uint8Array())
  assert.match(up.control.nacks[1]!, /no.such.Type are not expected/)
})

test('an open connection outlives updates of other resources', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address)
  const old = connect(up.port, '127.0.0.1')
  await once(old, 'data')
  for (let i = 0; i < 20; i++) {
    up.control.send(ClusterSchema, [fixed(`other-${i}`)])
    up.control.send(ListenerSchema, [listener(await freePort(), 'c', `other-${i}`)])
  }
  assert.equal(await converse(old, 'still here'), 'still here')
})

test('a listener that is taken away stops accepting and lets its connections end', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address)
  const old = connect(up.port, '127.0.0.1')
  await once(old, 'data')
  up.control.send(ListenerSchema, [], ['l'])
  for (let refused = false; !refused; ) {
    const late = connect(up.port, '127.0.0.1')
    refused = await new Promise((resolve) => late.once('error', () => resolve(true)).once('connect', () => resolve(false)))
    late.destroy()
  }
  assert.equal(await converse(old, 'still here'), 'still here')
})

test('a drain refuses new connections, waits for open ones, and is seen on /ready', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address)
  const open = connect(up.port, '127.0.0.1')
  await once(open, 'data')
  const drained = up.proxy.drain(10_000)
  assert.deepEqual(await admin(up.world, '/ready'), { status: 503, body: 'DRAINING: draining\n' })
  assert.equal(await converse(connect(up.port, '127.0.0.1'), 'x'), '')
  assert.equal(await converse(open, 'last words'), 'last words')
  assert.equal(await drained, 0)
})

test('the end has one deadline: what is still open then is cut off', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address, { terminationDrainDuration: 60 })
  const open = connect(up.port, '127.0.0.1')
  open.on('error', () => {})
  await once(open, 'data')
  const closed = new Promise((resolve) => open.once('close', resolve))
  await up.proxy.close()
  await closed
  assert.deepEqual(up.logs, ['1 connections were cut off'])
  assert.ok(up.control.closed)
})

test('the end does not wait for a longer drain that was started before', async () => {
  await using backend = await namedServer('backend')
  await using up = await serving(backend.address, { terminationDrainDuration: 30 })
  const open = connect(up.port, '127.0.0.1')
  open.on('error', () => {})
  await once(open, 'data')
  await admin(up.world, '/drain_listeners?graceful', 'POST')
  await up.proxy.close()
  assert.deepEqual(up.logs, ['1 connections were cut off'])
})

test('what a connection ended with is told to the log', async () => {
  await using up = await serving({ host: '127.0.0.1', port: 1 })
  await converse(connect(up.port, '127.0.0.1'), 'x')
  assert.equal(up.entries.length, 1)
  const [entry] = up.entries
  assert.deepEqual([entry!.responseFlags, entry!.upstreamCluster, entry!.upstreamHost, entry!.protocol], ['UF,URX', 'c', '127.0.0.1:1', ''])
})

test('two proxies live in one process, each with its own admin, plan and end', async () => {
  await using one = await namedServer('one')
  await using two = await namedServer('two')
  await using a = await serving(one.address, { name: 'a' })
  await using b = await serving(two.address, { name: 'b' })
  assert.notEqual(a.proxy.adminPort, b.proxy.adminPort)
  assert.match((await admin(a.world, '/server_info')).body, /~a\.default~/)
  await a.proxy.close()
  assert.equal(await converse(connect(b.port, '127.0.0.1'), 'x'), 'two:x')
})

test('a taken admin port is named, and what had been opened before is closed', async () => {
  await using other = await namedServer('other')
  const { port } = other.address
  let closed = 0
  const world = startProxyWorld({ upstreams: {}, settings: { adminPort: port }, parts: { onClosed: () => Promise.resolve(void closed++) } })
  await assert.rejects(world, ({ message, cause }: Error) =>
    message.includes(`(adminPort) cannot listen on 127.0.0.1:${port}`) && String(cause).includes('taken by another process'))
  assert.equal(closed, 1)
})
