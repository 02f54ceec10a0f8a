// From which address connections to hosts come: the cluster's own, where it names one and the proxy is captured by the kernel;
// the client's, where its listener says so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { socketOptions } from '../../src/net/socket-options.ts'
import type { ClientAddresses } from '../../src/proxy/upstream/types.ts'
import { httpPeer } from '../support/http-peers.ts'
import { UpstreamWorld, ask, connectThrough, failureOf, staticCluster } from '../support/upstream-world.ts'

/** Other systems have one address of IPv4 on the loopback. */
const skip = process.platform !== 'linux' && 'skipped: 127.0.0.6 is an address of Linux only'

const socketAddress = (address: string) => ({ address, portSpecifier: { case: 'portValue' as const, value: 0 } })
const sources = (first: string, ...others: readonly string[]) => ({
  upstreamBindConfig: { sourceAddress: socketAddress(first), extraSourceAddresses: others.map((address) => ({ address: socketAddress(address) })) },
})

const tellsSource = () => httpPeer((request, response) => void response.end(request.socket.remoteAddress))

test("a cluster's source address is that of its connections, pooled ones and opaque ones", { skip }, async () => {
  await using peer = await tellsSource()
  using world = new UpstreamWorld({ bindsSources: true })
  const cluster = world.serve(staticCluster('c', [peer.address], sources('127.0.0.6')))
  assert.equal((await ask(cluster)).body, '127.0.0.6')
  const opaque = await connectThrough(cluster)
  assert.equal(opaque.localAddress.host, '127.0.0.6')
  opaque.destroy()
})

test('of several the one of the host\'s family is taken; without one, the route decides', { skip }, async () => {
  await using peer = await tellsSource()
  using world = new UpstreamWorld({ bindsSources: true })
  assert.equal((await ask(world.serve(staticCluster('both', [peer.address], sources('::6', '127.0.0.7'))))).body, '127.0.0.7')
  assert.equal((await ask(world.serve(staticCluster('other', [peer.address], sources('::6'))))).body, '127.0.0.1')
})

test('a proxy that the kernel does not capture connects from wherever the route says', async () => {
  await using peer = await tellsSource()
  using world = new UpstreamWorld()
  assert.equal((await ask(world.serve(staticCluster('c', [peer.address], sources('127.0.0.6'))))).body, '127.0.0.1')
})

test('a source address that is not of this machine fails as any connection may', { skip }, async () => {
  await using peer = await tellsSource()
  using world = new UpstreamWorld({ bindsSources: true })
  const failed = await failureOf(ask(world.serve(staticCluster('c', [peer.address], sources('192.0.2.1')))))
  assert.equal(failed.reason, 'connection-failure')
  assert.match(failed.detail, /unreachable/i)
})

const foreignSkip = skip || (process.getuid?.() !== 0 ? 'skipped: to speak in the name of another address takes root' : socketOptions().options === undefined && `skipped: ${socketOptions().problem}`)

test('where hosts shall see their clients, connections come from them, and are not shared between them', { skip: foreignSkip }, async () => {
  await using peer = await tellsSource()
  using world = new UpstreamWorld({ bindsSources: true })
  const cluster = world.serve(staticCluster('c', [peer.address], sources('127.0.0.6')))
  const client = (host: string, port: number): ClientAddresses => ({ remoteAddress: { host, port }, originalDestination: peer.address, sourceMark: 0 })
  const seen = []
  for (const one of [client('127.9.9.1', 1000), client('127.9.9.2', 1000), client('127.9.9.1', 2000), client('::1', 1000)]) seen.push((await ask(cluster, { client: one })).body)
  assert.deepEqual(seen, ['127.9.9.1', '127.9.9.2', '127.9.9.1', '127.0.0.6'])
  assert.equal(peer.connections.length, 3, 'one for each address')
})
