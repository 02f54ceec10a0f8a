// Control plane, two sidecars and a gateway as four processes: requests over mutual TLS, joining with and without TLS, and
// the tools that ask them.
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from '../support/http-load.ts'
import { ProcessMesh, reviewsYaml, startApp } from '../support/process-mesh.ts'
import { trysail } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

test('four processes are a mesh: requests flow over mutual TLS, and the tools show what each has taken', { timeout: 60_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviewsYaml('1'))
  await mesh.startControl()
  await mesh.rootsFile()
  const [reviews, productpage, gateway] = await Promise.all([mesh.startReviews(app.at, { flags: ['--outbound', '127.0.0.1:0=reviews:9080'] }), mesh.startProductpage({ plaintext: true }), mesh.startGateway()])
  await reviews.saying(/info +serves; inbound/)
  const called = await request(productpage.url)
  assert.deepEqual([called.status, called.body, called.headers['x-generation']], [200, 'spiffe://cluster.local/ns/default/sa/productpage\n', '1'])
  assert.equal((await request(gateway.url)).body, 'spiffe://cluster.local/ns/default/sa/ingress\n')
  const [, itself = ''] = await reviews.saying(/outbound: (\S+) leads/)
  assert.equal((await request(`http://${itself}/`)).body, 'spiffe://cluster.local/ns/default/sa/reviews\n', 'it reaches itself as its peers do')
  await assert.rejects(request(`http://${mesh.net}.2:9080/`), 'plaintext is refused where mutual TLS is STRICT')
  assert.deepEqual([...app.callers].sort(), ['ingress', 'productpage', 'reviews'].map((account) => `spiffe://cluster.local/ns/default/sa/${account}`))

  await until(async () => (await mesh.connected()).length === 3, 'three connected proxies')
  const status = await trysail(['proxy-status', '-o', 'json'], mesh.options)
  const { proxies } = JSON.parse(status.output) as { proxies: { node: string; version: string; connectedFor: string; types: Record<string, Record<string, unknown>> }[] }
  assert.deepEqual(proxies.map(({ node }) => node.split('~').slice(0, 3).join('~')).sort(), [
    `router~${mesh.net}.4~ingress.default`, `sidecar~${mesh.net}.2~reviews.default`, `sidecar~${mesh.net}.3~productpage.default`,
  ])
  for (const { node, version, connectedFor, types } of proxies) {
    assert.match(version, /^\d+\.\d+\.\d+/)
    assert.match(connectedFor, /^\d/)
    for (const type of ['CDS', 'LDS', 'EDS', 'RDS']) {
      const { sent, acked, nacked, generation } = types[type] ?? {}
      assert.deepEqual({ acked, nacked, known: Number(generation) > 0 }, { acked: sent, nacked: 0, known: true }, `${node} ${type}`)
    }
  }
  const shown = async (...args: string[]) => (await trysail(['proxy-config', ...args], mesh.options)).output
  assert.match(await shown('listeners', 'ingress'), /0\.0\.0\.0_80 .*route http\.80/)
  assert.match(await shown('routes', 'productpage'), /9080 .*outbound\|9080\|\|reviews\.default\.svc\.cluster\.local +VirtualService\/default\/reviews/)
  assert.match(await shown('clusters', 'productpage'), /reviews\.default\.svc\.cluster\.local +9080 +- +outbound +EDS/)
  assert.match(await shown('endpoints', 'productpage'), new RegExp(`${mesh.net}\\.2:9080 +HEALTHY +outbound\\|9080\\|\\|reviews`))
  assert.match(await shown('secrets', 'reviews'), /default +Cert Chain +true[^]*ROOTCA +CA +true/)
  assert.match(await shown('secrets'), /more than one|NAME or --admin is needed/)
})

test('the root is made once, kept by a restart, and nobody else can read its key', { timeout: 60_000 }, async () => {
  await using mesh = await ProcessMesh.create()
  const early = await trysail(['control', 'roots'], mesh.options)
  assert.deepEqual([early.code, early.output], [1, "trysail control roots: no control plane has kept its root in .trysail: start 'trysail control' first, or name its --state-dir\n"])
  const first = await mesh.startControl()
  const { output: roots } = await trysail(['control', 'roots'], mesh.options)
  for (const file of ['ca/ca-key.pem', 'tokens/secret']) assert.equal(statSync(join(mesh.folder, '.trysail', file)).mode & 0o777, 0o600)
  first.signal('SIGTERM')
  assert.equal(await first.exited, 0)
  await mesh.startControl()
  assert.equal((await trysail(['control', 'roots'], mesh.options)).output, roots)
})
