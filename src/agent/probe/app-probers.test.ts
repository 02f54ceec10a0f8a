import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAppProbers } from './app-probers.ts'
import { readAppMetrics } from './app-metrics.ts'

function read(value: unknown) {
  const mistakes: string[] = []
  return { probers: readAppProbers(typeof value === 'string' ? value : JSON.stringify(value), mistakes), mistakes }
}

test('probes of all kinds are read, with what Kubernetes takes where they do not say', () => {
  const { probers, mistakes } = read({
    '/app-health/web/readyz': { httpGet: { path: 'ready?a=1', port: 8080, scheme: 'HTTPS', httpHeaders: [{ name: 'X-A', value: 'b' }] }, timeoutSeconds: 3 },
    '/app-health/web/livez': { tcpSocket: { port: '9000' } },
    '/app-health/web/startupz': { grpc: { port: 50051, service: null } },
    '/app-lifecycle/web/prestopz': { httpGet: { port: 8080 } },
  })
  assert.deepEqual(mistakes, [])
  assert.deepEqual([...probers.entries()], [
    ['/app-health/web/readyz', { probe: { kind: 'http', host: '', port: 8080, path: '/ready?a=1', tls: true, headers: [['X-A', 'b']] }, timeoutMs: 3000 }],
    ['/app-health/web/livez', { probe: { kind: 'tcp', host: '', port: 9000 }, timeoutMs: 1000 }],
    ['/app-health/web/startupz', { probe: { kind: 'grpc', port: 50051, service: '' }, timeoutMs: 1000 }],
    ['/app-lifecycle/web/prestopz', { probe: { kind: 'http', host: '', port: 8080, path: '/', tls: false, headers: [] }, timeoutMs: 1000 }],
  ])
})

const wrong = [
  { title: 'no JSON', value: '{', says: /is no JSON/ },
  { title: 'another path', value: { '/healthz': { tcpSocket: { port: 1 } } }, says: /\/healthz.*must be|Invalid key/ },
  { title: 'a named port', value: { '/app-health/a/livez': { httpGet: { port: 'http' } } }, says: /livez\.httpGet\.port/ },
  { title: 'two kinds at once', value: { '/app-health/a/livez': { httpGet: { port: 1 }, tcpSocket: { port: 1 } } }, says: /one of httpGet, tcpSocket and grpc/ },
  { title: 'none', value: { '/app-health/a/livez': {} }, says: /one of httpGet, tcpSocket and grpc/ },
]
for (const { title, value, says } of wrong) {
  test(`probes with ${title} are a mistake that is named`, () => {
    const { probers, mistakes } = read(value)
    assert.match(mistakes.join('\n'), says)
    assert.equal(probers.size, 0)
  })
}

test('nothing is no probe', () => assert.deepEqual(read(''), { probers: new Map(), mistakes: [] }))

const annotated = [
  { given: '', app: undefined },
  { given: '{"scrape":"false","port":"9090"}', app: undefined },
  { given: '{"scrape":"true","port":"9090"}', app: { port: 9090, path: '/metrics' } },
  { given: '{"scrape":"true","port":"","path":"m"}', app: { port: 80, path: '/m' } },
  { given: '{"scrape":"true","port":"15020"}', app: undefined, says: /proxy's own/ },
  { given: '{"port":"x"}', app: undefined, says: /port must be a port/ },
  { given: 'x', app: undefined, says: /ISTIO_PROMETHEUS_ANNOTATIONS/ },
]
for (const { given, app, says } of annotated) {
  test(`ISTIO_PROMETHEUS_ANNOTATIONS=${given} ${says === undefined ? 'is read' : 'is a mistake'}`, () => {
    const mistakes: string[] = []
    assert.deepEqual(readAppMetrics(given, mistakes), app)
    if (says === undefined) assert.deepEqual(mistakes, [])
    else assert.match(mistakes.join('\n'), says)
  })
}
