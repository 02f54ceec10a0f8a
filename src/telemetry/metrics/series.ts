// One time series each: a plain object that the hot path holds and adds to. Names, labels and texts are left to Family.

export class Counter {
  value = 0

  add(amount: number): void {
    this.value += amount
  }
}

export class Gauge {
  value = 0

  set(value: number): void {
    this.value = value
  }
}

export class Histogram {
  /** Ascending upper bounds. */
  readonly bounds: readonly number[]
  /** How many fell into each bucket, not cumulated; the last is beyond every bound. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  record(value: number): void {
    const { bounds } = this
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    this.counts[i]!++
    this.sum += value
  }

  get count(): number {
    let sum = 0
    for (const one of this.counts) sum += one
    return sum
  }
}

/** Envoy's default bounds, which Istio uses for milliseconds and for bytes alike. */
export const envoyBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
]
