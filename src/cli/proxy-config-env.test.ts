import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyConfigVariables } from './proxy-config-env.ts'
import { UsageError } from './usage-error.ts'

test('what PROXY_CONFIG says of the life of a proxy stands below its own settings', () => {
  assert.deepEqual(proxyConfigVariables('{"drainDuration":"60s","terminationDrainDuration":"12s","concurrency":2,"holdApplicationUntilProxyStarts":false,"tracing":{}}'), {
    TRYSAIL_PROXY_DRAIN_DURATION: '60s', TRYSAIL_PROXY_TERMINATION_DRAIN_DURATION: '12s', TRYSAIL_PROXY_CONCURRENCY: '2',
    TRYSAIL_AGENT_HOLD_APPLICATION_UNTIL_PROXY_STARTS: 'false',
  })
  assert.deepEqual(proxyConfigVariables('drainDuration: 60s\n'), { TRYSAIL_PROXY_DRAIN_DURATION: '60s' })
  assert.deepEqual(proxyConfigVariables('proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true", DNS_PROXY_ADDR: "localhost:5353", OTHER: x }'), {
    TRYSAIL_PROXY_DNS_CAPTURE: 'true', TRYSAIL_PROXY_DNS_PROXY_ADDR: 'localhost:5353',
  })
  assert.deepEqual(['', undefined].map(proxyConfigVariables), [{}, {}])
})

test('a PROXY_CONFIG that is none is refused', () => {
  for (const text of ['[1]', '{', 'words']) assert.throws(() => proxyConfigVariables(text), UsageError)
})
