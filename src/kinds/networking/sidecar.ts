// Sidecar: what the proxies of a namespace, or of some workloads, see and serve (traffic spec 1.6).
import { z } from 'zod'
import { labelSelector } from '../fields/labels.ts'
import type { Frozen, Kind } from '../kind.ts'
import { destination } from './destination.ts'
import { serverTls } from './server-tls.ts'
import { sidecarRules } from './sidecar-rules.ts'
import { connectionPool } from './traffic-policy.ts'

const sidecarPort = z.strictObject({
  number: z.int().min(0).max(65535),
  protocol: z.string().default(''),
  name: z.string().default(''),
  targetPort: z.int().optional(),
})

const captureMode = z.enum(['DEFAULT', 'IPTABLES', 'NONE']).default('DEFAULT')

const schema = z.strictObject({
  workloadSelector: labelSelector.optional(),
  ingress: z
    .array(
      z.strictObject({
        port: sidecarPort,
        bind: z.string().default(''),
        captureMode,
        defaultEndpoint: z.string().default(''),
        tls: serverTls.optional(),
        connectionPool: connectionPool.optional(),
      }),
    )
    .default([]),
  egress: z
    .array(
      z.strictObject({
        port: sidecarPort.optional(),
        bind: z.string().default(''),
        captureMode,
        hosts: z.array(z.string()).min(1, 'must name at least one host'),
      }),
    )
    .default([]),
  inboundConnectionPool: connectionPool.optional(),
  outboundTrafficPolicy: z
    .strictObject({
      mode: z.enum(['REGISTRY_ONLY', 'ALLOW_ANY']).default('REGISTRY_ONLY'),
      egressProxy: destination.optional(),
    })
    .optional(),
})

export type Sidecar = z.infer<typeof schema>
export type SidecarSpec = Frozen<Sidecar>

export const sidecar: Kind<Sidecar> = {
  kind: 'Sidecar',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: sidecarRules,
  notServed: [
    { path: 'ingress' },
    { path: 'inboundConnectionPool' },
    { path: 'egress[].port' },
    { path: 'egress[].bind' },
    { path: 'egress[].captureMode', values: ['NONE'] },
    { path: 'outboundTrafficPolicy.egressProxy' },
  ],
}
