import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { readProxyNode } from '../translate/proxy-node.ts'
import { typeNames } from '../translate/table.ts'
import { ProxyRecord, proxyStatusJson } from './proxies.ts'

test('the status of a proxy names every type, also one that was never asked for', () => {
  const record = new ProxyRecord(readProxyNode({ id: 'sidecar~10.0.0.1~web.default~x' }), systemClock, () => {})
  record.sent('CDS', 3)
  record.acked('CDS')
  const { types } = proxyStatusJson([record], record.connectedAt).proxies[0]!
  assert.deepEqual(Object.keys(types), typeNames)
  assert.deepEqual(types['CDS'], { sent: 1, acked: 1, nacked: 0, generation: 3, error: '', state: 'SYNCED' })
  assert.deepEqual(types['SDS'], { sent: 0, acked: 0, nacked: 0, generation: 0, error: '', state: 'NOT_SENT' })
})
