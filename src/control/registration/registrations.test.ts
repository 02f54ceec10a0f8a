import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileKind } from '../../kinds/check.ts'
import type { Kind } from '../../kinds/kind.ts'
import { workloadGroup } from '../../kinds/networking/workload-group.ts'
import type { Resource } from '../../model/resource.ts'
import { emptyState } from '../../sources/source.ts'
import type { SourceState } from '../../sources/source.ts'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { GrpcError, grpcStatus } from '../serve/rpc.ts'
import type { Caller } from '../serve/rpc.ts'
import type { Registrant, WorkloadEntry } from './entry.ts'
import { registrationFile } from './registration-file.ts'
import type { RegistrationStore } from './registration-file.ts'
import { Registrations } from './registrations.ts'

const origin = { file: 'mesh.yaml', line: 7, column: 1 }
const checkGroup = compileKind(workloadGroup as unknown as Kind)

function groupOf(spec: object, namespace = 'default'): Resource {
  const { resource, issues } = checkGroup({ apiVersion: 'networking.istio.io/v1', kind: 'WorkloadGroup', metadata: { name: 'vms', namespace }, spec }, () => origin)
  assert.ok(resource !== undefined, JSON.stringify(issues))
  return resource
}

const states = (...resources: Resource[]): readonly SourceState[] => [{ ...emptyState, resources }]
const plain = groupOf({ template: { serviceAccount: 'vm', labels: { app: 'shop', tier: 'a', from: 'template' }, ports: { http: 8080 }, weight: 3, locality: 'r1/z1' }, metadata: { labels: { tier: 'b', from: 'group' }, annotations: { note: 'x' } } })

const callerOf = (identity: string, encrypted = true): Caller => ({ encrypted, uris: [identity], remoteAddress: { host: '127.0.0.1', port: 4000 } }) as unknown as Caller
const vm = callerOf('spiffe://cluster.local/ns/default/sa/vm')
const nodeOf = (ip = '10.0.0.1', metadata: Record<string, string | Record<string, string>> = {}) => ({
  id: `sidecar~${ip}~vm-1.default~default.svc.cluster.local`,
  metadata: { NAMESPACE: 'default', SERVICE_ACCOUNT: 'vm', LABELS: { from: 'proxy' }, AUTO_REGISTER_GROUP: 'vms', ...metadata },
})

const noStore: RegistrationStore = { read: () => Promise.resolve([]), write: () => Promise.resolve() }

function start(given: readonly SourceState[] = states(plain), store = noStore) {
  const clock = manualClock()
  const lines: string[] = []
  let changes = 0
  const registrations = new Registrations({ clock, graceMs: 10_000, log: (line) => lines.push(line), onChange: () => changes++, store })
  registrations.entries(given)
  return {
    registrations, clock, lines,
    entries: (now = given) => registrations.entries(now).resources as readonly WorkloadEntry[],
    get changes() {
      return changes
    },
  }
}

test('a proxy of the group becomes a WorkloadEntry: its own word goes before the group, the group before the template', () => {
  const world = start()
  assert.ok(world.registrations.join(vm, nodeOf()))
  const [entry] = world.entries()
  assert.deepEqual(entry?.metadata.annotations, { note: 'x', 'istio.io/autoRegistrationGroup': 'vms' })
  assert.equal(entry.metadata.name, 'vms-10.0.0.1')
  assert.deepEqual(entry.spec, { address: '10.0.0.1', ports: { http: 8080 }, labels: { app: 'shop', tier: 'b', from: 'proxy' }, network: '', locality: 'r1/z1', weight: 3, serviceAccount: 'vm' })
  assert.equal(entry.origin, origin)
  assert.equal(world.entries()[0], entry, 'the same object until something changes')
})

test('network and locality of the node win, and the network is in the name; IPv6 is written with dashes', () => {
  const world = start()
  world.registrations.join(vm, { ...nodeOf('fd00::1', { NETWORK: 'west' }), locality: { region: 'r2', zone: 'z2' } })
  const [entry] = world.entries()
  assert.deepEqual([entry?.metadata.name, entry?.spec.network, entry?.spec.locality], ['vms-fd00--1-west', 'west', 'r2/z2'])
})

test('a group without a service account takes every one of its namespace, and the entry is of the one that was shown', () => {
  const world = start(states(groupOf({ template: {} })))
  world.registrations.join(callerOf('spiffe://cluster.local/ns/default/sa/other'), nodeOf())
  assert.equal(world.entries()[0]?.spec.serviceAccount, 'other')
})

test('a proxy that does not ask for it is none', () => {
  const world = start()
  assert.equal(world.registrations.join(vm, { id: 'sidecar~10.0.0.1~a.default~x', metadata: {} }), undefined)
  assert.deepEqual([world.entries(), world.changes], [[], 0])
})

const refused = [
  { title: 'without TLS', caller: callerOf('spiffe://cluster.local/ns/default/sa/vm', false), status: grpcStatus.permissionDenied, says: /needs an identity: join over mutual TLS/ },
  { title: 'of another namespace', caller: callerOf('spiffe://cluster.local/ns/evil/sa/vm'), status: grpcStatus.permissionDenied, says: /of namespace evil may not register in default/ },
  { title: 'of another service account than the template wants', caller: callerOf('spiffe://cluster.local/ns/default/sa/evil'), status: grpcStatus.permissionDenied, says: /of the service account vm, and the certificate says evil/ },
  { title: 'whose group is not there', node: nodeOf('10.0.0.1', { AUTO_REGISTER_GROUP: 'none' }), status: grpcStatus.failedPrecondition, says: /no WorkloadGroup none in namespace default/ },
  { title: 'whose group is in another namespace', given: states(groupOf({ template: {} }, 'prod')), status: grpcStatus.failedPrecondition, says: /no WorkloadGroup vms in namespace default/ },
  { title: 'whose address is none', node: nodeOf('my-host'), status: grpcStatus.invalidArgument, says: /no IP address/ },
  { title: 'with labels that are none', node: nodeOf('10.0.0.1', { LABELS: { '-': 'x' } }), status: grpcStatus.invalidArgument, says: /the entry would not be valid: .*labels/ },
]
for (const { title, caller = vm, node = nodeOf(), given = states(plain), status, says } of refused) {
  test(`a proxy ${title} is refused, and the log says so`, () => {
    const world = start(given)
    assert.throws(() => world.registrations.join(caller, node), (error) => error instanceof GrpcError && error.status === status && says.test(error.message))
    assert.match(world.lines.join('\n'), says)
    assert.deepEqual([world.entries(), world.changes], [[], 0])
  })
}

test('an entry goes when its proxy has been away for the grace period, and not before', async () => {
  const world = start()
  const stream = world.registrations.join(vm, nodeOf())!
  stream.leave()
  stream.leave()
  await world.clock.advance(9_999)
  assert.equal(world.entries().length, 1)
  await world.clock.advance(1)
  assert.deepEqual([world.entries(), world.registrations.size, world.changes], [[], 0, 2])
  assert.match(world.lines.at(-1)!, /default\/vms-10\.0\.0\.1 is gone/)
})

test('a proxy that comes back in time was never away: also when the new stream came before the old one ended', async () => {
  const world = start()
  const first = world.registrations.join(vm, nodeOf())!
  const [entry] = world.entries()
  const second = world.registrations.join(vm, nodeOf())!
  first.leave()
  await world.clock.advance(60_000)
  second.leave()
  await world.clock.advance(5_000)
  world.registrations.join(vm, nodeOf())
  await world.clock.advance(60_000)
  assert.deepEqual([world.entries(), world.changes], [[entry], 1])
})

test('nobody takes the entry of another identity over', () => {
  const world = start(states(groupOf({ template: {} })))
  world.registrations.join(vm, nodeOf())
  assert.throws(() => world.registrations.join(callerOf('spiffe://cluster.local/ns/default/sa/evil'), nodeOf()), /is of the service account vm/)
  assert.equal(world.entries()[0]?.spec.serviceAccount, 'vm')
})

test('an edit of the group shows in its entries; what it does not take any more, or is gone, has none', () => {
  const world = start()
  world.registrations.join(vm, nodeOf())
  assert.equal(world.entries(states(groupOf({ template: { weight: 7 } })))[0]?.spec.weight, 7)
  assert.deepEqual(world.entries(states(groupOf({ template: { serviceAccount: 'other' } }))), [])
  assert.match(world.lines.at(-1)!, /no workload of WorkloadGroup default\/vms any more: .*service account other/)
  assert.deepEqual(world.entries(states()), [])
  assert.equal(world.entries().length, 1)
})

test('an application that its agent says is unwell is not healthy until it says otherwise', () => {
  const world = start()
  const stream = world.registrations.join(vm, nodeOf())!
  const healthy = () => (world.entries()[0]?.status as { conditions: { status: string }[] } | undefined)?.conditions[0]?.status
  assert.equal(healthy(), undefined)
  stream.report('connection refused')
  assert.equal(healthy(), 'False')
  stream.report('again')
  stream.report(undefined)
  assert.deepEqual([healthy(), world.changes], ['True', 3])
})

test('who has registered is known after a restart, until the time to come back is over', async () => {
  await using folder = await TempFolder.create()
  const store = registrationFile(folder.path)
  const before = start(states(plain), store)
  const stream = before.registrations.join(vm, nodeOf('10.0.0.1', { NETWORK: 'west' }))!
  const second = before.registrations.join(vm, nodeOf('10.0.0.2'))!
  const entries = before.entries()
  stream.leave()
  before.registrations.end()
  second.leave()
  await before.clock.advance(60_000)
  await before.registrations.close()

  const after = start(states(plain), store)
  await after.registrations.restore()
  assert.deepEqual(after.entries().map(({ metadata, spec }) => ({ metadata, spec })), entries.map(({ metadata, spec }) => ({ metadata, spec })))
  after.registrations.join(vm, nodeOf('10.0.0.2'))
  assert.equal(after.changes, 0, 'it comes back as it was')
  await after.clock.advance(60_000)
  assert.deepEqual(after.entries().map(({ spec }) => spec.address), ['10.0.0.2'])
  await after.registrations.close()
  assert.deepEqual((await store.read()).map(({ address }) => address), ['10.0.0.2'])
})

test('one that came back as somebody else, or whose group is gone, is not taken from the file', async () => {
  const written: Registrant = { namespace: 'default', group: 'vms', address: '10.0.0.1', serviceAccount: 'evil', labels: {}, locality: { region: '', zone: '', subzone: '' }, network: '' }
  const world = start(states(plain), { ...noStore, read: () => Promise.resolve([written, { ...written, serviceAccount: 'vm', group: 'gone' }]) })
  await world.registrations.restore()
  assert.deepEqual(world.entries(), [])
})

test('what cannot be kept is said, and registers all the same', async () => {
  const world = start(states(plain), { ...noStore, write: () => Promise.reject(new Error('no space left')) })
  world.registrations.join(vm, nodeOf())
  await world.registrations.close()
  assert.equal(world.entries().length, 1)
  assert.match(world.lines.at(-1)!, /not kept for a restart: no space left/)
})

const probing = groupOf({ template: {}, probe: { tcpSocket: { port: 8080 } } })

test('an entry of a group with a probe says that it waits for its health', () => {
  const world = start(states(probing))
  world.registrations.join(vm, nodeOf())
  assert.equal(world.entries()[0]?.metadata.annotations['proxy.istio.io/health-checks-enabled'], 'true')
})

test('health is known after a restart too, so that no client is sent to an application that is unwell', async () => {
  await using folder = await TempFolder.create()
  const store = registrationFile(folder.path)
  const before = start(states(probing), store)
  before.registrations.join(vm, nodeOf('10.0.0.1'))!.report(undefined)
  before.registrations.join(vm, nodeOf('10.0.0.2'))!.report('refused')
  before.registrations.end()
  await before.registrations.close()
  const after = start(states(probing), store)
  await after.registrations.restore()
  assert.deepEqual(after.entries().map(({ spec, status }) => [spec.address, (status as { conditions: { status: string }[] }).conditions[0]!.status]), [['10.0.0.1', 'True'], ['10.0.0.2', 'False']])
})
