import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint } from '../model/service.ts'
import { Withdrawals } from './withdrawals.ts'

const endpoint = (address: string, over: Partial<Endpoint> = {}): Endpoint => ({
  hostname: 'a.default.svc.cluster.local', namespace: 'default', servicePortName: 'http', address, port: 80, labels: {}, locality: { region: '', zone: '', subzone: '' },
  network: '', weight: 1, health: 'healthy', mutualTls: true, serviceAccount: 'a', workload: 'default/a-1', ...over,
})
const node = (ip: string, over: { readonly namespace?: string; readonly SERVICE_ACCOUNT?: string; readonly NETWORK?: string; readonly TRYSAIL_READINESS?: string } = {}) => {
  const { namespace = 'default', ...metadata } = over
  return { id: `sidecar~${ip}~a-1.${namespace}~${namespace}.svc.cluster.local`, metadata: { SERVICE_ACCOUNT: 'a', ...metadata } }
}

function start() {
  let changes = 0
  const withdrawals = new Withdrawals(() => changes++)
  return { withdrawals, changes: () => changes, unhealthy: (all: readonly Endpoint[]) => withdrawals.apply(all).map((one, i) => (one.health === 'healthy' ? '' : String(i))).join('') }
}

test('a workload whose proxy leaves is sent nobody until a proxy of it joins again; each change is told once', () => {
  const { withdrawals, changes, unhealthy } = start()
  const all = [endpoint('10.0.0.1'), endpoint('10.0.0.2')]
  assert.equal(withdrawals.apply(all), all)
  withdrawals.leave(node('10.0.0.2'))
  withdrawals.leave(node('10.0.0.2'))
  assert.equal(unhealthy(all), '1')
  assert.equal(withdrawals.apply(all), withdrawals.apply(all))
  withdrawals.joined(node('10.0.0.1'))
  assert.equal(unhealthy(all), '1')
  withdrawals.joined(node('10.0.0.2'))
  assert.equal(withdrawals.apply(all), all)
  assert.equal(changes(), 2)
})

test('a workload whose proxy says how its application is gets nobody until it takes requests, and none when it does not any more', () => {
  const { withdrawals, changes, unhealthy } = start()
  const all = [endpoint('10.0.0.1')]
  const telling = node('10.0.0.1', { TRYSAIL_READINESS: 'true' })
  withdrawals.leave(telling)
  withdrawals.joined(telling)
  assert.equal(unhealthy(all), '0')
  assert.deepEqual([withdrawals.report(telling, true), withdrawals.report(telling, true)], [true, false])
  assert.equal(unhealthy(all), '')
  withdrawals.report(telling, false)
  assert.equal(unhealthy(all), '0')
  assert.equal(changes(), 3)
})

test('endpoints that come later at the address of one that has left are not sent anybody either', () => {
  const { withdrawals, unhealthy } = start()
  withdrawals.leave(node('10.0.0.1'))
  assert.equal(unhealthy([endpoint('10.0.0.1'), endpoint('10.0.0.1', { hostname: 'b.example', workload: '' })]), '01')
})

for (const [title, over, from] of [
  ['another namespace', { workload: 'other/a-1' }, {}],
  ['another namespace, of a workload that is not known', { workload: '', namespace: 'other' }, {}],
  ['another service account', { serviceAccount: 'b' }, {}],
  ['another network', { network: 'east' }, { NETWORK: 'west' }],
] as const) {
  test(`a proxy cannot withdraw an endpoint of ${title} at its own address`, () => {
    const { withdrawals, unhealthy } = start()
    withdrawals.leave(node('10.0.0.1', from))
    assert.equal(unhealthy([endpoint('10.0.0.1', over)]), '')
  })
}

test('two workloads at one address are withdrawn one by one', () => {
  const { withdrawals, unhealthy } = start()
  const all = [endpoint('10.0.0.1'), endpoint('10.0.0.1', { serviceAccount: 'b' })]
  withdrawals.leave(node('10.0.0.1'))
  withdrawals.leave(node('10.0.0.1', { SERVICE_ACCOUNT: 'b' }))
  assert.equal(unhealthy(all), '01')
  withdrawals.joined(node('10.0.0.1'))
  assert.equal(unhealthy(all), '1')
})
