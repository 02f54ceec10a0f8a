// One running instance: a Pod, a local Process, a WorkloadEntry. Services select workloads by label.
import type { Locality } from './service.ts'
import type { Origin } from './resource.ts'

export interface WorkloadPort {
  readonly name: string
  /** The port as services and policies know it (containerPort). */
  readonly containerPort: number
  /** Where that port is reached on this machine, when that differs: its sidecar's inbound port on a laptop. */
  readonly hostPort: number | undefined
}

export interface Workload {
  readonly kind: 'Pod' | 'Process' | 'WorkloadEntry'
  readonly name: string
  readonly namespace: string
  /** All its addresses, the first one preferred. */
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly ports: readonly WorkloadPort[]
  readonly node: string
  readonly locality: Locality
  readonly network: string
  readonly weight: number
  /** Ready to take traffic. */
  readonly ready: boolean
  /** Its proxy takes mutual TLS. */
  readonly mutualTls: boolean
  /** Its name below a headless service of the name `subdomain`, as a Pod's spec says. */
  readonly hostname?: string
  readonly subdomain?: string
  /** What owns it, for metric labels: the Deployment of a Pod, or its own name. */
  readonly workloadName: string
  readonly origin: Origin
}
