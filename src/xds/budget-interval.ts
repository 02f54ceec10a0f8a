// RetryBudget.budget_interval of a cluster's circuit breakers, field 3, a Duration: Envoy 1.40 has it, the protos that our
// types are made from do not. Until they do, it is one of the fields that a message carries along without knowing their names.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { DurationSchema } from '@bufbuild/protobuf/wkt'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { CircuitBreakers_Thresholds_RetryBudget as RetryBudget } from '../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'

const fieldNumber = 3

/** The budget is a share of the requests that began within the interval, not of those that run right now. */
export function setBudgetInterval(message: RetryBudget, interval: Duration): RetryBudget {
  const others = (message.$unknown ?? []).filter(({ no }) => no !== fieldNumber)
  message.$unknown = [...others, { no: fieldNumber, wireType: WireType.LengthDelimited, data: new BinaryWriter().bytes(toBinary(DurationSchema, interval)).finish() }]
  return message
}

/** Throws for bytes that are no Duration. */
export function budgetIntervalOf({ $unknown = [] }: Pick<RetryBudget, '$unknown'>): Duration | undefined {
  const field = $unknown.findLast(({ no, wireType }) => no === fieldNumber && wireType === WireType.LengthDelimited)
  return field === undefined ? undefined : fromBinary(DurationSchema, new BinaryReader(field.data).bytes())
}
