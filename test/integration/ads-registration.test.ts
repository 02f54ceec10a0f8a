// Auto-registration on real ADS streams over mutual TLS, in both variants: who joins is an endpoint of the Services and
// ServiceEntries that select it, for as long as its agent says that the application is well; who may not join is none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registrations } from '../../src/control/registration/registrations.ts'
import { adsMethods } from '../../src/control/serve/ads.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { grpcStatus } from '../../src/control/serve/rpc.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { filesOnce } from '../../src/sources/files/read.ts'
import { WorldMerger } from '../../src/sources/merge.ts'
import { DeltaClient, SotwClient, sidecarNode } from '../support/ads-client.ts'
import { createAuthority } from '../support/certificates.ts'
import { FakeSource } from '../support/fake-source.ts'
import { GrpcClient } from '../support/grpc-client.ts'
import { until } from '../support/until.ts'

const authority = createAuthority()
const server = authority.issue('DNS:istiod.istio-system.svc')
const health = 'type.googleapis.com/istio.v1.HealthInformation'

const yaml = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec: { clusterIP: 10.96.0.10, selector: { app: reviews }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: vms, namespace: default }
spec: { hosts: [vms.example], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 81, name: http, protocol: HTTP }], workloadSelector: { labels: { kind: vm } } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vms, namespace: default }
spec: { metadata: { labels: { kind: vm } }, template: { ports: { http: 9080 }, weight: 5, serviceAccount: bookinfo-reviews } }
`

async function startWorld(serviceAccount: string, namespace = 'default') {
  const files = filesOnce(['-'], { stdin: yaml })
  await files.start(() => undefined)
  const states = [files.current()]
  const merger = new WorldMerger()
  const registrations = new Registrations({
    clock: systemClock, graceMs: 50, log: () => undefined, onChange: () => undefined, store: { read: () => Promise.resolve([]), write: () => Promise.resolve() },
  })
  registrations.entries(states)
  const started = await startGrpcServer({
    methods: adsMethods(new FakeSource({ CDS: { a: '1' } }), { register: (caller, node) => registrations.join(caller, node) }),
    tls: { address: { host: '127.0.0.1', port: 0 }, identity: { current: () => ({ ...server, roots: authority.roots }), onChange: () => () => undefined } },
  })
  const { chain, key } = authority.issue(`URI:spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`)
  const client = new GrpcClient(`https://127.0.0.1:${started.tlsAddress!.port}`, { ca: authority.roots, servername: 'istiod.istio-system.svc', cert: chain, key })
  return {
    client,
    /** `vms.example 127.1.0.2:9080 x5 healthy`. */
    endpoints: () => merger.merge([...states, registrations.entries(states)]).endpoints.map((one) => `${one.hostname} ${one.address}:${one.port} x${one.weight} ${one.health}`).sort(),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await started.close()
      await registrations.close()
      await files.close()
    },
  }
}

const asked = sidecarNode('reviews', '127.1.0.2')
const node = { ...asked, metadata: { ...asked.metadata, AUTO_REGISTER_GROUP: 'vms' } }
const endpoints = (state: string): readonly string[] => [`reviews.default.svc.cluster.local 127.1.0.2:9080 x5 ${state}`, `vms.example 127.1.0.2:9080 x5 ${state}`]

for (const [label, Client] of [['delta', DeltaClient], ['state of the world', SotwClient]] as const) {
  test(`${label}: who joins is an endpoint, well or not, until it has left`, async () => {
    await using world = await startWorld('bookinfo-reviews')
    const holds = (expected: readonly string[], what: string) => until(() => JSON.stringify(world.endpoints()) === JSON.stringify(expected), what)
    assert.deepEqual(world.endpoints(), [])
    const ads = new Client(world.client)
    ads.ask('CDS', { node })
    assert.deepEqual((await ads.take()).names, ['a'])
    assert.deepEqual(world.endpoints(), endpoints('healthy'))
    ads.ask(health, { error: 'connection refused' })
    await holds(endpoints('unhealthy'), 'unwell')
    ads.ask(health)
    await holds(endpoints('healthy'), 'well again')
    assert.deepEqual(await ads.settled(), [], 'health is not answered')
    ads.stream.finish()
    await holds([], 'gone')
  })
}

test('who is of another service account gets nothing, and is none', async () => {
  await using world = await startWorld('bookinfo-ratings')
  const ads = new DeltaClient(world.client)
  ads.ask('CDS', { node: { ...node, metadata: { ...node.metadata, SERVICE_ACCOUNT: 'bookinfo-ratings' } } })
  const { status, message } = await ads.stream.ended
  assert.equal(status, grpcStatus.permissionDenied)
  assert.match(message, /WorkloadGroup default\/vms: its workloads are of the service account bookinfo-reviews/)
  assert.deepEqual([world.endpoints(), ads.stream.received], [[], []])
})

test('who is of another namespace gets nothing, whichever namespace it says', async () => {
  await using world = await startWorld('bookinfo-reviews', 'other')
  const says = [node, { id: node.id.replaceAll('.default', '.other'), metadata: { ...node.metadata, NAMESPACE: 'other' } }]
  for (const one of says) {
    const ads = new DeltaClient(world.client)
    ads.ask('CDS', { node: one })
    const { status } = await ads.stream.ended
    assert.ok(status === grpcStatus.permissionDenied || status === grpcStatus.failedPrecondition, String(status))
  }
  assert.deepEqual(world.endpoints(), [])
})
