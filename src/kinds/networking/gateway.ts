// Gateway: what a proxy at the edge listens on (traffic spec 1.4).
import { z } from 'zod'
import { labels } from '../fields/labels.ts'
import type { Frozen, Kind } from '../kind.ts'
import { gatewayRules } from './gateway-rules.ts'
import { serverTls } from './server-tls.ts'

const server = z.strictObject({
  port: z.strictObject({
    /** 0 with a unix domain socket only. */
    number: z.int().min(0).max(65535),
    name: z.string().min(1, 'must not be empty'),
    protocol: z.string().default(''),
    targetPort: z.int().optional(),
  }),
  bind: z.string().default(''),
  hosts: z.array(z.string()).min(1, 'must name at least one host'),
  tls: serverTls.optional(),
  name: z.string().default(''),
  defaultEndpoint: z.string().optional(),
})

const schema = z.strictObject({
  selector: labels.default({}),
  servers: z.array(server).min(1, 'must have at least one server'),
})

export type Gateway = z.infer<typeof schema>
export type GatewaySpec = Frozen<Gateway>
export type GatewayServer = z.infer<typeof server>

export const gateway: Kind<Gateway> = {
  kind: 'Gateway',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  namedByLabel: true,
  schema,
  rules: gatewayRules,
  notServed: [],
  neverServed: [
    { path: 'servers[].defaultEndpoint', severity: 'warning', message: 'is ignored, by Istio too: routes say where requests go' },
    { path: 'servers[].port.targetPort', severity: 'error', message: 'has no effect at a Gateway: the Service of the gateway maps ports; remove it' },
  ],
}
