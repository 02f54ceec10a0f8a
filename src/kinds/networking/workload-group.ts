// WorkloadGroup: what workloads that come and go have in common (traffic spec 1.8). It describes the WorkloadEntries that proxies
// of such workloads have made for them when they connect; control/registration makes them.
import { z } from 'zod'
import { labels } from '../fields/labels.ts'
import { count, port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'
import { workloadEntrySchema } from './workload-entry.ts'
import { workloadGroupRules } from './workload-group-rules.ts'

/** Also that of a ProxyConfig. */
export const readinessProbe = z.strictObject({
  initialDelaySeconds: count.default(0),
  timeoutSeconds: count.default(0).meta({ type: 'int, 0 = 1' }),
  periodSeconds: count.default(0).meta({ type: 'int, 0 = 10' }),
  successThreshold: count.default(0).meta({ type: 'int, 0 = 1' }),
  failureThreshold: count.default(0).meta({ type: 'int, 0 = 3' }),
  httpGet: z
    .strictObject({
      path: z.string().default('/'),
      port,
      host: z.string().default(''),
      scheme: z.enum(['', 'HTTP', 'HTTPS']).default(''),
      httpHeaders: z.array(z.strictObject({ name: z.string().default(''), value: z.string().default('') })).default([]),
    })
    .optional(),
  tcpSocket: z.strictObject({ host: z.string().default(''), port }).optional(),
  exec: z.strictObject({ command: z.array(z.string()).default([]) }).optional(),
  grpc: z.unknown().optional(),
})

const schema = z.strictObject({
  metadata: z.strictObject({ labels: labels.default({}), annotations: z.record(z.string(), z.string()).default({}) }).prefault({}),
  template: workloadEntrySchema,
  probe: readinessProbe.optional(),
})

export type WorkloadGroup = z.infer<typeof schema>
export type WorkloadGroupSpec = Frozen<WorkloadGroup>

export const workloadGroup: Kind<WorkloadGroup> = {
  kind: 'WorkloadGroup',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: workloadGroupRules,
  notServed: [],
  neverServed: [
    { path: 'template.address', severity: 'warning', message: 'is ignored, by Istio too: every workload registers with its own address' },
    { path: 'probe.grpc', severity: 'error', message: 'Istio refuses it too: write httpGet, tcpSocket or exec' },
  ],
}
