import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, endpoint, resource } from '../../test/support/bookinfo-world.ts'
import { WorldState } from './world-state.ts'
import { typeUrls } from './translate/table.ts'

const productpage = { id: 'sidecar~127.1.0.1~productpage.default~default.svc.cluster.local' }
const failing = (grpcStatus: string) => resource('VirtualService', 'reviews', { hosts: ['reviews'], http: [{ fault: { abort: { grpcStatus, percentage: { value: 1 } } }, route: [{ destination: { host: 'reviews' } }] }] })
const reviewsV1 = resource('VirtualService', 'details', { hosts: ['details'], http: [{ name: 'mine', route: [{ destination: { host: 'details' } }] }] })

test('a resource that cannot be translated is held at its last good version; the others go on', () => {
  const state = new WorldState()
  state.update(bookinfo(failing('ABORTED')))
  const session = state.connect(productpage)
  const before = session.get(typeUrls.RDS, '9080')!
  state.update(bookinfo(failing('NONE_SUCH')))
  assert.equal(session.get(typeUrls.RDS, '9080')?.version, before.version)
  state.update(bookinfo(failing('NONE_SUCH'), reviewsV1))
  assert.match(JSON.stringify(session.get(typeUrls.RDS, '9080')?.message, bigints), /mine/)
  const [held] = state.board.resources.filter((one) => one.state === 'held')
  assert.equal(held?.key, 'VirtualService/default/reviews')
  assert.match(held?.errors[0] ?? '', /spec\.http\[0\]: fault\.abort\.grpcStatus NONE_SUCH .* \(mesh\.yaml:\d+\)/)
})

test('a bad resource without an earlier version is kept out', () => {
  const state = new WorldState()
  state.update(bookinfo(failing('NONE_SUCH'), reviewsV1))
  assert.deepEqual(state.board.resources.map((one) => [one.key, one.state]), [
    ['VirtualService/default/details', 'valid'], ['VirtualService/default/reviews', 'rejected'],
  ])
})

const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

test('proxies with equal views share one build, and an unrelated change builds nothing again', () => {
  const state = new WorldState()
  state.update(bookinfo(reviewsV1))
  const read = (session: ReturnType<WorldState['connect']>) => session.all(typeUrls.RDS).map((one) => one.version)
  const first = state.connect(productpage)
  const versions = read(first)
  const builds = state.builds
  const second = state.connect({ id: 'sidecar~127.1.0.2~reviews-v1.default~default.svc.cluster.local' })
  assert.deepEqual(read(second), versions)
  assert.equal(state.builds, builds)
  state.update(bookinfo(reviewsV1, resource('PeerAuthentication', 'p', { mtls: { mode: 'STRICT' } })))
  assert.deepEqual(read(first), versions)
  assert.equal(state.builds, builds)
})

test('a change of endpoints changes the endpoints of that cluster alone', () => {
  const state = new WorldState()
  const world = bookinfo()
  state.update(world)
  const session = state.connect(productpage)
  const versions = () => new Map([...session.all(typeUrls.EDS), ...session.all(typeUrls.RDS), ...session.all(typeUrls.LDS)].map((one) => [`${one.typeUrl} ${one.name}`, one.version]))
  const before = versions()
  state.update({ ...world, endpoints: [...world.endpoints, endpoint(world.services[0]!, world.workloads[3]!)] })
  const changed = [...versions()].filter(([name, version]) => before.get(name) !== version).map(([name]) => name.split(' ')[1])
  assert.deepEqual(changed, ['outbound|9080||reviews.default.svc.cluster.local'])
})

test('nothing is pushed when the sources say the same again', () => {
  const state = new WorldState()
  let pushes = 0
  state.onPush(() => pushes++)
  state.update(bookinfo(reviewsV1))
  state.update(bookinfo(structuredClone({ ...reviewsV1, locate: undefined }) as unknown as typeof reviewsV1))
  assert.equal(pushes, 1)
})

test('a push is rolled out when every proxy has taken all that was sent to it', async () => {
  const state = new WorldState()
  state.update(bookinfo())
  const [one, other] = [state.connect(productpage), state.connect({ id: 'sidecar~127.1.0.2~reviews-v1.default~x' })]
  one.record.sent('RDS', 1)
  one.record.pushed(1)
  other.record.pushed(1)
  assert.deepEqual(state.board.rollout(1), { generation: 1, acked: 1, total: 2 })
  const waiting = state.board.waitFor(1, 60_000)
  one.record.nacked('RDS', 'no')
  assert.equal(state.board.rollout(1).acked, 1)
  one.record.acked('RDS')
  assert.deepEqual(await waiting, { generation: 1, acked: 2, total: 2, complete: true })
  other.close()
  assert.equal(state.board.rollout(1).total, 1)
})
