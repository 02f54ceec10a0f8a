// ServiceEntry: a service that no registry knows (traffic spec 1.5).
import { z } from 'zod'
import { ipOrCidr } from '../fields/host.ts'
import { exportToOrNone, labelSelector } from '../fields/labels.ts'
import { port, portOrNone } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'
import { serviceEntryRules } from './service-entry-rules.ts'
import { workloadEntrySchema } from './workload-entry.ts'

const servicePort = z.strictObject({
  number: port,
  name: z.string().min(1, 'must not be empty'),
  protocol: z.string().default(''),
  targetPort: portOrNone.optional(),
})

const schema = z.strictObject({
  hosts: z.array(z.string()).min(1, 'must name at least one host').max(256),
  addresses: z.array(ipOrCidr).max(256).default([]),
  ports: z.array(servicePort).max(256).default([]),
  location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).default('MESH_EXTERNAL'),
  resolution: z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']).default('NONE'),
  endpoints: z.array(workloadEntrySchema).max(4096).default([]),
  workloadSelector: labelSelector.optional(),
  exportTo: exportToOrNone.optional(),
  subjectAltNames: z.array(z.string()).default([]),
})

export type ServiceEntry = z.infer<typeof schema>
export type ServiceEntrySpec = Frozen<ServiceEntry>

export const serviceEntry: Kind<ServiceEntry> = {
  kind: 'ServiceEntry',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: serviceEntryRules,
  notServed: [],
}
