// Durations as Istio takes them: Go's notation (`1h30m`, `1.5s`, `20ms`), whole milliseconds. Parsed to milliseconds.
import { z } from 'zod'

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds, possibly with a fraction; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (text.length > 64 || !/^(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/.test(text)) {
    return undefined
  }
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * unitMs[unit!]!
  }
  // Sums of decimal fractions miss whole milliseconds by a hair; nanoseconds are the finest unit.
  return Math.round(total * 1e6) / 1e6
}

/** The shortest of Istio's own notation: `2s`, `1.5s`, `0s`. */
export function formatDuration(ms: number): string {
  return `${ms / 1000}s`
}

const durationFrom = (leastMs: number) =>
  z.string().transform((text, context) => {
    const ms = parseDuration(text)
    const wrong = ms === undefined ? 'must be a duration such as 1s, 500ms or 1m30s' : rangeProblem(ms, leastMs)
    if (ms !== undefined && wrong === undefined) return ms
    context.issues.push({ code: 'custom', message: `${wrong}, not ${JSON.stringify(text)}`, input: text })
    return z.NEVER
  })

function rangeProblem(ms: number, leastMs: number): string | undefined {
  if (ms < leastMs) return `must be a duration of at least ${leastMs} ms`
  if (!Number.isInteger(ms)) return 'must be a whole number of milliseconds'
  return ms > 315_576_000_000_000 ? 'must be a duration of at most 10000 years' : undefined
}

/** At least 1 ms. */
export const duration = durationFrom(1).meta({ type: 'duration' })

/** At least 1 ms, or `0s`, which turns the feature off. */
export const durationOrZero = durationFrom(0).meta({ type: 'duration, 0s = off' })
