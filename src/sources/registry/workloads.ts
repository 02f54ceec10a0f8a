// Pods, Processes and WorkloadEntries as workloads. Each is made once: the same resource in the same surroundings gives
// the same object.
import type { PodSpec } from '../../kinds/core/pod.ts'
import type { WorkloadEntrySpec } from '../../kinds/networking/workload-entry.ts'
import type { ProcessSpec } from '../../kinds/trysail/process.ts'
import type { Resource } from '../../model/resource.ts'
import type { Workload, WorkloadPort } from '../../model/workload.ts'
import { localityOf, networkOf, parseLocality } from './locality.ts'
import { processV6 } from './second-family.ts'

type Labels = Readonly<Record<string, string>>

const tlsModeLabel = 'security.istio.io/tlsMode'
const hasMutualTls = (labels: Labels): boolean => labels[tlsModeLabel] === 'istio'

/** The Pod as a workload; undefined for one that has ended or was asked to. */
export function podWorkload(pod: Resource<PodSpec>, nodeLabels: Labels | undefined, meshNetwork: string): Workload | undefined {
  const { metadata, spec: { spec, status } } = pod
  if (metadata.deleting === true || status?.phase === 'Failed' || status?.phase === 'Succeeded') return undefined
  const { labels, annotations, name, namespace } = metadata
  return Object.freeze<Workload>({
    kind: 'Pod', name, namespace, labels, annotations,
    addresses: podAddresses(pod.spec),
    serviceAccount: spec.serviceAccountName || 'default',
    ports: podPorts(pod.spec),
    node: spec.nodeName ?? '',
    locality: localityOf(labels, nodeLabels),
    network: networkOf(labels, meshNetwork),
    weight: 1,
    ready: podReady(pod.spec),
    mutualTls: hasMutualTls(labels),
    workloadName: podOwner(pod),
    ...(spec.hostname && spec.subdomain && { hostname: spec.hostname.toLowerCase(), subdomain: spec.subdomain.toLowerCase() }),
    origin: pod.origin,
  })
}

function podAddresses({ status }: PodSpec): readonly string[] {
  const all = [status?.podIP ?? '', ...(status?.podIPs ?? []).map((one) => one.ip ?? '')]
  return [...new Set(all.filter((one) => one !== ''))]
}

function podPorts({ spec }: PodSpec): readonly WorkloadPort[] {
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap((container) =>
    (container.ports ?? []).map(({ name, containerPort }) => ({ name, containerPort, hostPort: undefined })),
  )
}

/** As its condition says. A Pod written by hand, without conditions, is taken at its word. */
function podReady({ status }: PodSpec): boolean {
  const ready = status?.conditions?.find((one) => one.type === 'Ready')
  if (ready !== undefined) return ready.status === 'True'
  return (status?.conditions ?? []).length === 0 && status?.phase !== 'Pending'
}

/** The Deployment behind the ReplicaSet, the CronJob behind the Job, or the owner itself. */
function podOwner({ metadata: { name, labels, owner } }: Resource<PodSpec>): string {
  if (owner === undefined) return name
  const suffix = `-${labels['pod-template-hash'] ?? ''}`
  if (owner.kind === 'ReplicaSet' && suffix !== '-' && owner.name.endsWith(suffix)) return owner.name.slice(0, -suffix.length)
  if (owner.kind === 'Job') return owner.name.replace(/-\d{8,10}$/, '')
  return owner.kind === 'Node' ? name : owner.name
}

/**
 * `address` is the one that it would have as a Pod. Without a proxy of its own it is reached where it listens. `dualStack`: it has
 * one of IPv6 too.
 */
export function processWorkload(process: Resource<ProcessSpec>, address: string, ready: boolean, meshNetwork: string, dualStack: boolean): Workload {
  const { metadata: { name, namespace, labels, annotations }, spec } = process
  const first = spec.proxyType === 'none' ? spec.address : address
  return Object.freeze<Workload>({
    kind: 'Process', name, namespace, labels, annotations,
    addresses: dualStack ? [first, processV6(first)] : [first],
    serviceAccount: spec.serviceAccount,
    ports: spec.ports.map((port) => ({ name: port.name, containerPort: port.containerPort, hostPort: port.hostPort })),
    node: '',
    locality: localityOf(labels, undefined),
    network: networkOf(labels, meshNetwork),
    weight: 1,
    ready,
    mutualTls: spec.proxyType === 'sidecar',
    workloadName: name,
    origin: process.origin,
  })
}

export function entryWorkload(entry: Resource<WorkloadEntrySpec>, meshNetwork: string): Workload {
  const { metadata: { name, namespace, annotations }, spec } = entry
  const labels = { ...spec.labels, ...entry.metadata.labels }
  return Object.freeze<Workload>({
    kind: 'WorkloadEntry', name, namespace, labels, annotations,
    ...ofEntry(spec, labels, meshNetwork),
    ready: entryReady(entry),
    workloadName: name,
    origin: entry.origin,
  })
}

/** What a WorkloadEntry says, whether it stands alone or in a ServiceEntry. */
export function ofEntry(spec: WorkloadEntrySpec, labels: Labels, meshNetwork: string) {
  return {
    addresses: spec.address === '' ? [] : [spec.address],
    serviceAccount: spec.serviceAccount,
    ports: Object.entries(spec.ports).map(([name, containerPort]): WorkloadPort => ({ name, containerPort, hostPort: undefined })),
    node: '',
    locality: spec.locality === '' ? localityOf(labels, undefined) : parseLocality(spec.locality),
    network: spec.network === '' ? networkOf(labels, meshNetwork) : spec.network,
    weight: Math.max(1, spec.weight),
    mutualTls: hasMutualTls(labels) || spec.serviceAccount !== '',
  } as const
}

/** Healthy unless its status says otherwise; with a probe, only once its status says so. */
function entryReady({ metadata, status }: Resource<WorkloadEntrySpec>): boolean {
  const conditions = (status as { readonly conditions?: unknown } | undefined)?.conditions
  const list = Array.isArray(conditions) ? (conditions as readonly { readonly type?: unknown; readonly status?: unknown }[]) : []
  const healthy = list.find((one) => one?.type === 'Healthy')
  if (healthy !== undefined) return healthy.status === 'True'
  return metadata.annotations['proxy.istio.io/health-checks-enabled'] !== 'true'
}

