import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterShown, HostShown } from '../admin/clusters.ts'
import { addedUp, mergedClusters, mergedCounters, mergedPeers, withoutGauges } from './report.ts'

const line = (name: string, value: number) => ({ name, value })

test('counters and open connections add up, the number of hosts does not', () => {
  const first = [line('cluster.a.upstream_rq_total', 3), line('cluster.a.upstream_cx_active', 1), line('cluster.a.membership_total', 2)]
  const second = [line('cluster.a.upstream_rq_total', 4), line('cluster.a.upstream_cx_active', 2), line('cluster.a.membership_total', 2), line('cluster.b.upstream_rq_total', 1)]
  assert.deepEqual(mergedCounters([first, second]), [
    line('cluster.a.upstream_rq_total', 7), line('cluster.a.upstream_cx_active', 3), line('cluster.a.membership_total', 2), line('cluster.b.upstream_rq_total', 1),
  ])
})

test('of a thread that is gone, what only grows stays', () => {
  const gone = withoutGauges({ counters: [line('cluster.a.upstream_rq_total', 3), line('cluster.a.upstream_cx_active', 1)], metrics: [] })
  assert.deepEqual(addedUp([gone, gone]).counters, [line('cluster.a.upstream_rq_total', 6)])
})

const host = (over: Partial<HostShown>): HostShown => ({
  address: { host: '10.0.0.1', port: 80 }, name: '10.0.0.1:80', weight: 1, health: 'healthy', active: 0,
  stats: { cxTotal: 1, cxActive: 1, cxConnectFail: 0, rqTotal: 5, rqSuccess: 5, rqError: 0, rqTimeout: 0 }, ...over,
})
const cluster = (...hosts: HostShown[]): ClusterShown => ({ name: 'a', assignmentName: 'a', hosts })

test('a host is shown with what all threads carry, and as left out when one of them leaves it out', () => {
  const [merged] = mergedClusters([[cluster(host({ active: 2 }))], [cluster(host({ active: 3, ejection: 'five errors' }), host({ name: '10.0.0.2:80' }))], []])
  const [one, another] = merged!.hosts
  assert.equal(another, undefined, 'hosts are those of the first thread')
  assert.deepEqual([one!.active, one!.ejection, one!.stats!.rqTotal, one!.stats!.cxActive], [5, 'five errors', 10, 2])
})

test('clients without a certificate are counted by all threads together', () => {
  const client = (over: object) => ({ port: 80, address: '10.0.0.9', connections: 1, refused: 0, first: '2026-01-02', last: '2026-01-03', says: ['a'], ...over })
  const merged = mergedPeers([
    { since: '2026-01-02', ports: [{ port: 80, mutual: 2 }], plaintext: [client({})], forgotten: 0 },
    { since: '2026-01-01', ports: [{ port: 80, mutual: 3 }], plaintext: [client({ first: '2026-01-01', last: '2026-01-04', says: ['b', 'a'] }), client({ address: '10.0.0.8' })], forgotten: 1 },
  ])
  assert.deepEqual(merged, {
    since: '2026-01-01', ports: [{ port: 80, mutual: 5 }], forgotten: 1,
    plaintext: [client({ connections: 2, first: '2026-01-01', last: '2026-01-04', says: ['a', 'b'] }), client({ address: '10.0.0.8' })],
  })
})
