// One process of a proxy follows another under load, and nobody notices: kept and new connections, plain and over mutual TLS,
// with one thread and with two. A successor that fails changes nothing.
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { HttpLoad, request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

/** A process starts, with threads, on a machine that has other things to do. */
const startMs = 60_000

/** Nothing is tried twice: a lost connection would be seen. */
const reviews = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec: { hosts: [reviews], http: [{ retries: { attempts: 0 }, route: [{ destination: { host: reviews } }] }] }
`

/** Of two sidecars each. */
const rounds = 5
/** Longer than the test takes. */
const tokenMs = 600_000

interface Successive {
  readonly start: () => TrysailProcess
  current: TrysailProcess
}

/** Waits until the next one serves and the one before says that it goes. */
async function follow(one: Successive, use: (next: TrysailProcess) => TrysailProcess): Promise<TrysailProcess> {
  const before = one.current
  const next = use(one.start())
  await next.saying(/takes \d+ sockets over/, 0, startMs)
  await next.saying(/info +serves;/, 0, startMs)
  await before.saying(/another process has taken over/)
  one.current = next
  return before
}

const replaced = (args: readonly string[], flag: string, value: string): string[] => args.map((arg, i) => (args[i - 1] === flag ? value : arg))

for (const concurrency of [1, 2]) {
  test(`ten new processes take over from the sidecars of a call, threads: ${concurrency}, and no request fails`, { timeout: 240_000 }, async () => {
    await using app = await startApp()
    await using mesh = await ProcessMesh.create()
    mesh.write('reviews.yaml', reviews)
    await mesh.startControl()
    const port = await freePort()
    const flags = ['--concurrency', String(concurrency), '--takeover', '--drain-duration', '3s', '--termination-drain-duration', '1s']
    const [callee, caller] = [
      [...(await mesh.proxyFlags('reviews', 2, { token: await mesh.token('reviews', tokenMs) })), '--inbound', `${mesh.net}.2:9080=${app.at}`, ...flags],
      [...(await mesh.proxyFlags('productpage', 3, { token: await mesh.token('productpage', tokenMs) })), '--outbound', `127.0.0.1:${port}=reviews:9080`, ...flags],
    ]
    const start = (args: readonly string[]) => () => new TrysailProcess(args, mesh.options)
    const sidecars: Successive[] = [callee, caller].map((args) => ({ start: start(args), current: mesh.use(start(args)()) }))
    await Promise.all(sidecars.map(({ current }) => current.saying(/info +serves;/, 0, startMs)))
    const url = `http://127.0.0.1:${port}/`
    await using kept = new HttpLoad([url], { connections: 4 })
    await using churn = new HttpLoad([url], { connections: 4, keepAlive: false })
    await Promise.all([kept.more(20), churn.more(20)])
    for (let round = 0; round < rounds; round++) {
      const gone = await Promise.all(sidecars.map((one) => follow(one, (next) => mesh.use(next))))
      await Promise.all([kept.more(20), churn.more(20)])
      assert.deepEqual(await Promise.all(gone.map(({ exited }) => exited)), [0, 0])
      assert.deepEqual([...kept.failures, ...churn.failures], [], `round ${round}`)
    }
    await Promise.all([kept.stop(), churn.stop()])
    assert.deepEqual([...kept.failures, ...churn.failures], [])
  })
}

test('what is open on the old process lives until its drain deadline, and the new one has the admin port', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviews)
  await mesh.startControl()
  const [port, admin] = [await freePort(), await freePort()]
  const args = [...replaced(await mesh.proxyFlags('productpage', 3), '--admin-port', String(admin)), '--outbound', `127.0.0.1:${port}=reviews:9080`, '--takeover']
  await mesh.startReviews(app.at).then(async (one) => await one.saying(/info +serves;/, 0, startMs))
  const first = mesh.use(new TrysailProcess(args, mesh.options))
  await first.saying(/there is nothing to take over[^]*info +serves;/, 0, startMs)
  const held = request(`http://127.0.0.1:${port}/held/`, undefined, 60_000)
  await until(() => app.held === 1, 'a request is with the application')
  const next = mesh.use(new TrysailProcess(args, mesh.options))
  await next.saying(/info +serves;/, 0, startMs)
  await first.saying(/another process has taken over; drains for 45 s/)
  assert.equal(await (await fetch(`http://127.0.0.1:${admin}/ready`)).text(), 'LIVE\n')
  assert.equal((await request(`http://127.0.0.1:${port}/`)).status, 200)
  app.release()
  assert.equal((await held).status, 200)
  assert.equal(await first.exited, 0)
  assert.doesNotMatch(first.output, /cut off/)
})

test('a successor that does not become ready, and a stranger on the socket, change nothing', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviews)
  await mesh.startControl()
  const port = await freePort()
  const args = [...(await mesh.proxyFlags('productpage', 3)), '--outbound', `127.0.0.1:${port}=reviews:9080`]
  await mesh.startReviews(app.at).then(async (one) => await one.saying(/info +serves;/, 0, startMs))
  const first = mesh.use(new TrysailProcess(args, mesh.options))
  await first.saying(/info +serves;/, 0, startMs)
  await using load = new HttpLoad([`http://127.0.0.1:${port}/`], { connections: 4, keepAlive: false })
  await load.more(20)
  // It has the sockets, and waits for a control plane that is not there.
  const nowhere = `127.0.0.1:${await freePort()}`
  const lost = mesh.use(new TrysailProcess([...replaced(args, '--discovery-address', nowhere), '--takeover'], mesh.options))
  await lost.saying(/takes \d+ sockets over/, 0, startMs)
  await load.more(50)
  lost.signal('SIGKILL')
  await lost.exited
  const folder = join(mesh.folder, 'trysail')
  const name = readdirSync(folder).filter((file) => /^proxy-[0-9a-f]{16}\.sock$/.test(file)).find((file) => statSync(join(folder, file)).isSocket())!
  assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  const stranger = connect(join(folder, name))
  stranger.end('GET / HTTP/1.1\r\n\r\n')
  await load.more(50)
  stranger.destroy()
  await load.stop()
  assert.deepEqual(load.failures, [])
  const next = mesh.use(new TrysailProcess([...args, '--takeover'], mesh.options))
  await next.saying(/info +serves;/, 0, startMs)
  assert.equal((await request(`http://127.0.0.1:${port}/`)).status, 200)
})
