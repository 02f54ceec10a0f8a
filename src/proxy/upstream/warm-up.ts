// Slow start (traffic spec 2.1): a host that has just joined, or is healthy again, gets a growing part of its share.

export interface WarmUpSettings {
  readonly windowMs: number
  /** 1: it grows evenly; more: fast at first. */
  readonly aggression: number
  /** The least part, in per cent. */
  readonly minPercent: number
}

/** The very first moment counts as this long. */
const floorMs = 1_000

/** The part of its weight that a host gets, which has been there for `elapsedMs`. */
export function warmth(elapsedMs: number, { windowMs, aggression, minPercent }: WarmUpSettings): number {
  if (elapsedMs >= windowMs) return 1
  const grown = (Math.max(floorMs, elapsedMs) / windowMs) ** (1 / aggression)
  return Math.min(1, Math.max(grown, minPercent / 100))
}
