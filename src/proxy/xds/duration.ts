// Protobuf durations to milliseconds.
import type { Duration } from '@bufbuild/protobuf/wkt'

export function milliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1000 + Math.round(nanos / 1e6)
}
