// The metrics of one thread as plain data, and those of several as one: counters and histograms add up, a gauge is as high as
// the highest.
import type { FamilyType } from './family.ts'
import { Metrics } from './registry.ts'
import { Gauge, Histogram } from './series.ts'

export interface SeriesSnapshot {
  readonly values: readonly string[]
  /** Of a histogram: its sum. */
  readonly value: number
  /** Of a histogram, not cumulated. */
  readonly counts: Float64Array | undefined
}

export interface FamilySnapshot {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly maxSeries: number | undefined
  readonly type: FamilyType
  /** Of a histogram. */
  readonly bounds: readonly number[]
  readonly series: readonly SeriesSnapshot[]
  /** What found no place. */
  readonly overflow: SeriesSnapshot
}

export function snapshotOf(metrics: Metrics): FamilySnapshot[] {
  return [...metrics.families].map(({ spec, type, overflow, all }) => ({
    name: spec.name, help: spec.help, labels: spec.labels, maxSeries: spec.maxSeries, type,
    bounds: overflow instanceof Histogram ? overflow.bounds : [],
    series: [...all].map(({ values, series }) => seriesOf(values, series)),
    overflow: seriesOf([], overflow),
  }))
}

function seriesOf(values: readonly string[], series: { readonly value: number } | Histogram): SeriesSnapshot {
  return series instanceof Histogram ? { values, value: series.sum, counts: series.counts } : { values, value: series.value, counts: undefined }
}

export function mergedMetrics(threads: readonly (readonly FamilySnapshot[])[]): Metrics {
  const merged = new Metrics()
  for (const family of threads[0] ?? []) {
    const into = declare(merged, family)
    for (const other of threads.flatMap((one) => one.find(({ name }) => name === family.name) ?? [])) {
      for (const { values, value, counts } of other.series) add(into.with(values), value, counts)
      add(into.overflow, other.overflow.value, other.overflow.counts)
    }
  }
  return merged
}

function declare(metrics: Metrics, { name, help, labels, maxSeries, type, bounds }: FamilySnapshot) {
  const spec = { name, help, labels, ...(maxSeries === undefined ? {} : { maxSeries }) }
  if (type === 'histogram') return metrics.histogram(spec, bounds)
  return type === 'gauge' ? metrics.gauge(spec) : metrics.counter(spec)
}

function add(series: { value: number } | Histogram, value: number, counts: Float64Array | undefined): void {
  if (series instanceof Histogram) {
    series.sum += value
    for (let i = 0; i < series.counts.length; i++) series.counts[i]! += counts?.[i] ?? 0
  } else if (series instanceof Gauge) series.value = Math.max(series.value, value)
  else series.value += value
}
