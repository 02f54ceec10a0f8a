// Sequences of the state-of-the-world protocol over real sockets, with a client that says every request itself (spec 6.3).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grpcStatus } from '../../src/control/serve/rpc.ts'
import { SotwClient } from '../support/ads-client.ts'
import { serveAds } from '../support/ads-world.ts'
import { FakeSource } from '../support/fake-source.ts'
import type { Content } from '../support/fake-source.ts'

const node = { id: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local' }

async function open(content: Content) {
  const source = new FakeSource(content)
  const world = await serveAds(source)
  return { source, world, ads: new SotwClient(world.client), [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

const brief = ({ type, names }: { type: string | undefined; names: readonly string[] }): string => [type, ...names].join(' ')

test('no names are all clusters, and after the acknowledgement nothing more', async () => {
  await using at = await open({ CDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.take()
  assert.equal(brief(first), 'CDS a b')
  assert.notEqual(first.message.versionInfo, '')
  assert.deepEqual(await at.ads.settled(), [])
  assert.deepEqual(at.source.record.slice(0, 2), ['sent CDS 1', 'acked CDS'])
})

test('equal states have equal versions on every stream', async () => {
  await using at = await open({ CDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  const other = new SotwClient(at.world.client)
  other.ask('CDS', { node })
  const [one, two] = [await at.ads.next(), await other.next()]
  assert.equal(one.message.versionInfo, two.message.versionInfo)
  assert.notEqual(one.nonce, two.nonce)
})

test('a change of one cluster sends all clusters, and a cluster that is gone is left out', async () => {
  await using at = await open({ CDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  await at.ads.take()
  at.source.push({ CDS: { a: '2', b: '1' } })
  assert.equal(brief(await at.ads.take()), 'CDS a b')
  at.source.push({ CDS: { a: '2' } })
  assert.equal(brief(await at.ads.take()), 'CDS a')
  at.source.push({ CDS: { a: '2' } }, ['CDS'])
  assert.deepEqual(await at.ads.settled(), [])
})

test('a change of one assignment sends that alone', async () => {
  await using at = await open({ EDS: { a: '1', b: '1' } })
  at.ads.ask('EDS', { node, names: ['a', 'b'] })
  assert.equal(brief(await at.ads.take(['a', 'b'])), 'EDS a b')
  at.source.push({ EDS: { a: '1', b: '2' } })
  assert.equal(brief(await at.ads.take(['a', 'b'])), 'EDS b')
})

test('names that are added are answered by those alone, names that are dropped by nothing', async () => {
  await using at = await open({ EDS: { a: '1', b: '1' } })
  at.ads.ask('EDS', { node, names: ['a'] })
  const first = await at.ads.next()
  at.ads.ack(first, ['a', 'b'])
  const second = await at.ads.next()
  assert.equal(brief(second), 'EDS b')
  at.ads.ack(second, ['b'])
  assert.deepEqual(await at.ads.settled(), [])
  at.source.push({ EDS: { a: '2', b: '1' } })
  assert.deepEqual(await at.ads.settled(), [])
})

test('clusters that are asked for by name are always sent together', async () => {
  await using at = await open({ CDS: { a: '1', b: '1', c: '1' } })
  at.ads.ask('CDS', { node, names: ['a'] })
  const first = await at.ads.next()
  assert.equal(brief(first), 'CDS a')
  at.ads.ack(first, ['a', 'b'])
  assert.equal(brief(await at.ads.take(['a', 'b'])), 'CDS a b')
  at.source.push({ CDS: { a: '1', b: '1', c: '2' } })
  assert.deepEqual(await at.ads.settled(), [])
})

test('a client that has named clusters and names none any more wants none', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node, names: ['a'] })
  await at.ads.take([])
  assert.deepEqual(await at.ads.settled(), [])
  at.source.push({ CDS: { a: '2' } })
  assert.deepEqual(await at.ads.settled(), [])
})

test('an empty nonce on a type that is watched is answered in full', async () => {
  await using at = await open({ CDS: { a: '1' }, EDS: { a: '1', b: '1' } })
  at.ads.ask('CDS', { node })
  await at.ads.take()
  at.ads.ask('CDS')
  assert.equal(brief(await at.ads.take()), 'CDS a')
  at.ads.ask('EDS', { names: ['a', 'b'] })
  await at.ads.take(['a', 'b'])
  at.ads.ask('EDS', { names: ['a', 'b'] })
  assert.equal(brief(await at.ads.take(['a', 'b'])), 'EDS a b')
})

test('the first request of a stream is answered in full whatever its nonce', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node, nonce: 'of-the-stream-before', version: 'old' })
  assert.equal(brief(await at.ads.take()), 'CDS a')
})

test('a stale nonce is ignored', async () => {
  await using at = await open({ EDS: { a: '1', b: '1' } })
  at.ads.ask('EDS', { node, names: ['a'] })
  await at.ads.next()
  at.ads.ask('EDS', { names: ['a', 'b'], nonce: 'stale' })
  assert.deepEqual(await at.ads.settled(), [])
  assert.ok(!at.source.record.includes('acked EDS'))
})

test('a refused response is recorded, not repeated, and followed by the next change', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.next()
  at.ads.ask('CDS', { nonce: first.nonce, error: 'a: no such thing' })
  assert.deepEqual(await at.ads.settled(), [])
  assert.ok(at.source.record.includes('nacked CDS: a: no such thing'))
  at.source.push({ CDS: { a: '2' } })
  assert.equal(brief(await at.ads.take()), 'CDS a')
})

test('what is asked for by name and refused is tried again after the next change, by itself', async () => {
  await using at = await open({ RDS: { bad: '1', good: '1' } })
  at.ads.ask('RDS', { node, names: ['bad'] })
  const first = await at.ads.next()
  at.ads.ask('RDS', { nonce: first.nonce, names: ['bad', 'good'], error: 'no' })
  assert.equal(brief(await at.ads.take(['bad', 'good'])), 'RDS good')
  const again = await at.ads.next()
  assert.equal(brief(again), 'RDS bad')
  at.ads.ask('RDS', { nonce: again.nonce, names: ['bad', 'good'], error: 'no' })
  assert.deepEqual(await at.ads.settled(), [])
})

test('one response is under way at a time, and pushes meanwhile are one', async () => {
  await using at = await open({ CDS: { a: '1' } })
  at.ads.ask('CDS', { node })
  const first = await at.ads.next()
  at.source.push({ CDS: { a: '2' } })
  at.source.push({ CDS: { a: '3', b: '1' } })
  at.ads.ack(first)
  assert.equal(brief(await at.ads.take()), 'CDS a b')
  assert.deepEqual(await at.ads.settled(), [])
})

test('a push is sent in the order CDS, EDS, LDS, RDS', async () => {
  await using at = await open({ CDS: { a: '1' }, EDS: { a: '1' }, LDS: { l: '1' }, RDS: { r: '1' } })
  const names = { RDS: ['r'], LDS: [], EDS: ['a'], CDS: [] }
  for (const type of ['RDS', 'LDS', 'EDS', 'CDS'] as const) {
    at.ads.ask(type, { node, names: names[type] })
    await at.ads.take(names[type])
  }
  // The clusters were new to the client, and their endpoints were asked for before them.
  assert.equal(brief(await at.ads.take(['a'])), 'EDS a')
  at.source.push({ CDS: { a: '2' }, EDS: { a: '2' }, LDS: { l: '2' }, RDS: { r: '2' } })
  const seen = []
  for (const type of ['CDS', 'EDS', 'LDS', 'RDS'] as const) seen.push(brief(await at.ads.take(names[type])))
  assert.deepEqual(seen, ['CDS a', 'EDS a', 'LDS l', 'RDS r'])
})

test('a name that does not exist is answered by an empty response, and sent when it comes to be', async () => {
  await using at = await open({ RDS: {} })
  at.ads.ask('RDS', { node, names: ['r'] })
  assert.equal(brief(await at.ads.take(['r'])), 'RDS')
  at.source.push({ RDS: { r: '1' } })
  assert.equal(brief(await at.ads.take(['r'])), 'RDS r')
})

test('a stream without a node is refused', async () => {
  await using at = await open({})
  at.ads.ask('CDS')
  assert.equal((await at.ads.stream.ended).status, grpcStatus.invalidArgument)
})
