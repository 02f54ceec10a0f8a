// All series of one metric, by their label values. The number of series is bounded: values beyond it are counted together
// and shown as overflow, so that no client can fill the memory by inventing label values.
import { Counter, Gauge, Histogram } from './series.ts'

export interface FamilySpec {
  readonly name: string
  /** One sentence. */
  readonly help: string
  readonly labels: readonly string[]
  /** Series at most. A sidecar of a busy mesh has a few hundred; a histogram series costs about 2 KB of text to scrape. */
  readonly maxSeries?: number
}

export type AnySeries = Counter | Gauge | Histogram
export type FamilyType = 'counter' | 'gauge' | 'histogram'

export interface LabelledSeries<Series> {
  /** `reporter="source",response_code="200"`, escaped; empty without labels. */
  readonly labels: string
  readonly values: readonly string[]
  readonly series: Series
}

const defaultMaxSeries = 2_000

export class Family<Series extends AnySeries = AnySeries> {
  readonly spec: FamilySpec
  readonly type: FamilyType
  /** Takes what finds no place. */
  readonly overflow: Series
  readonly #create: () => Series
  readonly #series = new Map<string, LabelledSeries<Series>>()

  constructor(spec: FamilySpec, type: FamilyType, create: () => Series) {
    this.spec = spec
    this.type = type
    this.overflow = create()
    this.#create = create
  }

  get all(): Iterable<LabelledSeries<Series>> {
    return this.#series.values()
  }

  /** The series of these values, in the order of `spec.labels`. Keep it: finding it costs a text of all labels. */
  with(values: readonly string[]): Series {
    const labels = this.spec.labels.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',')
    const known = this.#series.get(labels)
    if (known !== undefined) return known.series
    if (this.#series.size >= (this.spec.maxSeries ?? defaultMaxSeries)) return this.overflow
    const series = this.#create()
    this.#series.set(labels, { labels, values, series })
    return series
  }

  /** Samples that found no place. */
  get overflowed(): number {
    const { overflow } = this
    if (overflow instanceof Histogram) return overflow.count
    return overflow.value
  }
}

/** As the text format of Prometheus asks for it. */
export function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value
}
