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

const ingress = z.strictObject({
  port: sidecarPort,
  bind: z.string().default(''),
  captureMode,
  defaultEndpoint: z.string().default(''),
  tls: serverTls.optional(),
  connectionPool: connectionPool.optional(),
})

const egress = z.strictObject({
  port: sidecarPort.optional(),
  bind: z.string().default(''),
  captureMode,
  hosts: z.array(z.string()).min(1, 'must name at least one host'),
})

const outboundTrafficPolicy = z.strictObject({
  mode: z.enum(['REGISTRY_ONLY', 'ALLOW_ANY']).default('REGISTRY_ONLY'),
  egressProxy: destination.optional(),
})

const schema = z.strictObject({
  workloadSelector: labelSelector.optional(),
  ingress: z.array(ingress).default([]),
  egress: z.array(egress).default([]),
  inboundConnectionPool: connectionPool.optional(),
  outboundTrafficPolicy: outboundTrafficPolicy.optional(),
})

export type SidecarPort = z.infer<typeof sidecarPort>
export type SidecarIngress = z.infer<typeof ingress>
export type SidecarEgress = z.infer<typeof egress>
export type OutboundTrafficPolicy = z.infer<typeof outboundTrafficPolicy>
export type Sidecar = z.infer<typeof schema>
export type SidecarSpec = Frozen<Sidecar>

const noTargetPort = 'has no effect at a Sidecar: use defaultEndpoint for where connections go; remove it'

export const sidecar: Kind<Sidecar> = {
  kind: 'Sidecar',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: sidecarRules,
  notServed: [
  ],
  neverServed: [
    { path: 'ingress[].port.targetPort', severity: 'error', message: noTargetPort },
    { path: 'egress[].port.targetPort', severity: 'error', message: noTargetPort },
    { path: 'ingress[].tls.subjectAltNames', severity: 'error', message: 'is not supported at a Sidecar: remove it' },
    { path: 'ingress[].tls.httpsRedirect', severity: 'error', message: 'is not supported at a Sidecar: remove it' },
    { path: 'ingress[].tls.credentialName', severity: 'error', message: 'is not supported at a Sidecar: give serverCertificate and privateKey' },
  ],
}
