// Whatever peers and callers do, at random: every request ends exactly once, and no counter is left behind.
import assert from 'node:assert/strict'
import { describe, before, test } from 'node:test'
import type { Socket } from 'node:net'
import { chooseTransports } from '../../src/net/transports.ts'
import { Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { RunningCluster } from '../../src/proxy/upstream/running-cluster.ts'
import { onHeads, plainAnswer, scriptedPeer } from '../support/http-peers.ts'
import { until } from '../support/until.ts'
import { Asked, Failed, UpstreamWorld, assignment, edsCluster, lbEndpoint, limits } from '../support/upstream-world.ts'

/** mulberry32: the same run for the same seed, as far as the network lets it. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const misdeeds: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.end(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.resetAndDestroy()),
  (socket) => socket.end('not HTTP at all\r\n\r\n'),
  (socket) => socket.end(plainAnswer('and gone')),
  (socket) => socket.write(`${plainAnswer('one')}${plainAnswer('too many')}`),
  (socket) => socket.write(plainAnswer('closing', 'connection: close\r\n'), () => setImmediate(() => socket.destroy())),
]

for (const rawHandles of [true, false]) describe(rawHandles ? 'over raw handles' : 'over node sockets', () => {
  before(() => chooseTransports({ rawHandles }))

  for (const seed of [1, 2, 3]) {
    test(`every request ends once and nothing is left over (seed ${seed})`, async () => {
      const random = randomOf(seed)
      const behave = (socket: Socket): void => {
        if (random() < 0.1) return void socket.resetAndDestroy()
        onHeads(socket, () => {
          if (random() < 0.75) socket.write(plainAnswer('x'.repeat(Math.floor(random() * 2_000))))
          else misdeeds[Math.floor(random() * misdeeds.length)]!(socket)
        })
      }
      await using one = await scriptedPeer(behave)
      await using two = await scriptedPeer(behave)
      using world = new UpstreamWorld({ random })
      const message = () => edsCluster('c', { lbPolicy: LbPolicy.LEAST_REQUEST, connectTimeout: { seconds: BigInt(1 + Math.floor(random() * 3)) }, ...limits({ maxConnections: 12, maxPendingRequests: 30, maxRequests: 20 }) })
      world.serve(message())
      const update = () => world.clusters.updateEndpoints(assignment('c', [lbEndpoint(one.address), ...(random() < 0.5 ? [lbEndpoint(two.address)] : [])]))
      update()
      const used = new Set<RunningCluster>()
      const outcomes = new Map<string, number>()
      const count = (outcome: string) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      let ended = 0

      const request = async (): Promise<void> => {
        const cluster = world.clusters.lookup('c')!
        if (cluster instanceof RunningCluster) used.add(cluster)
        const asked = new Asked(cluster)
        if (random() < 0.1) {
          await new Promise((resolve) => setImmediate(resolve))
          asked.cancel()
          asked.stream?.reset()
          return count('given up')
        }
        await asked.answer.then(() => count('answered'), (error: unknown) => count(error instanceof Failed ? error.reason : String(error)))
        ended++
      }
      const client = async (): Promise<void> => {
        for (let i = 0; i < 25; i++) await request()
      }
      const clients = Array.from({ length: 40 }, client)
      for (let i = 0; i < 15; i++) {
        await new Promise((resolve) => setTimeout(resolve, 3))
        update()
        if (random() < 0.3) world.serve(message())
      }
      await Promise.all(clients)

      assert.equal(ended + (outcomes.get('given up') ?? 0), 1_000)
      assert.ok(outcomes.get('answered')! > 300, JSON.stringify([...outcomes]))
      const known = new Set(['answered', 'given up', 'overflow', 'connection-termination', 'connection-failure', 'protocol-error'])
      assert.deepEqual([...outcomes.keys()].filter((outcome) => !known.has(outcome)), [])
      const left = ({ stats }: RunningCluster) => {
        return [stats.upstream_rq_active, stats.upstream_rq_pending_active, ...world.clusters.statuses().flatMap(({ hosts }) => hosts.map(({ active }) => active))]
      }
      for (const cluster of used) await until(() => left(cluster).every((value) => value === 0), () => JSON.stringify(left(cluster)))
      world.clusters.close()
      for (const cluster of used) await until(() => cluster.stats.upstream_cx_active === 0)
    })
  }
})
