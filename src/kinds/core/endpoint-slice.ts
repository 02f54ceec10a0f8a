// Kubernetes' EndpointSlice: the endpoints of a Service, some at a time (traffic spec 5.2).
import { z } from 'zod'
import { port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'

const schema = z.strictObject({
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()).max(100),
        conditions: z
          .looseObject({ ready: z.boolean().nullish(), serving: z.boolean().nullish(), terminating: z.boolean().nullish() })
          .nullish(),
        hostname: z.string().nullish(),
        nodeName: z.string().nullish(),
        zone: z.string().nullish(),
        targetRef: z.looseObject({ kind: z.string().optional(), name: z.string().optional(), namespace: z.string().optional() }).nullish(),
      }),
    )
    .nullable()
    .transform((list) => list ?? [])
    .default([]),
  ports: z
    .array(z.looseObject({ name: z.string().nullish(), port: port.nullish(), protocol: z.string().nullish(), appProtocol: z.string().nullish() }))
    .nullable()
    .transform((list) => list ?? [])
    .default([]),
})

export type EndpointSlice = z.infer<typeof schema>
export type EndpointSliceSpec = Frozen<EndpointSlice>

export const endpointSlice: Kind<EndpointSlice> = {
  kind: 'EndpointSlice',
  group: 'discovery.k8s.io',
  versions: ['v1', 'v1beta1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [],
  notServed: [],
}
