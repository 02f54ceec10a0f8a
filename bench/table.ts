// Figures as a Markdown table: medians over the rounds, and the median of the ratios of each round.
import type { Measured, Sample } from './measure.ts'

export interface Summary {
  readonly name: string
  /** CPU a request as a multiple of the first contender's, round by round. */
  readonly ratio: number
  readonly cpuMicrosPerRequest: number
  readonly rps: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly idleRssBytes: number
  readonly rssBytes: number
  readonly errors: number
}

export function summarize(measured: readonly Measured[]): readonly Summary[] {
  const first = measured[0]!
  return measured.map((one) => {
    const { name, idleRssBytes, samples } = one
    const of = (field: keyof Sample): number => median(samples.map((sample) => sample[field]))
    return {
      name, idleRssBytes,
      ratio: ratioTo(one, first),
      cpuMicrosPerRequest: of('cpuMicrosPerRequest'), rps: of('rps'), p50: of('p50'), p90: of('p90'), p99: of('p99'), p999: of('p999'), rssBytes: of('rssBytes'),
      errors: samples.reduce((sum, { errors }) => sum + errors, 0),
    }
  })
}

/** CPU a request of one contender as a multiple of another's, or what else is compared, round by round. */
export function ratioTo(one: Measured, other: Measured, of: 'cpuMicrosPerRequest' | 'p999' = 'cpuMicrosPerRequest'): number {
  return median(one.samples.map((sample) => sample[of] / other.samples.find(({ round }) => round === sample.round)![of]))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function markdownTable(title: string, summaries: readonly Summary[]): string {
  const head = ['', 'CPU us/request', 'ratio', 'requests/s', 'p50 us', 'p99 us', 'p99.9 us', 'RSS MB idle / after', 'errors']
  const rows = summaries.map((one) => [
    one.name, one.cpuMicrosPerRequest.toFixed(1), one.ratio.toFixed(2), ...[one.rps, one.p50, one.p99, one.p999].map((value) => value.toFixed(0)),
    `${megabytes(one.idleRssBytes)} / ${megabytes(one.rssBytes)}`, `${one.errors}`,
  ])
  return [`### ${title}`, '', row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row), ''].join('\n')
}

/** Of a fixed rate: what a proxy takes for a thousand requests a second, and what it adds to the latency of `direct`. */
export function rateTable(summaries: readonly Summary[]): string {
  const direct = summaries.find(({ name }) => name === 'direct')
  if (direct === undefined) return ''
  const head = ['', 'vCPU per 1,000 rps', 'added p50 us', 'added p90 us', 'added p99 us']
  const rows = summaries.filter((one) => one !== direct).map((one) =>
    [one.name, (one.cpuMicrosPerRequest / 1000).toFixed(3), ...(['p50', 'p90', 'p99'] as const).map((part) => (one[part] - direct[part]).toFixed(0))])
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row), ''].join('\n')
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
