import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WeightedClusterSchema } from '../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { setUseHashPolicy, usesHashPolicy } from './use-hash-policy.ts'

test('use_hash_policy goes over the wire, beside the other fields', () => {
  const message = setUseHashPolicy(setUseHashPolicy(create(WeightedClusterSchema, { clusters: [{ name: 'a' }] })))
  const bytes = toBinary(WeightedClusterSchema, message)
  assert.equal(Buffer.from(bytes).toString('hex'), '0a030a01612a020801')
  const read = fromBinary(WeightedClusterSchema, bytes)
  assert.ok(usesHashPolicy(read))
  assert.equal(read.clusters[0]?.name, 'a')
})

test('use_hash_policy is off without the field, and where it says false', () => {
  assert.ok(!usesHashPolicy(create(WeightedClusterSchema, {})))
  for (const hex of ['2a00', '2a020800']) assert.ok(!usesHashPolicy(fromBinary(WeightedClusterSchema, Buffer.from(hex, 'hex'))), hex)
})
