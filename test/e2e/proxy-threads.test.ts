// One proxy of several threads, as a process: every thread serves, the admin server shows them as one proxy, and they drain
// together.
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test } from 'node:test'
import { HttpLoad, request } from '../support/http-load.ts'
import { ProcessMesh, reviewsYaml, startApp, until } from '../support/process-mesh.ts'
import { readPrometheus } from '../support/prometheus-text.ts'

test('threads serve side by side over mutual TLS, follow the configuration together, and are one proxy for who looks at it', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviewsYaml('1'))
  await mesh.startControl()
  const flags = ['--concurrency', '2']
  const [reviews, productpage] = await Promise.all([mesh.startReviews(app.at, { flags }), mesh.startProductpage({ flags })])
  await Promise.all([reviews.saying(/info +serves;/, 0, 60_000), productpage.proxy.saying(/info +serves;/, 0, 60_000)])
  const requests = 200
  const churn = new Agent({ keepAlive: false })
  for (let i = 0; i < requests; i += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => request(productpage.url, churn)))
    assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['spiffe://cluster.local/ns/default/sa/productpage\n']))
  }
  const [, admin = ''] = await productpage.proxy.saying(/admin on (\S+)/)
  const page = async (path: string) => await (await fetch(`${admin}${path}`)).text()
  const stats = JSON.parse(await page('/stats?format=json')) as { stats: { name: string; value: number }[] }
  const stat = (name: string) => stats.stats.filter((one) => one.name === name).map(({ value }) => value)
  const cluster = 'outbound|9080||reviews.default.svc.cluster.local'
  assert.deepEqual(stat(`cluster.${cluster}.upstream_rq_total`), [requests])
  assert.deepEqual(stat(`cluster.${cluster}.membership_total`), [1], 'a host is one host, whoever knows it')
  const shares = [0, 1].map((thread) => stat(`listener_manager.worker_${thread}.downstream_cx_total`)[0]!)
  assert.equal(shares[0]! + shares[1]!, requests)
  assert.ok(Math.min(...shares) > requests / 4, `connections are spread: ${shares.join(", ")}`)
  const { samples } = readPrometheus(await page('/stats/prometheus'))
  assert.equal(samples.filter(({ name }) => name === 'istio_requests_total').reduce((sum, { value }) => sum + value, 0), requests)
  assert.match(await page('/clusters'), /reviews\.default\.svc\.cluster\.local::127\.\S+:9080::rq_total::200\n/)
  assert.equal(await page('/ready'), 'LIVE\n')
  assert.equal((await mesh.connected()).length, 2, 'a proxy has one stream')

  const generations = new Set<string>()
  await using load = new HttpLoad([productpage.url], { onAnswer: ({ headers }) => generations.add(String(headers['x-generation'])) })
  await load.more(20)
  mesh.write('reviews.yaml', reviewsYaml('2'))
  await until(async () => {
    const seen = await Promise.all(Array.from({ length: 16 }, () => request(productpage.url, churn)))
    return seen.every(({ headers }) => headers['x-generation'] === '2')
  }, 'all threads have the new routes')
  await load.stop()
  assert.deepEqual([load.failures, [...generations].sort()], [[], ['1', '2']])
})

test('SIGTERM drains all threads under one deadline', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviewsYaml('1'))
  await mesh.startControl()
  const [, productpage] = await Promise.all([
    mesh.startReviews(app.at).then(async (reviews) => await reviews.saying(/info +serves;/, 0, 60_000)),
    mesh.startProductpage({ flags: ['--concurrency', '3', '--termination-drain-duration', '20s'] }),
  ])
  await productpage.proxy.saying(/info +serves;/, 0, 60_000)
  const held = Array.from({ length: 12 }, () => request(`${productpage.url}held/`))
  await until(() => app.held === held.length, 'all requests are with the application')
  productpage.proxy.signal('SIGTERM')
  await until(async () => await request(productpage.url).then(() => false, () => true), 'new connections are refused')
  app.release()
  assert.deepEqual(new Set((await Promise.all(held)).map(({ status }) => status)), new Set([200]))
  assert.equal(await productpage.proxy.exited, 0)
  assert.doesNotMatch(productpage.proxy.output, /cut off/)
})
