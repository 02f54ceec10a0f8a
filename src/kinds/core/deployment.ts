// Kubernetes' Deployment, of which the mesh reads as whom its Pods act: a tool asked about one whose Pods are not in the
// files can answer still.
import { z } from 'zod'
import type { Frozen, Kind } from '../kind.ts'

const schema = z.object({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }).nullish(),
      spec: z.looseObject({ serviceAccountName: z.string().nullish() }).nullish(),
    }),
  }),
})

export type Deployment = z.infer<typeof schema>
export type DeploymentSpec = Frozen<Deployment>

export const deployment: Kind<Deployment> = {
  kind: 'Deployment',
  group: 'apps',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [],
  notServed: [],
}
