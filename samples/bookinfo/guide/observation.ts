// What a step expected beside what it observed, and the arithmetic of chance.

export interface Observation {
  readonly what: string
  readonly expected: string
  readonly observed: string
  readonly ok: boolean
}

export const equal = (what: string, expected: string | number, observed: string | number): Observation => ({
  what, expected: String(expected), observed: String(observed), ok: expected === observed,
})

export const within = (what: string, low: number, high: number, value: number, unit: string): Observation => ({
  what, expected: `${low} to ${high} ${unit}`, observed: `${Math.round(value)} ${unit}`, ok: value >= low && value <= high,
})

export const below = (what: string, limit: number, value: number, unit: string): Observation => ({
  what, expected: `< ${limit} ${unit}`, observed: `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`, ok: value < limit,
})

/**
 * A share of `count` draws. The bound is 4.5 standard deviations: a true coin fails it once in 150,000 tours.
 */
export function share(what: string, expectedShare: number, hits: number, count: number): Observation {
  const bound = 4.5 * Math.sqrt((expectedShare * (1 - expectedShare)) / count)
  const percent = (value: number): string => `${(100 * value).toFixed(value * 100 >= 99.95 || value === 0 ? 0 : 1)} %`
  return {
    what: `${what} of ${count} requests`,
    expected: `${percent(expectedShare)} ± ${(100 * bound).toFixed(1)}`,
    observed: percent(hits / count),
    ok: Math.abs(hits / count - expectedShare) <= bound,
  }
}

/** `v1 × 20, v2 × 3`. */
export function tally(values: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([value, count]) => `${value} × ${count}`).join(', ') || 'none'
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
