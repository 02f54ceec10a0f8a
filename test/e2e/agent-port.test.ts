// The agent's port of `trysail proxy` as kubelet, Prometheus and a preStop hook use it: the workload behind it takes mutual TLS
// only, and is asked all the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

async function sidecar(mesh: ProcessMesh, app: string, flags: readonly string[] = []) {
  const port = await freePort()
  const env = {
    ISTIO_KUBE_APP_PROBERS: JSON.stringify({ '/app-health/reviews/readyz': { httpGet: { path: '/ready', port: 9080 }, timeoutSeconds: 5 }, '/app-health/reviews/livez': { tcpSocket: { port: 9080 }, timeoutSeconds: 5 } }),
    ISTIO_PROMETHEUS_ANNOTATIONS: JSON.stringify({ scrape: 'true', port: '9080', path: '/metrics' }),
  }
  const proxy = await mesh.startReviews(app, { flags: ['--status-port', String(port), ...flags], env })
  return {
    proxy, port,
    get: (path: string, host = `${mesh.net}.2`) => request(`http://${host}:${port}${path}`).catch(() => ({ status: 0, body: '' })),
    post: async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })).status,
  }
}

test('probes and scrapes of a workload under STRICT are answered; draining makes it not ready, and the end is quick then', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  const healthPort = await freePort()
  const { proxy, get, post } = await sidecar(mesh, app.at, ['--termination-drain-duration', '60s', '--health-port', String(healthPort), '--readiness-probe', '{"periodSeconds":1,"failureThreshold":1,"tcpSocket":{"port":9080}}'])
  const health = async (path = '/healthz/ready') => (await request(`http://${mesh.net}.2:${healthPort}${path}`)).status
  await until(async () => (await get('/healthz/ready')).status === 200, 'it is ready')
  assert.notEqual((await request(`http://${mesh.net}.2:9080/ready`).catch(() => ({ status: 0 }))).status, 200, 'plaintext is refused')
  const probed = await get('/app-health/reviews/readyz')
  assert.deepEqual([probed.status, probed.body], [200, 'nobody\n'], 'not through the sidecar')
  assert.equal((await get('/app-health/reviews/livez')).status, 200)
  assert.equal((await get('/app-health/reviews/startupz')).status, 400)
  const scraped = await get('/stats/prometheus')
  assert.match(scraped.body, /istio_build|trysail|envoy_|istio_/)
  assert.match(scraped.body, /\nnobody\n$/, 'the application\'s part comes last')
  await app[Symbol.asyncDispose]()
  assert.deepEqual([(await get('/app-health/reviews/readyz')).status, (await get('/app-health/reviews/livez')).status, (await get('/healthz/ready')).status], [500, 500, 200])
  await mesh.control!.saying(/~reviews\.default~\S+ is sent no requests: .*refused/)
  assert.deepEqual([await health(), await health('/stats/prometheus')], [200, 404])
  assert.equal(await post('/drain'), 200)
  await until(async () => (await get('/healthz/ready')).body === 'draining\n', 'it is not ready any more')
  assert.equal(await health(), 503)
  proxy.signal('SIGTERM')
  assert.equal(await proxy.exited, 0)
})

test('/quitquitquit ends the process, fine; a taken port and probes that cannot be read are said at the start', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  const { proxy, port, get, post } = await sidecar(mesh, app.at)
  await until(async () => (await get('/healthz/ready')).status === 200, 'it is ready')
  const second = mesh.use(new TrysailProcess([...await mesh.proxyFlags('productpage', 3), '--status-port', String(port)], mesh.options))
  assert.notEqual(await second.exited, 0)
  assert.match(second.output, new RegExp(`statusPort\\) ${port} cannot be had`))
  const wrong = mesh.use(new TrysailProcess([...await mesh.proxyFlags('productpage', 3), '--app-probers', '{"/x":{}}', '--app-metrics', '{"port":"15020"}', '--mesh-config', mesh.file('mesh-config.yaml', 'defaultConfig: { readinessProbe: { grpc: {} } }')], mesh.options))
  assert.equal(await wrong.exited, 64)
  assert.match(wrong.output, /ISTIO_KUBE_APP_PROBERS: \/x/)
  assert.match(wrong.output, /ISTIO_PROMETHEUS_ANNOTATIONS: .*15020/)
  assert.match(wrong.output, /readinessProbe\): must have one of httpGet, tcpSocket and exec/)
  assert.equal(await post('/quitquitquit'), 200)
  assert.equal(await proxy.exited, 0)
})

test('the process that takes over takes the agent\'s port too', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  const port = await freePort()
  const flags = [...await mesh.proxyFlags('reviews', 2, { token: await mesh.token('reviews', 600_000) }), '--inbound', `${mesh.net}.2:9080=${app.at}`, '--takeover', '--status-port', String(port), '--drain-duration', '1s']
  const ready = () => request(`http://127.0.0.1:${port}/healthz/ready`).catch(() => ({ status: 0 }))
  const before = mesh.use(new TrysailProcess(flags, mesh.options))
  await until(async () => (await ready()).status === 200, 'the first one is ready')
  const seen = new Set<number>()
  let asking = true
  const asked = (async () => {
    while (asking) seen.add((await ready()).status)
  })()
  const after = mesh.use(new TrysailProcess(flags, mesh.options))
  await after.saying(/info +serves;/, 0, 60_000)
  assert.equal(await before.exited, 0)
  await until(async () => (await ready()).status === 200, 'the second one answers')
  asking = false
  await asked
  assert.doesNotMatch(after.output, /cannot be had/)
  assert.deepEqual([...seen].filter((status) => status !== 200 && status !== 0), [], 'never told to be unready')
})
