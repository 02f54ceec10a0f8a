// How a proxy is set up: its workload's annotation goes before what its agent or the mesh says, field by field.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource } from '../../../test/support/bookinfo-world.ts'
import { meshSettings } from '../mesh-settings.ts'
import { createSnapshot } from '../snapshot.ts'
import type { MeshConfigSpec } from '../specs.ts'
import { httpIdleMs, takesHttp10, topologyOf } from './proxy-config.ts'
import { readProxyNode } from './proxy-node.ts'

const gateway = (metadata: Record<string, string | object> = {}) => readProxyNode({ id: 'router~127.1.0.5~ingress.default~default.svc.cluster.local', metadata: metadata as never })

function snapshotOf(mesh: MeshConfigSpec, annotation: string | undefined) {
  const world = bookinfo()
  const workloads = world.workloads.map((one) =>
    (one.name === 'ingress' && annotation !== undefined ? { ...one, annotations: { 'proxy.istio.io/config': annotation } } : one))
  return createSnapshot({ ...world, workloads, mesh: meshSettings(mesh) })
}

const two: MeshConfigSpec = { defaultConfig: { gatewayTopology: { numTrustedProxies: 2, forwardClientCertDetails: 'SANITIZE' }, proxyMetadata: { ISTIO_META_HTTP10: '1' } } }

test('without anything said there is nothing in front of a gateway, and no HTTP/1.0', () => {
  assert.deepEqual([topologyOf(gateway(), snapshotOf({}, undefined)), takesHttp10(gateway(), snapshotOf({}, undefined))], [{}, false])
})

test('what the mesh says is for all, what a workload says of itself replaces it field by field', () => {
  assert.deepEqual(topologyOf(gateway(), snapshotOf(two, undefined)), { numTrustedProxies: 2, forwardClientCertDetails: 'SANITIZE' })
  const own = snapshotOf(two, 'gatewayTopology: { numTrustedProxies: 1, proxyProtocol: {} }')
  assert.deepEqual(topologyOf(gateway(), own), { numTrustedProxies: 1, forwardClientCertDetails: 'SANITIZE', proxyProtocol: {} })
  assert.equal(takesHttp10(gateway(), own), true)
  assert.equal(takesHttp10(gateway(), snapshotOf(two, 'proxyMetadata: { ISTIO_META_HTTP10: "0" }')), false)
})

test("an annotation that is broken does not count, and what Istio's agent says goes before the mesh", () => {
  assert.deepEqual(topologyOf(gateway(), snapshotOf(two, 'gatewayTopology: 7')), two.defaultConfig!.gatewayTopology)
  const told = gateway({ PROXY_CONFIG: { unheardOf: 1, gatewayTopology: { numTrustedProxies: 5 } } })
  assert.deepEqual(topologyOf(told, snapshotOf(two, undefined)), { numTrustedProxies: 5 })
  assert.equal(takesHttp10(gateway({ HTTP10: '1' }), snapshotOf({}, undefined)), true)
})

test('ProxyConfig resources: the root namespace, the own one, the annotation, and what is chosen by labels', () => {
  const http10 = (value: string, more: object = {}) => ({ environmentVariables: { ISTIO_META_HTTP10: value }, ...more })
  const takes = (annotation: string | undefined, ...resources: readonly ReturnType<typeof resource>[]): boolean => {
    const world = snapshotOf({}, annotation).world
    return takesHttp10(gateway({ LABELS: { app: 'ingress' } }), createSnapshot({ ...world, resources }))
  }
  const root = resource('ProxyConfig', 'all', http10('1'), { namespace: 'istio-system' })
  const own = resource('ProxyConfig', 'own', http10('0'))
  const chosen = resource('ProxyConfig', 'chosen', http10('1', { selector: { matchLabels: { app: 'ingress' } } }))
  const others = resource('ProxyConfig', 'others', http10('1', { selector: { matchLabels: { app: 'web' } } }))
  const off = 'proxyMetadata: { ISTIO_META_HTTP10: "0" }'
  assert.deepEqual([takes(undefined, root), takes(undefined, root, own), takes(undefined, own, others), takes(off, root), takes(off, own, chosen)], [true, false, false, false, true])
})

test('how long clients may be idle: as the agent says, else as a ProxyConfig does; what is no duration does not count', () => {
  const idle = (metadata: Record<string, string>, variable?: string): number | false => {
    const resources = variable === undefined ? [] : [resource('ProxyConfig', 'own', { environmentVariables: { ISTIO_META_IDLE_TIMEOUT: variable } })]
    return httpIdleMs(gateway(metadata), createSnapshot({ ...snapshotOf({}, undefined).world, resources }))
  }
  assert.deepEqual([idle({}), idle({}, '30s'), idle({}, '0s'), idle({}, 'soon'), idle({ IDLE_TIMEOUT: '1h' }, '30s'), idle({ IDLE_TIMEOUT: `${'9'.repeat(60)}h` })], [false, 30_000, 0, false, 3_600_000, 315_360_000_000])
})
