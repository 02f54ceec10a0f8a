// WorkloadEntry: a workload that no registry knows (traffic spec 1.7). Also the endpoints listed in a ServiceEntry.
import { z } from 'zod'
import { labels } from '../fields/labels.ts'
import { count, port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'
import { workloadEntryRules } from './workload-entry-rules.ts'

export const workloadEntrySchema = z.strictObject({
  address: z.string().default(''),
  ports: z.record(z.string().min(1), port).default({}),
  labels: labels.default({}),
  network: z.string().default(''),
  locality: z.string().default(''),
  weight: count.default(0).meta({ type: 'int, 0 = 1' }),
  serviceAccount: z.string().default(''),
})

export type WorkloadEntry = z.infer<typeof workloadEntrySchema>
export type WorkloadEntrySpec = Frozen<WorkloadEntry>

export const workloadEntry: Kind<WorkloadEntry> = {
  kind: 'WorkloadEntry',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema: workloadEntrySchema,
  rules: workloadEntryRules,
  notServed: [],
}
