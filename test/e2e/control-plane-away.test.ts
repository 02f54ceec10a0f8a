// The control plane dies, comes back, and does so ten times over, while requests flow: none fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpLoad, request } from '../support/http-load.ts'
import { ProcessMesh, reviewsYaml, startApp } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'

const inForce = async (url: string, generation: string): Promise<boolean> => (await request(url)).headers['x-generation'] === generation

test('a control plane that is killed or told to end ten times under load takes no request with it, and what it brings back takes effect', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.write('reviews.yaml', reviewsYaml('1'))
  await mesh.startControl()
  await mesh.rootsFile()
  // Joined both ways: each has its own road back.
  const [reviews, productpage, gateway] = await Promise.all([mesh.startReviews(app.at), mesh.startProductpage({ plaintext: true }), mesh.startGateway()])
  await reviews.saying(/info +serves/)
  await using load = new HttpLoad([productpage.url, gateway.url], { connections: 4, pauseMs: 25 })

  mesh.control!.signal('SIGKILL')
  assert.equal(await mesh.control!.exited, 'SIGKILL')
  await productpage.proxy.saying(/warning control plane at \S+ is away, what was accepted goes on serving/)
  await load.more(60)
  assert.ok(await inForce(productpage.url, '1'), 'what was accepted serves')
  await restart(mesh, productpage.url, 'round-1')
  await productpage.proxy.saying(/warning control plane at \S+ is back/)
  assert.equal(productpage.proxy.output.match(/is away/g)?.length, 1, `said once:\n${productpage.proxy.output}`)

  for (let round = 2; round <= 10; round++) {
    // In turn told to end, and killed in the middle of whatever it does.
    mesh.control!.signal(round % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
    await mesh.control!.exited
    await restart(mesh, productpage.url, `round-${round}`)
    await load.more(10)
  }
  await until(async () => (await mesh.connected()).length === 3, 'three proxies that are back')
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.deepEqual([...app.callers].sort(), ['spiffe://cluster.local/ns/default/sa/ingress', 'spiffe://cluster.local/ns/default/sa/productpage'])
})

/** With another VirtualService; resolves when that is in force. */
async function restart(mesh: ProcessMesh, url: string, generation: string): Promise<void> {
  mesh.write('reviews.yaml', reviewsYaml(generation))
  await mesh.startControl()
  await until(() => inForce(url, generation), `${generation} in force`)
}
