// How long to wait before the next try: doubling up to a ceiling, and jittered, so that many who failed together do not
// come back together.

export interface Backoff {
  /** For the try after the one that just failed. */
  next(): number
  /** A try succeeded. */
  reset(): void
}

export interface BackoffLimits {
  readonly firstMs: number
  readonly maxMs: number
  readonly random?: () => number
}

/** Between a half and the whole of the step: never at once, never later than the ceiling. */
export function createBackoff({ firstMs, maxMs, random = Math.random }: BackoffLimits): Backoff {
  let failures = 0
  return {
    next() {
      const step = Math.min(maxMs, firstMs * 2 ** Math.min(failures++, 30))
      return step * (0.5 + random() / 2)
    },
    reset() {
      failures = 0
    },
  }
}
