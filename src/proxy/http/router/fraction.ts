// FractionalPercent as a probability.
import { FractionalPercent_DenominatorType as Denominator } from '../../../proto/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent } from '../../../proto/gen/envoy/type/v3/percent_pb.ts'

const denominators: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100, [Denominator.TEN_THOUSAND]: 10_000, [Denominator.MILLION]: 1_000_000,
}

/** From 0 to 1. Absent is 0. */
export function probabilityOf(fraction: FractionalPercent | undefined): number {
  return fraction === undefined ? 0 : Math.min(1, fraction.numerator / (denominators[fraction.denominator] ?? 100))
}
