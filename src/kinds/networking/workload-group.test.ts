// Every rule of a WorkloadGroup: what is refused, what is warned of, and the twin that is fine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsIn, testKind } from '../../../test/support/kind-cases.ts'

const group = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadGroup',
  spec: { metadata: { labels: { app: 'db' } }, template: { ports: { sql: 5432 }, serviceAccount: 'db' }, probe: { httpGet: { port: 8080 } } },
}

const served = { ...group, spec: { template: {} } }

test('WorkloadGroup: with a probe and without, all of it is served', () => {
  assert.deepEqual(findingsIn(group, []), [])
  assert.deepEqual(findingsIn(served, []), [])
})

for (const [title, at, value, expected] of [
  ['no template', 'template', undefined, 'error spec.template: is required'],
  ['a port of the template that is none', 'template', { ports: { sql: 0 } }, 'error spec.template.ports.sql: must be at least 1, not 0'],
  ['a port name of the template that is none', 'template', { ports: { a_b: 80 } }, `error spec.template.ports.a_b: "a_b" is not the name of a port: letters, digits and '-', at most 63`],
  ['a label of the template that is none', 'template', { labels: { a: 'b c' } }, 'error spec.template.labels.a: "b c" is not a label value'],
  ['an address, which every workload has of its own', 'template', { address: '10.0.0.1' }, 'warning spec.template.address: is ignored, by Istio too: every workload registers with its own address'],
  ['a probe that does nothing', 'probe', { periodSeconds: 3 }, 'error spec.probe: must have exactly one of httpGet, tcpSocket and exec'],
  ['a probe that does two things', 'probe', { tcpSocket: { port: 1 }, exec: { command: ['a'] } }, 'error spec.probe: must have exactly one of httpGet, tcpSocket and exec'],
  ['a probe by gRPC', 'probe', { grpc: { port: 1 } }, 'error spec.probe.grpc: Istio refuses it too: write httpGet, tcpSocket or exec'],
  ['a program without a name', 'probe', { exec: {} }, 'error spec.probe.exec.command: must name a program'],
  ['a header without a name', 'probe', { httpGet: { port: 1, httpHeaders: [{ value: 'a' }] } }, 'error spec.probe.httpGet.httpHeaders[0].name: is required'],
  ['a negative time', 'probe', { tcpSocket: { port: 1 }, timeoutSeconds: -1 }, 'error spec.probe.timeoutSeconds: must be at least 0, not -1'],
  ['a port that is none', 'probe', { tcpSocket: { port: 70_000 } }, 'error spec.probe.tcpSocket.port: must be at most 65535, not 70000'],
] as const) {
  test(`WorkloadGroup: says ${title}`, () => {
    assert.deepEqual(findingsIn(group, [[at, value]]).filter((one) => !one.includes('not served yet')), [expected])
  })
}

test('WorkloadGroup: says a label of the group that is none', () => {
  assert.deepEqual(findingsIn({ ...group, spec: { metadata: { labels: { a: 'b c' } }, template: {} } }, []).slice(0, 1), ['error spec.metadata.labels.a: "b c" is not a label value'])
})

testKind({ apiVersion: 'networking.istio.io/v1beta1', kind: 'ProxyConfig', spec: { selector: { matchLabels: { app: 'web' } }, environmentVariables: { ISTIO_META_HTTP10: '1' } } }, [
  { title: 'text instead of a number of cores', change: [['concurrency', 0], ['environmentVariables', 'a']], path: 'environmentVariables', message: 'must be a map, not "a"', twin: ['selector', { matchLabels: {} }] },
  { title: 'cores, since our proxies have a setting of their own', severity: 'warning', change: ['concurrency', 2], message: "is ignored: how many cores a proxy uses is its own setting", twin: ['concurrency', 0] },
  { title: "an image, since our proxies are not Istio's", severity: 'warning', change: ['image', { imageType: 'distroless' }], message: "is ignored: it names an image of Istio's own proxy", twin: ['image', undefined] },
  { title: 'a variable that is not served', severity: 'warning', change: ['environmentVariables', { A: 'b' }], path: 'environmentVariables.A', message: "is ignored: it sets up Istio's own agent, and our proxies are set up by `trysail proxy`", twin: ['environmentVariables', { ISTIO_META_HTTP10: '1', ISTIO_META_IDLE_TIMEOUT: '1h', ISTIO_META_DNS_CAPTURE: 'true', ISTIO_META_DNS_AUTO_ALLOCATE: 'true' }] },
  { title: 'an idle timeout that is none', severity: 'warning', change: ['environmentVariables', { ISTIO_META_IDLE_TIMEOUT: 'soon' }], path: 'environmentVariables.ISTIO_META_IDLE_TIMEOUT', message: '"soon" is not used: write a duration such as 1h or 30s', twin: ['environmentVariables', { ISTIO_META_IDLE_TIMEOUT: '0s' }] },
  { title: 'a selector that is mistyped', change: ['selector', { matchLabel: {} }], path: 'selector.matchLabel', message: 'unknown field "matchLabel"; did you mean matchLabels?', twin: ['selector', undefined] },
])
