// Counters under Envoy's names, `cluster.NAME.upstream_rq_total`, as Prometheus reads them from an Envoy with Istio's
// bootstrap: what is a label there leaves the name. Which of them are shown is a small list, as with Istio.
import { escapeLabel } from '../../telemetry/metrics/family.ts'
import type { StatLine } from '../../telemetry/metrics/registry.ts'

/** ProxyConfig.proxyStatsMatcher: what is shown to Prometheus besides Istio's own metrics. */
export interface StatsMatcher {
  readonly prefixes: readonly string[]
  readonly suffixes: readonly string[]
}

/** Istio's defaults (security spec 3.1). */
export const defaultStatsMatcher: StatsMatcher = {
  prefixes: ['cluster_manager', 'listener_manager', 'server', 'cluster.xds-grpc', 'wasm', 'istio'],
  suffixes: ['rbac.allowed', 'rbac.denied', 'shadow_allowed', 'shadow_denied'],
}

function matchesStat({ prefixes, suffixes }: StatsMatcher, name: string): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix)) || suffixes.some((suffix) => name.endsWith(suffix))
}

/** Gauges by name; every other stat only grows. */
const gauge = /(?:_active|_open|membership_[a-z]+|\.live|\.uptime|\.state|memory_[a-z]+)$/

export const isGauge = (name: string): boolean => gauge.test(name)

/** The text format 0.0.4; empty for no lines. */
export function prometheusOf(lines: readonly StatLine[], matcher: StatsMatcher = defaultStatsMatcher): string {
  const families = new Map<string, string[]>()
  for (const { name, value } of lines) {
    if (!matchesStat(matcher, name)) continue
    const { family, labels } = mangle(name)
    const samples = families.get(family) ?? [`# TYPE ${family} ${isGauge(name) ? 'gauge' : 'counter'}`]
    samples.push(`${family}${labels.length === 0 ? '' : `{${labels.map(([label, text]) => `${label}="${escapeLabel(text)}"`).join(',')}}`} ${value}`)
    families.set(family, samples)
  }
  return [...families.values()].map((samples) => `${samples.join('\n')}\n`).join('')
}

interface Mangled {
  readonly family: string
  readonly labels: readonly (readonly [string, string])[]
}

/** `cluster.NAME.outlier_detection.ejections_active`; names have dots too. */
const ofCluster = /^cluster\.(.+?)\.((?:outlier_detection\.)?[^.]+)$/s

function mangle(name: string): Mangled {
  const labels: [string, string][] = []
  const cluster = ofCluster.exec(name)
  let rest = name
  if (cluster !== null) {
    rest = `cluster.${cluster[2]!}`
    const code = /_rq_(\dxx)$/.exec(rest)
    if (code !== null) {
      rest = rest.slice(0, -code[1]!.length - 1)
      labels.push(['response_code_class', code[1]!])
    }
    labels.push(['cluster_name', cluster[1]!])
  }
  return { family: `envoy_${rest.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`, labels }
}

/** Clusters that never carried anything say nothing: a mesh has thousands of them in every proxy. */
export function withTraffic(lines: readonly StatLine[]): StatLine[] {
  const used = new Set(lines.filter(({ name, value }) => value !== 0 && /\.upstream_[a-z_0-9]+$/.test(name)).map(({ name }) => clusterPart(name)))
  return lines.filter(({ name }) => !name.startsWith('cluster.') || used.has(clusterPart(name)))
}

/** Of every line of every cluster: no pattern. */
function clusterPart(name: string): string {
  const end = name.lastIndexOf('.')
  return name.endsWith(outlierGroup, end) ? name.slice(0, end - outlierGroup.length) : name.slice(0, end)
}

const outlierGroup = '.outlier_detection'
