import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource } from '../../../test/support/bookinfo-world.ts'
import { takeProbe } from '../../proxy/xds/readiness-probe.ts'
import type { ReadinessProbe } from '../../proxy/xds/readiness-probe.ts'
import { typeUrls } from '../../xds/types.ts'
import { createSnapshot } from '../snapshot.ts'
import { readProxyNode } from './proxy-node.ts'
import { ProxyResources } from './proxy-resources.ts'
import { BuildCache } from './translator.ts'

const headers = { httpHeaders: [] }
const groupOf = (probe: object | undefined, namespace = 'default') => resource('WorkloadGroup', 'vms', {
  metadata: { labels: {}, annotations: {} }, template: {},
  ...(probe !== undefined && { probe: { initialDelaySeconds: 0, timeoutSeconds: 0, periodSeconds: 0, successThreshold: 0, failureThreshold: 0, ...probe } }),
}, { namespace })

/** What the proxy makes of what it is sent; undefined: it is sent nothing. */
function asked(probe: object | undefined, { group = 'vms', namespace = 'default' } = {}): ReadinessProbe | undefined {
  const node = readProxyNode({ id: 'sidecar~10.0.0.1~vm.default~default.svc.cluster.local', metadata: { AUTO_REGISTER_GROUP: group } })
  const built = new ProxyResources(node, new BuildCache(), (problem) => assert.fail(problem.message)).get('PCDS', '', createSnapshot(bookinfo(groupOf(probe, namespace))))
  if (built === undefined) return undefined
  let taken: ReadinessProbe | undefined
  const update = { typeUrl: typeUrls.PCDS, version: '1', resources: [{ name: '', version: '1', any: { $typeName: 'google.protobuf.Any' as const, typeUrl: typeUrls.PCDS, value: built.bytes } }], removed: [] }
  assert.equal(takeProbe((one) => (taken = one))(update), undefined)
  return taken
}

const defaults = { initialDelayMs: 0, periodMs: 10_000, timeoutMs: 1000, successThreshold: 1, failureThreshold: 3 }

test('what a WorkloadGroup leaves out is what Istio takes then', () => {
  assert.deepEqual(asked({ tcpSocket: { host: '', port: 8080 } }), { ...defaults, method: { kind: 'tcp', host: '', port: 8080 } })
})

test('all that it says arrives', () => {
  const times = { initialDelaySeconds: 5, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 4, failureThreshold: 6 }
  const http = { path: 'health', port: 8443, host: '127.0.0.1', scheme: 'HTTPS', httpHeaders: [{ name: 'X-A', value: 'b' }] }
  assert.deepEqual(asked({ ...times, httpGet: http }), {
    initialDelayMs: 5000, timeoutMs: 2000, periodMs: 3000, successThreshold: 4, failureThreshold: 6,
    method: { kind: 'http', host: '127.0.0.1', port: 8443, path: '/health', tls: true, headers: [['X-A', 'b']] },
  })
  assert.deepEqual(asked({ exec: { command: ['test', '-e', 'x'] } })?.method, { kind: 'exec', command: ['test', '-e', 'x'] })
})

test('only who registers by the group, in its namespace, is told, and nobody where there is no probe', () => {
  const http = { httpGet: { path: '/', port: 1, host: '', scheme: '', ...headers } }
  assert.equal(asked(http, { group: '' }), undefined)
  assert.equal(asked(http, { group: 'others' }), undefined)
  assert.equal(asked(http, { namespace: 'other' }), undefined)
  assert.equal(asked(undefined), undefined)
})

test('what is no set-up of an agent is refused, and a probe that is gone is none', () => {
  const told: (ReadinessProbe | undefined)[] = []
  const take = takeProbe((one) => told.push(one))
  const any = { $typeName: 'google.protobuf.Any' as const, typeUrl: typeUrls.PCDS, value: Uint8Array.of(0xff) }
  assert.match(take({ typeUrl: typeUrls.PCDS, version: '1', resources: [{ name: '', version: '1', any }], removed: [] })!, /not a set-up of an agent/)
  assert.equal(take({ typeUrl: typeUrls.PCDS, version: '2', resources: [], removed: [''] }), undefined)
  assert.deepEqual(told, [undefined])
})
