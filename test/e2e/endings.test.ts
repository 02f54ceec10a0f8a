// How the processes end and refuse to start: draining on SIGTERM, ports that are taken, and what their signals do.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess, trysail } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

test('SIGTERM lets requests finish, closes idle connections, refuses new ones and ends with 0', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  await mesh.rootsFile()
  const flags = ['--termination-drain-duration', '20s']
  const [reviews, { proxy: productpage, url }] = await Promise.all([mesh.startReviews(app.at, { flags }), mesh.startProductpage({ flags })])
  await reviews.saying(/info +serves/)
  const idle = new Agent({ keepAlive: true })
  await request(url, idle)
  const [kept] = Object.values(idle.freeSockets).flatMap((sockets) => sockets ?? []) as Socket[]
  const inFlight = request(`${url}held`, undefined, 20_000)
  await until(() => app.held === 1, 'the request at the application')

  const closed = once(kept!, 'close')
  productpage.signal('SIGTERM')
  reviews.signal('SIGTERM')
  await Promise.all([productpage.saying(/drains for 20 s at most/), reviews.saying(/drains for 20 s at most/), closed])
  await assert.rejects(request(url), { code: 'ECONNREFUSED' })
  app.release()
  const { status, headers } = await inFlight
  assert.deepEqual([status, headers.connection], [200, 'close'])
  assert.deepEqual(await Promise.all([productpage.exited, reviews.exited]), [0, 0])
  assert.doesNotMatch(productpage.output + reviews.output, /cut off|error/)
})

test('a request that outlasts the drain is answered at the last moment, by whom it is', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  await mesh.rootsFile()
  const [reviews, { proxy, url }] = await Promise.all([mesh.startReviews(app.at), mesh.startProductpage({ flags: ['--termination-drain-duration', '300ms'] })])
  await reviews.saying(/info +serves/)
  const inFlight = request(`${url}held`)
  inFlight.catch(() => {})
  await until(() => app.held === 1, 'the request at the application')
  proxy.signal('SIGINT')
  assert.equal(await proxy.exited, 0)
  const { status, body } = await inFlight
  assert.deepEqual([status, body], [503, 'the proxy ends'])
  app.release()
})

test('SIGHUP opens log files anew', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  const log = join(mesh.folder, 'access.log')
  mesh.write('config.yaml', `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: "accessLogFile: ${log}" }\n`)
  await mesh.startControl()
  const reviews = await mesh.startReviews(app.at)
  await reviews.saying(/info +serves/)
  const { url } = await mesh.startProductpage()
  const lines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter((line) => line.includes('inbound|9080||')).length : 0)
  await until(async () => (await request(url)).status === 200, 'an answer')
  await until(() => lines(log) > 0, 'a line in the log')
  renameSync(log, `${log}.1`)
  reviews.signal('SIGHUP')
  await until(async () => (await request(url), lines(log) > 0), 'a line in the new file')
  assert.doesNotMatch(reviews.output, /warning|error/)
})

test('a port that is taken stops the start with 1, and the message names the address and what wanted it', { timeout: 60_000 }, async () => {
  await using mesh = await ProcessMesh.create()
  await using taken = await takenPort()
  await mesh.startControl()
  const { port } = taken
  const proxy = await mesh.proxyFlags('reviews', 2)
  const cases: readonly [args: readonly string[], message: RegExp][] = [
    [['control', '-f', 'mesh', '--plaintext-port', '0', '--debug-port', '0', '--xds-port', port], /^trysail control: xDS over TLS \(xdsPort\) cannot be served on 127\.0\.0\.1:PORT: 127\.0\.0\.1:PORT is taken by another process/],
    [['control', '-f', 'mesh', '--xds-port', '0', '--debug-port', '0', '--plaintext-port', port], /^trysail control: xDS without TLS \(plaintextPort\) cannot be served on 127\.0\.0\.1:PORT: 127\.0\.0\.1:PORT is taken/],
    [['control', '-f', 'mesh', '--xds-port', '0', '--plaintext-port', '0', '--debug-port', port], /^trysail control: the debug pages \(debugPort\) cannot be served on 127\.0\.0\.1:PORT: 127\.0\.0\.1:PORT is taken/],
    [[...proxy.filter((flag, i) => flag !== '--admin-port' && proxy[i - 1] !== '--admin-port'), '--admin-port', port], /^trysail proxy: the admin server \(adminPort\) cannot listen on 127\.0\.0\.1:PORT: 127\.0\.0\.1:PORT is taken/],
    [[...proxy, '--inbound', `127.0.0.1:${port}=127.0.0.1:1`], /^trysail proxy: cannot listen for --inbound 127\.0\.0\.1:PORT=127\.0\.0\.1:1: 127\.0\.0\.1:PORT is taken/],
    [[...proxy, '--outbound', `127.0.0.1:${port}=reviews:9080`], /^trysail proxy: cannot listen for --outbound 127\.0\.0\.1:PORT=reviews:9080: 127\.0\.0\.1:PORT is taken/],
  ]
  for (let i = 0; i < cases.length; i += 2) {
    await Promise.all(cases.slice(i, i + 2).map(async ([args, message]) => {
      const { code, output } = await trysail(args, mesh.options)
      assert.match(output.replaceAll(port, 'PORT'), message)
      assert.equal(output.trim().split('\n').length, 1, output)
      assert.equal(code, 1)
    }))
  }
})

test("a gateway's port that is taken is said with the Gateway that wants it, and bound once it is free", { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  await mesh.startReviews(app.at)
  const taken = await takenPort()
  const flags = await mesh.proxyFlags('ingress', 4)
  await using gateway = new TrysailProcess([...flags, '--type', 'router', '--gateway-port', `80=127.0.0.1:${taken.port}`], mesh.options)
  await gateway.saying(new RegExp(`port already taken: 127\\.0\\.0\\.1:${taken.port} wanted by Gateway default/ingress`))
  await taken[Symbol.asyncDispose]()
  await until(async () => (await request(`http://127.0.0.1:${taken.port}/`).catch(() => undefined))?.status === 200, 'an answer of the gateway')
})

async function takenPort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: String((server.address() as AddressInfo).port),
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
