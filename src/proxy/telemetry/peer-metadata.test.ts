import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf'
import { StructSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { proxySettings } from '../settings.ts'
import { PeerReader, peerOfEndpoint, unknownPeer } from './peer.ts'
import { decodePeerMetadata, encodePeerMetadata, nodeMetadataOf } from './peer-metadata.ts'

const settings = proxySettings({
  name: 'reviews-v2-5f9c', workloadName: 'reviews-v2', namespace: 'books', serviceAccount: 'reviews', clusterId: 'east', ip: '10.0.0.7',
  labels: { app: 'reviews', version: 'v2', 'pod-template-hash': '5f9c' }, locality: 'eu/eu-1/rack-3',
})

test("what a proxy says of itself is Istio's Struct, in base64 with its keys in order", () => {
  const { id, metadata } = nodeMetadataOf(settings)
  assert.equal(id, 'sidecar~10.0.0.7~reviews-v2-5f9c.books~books.svc.cluster.local')
  const said = toJson(StructSchema, fromBinary(StructSchema, Buffer.from(metadata, 'base64')))
  assert.deepEqual(said, {
    AVAILABILITY_ZONE: 'eu-1', CLUSTER_ID: 'east', IDENTITY: 'spiffe://cluster.local/ns/books/sa/reviews',
    LABELS: { app: 'reviews', 'service.istio.io/canonical-name': 'reviews', 'service.istio.io/canonical-revision': 'v2', version: 'v2' },
    NAME: 'reviews-v2-5f9c', NAMESPACE: 'books', REGION: 'eu', WORKLOAD_NAME: 'reviews-v2',
  })
  assert.deepEqual(Object.keys(said as object), Object.keys(said as object).toSorted())
  assert.equal(encodePeerMetadata(settings), metadata)
})

test('the peer reads what was said', () => {
  assert.deepEqual(decodePeerMetadata(encodePeerMetadata(settings)), {
    workload: 'reviews-v2', namespace: 'books', canonicalService: 'reviews', canonicalRevision: 'v2', app: 'reviews', version: 'v2', cluster: 'east',
  })
})

test('a workload without labels is called by its own name', () => {
  const { canonicalService, canonicalRevision, app } = decodePeerMetadata(encodePeerMetadata(proxySettings({ name: 'job-1' })))
  assert.deepEqual({ canonicalService, canonicalRevision, app }, { canonicalService: 'job-1', canonicalRevision: 'latest', app: '' })
})

test('a value of a stranger is cut, and of the wrong type ignored', () => {
  const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } })
  const struct = create(StructSchema, { fields: { WORKLOAD_NAME: text('x'.repeat(1000)), NAMESPACE: { kind: { case: 'numberValue', value: 5 } }, LABELS: text('no') } })
  const peer = decodePeerMetadata(Buffer.from(toBinary(StructSchema, struct)).toString('base64'))
  assert.deepEqual([peer.workload.length, peer.namespace, peer.app], [253, '', ''])
})

test('whatever a stranger sends instead of metadata, it is read as something', () => {
  assert.deepEqual(decodePeerMetadata('x'.repeat(5000)), unknownPeer)
  fc.assert(fc.property(fc.oneof(fc.string(), fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'))), (text) => {
    const peer = decodePeerMetadata(text)
    assert.ok(Object.values(peer).every((value) => typeof value === 'string' && value.length <= 253))
  }))
})

test('an endpoint says who it is in five parts', () => {
  assert.deepEqual(peerOfEndpoint('reviews-v1;books;reviews;v1;east'), {
    workload: 'reviews-v1', namespace: 'books', canonicalService: 'reviews', canonicalRevision: 'v1', app: '', version: '', cluster: 'east',
  })
  assert.deepEqual(peerOfEndpoint('reviews-v1;books'), unknownPeer)
})

test('each text is read once, and different texts have different keys', () => {
  let reads = 0
  const reader = new PeerReader('e', (text) => (reads++, peerOfEndpoint(text)))
  const first = reader.of('a;b;c;d;e')
  assert.equal(reader.of('a;b;c;d;e'), first)
  assert.equal(reads, 1)
  assert.notEqual(reader.of('a;b;c;d;f').key, first.key)
  assert.equal(reader.of('').facts, unknownPeer)
})

test('a connection whose peer says something else is another peer from then on', () => {
  let reads = 0
  const reader = new PeerReader('m', (text) => (reads++, peerOfEndpoint(text)))
  const connection = {}
  const first = reader.of('a;b;c;d;e', connection)
  assert.equal(reader.of('a;b;c;d;e', connection), first)
  assert.equal(reader.of('a;b;c;d;e', {}), first, 'on another connection')
  const other = reader.of('a;b;c;d;f', connection)
  assert.equal(other.facts.cluster, 'f')
  assert.equal(reader.of('a;b;c;d;e', connection), first)
  assert.equal(reader.of('', connection).facts, unknownPeer)
  assert.equal(reads, 2)
})
