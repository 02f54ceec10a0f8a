// Kubernetes' older Endpoints: used where a Service has no EndpointSlice.
import { z } from 'zod'
import { port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'

const addresses = z
  .array(
    z.looseObject({
      ip: z.string(),
      hostname: z.string().nullish(),
      nodeName: z.string().nullish(),
      targetRef: z.looseObject({ kind: z.string().optional(), name: z.string().optional(), namespace: z.string().optional() }).nullish(),
    }),
  )
  .default([])

const schema = z.strictObject({
  subsets: z
    .array(
      z.strictObject({
        addresses,
        notReadyAddresses: addresses,
        ports: z
          .array(z.looseObject({ name: z.string().default(''), port, protocol: z.string().default('TCP') }))
          .default([]),
      }),
    )
    .default([]),
})

export type Endpoints = z.infer<typeof schema>
export type EndpointsSpec = Frozen<Endpoints>

export const endpoints: Kind<Endpoints> = {
  kind: 'Endpoints',
  group: '',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [],
  notServed: [],
}
