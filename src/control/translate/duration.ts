// Milliseconds to protobuf durations.
import { create } from '@bufbuild/protobuf'
import { DurationSchema } from '@bufbuild/protobuf/wkt'
import type { Duration } from '@bufbuild/protobuf/wkt'

export function durationOf(ms: number): Duration {
  const whole = Math.trunc(ms / 1000)
  return create(DurationSchema, { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1e6) })
}
