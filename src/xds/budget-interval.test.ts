import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DurationSchema } from '@bufbuild/protobuf/wkt'
import { CircuitBreakers_Thresholds_RetryBudgetSchema as RetryBudgetSchema } from '../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { budgetIntervalOf, setBudgetInterval } from './budget-interval.ts'

const seconds = (value: bigint) => create(DurationSchema, { seconds: value })

test('budget_interval goes over the wire, beside the other fields', () => {
  const message = setBudgetInterval(setBudgetInterval(create(RetryBudgetSchema, { minRetryConcurrency: 4 }), seconds(9n)), seconds(10n))
  const bytes = toBinary(RetryBudgetSchema, message)
  assert.equal(Buffer.from(bytes).toString('hex'), '120208041a02080a')
  const read = fromBinary(RetryBudgetSchema, bytes)
  assert.equal(budgetIntervalOf(read)?.seconds, 10n)
  assert.equal(read.minRetryConcurrency, 4)
})

test('a budget without budget_interval has none', () => {
  assert.equal(budgetIntervalOf(create(RetryBudgetSchema, { minRetryConcurrency: 4 })), undefined)
})
