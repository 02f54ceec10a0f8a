// Workloads that register themselves by a WorkloadGroup, as processes: who joins takes traffic, who is killed takes none any
// more, and who may not register gets nothing, which log and audit log say.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'

const written = /---\napiVersion: \S+\nkind: WorkloadEntry\nmetadata: \{ name: reviews,[^]*?(?=---)/

const group = (serviceAccount: string): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: reviews-vms, namespace: default }
spec: { metadata: { labels: { app: reviews } }, template: { serviceAccount: ${serviceAccount}, labels: { app: nothing } } }
`

async function meshOf(groupYaml: string): Promise<ProcessMesh> {
  const mesh = await ProcessMesh.create()
  mesh.edit('mesh.yaml', (text) => {
    assert.match(text, written)
    return text.replace(written, '')
  })
  mesh.write('group.yaml', groupYaml)
  await mesh.startControl('--workload-grace', '300ms')
  return mesh
}

const register = { flags: ['--auto-register-group', 'reviews-vms'] }
const statusOf = async (url: string): Promise<number> => (await request(url).catch(() => ({ status: 0 }))).status
const registered = /auto-registration: \S+ is WorkloadEntry default\/reviews-vms-/

test('a proxy that joins by its group is an endpoint for the others; killed, it is none once the grace period is over; started again, it is back', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await meshOf(group('reviews'))
  const control = mesh.control!
  const { url } = await mesh.startProductpage()
  await until(async () => (await statusOf(url)) === 503, 'without a workload there is nobody to answer')
  const reviews = await mesh.startReviews(app.at, register)
  await control.saying(registered)
  await until(async () => (await statusOf(url)) === 200, 'the registered workload answers')
  assert.deepEqual([...app.callers], ['spiffe://cluster.local/ns/default/sa/productpage'], 'in mutual TLS')
  reviews.signal('SIGKILL')
  await control.saying(/WorkloadEntry default\/reviews-vms-\S+ is gone: its proxy has left/)
  await until(async () => /no_healthy_upstream|no healthy upstream/.test((await request(url)).body), 'the endpoint is gone')
  await mesh.startReviews(app.at, { ...register, token: await mesh.token('reviews') })
  await until(async () => (await statusOf(url)) === 200, 'it is back')
})

test('a proxy of another service account than its group wants is refused, in log and audit log; after an edit of the group it joins', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await meshOf(group('ratings'))
  const control = mesh.control!
  const { url } = await mesh.startProductpage()
  const reviews = await mesh.startReviews(app.at, register)
  await control.saying(/auto-registration: \S+reviews\S+ refused: WorkloadGroup default\/reviews-vms: its workloads are of the service account ratings, and the certificate says reviews/)
  await reviews.saying(/PERMISSION_DENIED: WorkloadGroup default\/reviews-vms/)
  const audit = (): string => readFileSync(join(mesh.folder, '.trysail', 'audit.log'), 'utf8')
  await until(() => audit().split('\n').some((line) => line.includes('"proxy-refused"') && line.includes('reviews-vms')), 'the audit log says so')
  assert.equal(await statusOf(url), 503)
  assert.doesNotMatch(control.output, registered)
  mesh.write('group.yaml', group('reviews'))
  await until(async () => (await statusOf(url)) === 200, 'it tries again, and is let in', 40_000)
})

test('while the control plane is killed and starts again, no request to a registered workload fails', { timeout: 90_000 }, async () => {
  await using app = await startApp()
  await using mesh = await meshOf(group('reviews'))
  const { url } = await mesh.startProductpage()
  const reviews = await mesh.startReviews(app.at, register)
  await until(async () => (await statusOf(url)) === 200, 'the registered workload answers')
  await mesh.control![Symbol.asyncDispose]()
  // It cannot come back before the client does: only what was kept can tell of it.
  reviews.signal('SIGSTOP')
  const control = await mesh.startControl('--workload-grace', '300ms')
  await until(async () => (await mesh.connected()).includes('productpage'), 'the client is back')
  assert.deepEqual(await mesh.connected(), ['productpage'])
  reviews.signal('SIGCONT')
  const statuses = new Set<number>()
  await until(async () => {
    statuses.add(await statusOf(url))
    return (await mesh.connected()).length === 2
  }, 'the workload is back', 60_000)
  assert.deepEqual([...statuses], [200])
  assert.doesNotMatch(control.output, /is gone/)
})
