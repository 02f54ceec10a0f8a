import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { proxyConfigVariables } from './config-env.ts'
import { UsageError } from '../usage-error.ts'

test('what PROXY_CONFIG says of the life of a proxy stands below its own settings', () => {
  const from = (proxyConfig: string) => proxyConfigVariables({ meshConfig: '', proxyConfig })
  assert.deepEqual(from('{"drainDuration":"60s","terminationDrainDuration":"12s","concurrency":2,"holdApplicationUntilProxyStarts":false,"tracing":{}}'), {
    TRYSAIL_PROXY_DRAIN_DURATION: '60s', TRYSAIL_PROXY_TERMINATION_DRAIN_DURATION: '12s', TRYSAIL_PROXY_CONCURRENCY: '2',
    TRYSAIL_AGENT_HOLD_APPLICATION_UNTIL_PROXY_STARTS: 'false',
  })
  assert.deepEqual(from('drainDuration: 60s\n'), { TRYSAIL_PROXY_DRAIN_DURATION: '60s' })
  assert.deepEqual(from('proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true", DNS_PROXY_ADDR: "localhost:5353", MINIMUM_DRAIN_DURATION: 7s, ISTIO_META_INTERCEPTION_MODE: NONE, OTHER: x }'), {
    TRYSAIL_PROXY_DNS_CAPTURE: 'true', TRYSAIL_PROXY_DNS_PROXY_ADDR: 'localhost:5353', TRYSAIL_PROXY_MINIMUM_DRAIN_DURATION: '7s',
  })
  assert.deepEqual(from('interceptionMode: TPROXY\nstatusPort: 0\nreadinessProbe: { tcpSocket: { port: 80 } }'), {
    TRYSAIL_PROXY_INTERCEPTION_MODE: 'TPROXY', TRYSAIL_PROXY_STATUS_PORT: '0', TRYSAIL_PROXY_READINESS_PROBE: '{"tcpSocket":{"port":80}}',
  })
  assert.deepEqual(from('interceptionMode: NONE'), {})
  assert.deepEqual(['', undefined].map((proxyConfig) => proxyConfigVariables({ meshConfig: '', proxyConfig })), [{}, {}])
})

test('a MeshConfig in a file stands below PROXY_CONFIG, pair by pair of proxyMetadata', async () => {
  await using folder = await TempFolder.create()
  const meshConfig = join(folder.path, 'mesh')
  writeFileSync(meshConfig, 'accessLogFile: /dev/stdout\ndefaultConfig:\n  drainDuration: 60s\n  concurrency: 2\n  proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true", ISTIO_META_NETWORK: west }\n')
  assert.deepEqual(proxyConfigVariables({ meshConfig, proxyConfig: 'drainDuration: 1s\nproxyMetadata: { ISTIO_META_NETWORK: east }' }), {
    TRYSAIL_PROXY_DRAIN_DURATION: '1s', TRYSAIL_PROXY_CONCURRENCY: '2', TRYSAIL_PROXY_DNS_CAPTURE: 'true', TRYSAIL_PROXY_NETWORK: 'east',
  })
  assert.throws(() => proxyConfigVariables({ meshConfig: join(folder.path, 'none'), proxyConfig: undefined }), /--mesh-config \S+none cannot be read/)
})

test('a PROXY_CONFIG that is none is refused', () => {
  for (const proxyConfig of ['[1]', '{', 'words']) assert.throws(() => proxyConfigVariables({ meshConfig: '', proxyConfig }), UsageError)
})
