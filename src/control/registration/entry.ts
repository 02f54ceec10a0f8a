// The WorkloadEntry of a workload that registers itself: what its WorkloadGroup says of all of them, and what its proxy says of
// this one (traffic spec 1.8). Pure; who may register, and for how long, is registrations.ts's business.
import { compileKind } from '../../kinds/check.ts'
import type { Kind } from '../../kinds/kind.ts'
import { workloadEntry } from '../../kinds/networking/workload-entry.ts'
import type { WorkloadEntrySpec } from '../../kinds/networking/workload-entry.ts'
import type { WorkloadGroupSpec } from '../../kinds/networking/workload-group.ts'
import type { Resource } from '../../model/resource.ts'
import type { Locality } from '../../model/service.ts'

/** What a proxy brings of its own. */
export interface Registrant {
  readonly namespace: string
  /** Name of the WorkloadGroup. */
  readonly group: string
  readonly address: string
  /** As its certificate proves it. */
  readonly serviceAccount: string
  readonly labels: Readonly<Record<string, string>>
  readonly locality: Locality
  readonly network: string
}

/** What its proxy said last of the application: undefined, when it never did. */
export type Health = 'healthy' | 'unhealthy' | undefined

export type WorkloadGroup = Resource<WorkloadGroupSpec>
export type WorkloadEntry = Resource<WorkloadEntrySpec>

/** Istio's; names in Kubernetes are no longer. */
const maxNameLength = 253

const checkEntry = compileKind(workloadEntry as unknown as Kind) // its spec's type is in the result below

export function entryName({ group, address, network }: Pick<Registrant, 'group' | 'address' | 'network'>): string {
  return `${group}-${address.replaceAll(':', '-')}${network === '' ? '' : `-${network}`}`.slice(-maxNameLength)
}

/** Why the group does not take it; undefined: it does. */
export function refusal({ spec: { template } }: WorkloadGroup, { serviceAccount }: Registrant): string | undefined {
  if (template.serviceAccount === '' || template.serviceAccount === serviceAccount) return undefined
  return `its workloads are of the service account ${template.serviceAccount}, and the certificate says ${serviceAccount}`
}

/** The entry, or what is wrong with it. */
export function entryOf(group: WorkloadGroup, registrant: Registrant, health: Health): WorkloadEntry | string {
  const { metadata: { labels, annotations }, template, probe } = group.spec
  const { region, zone, subzone } = registrant.locality
  const raw = {
    apiVersion: group.apiVersion,
    kind: 'WorkloadEntry',
    metadata: {
      name: entryName(registrant), namespace: registrant.namespace,
      annotations: { ...annotations, 'istio.io/autoRegistrationGroup': registrant.group, ...(probe === undefined ? {} : { 'proxy.istio.io/health-checks-enabled': 'true' }) },
    },
    spec: {
      ...template,
      address: registrant.address,
      labels: { ...template.labels, ...labels, ...registrant.labels },
      locality: [region, zone, subzone].filter((part) => part !== '').join('/') || template.locality,
      network: registrant.network || template.network,
      // It has been shown: so clients expect this identity, and nobody else's.
      serviceAccount: registrant.serviceAccount,
    },
    ...(health === undefined ? {} : { status: { conditions: [{ type: 'Healthy', status: health === 'healthy' ? 'True' : 'False' }] } }),
  }
  const { resource, issues } = checkEntry(raw, () => group.origin)
  return resource === undefined ? issues.filter(({ severity }) => severity === 'error').map(({ path, message }) => `${path.join('.')} ${message}`).join('; ') : resource as WorkloadEntry
}
