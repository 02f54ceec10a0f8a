// Kubernetes' Pod: what the mesh reads of it. The rest, most of it, is the cluster's business.
import { z } from 'zod'
import { port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'

const container = z.looseObject({
  name: z.string().optional(),
  ports: z
    .array(z.looseObject({ name: z.string().default(''), containerPort: port, protocol: z.string().default('TCP') }))
    .nullish(),
})

const schema = z.object({
  spec: z.looseObject({
    serviceAccountName: z.string().nullish(),
    nodeName: z.string().nullish(),
    hostname: z.string().nullish(),
    subdomain: z.string().nullish(),
    hostNetwork: z.boolean().nullish(),
    containers: z.array(container).default([]),
    initContainers: z.array(container).nullish(),
  }),
  status: z
    .looseObject({
      phase: z.string().nullish(),
      podIP: z.string().nullish(),
      podIPs: z.array(z.looseObject({ ip: z.string().optional() })).nullish(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
})

export type Pod = z.infer<typeof schema>
export type PodSpec = Frozen<Pod>

export const pod: Kind<Pod> = {
  kind: 'Pod',
  group: '',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [],
  notServed: [],
}
