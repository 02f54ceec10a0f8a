// A workload's annotations as Istio has them: what of its traffic is captured (security spec 4.3). Every mistake is said with
// the annotation that it stands in.
import { Wrong } from '../../lib/settings.ts'
import type { CaptureSettings } from './capture-settings.ts'
import { captureFrom, captureSettingsTable } from './settings.ts'
import type { CaptureTable, NameServers } from './settings.ts'

/** Of the newer name of one the older is read too. */
const settingsByAnnotation: Readonly<Record<string, keyof CaptureTable>> = {
  'sidecar.istio.io/interceptionMode': 'interceptionMode',
  'traffic.sidecar.istio.io/includeInboundPorts': 'includeInboundPorts',
  'traffic.sidecar.istio.io/excludeInboundPorts': 'excludeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundPorts': 'includeOutboundPorts',
  'traffic.sidecar.istio.io/excludeOutboundPorts': 'excludeOutboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges': 'includeOutboundIpRanges',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': 'excludeOutboundIpRanges',
  'traffic.sidecar.istio.io/excludeInterfaces': 'excludeInterfaces',
  'traffic.sidecar.istio.io/kubevirtInterfaces': 'rerouteVirtualInterfaces',
  'istio.io/reroute-virtual-interfaces': 'rerouteVirtualInterfaces',
}

const statusPort = 'status.sidecar.istio.io/port'

export interface AnnotatedCapture {
  readonly settings: CaptureSettings
  readonly mistakes: readonly string[]
}

/** `defaults`: what is captured of workloads that say nothing. */
export function captureOfAnnotations(annotations: Readonly<Record<string, string>>, nameServers: NameServers, defaults: Partial<CaptureTable> = {}): AnnotatedCapture {
  const mistakes: string[] = []
  const table: Record<string, unknown> = { ...initials(), ...defaults }
  const names = new Map<keyof CaptureTable, string>()
  for (const [annotation, setting] of Object.entries(settingsByAnnotation)) {
    const given = annotations[annotation]
    if (given === undefined) continue
    names.set(setting, annotation)
    const value = captureSettingsTable[setting].parse(given)
    if (value instanceof Wrong) mistakes.push(`${annotation}: ${JSON.stringify(given)} is not ${value.expected}`)
    else table[setting] = setting === 'excludeInboundPorts' ? [...(value as readonly string[]), ...proxyPorts(annotations, mistakes)] : value
  }
  if (!names.has('excludeInboundPorts') && statusPort in annotations) table['excludeInboundPorts'] = proxyPorts(annotations, mistakes)
  return { settings: captureFrom(table as CaptureTable, nameServers, mistakes, (setting) => names.get(setting) ?? setting), mistakes }
}

const initials = (): CaptureTable => Object.fromEntries(Object.entries(captureSettingsTable).map(([name, { initial }]) => [name, initial])) as CaptureTable

/** Prometheus and probes ask the proxy itself, whatever the workload excludes. */
function proxyPorts(annotations: Readonly<Record<string, string>>, mistakes: string[]): readonly string[] {
  const status = annotations[statusPort] ?? '15020'
  if (/^\d{1,5}$/.test(status) && Number(status) <= 65_535) return ['15090', '15021', ...(status === '0' ? [] : [status])]
  mistakes.push(`${statusPort}: ${JSON.stringify(status)} is not a port such as 15020, or 0 for none`)
  return ['15090', '15021']
}
