// ServiceEntries as services of the mesh: one for each host and namespace, however many entries name it (traffic spec 1.5,
// 5.3). Who is behind them is endpoints.ts's business.
import type { ServiceEntrySpec } from '../../kinds/networking/service-entry.ts'
import { isIP } from '../../kinds/fields/host.ts'
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import type { Resolution, Service, ServicePort } from '../../model/service.ts'
import type { SourceIssue } from '../source.ts'
import { undated } from './kubernetes-services.ts'
import { protocolNamed } from './protocol.ts'

export type ServiceEntry = Resource<ServiceEntrySpec>

/** All entries of a namespace that name a host, the oldest first: it says what the service is. */
export interface EntryHost {
  readonly hostname: string
  readonly namespace: string
  readonly entries: readonly ServiceEntry[]
}

const resolutions: Readonly<Record<ServiceEntrySpec['resolution'], Resolution>> = {
  NONE: 'passthrough', STATIC: 'client-side', DNS: 'dns', DNS_ROUND_ROBIN: 'dns-round-robin', DYNAMIC_DNS: 'dynamic-dns',
}

/**
 * Groups entries by host and namespace. A host that a Kubernetes Service of the namespace has already is left to that;
 * an entry that disagrees with an older one about how endpoints are found is left out for that host. Both are said.
 */
export function entryHosts(entries: readonly ServiceEntry[], isKubernetes: (key: string) => boolean): { hosts: readonly EntryHost[]; issues: readonly SourceIssue[] } {
  const groups = new Map<string, { hostname: string; namespace: string; entries: ServiceEntry[] }>()
  const issues: SourceIssue[] = []
  for (const entry of entries.toSorted(byAge)) {
    const { namespace } = entry.metadata
    for (const [index, written] of entry.spec.hosts.entries()) {
      const hostname = written.toLowerCase().replace(/\.$/, '')
      const key = `${namespace}/${hostname}`
      if (isKubernetes(key)) {
        issues.push(leftOut(entry, index, `${written} is a Kubernetes Service: this ServiceEntry has no effect on it; remove the host or the Service`))
        continue
      }
      const group = groups.get(key)
      const first = group?.entries[0]
      if (first === entry) continue
      if (first !== undefined && first.spec.resolution !== entry.spec.resolution) {
        issues.push(leftOut(entry, index, disagrees(written, first, entry)))
      } else if (group === undefined) {
        groups.set(key, { hostname, namespace, entries: [entry] })
      } else {
        group.entries.push(entry)
      }
    }
  }
  return { hosts: [...groups.values()], issues }
}

const byAge = (one: ServiceEntry, other: ServiceEntry): number =>
  (one.metadata.creationTimestamp ?? undated) - (other.metadata.creationTimestamp ?? undated)

function disagrees(host: string, first: ServiceEntry, entry: ServiceEntry): string {
  const { file, line } = first.origin
  return `${host} has resolution ${first.spec.resolution} in the older ServiceEntry ${first.metadata.name} (${file}:${line}): this one, with ${entry.spec.resolution}, has no effect on it`
}

function leftOut(entry: ServiceEntry, index: number, message: string): SourceIssue {
  const path = ['spec', 'hosts', index]
  const resource = resourceKey('ServiceEntry', entry.metadata.namespace, entry.metadata.name)
  return { severity: 'warning', message, path, origin: entry.locate(path), resource }
}

/** Istio's rule: not for wildcards, unless names below are looked up when a request names them; not where the destination stays what it was, not where addresses are written. */
export function entryNeedsAddress({ hostname, entries }: EntryHost): boolean {
  const { spec, metadata } = entries[0]!
  if ((hostname.includes('*') && spec.resolution !== 'DYNAMIC_DNS') || isIP(hostname) || spec.resolution === 'NONE') return false
  return metadata.labels['networking.istio.io/enable-autoallocate-ip'] !== 'false' && givenAddresses(entries[0]!, hostname).length === 0
}

/** Of the spec, or those that a controller wrote into the status. */
function givenAddresses({ spec, status }: ServiceEntry, hostname: string): readonly string[] {
  if (spec.addresses.length > 0) return spec.addresses
  const list = (status as { readonly addresses?: unknown } | undefined)?.addresses
  const all = Array.isArray(list) ? (list as readonly { readonly value?: unknown; readonly host?: unknown }[]) : []
  return all.flatMap((one) => (typeof one?.value === 'string' && isIP(one.value) && (one.host === hostname || one.host === undefined) ? [one.value] : []))
}

export function entryService({ hostname, namespace, entries }: EntryHost, allocated: string | undefined): Service {
  const first = entries[0]!
  const { spec, metadata } = first
  const given = [...new Set(entries.flatMap((entry) => givenAddresses(entry, hostname)))]
  return Object.freeze<Service>({
    hostname,
    name: metadata.name,
    namespace,
    registry: 'External',
    addresses: given.length > 0 || allocated === undefined ? given : [allocated],
    ...(given.length === 0 && allocated !== undefined && { autoAllocated: true }),
    ports: entryPorts(entries),
    resolution: resolutions[spec.resolution],
    meshExternal: spec.location === 'MESH_EXTERNAL',
    exportTo: spec.exportTo ?? [],
    labels: metadata.labels,
    annotations: metadata.annotations,
    selector: spec.workloadSelector === undefined || Object.keys(spec.workloadSelector.labels).length === 0 ? undefined : spec.workloadSelector.labels,
    aliasOf: undefined,
    subjectAltNames: [...new Set(entries.flatMap((entry) => entry.spec.subjectAltNames))],
    creationTimestamp: metadata.creationTimestamp ?? undated,
    origin: first.origin,
  })
}

/** Of all entries; where two have the same number, the older one names it. */
function entryPorts(entries: readonly ServiceEntry[]): readonly ServicePort[] {
  const ports = new Map<number, ServicePort>()
  for (const { spec } of entries) {
    for (const { number, name, protocol, targetPort } of spec.ports) {
      if (!ports.has(number)) ports.set(number, { name, number, protocol: protocolNamed(protocol), targetPort: targetPort ?? number })
    }
  }
  return [...ports.values()]
}
