// The metrics of one proxy: families in the order in which they were declared, and their two texts, for Prometheus and
// for the admin page.
import { Family } from './family.ts'
import type { AnySeries, FamilySpec } from './family.ts'
import { Counter, Gauge, Histogram, envoyBounds } from './series.ts'

export interface StatLine {
  readonly name: string
  readonly value: number
}

const overflowName = 'trysail_metrics_overflow_total'

export class Metrics {
  readonly #families: Family[] = []

  counter(spec: FamilySpec): Family<Counter> {
    return this.#add(new Family(spec, 'counter', () => new Counter()))
  }

  gauge(spec: FamilySpec): Family<Gauge> {
    return this.#add(new Family(spec, 'gauge', () => new Gauge()))
  }

  histogram(spec: FamilySpec, bounds: readonly number[] = envoyBounds): Family<Histogram> {
    return this.#add(new Family(spec, 'histogram', () => new Histogram(bounds)))
  }

  /** In the order in which they were declared. */
  get families(): Iterable<Family> {
    return this.#families
  }

  /** The text format 0.0.4. Families without a series are left out. */
  prometheus(): string {
    const lines: string[] = []
    for (const family of this.#families) addFamily(lines, family)
    addOverflow(lines, this.#families)
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`
  }

  /** As Envoy's /stats has it: label names and values become part of the name. */
  lines(): StatLine[] {
    return this.#families.flatMap((family) => [...family.all].flatMap(({ values, series }) => {
      const name = [family.spec.name, ...family.spec.labels.flatMap((label, i) => [label, values[i] ?? ''])].join('.')
      return series instanceof Histogram
        ? [{ name: `${name}.count`, value: series.count }, { name: `${name}.sum`, value: series.sum }]
        : [{ name, value: series.value }]
    }))
  }

  #add<Series extends AnySeries>(family: Family<Series>): Family<Series> {
    this.#families.push(family)
    return family
  }
}

function addFamily(lines: string[], { spec, type, all }: Family): void {
  let first = true
  for (const { labels, series } of all) {
    if (first) addHead(lines, spec.name, type, spec.help)
    first = false
    if (series instanceof Histogram) addHistogram(lines, spec.name, labels, series)
    else lines.push(`${spec.name}${labels === '' ? '' : `{${labels}}`} ${series.value}`)
  }
}

function addHead(lines: string[], name: string, type: string, help: string): void {
  lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`)
}

function addHistogram(lines: string[], name: string, labels: string, { bounds, counts, sum }: Histogram): void {
  const before = labels === '' ? '' : `${labels},`
  const after = labels === '' ? '' : `{${labels}}`
  let total = 0
  for (const [i, bound] of bounds.entries()) {
    total += counts[i]!
    lines.push(`${name}_bucket{${before}le="${bound}"} ${total}`)
  }
  total += counts[bounds.length]!
  lines.push(`${name}_bucket{${before}le="+Inf"} ${total}`, `${name}_sum${after} ${sum}`, `${name}_count${after} ${total}`)
}

function addOverflow(lines: string[], families: readonly Family[]): void {
  const full = families.filter(({ overflowed }) => overflowed > 0)
  if (full.length === 0) return
  addHead(lines, overflowName, 'counter', 'Samples without a series of their own: the metric has reached its limit of label values.')
  for (const { spec, overflowed } of full) lines.push(`${overflowName}{metric="${spec.name}"} ${overflowed}`)
}
