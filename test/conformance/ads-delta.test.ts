// Sequences of the incremental protocol over real sockets, with a client that says every request itself (traffic spec 6.3).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { grpcStatus } from '../../src/control/serve/rpc.ts'
import { DeltaClient } from '../support/ads-client.ts'
import { serveAds } from '../support/ads-world.ts'
import { FakeSource } from '../support/fake-source.ts'
import type { Content } from '../support/fake-source.ts'

const node = { id: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local' }

async function open(content: Content) {
  const source = new FakeSource(content)
  const world = await serveAds(source)
  return { source, world, ads: new DeltaClient(world.client), [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

const brief = ({ type, names, removed }: { type: string | undefined; names: readonly string[]; removed: readonly string[] }): string =>
  [type, ...names, ...removed.map((name) => `-${name}`)].join(' ')

test('a wildcard gets all clusters with versions, and after the acknowledgement nothing more', async () => {
  await using at = await open({ CDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.take()
  assert.equal(brief(first), 'CDS a b')
  assert.deepEqual(first.message.resources.map(({ name, version }) => `${name} ${version}`), ['a 1', 'b 1'])
  assert.equal(first.message.resources[0]!.resource!.typeUrl, 'type.googleapis.com/envoy.config.cluster.v3.Cluster')
  assert.deepEqual(await at.ads.settled(), [])
  assert.deepEqual(at.source.record.slice(0, 2), ['sent CDS 1', 'acked CDS'])
  await at.source.told('pushed 1')
})

test('a star is a wildcard, too, and taking it back ends it', async () => {
  await using at = await open({ LDS: { a: '1' } })
  at.ads.ask('LDS', { node, subscribe: ['*'] })
  assert.equal(brief(await at.ads.take()), 'LDS a')
  at.ads.ask('LDS', { unsubscribe: ['*'] })
  await at.ads.settled()
  at.source.push({ LDS: { a: '2' } })
  assert.deepEqual(await at.ads.settled(), [])
})

test('a push sends only what changed, and what is gone after everything else', async () => {
  await using at = await open({ CDS: { a: '1', b: '1', c: '1' }, RDS: { r: '1' } })
  at.ads.ask('CDS', { node })
  await at.ads.take()
  at.ads.ask('RDS', { subscribe: ['r'] })
  await at.ads.take()
  at.source.push({ CDS: { a: '2', b: '1', d: '1' }, RDS: { r: '2' } })
  const seen = [await at.ads.take(), await at.ads.take(), await at.ads.take()]
  assert.deepEqual(seen.map(brief), ['CDS a d', 'RDS r', 'CDS -c'])
  assert.deepEqual(await at.ads.settled(), [])
})

test('types are sent in the order CDS, EDS, LDS, RDS, SDS whatever the order in which they were asked for', async () => {
  await using at = await open({ CDS: { a: '1' }, EDS: { a: '1' }, LDS: { l: '1' }, RDS: { r: '1' } })
  at.ads.ask('RDS', { node, subscribe: ['r'] })
  await at.ads.take()
  at.ads.ask('LDS')
  await at.ads.take()
  at.ads.ask('EDS', { subscribe: ['a'] })
  await at.ads.take()
  at.ads.ask('CDS')
  await at.ads.take()
  await at.ads.settled()
  at.source.push({ CDS: { a: '2' }, EDS: { a: '2' }, LDS: { l: '2' }, RDS: { r: '2' } })
  const seen = [await at.ads.take(), await at.ads.take(), await at.ads.take(), await at.ads.take()]
  assert.deepEqual(seen.map(brief), ['CDS a', 'EDS a', 'LDS l', 'RDS r'])
})

test('a push looks only at the types that it affects', async () => {
  await using at = await open({ CDS: { a: '1' }, LDS: { l: '1' }, RDS: { r: '1' } })
  for (const [type, subscribe] of [['CDS', []], ['LDS', []], ['RDS', ['r']]] as const) {
    at.ads.ask(type, { node, subscribe })
    await at.ads.take()
  }
  await at.ads.settled()
  at.source.asked.length = 0
  at.source.push({ CDS: { a: '2' }, LDS: { l: '2' }, RDS: { r: '2' } }, ['RDS'])
  assert.equal(brief(await at.ads.take()), 'RDS r')
  assert.deepEqual([...new Set(at.source.asked)], ['RDS'])
})

test('one response of a type is under way at a time, and pushes meanwhile are one', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.next()
  at.source.push({ CDS: { a: '2' } })
  at.source.push({ CDS: { a: '2', b: '2' } })
  at.source.push({ CDS: { a: '3', b: '2' } })
  assert.deepEqual(await at.ads.settled(), [])
  at.ads.ack(first)
  const second = await at.ads.take()
  assert.equal(brief(second), 'CDS a b')
  assert.equal(second.message.resources[0]!.version, '3')
  assert.deepEqual(await at.ads.settled(), [])
  await at.source.told('pushed 4')
})

test('a route never overtakes the cluster that it sends to', async () => {
  await using at = await open({ CDS: { a: '1' }, RDS: { r: '1' } })
  at.ads.ask('RDS', { node, subscribe: ['r'] })
  await at.ads.take()
  at.ads.ask('CDS')
  const clusters = await at.ads.next()
  at.source.push({ CDS: { a: '1', b: '1' }, RDS: { r: 'to b' } })
  assert.equal(at.ads.stream.waiting, 0)
  at.ads.ack(clusters)
  assert.deepEqual([brief(await at.ads.take()), brief(await at.ads.take())], ['CDS b', 'RDS r'])
})

test('a refused response is recorded and not sent again until something changes', async () => {
  await using at = await open({ CDS: { a: '1', bad: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.next()
  at.ads.ask('CDS', { nonce: first.nonce, error: 'bad: no such thing' })
  assert.deepEqual(await at.ads.settled(), [])
  assert.ok(at.source.record.includes('nacked CDS: bad: no such thing'))
  assert.match(at.world.log.join('\n'), /refused CDS: bad: no such thing/)
  at.source.push({ CDS: { a: '1', bad: '1', c: '1' } })
  assert.equal(brief(await at.ads.take()), 'CDS c')
  // What was refused is tried once more, by itself: it cannot take the new one down with it.
  const again = await at.ads.next()
  assert.equal(brief(again), 'CDS a bad')
  at.ads.ask('CDS', { nonce: again.nonce, error: 'still bad' })
  assert.deepEqual(await at.ads.settled(), [])
})

test('a refused resource that is mended is sent at once', async () => {
  await using at = await open({ CDS: { bad: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.next()
  at.ads.ask('CDS', { nonce: first.nonce, error: 'no' })
  at.source.push({ CDS: { bad: '2' } })
  assert.equal(brief(await at.ads.take()), 'CDS bad')
  assert.deepEqual(await at.ads.settled(), [])
})

test('a stale nonce acknowledges nothing, but what is subscribed with it counts', async () => {
  await using at = await open({ EDS: { a: '1', b: '1' } })
  at.ads.ask('EDS', { node, subscribe: ['a'] })
  const first = await at.ads.next()
  at.ads.ask('EDS', { nonce: 'of-another-stream', subscribe: ['b'] })
  assert.deepEqual(await at.ads.settled(), [])
  assert.ok(!at.source.record.includes('acked EDS'))
  at.ads.ack(first)
  assert.equal(brief(await at.ads.take()), 'EDS b')
})

test('names that are added are answered by those alone', async () => {
  await using at = await open({ EDS: { a: '1', b: '1', c: '1' } })
  at.ads.ask('EDS', { node, subscribe: ['a', 'b'] })
  assert.equal(brief(await at.ads.take()), 'EDS a b')
  at.ads.ask('EDS', { subscribe: ['c'] })
  assert.equal(brief(await at.ads.take()), 'EDS c')
})

test('a name that is asked for again is sent again', async () => {
  await using at = await open({ EDS: { a: '1' } })
  at.ads.ask('EDS', { node, subscribe: ['a'] })
  await at.ads.take()
  at.ads.ask('EDS', { subscribe: ['a'] })
  assert.equal(brief(await at.ads.take()), 'EDS a')
})

test('a name that is dropped gets no more answers', async () => {
  await using at = await open({ EDS: { a: '1', b: '1' } })
  at.ads.ask('EDS', { node, subscribe: ['a', 'b'] })
  await at.ads.take()
  at.ads.ask('EDS', { unsubscribe: ['a'] })
  await at.ads.settled()
  at.source.push({ EDS: { a: '2', b: '2' } })
  assert.equal(brief(await at.ads.take()), 'EDS b')
})

test('a name that does not exist is said to be removed, once, and sent when it comes to be', async () => {
  await using at = await open({ RDS: {} })
  at.ads.ask('RDS', { node, subscribe: ['r'] })
  assert.equal(brief(await at.ads.take()), 'RDS -r')
  at.source.push({ RDS: {} })
  assert.deepEqual(await at.ads.settled(), [])
  at.source.push({ RDS: { r: '1' } })
  assert.equal(brief(await at.ads.take()), 'RDS r')
  at.source.push({ RDS: {} })
  assert.equal(brief(await at.ads.take()), 'RDS -r')
})

test('a client that comes back hears only of what changed and what is gone', async () => {
  await using at = await open({ CDS: { same: '1', changed: '2', fresh: '1' }, EDS: { same: '1', changed: '1', alone: '2' } })
  at.ads.ask('CDS', { node, initial: { same: '1', changed: '1', gone: '1' } })
  assert.equal(brief(await at.ads.take()), 'CDS changed fresh')
  assert.equal(brief(await at.ads.take()), 'CDS -gone')
  // Its endpoints did not change, but the cluster did and waits for them.
  at.ads.ask('EDS', { subscribe: ['same', 'changed', 'alone'], initial: { same: '1', changed: '1', alone: '1' } })
  assert.equal(brief(await at.ads.take()), 'EDS alone changed')
})

test('a client that comes back and holds the newest of everything gets nothing', async () => {
  await using at = await open({ CDS: { a: '1' }, EDS: { a: '1' } })
  at.ads.ask('CDS', { node, initial: { a: '1' } })
  at.ads.ask('EDS', { subscribe: ['a'], initial: { a: '1' } })
  assert.deepEqual(await at.ads.settled(), [])
  await at.source.told('pushed 1')
})

test('a cluster that changed gets its endpoints again', async () => {
  await using at = await open({ CDS: { a: '1', b: '1' }, EDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  await at.ads.take()
  at.ads.ask('EDS', { subscribe: ['a', 'b'] })
  await at.ads.take()
  await at.ads.settled()
  at.source.push({ CDS: { a: '2', b: '1' }, EDS: { a: '1', b: '1' } }, ['CDS'])
  assert.deepEqual([brief(await at.ads.take()), brief(await at.ads.take())], ['CDS a', 'EDS a'])
})

test('an unknown type is not answered and said in the log, and the stream goes on', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig', { node })
  at.ads.ask('CDS')
  assert.equal(brief(await at.ads.take()), 'CDS a')
  assert.match(at.world.log.join('\n'), /asks for "type\.googleapis\.com\/envoy\.config\.core\.v3\.TypedExtensionConfig", which is not served/)
})

test('many requests in one piece are all answered', async () => {
  await using at = await open({ CDS: { a: '1' }, EDS: { a: '1' }, LDS: { l: '1' }, RDS: { r: '1' } })
  at.ads.stream.raw.cork()
  at.ads.ask('CDS', { node })
  at.ads.ask('EDS', { subscribe: ['a'] })
  at.ads.ask('LDS')
  at.ads.ask('RDS', { subscribe: ['r'] })
  at.ads.stream.raw.uncork()
  const seen = new Set<string>()
  while (seen.size < 4) seen.add(brief(await at.ads.take()))
  assert.deepEqual([...seen].sort(), ['CDS a', 'EDS a', 'LDS l', 'RDS r'])
})

const refused = [
  { title: 'without a node', send: (ads: DeltaClient) => ads.ask('CDS'), status: grpcStatus.invalidArgument, says: /node\.id/ },
  { title: 'with an empty node id', send: (ads: DeltaClient) => ads.ask('CDS', { node: { id: '' } }), status: grpcStatus.invalidArgument, says: /node\.id/ },
  { title: 'whose node cannot be read', send: (ads: DeltaClient) => ads.ask('CDS', { node: { id: 'bad' } }), status: grpcStatus.invalidArgument, says: /"bad"/ },
  { title: 'that is no request', send: (ads: DeltaClient) => ads.stream.send(Uint8Array.of(255, 255, 255)), status: grpcStatus.invalidArgument, says: /not a discovery request/ },
  {
    title: 'of more names than are served', status: grpcStatus.resourceExhausted, says: /names/,
    send: (ads: DeltaClient) => ads.ask('EDS', { node, subscribe: Array.from({ length: 100_001 }, (_, index) => `n${index}`) }),
  },
]
for (const { title, send, status, says } of refused) {
  test(`a stream ends when its first request is one ${title}`, async () => {
    await using at = await open({})
    send(at.ads)
    const end = await at.ads.stream.ended
    assert.equal(end.status, status)
    assert.match(end.message, says)
    while (at.source.listening > 0) await turn()
  })
}

test('a source that has nothing yet is unavailable', async () => {
  await using at = await open({})
  at.source.ready = false
  assert.equal((await new DeltaClient(at.world.client).stream.ended).status, grpcStatus.unavailable)
})

test('a stream that ends leaves nothing behind', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node })
  await at.ads.take()
  at.ads.stream.finish()
  assert.equal((await at.ads.stream.ended).status, 0)
  await at.source.told('closed')
  assert.equal(at.source.listening, 0)
})

test('secrets do not travel without TLS', async () => {
  await using at = await open({ SDS: { 'kubernetes://cert': '1' } })
  at.ads.ask('SDS', { node, subscribe: ['kubernetes://cert'] })
  assert.equal(brief(await at.ads.take()), 'SDS -kubernetes://cert')
})
