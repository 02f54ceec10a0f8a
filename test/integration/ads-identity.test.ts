// Who may have the configuration of whom: ADS over TLS, with certificates made by openssl (traffic spec 6.5).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adsMethods } from '../../src/control/serve/ads.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { grpcStatus } from '../../src/control/serve/rpc.ts'
import { DeltaClient, SotwClient, sidecarNode } from '../support/ads-client.ts'
import { createAuthority } from '../support/certificates.ts'
import { FakeSource } from '../support/fake-source.ts'
import { GrpcClient } from '../support/grpc-client.ts'

const authority = createAuthority()
const server = authority.issue('DNS:istiod.istio-system.svc')
const reviews = 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews'
const node = sidecarNode('reviews', '127.1.0.2')

async function open(source: FakeSource, san: string | undefined, from = authority) {
  const started = await startGrpcServer({
    methods: adsMethods(source),
    tls: { address: { host: '127.0.0.1', port: 0 }, identity: { current: () => ({ ...server, roots: authority.roots }), onChange: () => () => undefined } },
  })
  const shown = san === undefined ? undefined : from.issue(san)
  const client = new GrpcClient(`https://127.0.0.1:${started.tlsAddress!.port}`, {
    ca: authority.roots, servername: 'istiod.istio-system.svc', ...(shown !== undefined && { cert: shown.chain, key: shown.key }),
  })
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await started.close()
    },
  }
}

test('a workload gets its own configuration, secrets too', async () => {
  await using at = await open(new FakeSource({ CDS: { a: '1' }, SDS: { s: '1' } }), `URI:${reviews}`)
  const ads = new DeltaClient(at.client)
  ads.ask('CDS', { node })
  assert.deepEqual((await ads.take()).names, ['a'])
  ads.ask('SDS', { subscribe: ['s'] })
  const secrets = await ads.take()
  assert.deepEqual(secrets.message.resources.map((one) => one.name), ['s'])
})

const refused = [
  { title: 'without a certificate', san: undefined, says: /needs a client certificate/ },
  { title: 'of another namespace', san: 'URI:spiffe://cluster.local/ns/other/sa/bookinfo-reviews', says: /of namespace default, but its certificate says spiffe:\/\/cluster\.local\/ns\/other/ },
  { title: 'of another service account', san: 'URI:spiffe://cluster.local/ns/default/sa/bookinfo-ratings', says: /service account bookinfo-reviews .*SERVICE_ACCOUNT/ },
  { title: 'whose certificate has no identity', san: 'DNS:reviews.default', says: /needs a client certificate with a SPIFFE identity/ },
  { title: 'whose identity is not one of a workload', san: 'URI:spiffe://cluster.local/reviews', says: /is not spiffe:/ },
  { title: 'with two identities', san: `URI:${reviews},URI:spiffe://cluster.local/ns/other/sa/admin`, says: /2 identities/ },
]
for (const { title, san, says } of refused) {
  test(`a client ${title} gets nothing, in both variants`, async () => {
    const source = new FakeSource({ CDS: { a: '1' } })
    await using at = await open(source, san)
    for (const ads of [new DeltaClient(at.client), new SotwClient(at.client)]) {
      ads.ask('CDS', { node })
      const end = await ads.stream.ended
      assert.equal(end.status, grpcStatus.permissionDenied)
      assert.match(end.message, says)
      assert.deepEqual(ads.stream.received, [])
    }
    // It was never taken for a connected proxy, not even for a moment.
    assert.deepEqual([source.record, source.asked], [[], []])
  })
}

test('a client with the right names from another authority does not get as far as a stream', async () => {
  const source = new FakeSource({ CDS: { a: '1' } })
  await using at = await open(source, `URI:${reviews}`, createAuthority('another root'))
  const ads = new DeltaClient(at.client)
  ads.ask('CDS', { node })
  assert.notEqual((await ads.stream.ended).status, 0)
  assert.deepEqual(source.asked, [])
})

test('a node without a service account is not the account of its certificate', async () => {
  await using at = await open(new FakeSource({}), `URI:${reviews}`)
  const ads = new DeltaClient(at.client)
  ads.ask('CDS', { node: { ...node, metadata: { NAMESPACE: 'default' } } })
  assert.equal((await ads.stream.ended).status, grpcStatus.permissionDenied)
})
