// Pools and connections of clusters against real servers: reuse, limits, and every way in which a request fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UpstreamWorld, ask, staticCluster } from '../support/upstream-world.ts'
import { httpPeer } from '../support/http-peers.ts'

test('a connection is kept and used again', async () => {
  await using peer = await httpPeer('hello')
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [peer.address]))
  const first = await ask(cluster)
  const second = await ask(cluster)
  assert.deepEqual([first.status, first.body, first.reused, second.reused], [200, 'hello', false, true])
  assert.equal(peer.connections.length, 1)
})
