// Requests through the whole HTTP side while hosts die, return, come and go: what clients see of it, which should be
// nothing.
import assert from 'node:assert/strict'
import { Agent, get } from 'node:http'
import { test } from 'node:test'
import { Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { freePort } from '../support/hosts.ts'
import { httpPeer, onHeads, plainAnswer, scriptedPeer } from '../support/http-peers.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { until } from '../support/until.ts'
import { assignment, edsCluster, lbEndpoint, staticCluster } from '../support/upstream-world.ts'

/** Istio's own, for routes that say nothing. */
const istioRetries = {
  retryPolicy: {
    retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', numRetries: 2,
    retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
  },
}
const roundRobin = { lbPolicy: LbPolicy.ROUND_ROBIN }

/** Clients with kept connections that ask on and on; every answer is counted as `status body`. */
function clientsOf(world: HttpWorld, count: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const seen = new Map<string, number>()
  let going = true
  const once = () => new Promise<string>((resolve) => {
    get(`${world.url}/`, { agent }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => (body += bytes.toString())).on('end', () => resolve(`${response.statusCode} ${body}`))
    }).on('error', (error) => resolve(`error ${error.message}`))
  })
  const client = async () => {
    while (going) {
      const answer = await once()
      seen.set(answer, (seen.get(answer) ?? 0) + 1)
    }
  }
  const work = Promise.all(Array.from({ length: count }, client))
  return {
    seen,
    total: () => [...seen.values()].reduce((sum, one) => sum + one, 0),
    failures: () => [...seen].filter(([answer]) => !answer.startsWith('200 ')),
    async stop() {
      going = false
      await work
      agent.destroy()
    },
  }
}

test('a host that is dead from the start costs no client anything, and is left out after a few tries', async () => {
  await using alive = await httpPeer('alive')
  const dead = { host: '127.0.0.1', port: await freePort() }
  await using world = await HttpWorld.start({ clusters: { up: [dead, alive.address] }, cluster: roundRobin, routes: [routeTo('up', '/', istioRetries)] })
  const clients = clientsOf(world, 4)
  await until(() => clients.total() > 100)
  await clients.stop()
  assert.deepEqual([...clients.seen.keys()], ['200 alive'])
  const host = world.upstream.statuses()[0]!.hosts.find(({ address }) => address.port === dead.port)!
  assert.ok(host.stats!.cxConnectFail < 30, `${host.stats!.cxConnectFail} tries`)
})

test('a host that is taken from the endpoints, stopped, started and given back under load costs no request', async () => {
  await using stays = await httpPeer('stays')
  let goes = await httpPeer('goes')
  const { address } = goes
  await using world = await HttpWorld.start({ routes: [routeTo('up', '/', istioRetries)] })
  const both = assignment('up', [lbEndpoint(stays.address), lbEndpoint(address)])
  world.upstream.update([edsCluster('up', roundRobin)])
  world.upstream.updateEndpoints(both)
  const clients = clientsOf(world, 8)
  for (let i = 0; i < 5; i++) {
    const before = clients.seen.get('200 goes') ?? 0
    await until(() => (clients.seen.get('200 goes') ?? 0) > before + 20)
    world.upstream.updateEndpoints(assignment('up', [lbEndpoint(stays.address)]))
    await until(() => goes.open === 0)
    await goes[Symbol.asyncDispose]()
    goes = await httpPeer('goes', undefined, address.port)
    world.upstream.updateEndpoints(both)
  }
  await clients.stop()
  await goes[Symbol.asyncDispose]()
  assert.deepEqual(clients.failures(), [])
})

test('clusters that are changed under load cost no request', async () => {
  await using peer = await httpPeer('ok')
  await using world = await HttpWorld.start({ routes: [routeTo('up')] })
  world.upstream.update([staticCluster('up', [peer.address])])
  const clients = clientsOf(world, 8)
  for (let i = 0; i < 30; i++) {
    const before = clients.total()
    await until(() => clients.total() > before + 10)
    world.upstream.update([staticCluster('up', [peer.address], { connectTimeout: { seconds: BigInt(2 + i) } })])
  }
  await clients.stop()
  assert.deepEqual([...clients.seen.keys()], ['200 ok'])
})

test('a server that closes a kept connection just as a GET goes out on it costs no request; a POST is not repeated', async () => {
  const posts: string[] = []
  await using peer = await scriptedPeer((socket, index) => {
    let asked = 0
    onHeads(socket, (head) => {
      if (head.startsWith('POST')) posts.push(`connection ${index}`)
      // The first of each connection is answered, the second finds it closed.
      if (asked++ === 0) socket.write(plainAnswer('ok'))
      else socket.resetAndDestroy()
    })
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up')] })
  const ask = async (method: string) => (await fetch(world.url, { method })).status
  assert.deepEqual([await ask('GET'), await ask('GET'), await ask('HEAD'), await ask('GET')], [200, 200, 200, 200])
  assert.equal(world.last.attempts, 1)
  assert.equal(await ask('POST'), 503)
  assert.equal(posts.length, 1)
})

test('a server that closes every connection without an answer is not asked for ever', async () => {
  let heads = 0
  await using peer = await scriptedPeer((socket) => onHeads(socket, () => (heads++, socket.destroy())))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up')] })
  assert.equal((await fetch(world.url)).status, 503)
  assert.equal(heads, 1, 'the connection was new')
})

test('without any host that is alive the client hears why, and is served again as soon as one is', async () => {
  const port = await freePort()
  await using world = await HttpWorld.start({ clusters: { up: [{ host: '127.0.0.1', port }] }, routes: [routeTo('up', '/', istioRetries)] })
  const answer = await fetch(world.url)
  assert.equal(answer.status, 503)
  assert.equal(await answer.text(), 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure')
  await using revived = await httpPeer('back', undefined, port)
  assert.equal(await (await fetch(world.url)).text(), 'back')
  assert.equal(revived.requests, 1)
})
