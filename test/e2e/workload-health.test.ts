// A WorkloadGroup with a probe, as processes: the proxy of a workload asks its application and tells the control plane, and the
// endpoint is there exactly while the application is well.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'

const group = (probe: string, failureThreshold = 1): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: reviews-vms, namespace: default }
spec: { metadata: { labels: { app: reviews } }, template: { serviceAccount: reviews }, probe: { periodSeconds: 1, failureThreshold: ${failureThreshold}, timeoutSeconds: 5, ${probe} } }
`

async function meshOf(probe: string): Promise<ProcessMesh> {
  const mesh = await ProcessMesh.create()
  mesh.edit('mesh.yaml', (text) => text.replace(/---\napiVersion: \S+\nkind: WorkloadEntry\nmetadata: \{ name: reviews,[^]*?(?=---)/, ''))
  mesh.write('group.yaml', group(probe))
  await mesh.startControl()
  return mesh
}

const register = ['--auto-register-group', 'reviews-vms']
const statusOf = async (url: string): Promise<number> => (await request(url).catch(() => ({ status: 0 }))).status

/** Answers and can be told to be unwell, without being away. */
async function moodyApp() {
  const mood = { well: false, asked: new Set<string>() }
  const server = createServer(({ url, headers }, response) => {
    if (url === '/health?deep=1') mood.asked.add(`${headers.host} ${String(headers['x-from'])}`)
    response.writeHead(url === '/health?deep=1' && !mood.well ? 503 : 200).end('ok\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    mood, at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('an application that is unwell has no endpoint until it is well, loses it when it is not any more, and gets it back', { timeout: 120_000 }, async () => {
  await using app = await moodyApp()
  await using mesh = await meshOf('httpGet: { path: "/health?deep=1", port: 9080, httpHeaders: [{ name: X-From, value: agent }] }')
  const { url } = await mesh.startProductpage()
  const reviews = await mesh.startReviews(app.at, { flags: register })
  await mesh.control!.saying(/WorkloadEntry \S+ is unhealthy: GET \/health\?deep=1 answers 503/)
  assert.equal(await statusOf(url), 503, 'it was never an endpoint')
  app.mood.well = true
  await reviews.saying(/the application is well/)
  await until(async () => (await statusOf(url)) === 200, 'it is an endpoint')
  assert.deepEqual([...app.mood.asked], [`${mesh.net}.2:9080 agent`])
  app.mood.well = false
  await until(async () => (await statusOf(url)) === 503, 'it leaves')
  app.mood.well = true
  await until(async () => (await statusOf(url)) === 200, 'it comes back')
})

test('health outlives the control plane, also over state-of-the-world xDS: what is well stays an endpoint, what is unwell does not become one', { timeout: 120_000 }, async () => {
  await using app = await moodyApp()
  await using mesh = await meshOf('httpGet: { path: "/health?deep=1", port: 9080 }')
  app.mood.well = true
  const { url } = await mesh.startProductpage()
  const reviews = await mesh.startReviews(app.at, { flags: [...register, '--xds-protocol', 'sotw'] })
  await until(async () => (await statusOf(url)) === 200, 'it is an endpoint')
  app.mood.well = false
  await until(async () => (await statusOf(url)) === 503, 'it leaves')
  // A crash before that would lose what has just changed.
  await until(() => readFileSync(join(mesh.folder, '.trysail', 'registrations.json'), 'utf8').includes('"unhealthy"'), 'it is written down')
  await mesh.control![Symbol.asyncDispose]()
  reviews.signal('SIGSTOP')
  await mesh.startControl()
  await until(async () => (await mesh.connected()).includes('productpage'), 'the client is back')
  assert.equal(await statusOf(url), 503)
  reviews.signal('SIGCONT')
  app.mood.well = true
  await until(async () => (await statusOf(url)) === 200, 'it is well, and back')
})

test('a command is run only where that is allowed, and a probe that goes or changes is followed', { timeout: 120_000 }, async () => {
  await using app = await startApp()
  await using mesh = await meshOf('exec: { command: [/bin/true] }')
  const { url } = await mesh.startProductpage()
  const refused = await mesh.startReviews(app.at, { flags: register })
  await mesh.control!.saying(/is unhealthy: .*allow it with --exec-probes/)
  assert.equal(await statusOf(url), 503)
  refused.signal('SIGTERM')
  await refused.exited
  const file = join(mesh.folder, 'well')
  writeFileSync(file, '')
  mesh.write('group.yaml', group(`exec: { command: [/usr/bin/test, -e, ${file}] }`))
  await mesh.startReviews(app.at, { flags: [...register, '--exec-probes'], token: await mesh.token('reviews') })
  await until(async () => (await statusOf(url)) === 200, 'the command says that it is well')
  rmSync(file)
  await until(async () => (await statusOf(url)) === 503, 'it leaves')
  mesh.write('group.yaml', group('tcpSocket: { port: 9080 }'))
  await until(async () => (await statusOf(url)) === 200, 'the probe is another now')
  mesh.write('group.yaml', group('tcpSocket: { port: 1, host: 127.0.0.1 }'))
  await until(async () => (await statusOf(url)) === 503, 'which says that it is unwell')
  mesh.write('group.yaml', group('').replace(/, probe: \{.*\} \}/, ' }'))
  await until(async () => (await statusOf(url)) === 200, 'nobody asks any more')
})
