// VirtualService: routes for the traffic to hosts (traffic spec 1.2). The rules are in virtual-service-rules.ts.
import { z } from 'zod'
import { dnsLabel, ipOrCidr } from '../fields/host.ts'
import { exportTo, labels } from '../fields/labels.ts'
import { portOrNone } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'
import { routeDestination } from './destination.ts'
import { httpRoute } from './http-route.ts'
import { virtualServiceRules } from './virtual-service-rules.ts'

const l4Match = {
  destinationSubnets: z.array(ipOrCidr).default([]),
  port: portOrNone.optional(),
  sourceLabels: labels.default({}),
  gateways: z.array(z.string()).default([]),
  sourceNamespace: dnsLabel.optional(),
}

const tlsMatch = z.strictObject({ sniHosts: z.array(z.string()).min(1, 'must name at least one host'), ...l4Match })

export const tlsRoute = z.strictObject({
  match: z.array(tlsMatch).min(1, 'must have at least one entry'),
  route: z.array(routeDestination).min(1, 'must have at least one destination'),
})

const tcpMatch = z.strictObject({ ...l4Match, sourceSubnet: z.string().optional() })

export const tcpRoute = z.strictObject({
  match: z.array(tcpMatch).default([]),
  route: z.array(routeDestination).min(1, 'must have at least one destination'),
})

const schema = z.strictObject({
  hosts: z.array(z.string()).default([]),
  gateways: z.array(z.string()).transform((names) => (names.length === 0 ? ['mesh'] : names)).default(['mesh']),
  http: z.array(httpRoute).default([]),
  tls: z.array(tlsRoute).default([]),
  tcp: z.array(tcpRoute).default([]),
  exportTo: exportTo.optional(),
})

export type VirtualService = z.infer<typeof schema>
export type VirtualServiceSpec = Frozen<VirtualService>
export type TlsRoute = z.infer<typeof tlsRoute>
export type TcpRoute = z.infer<typeof tcpRoute>
export type TlsMatch = z.infer<typeof tlsMatch>
export type TcpMatch = z.infer<typeof tcpMatch>

export const virtualService: Kind<VirtualService> = {
  kind: 'VirtualService',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: virtualServiceRules,
  notServed: [
  ],
  neverServed: [
    { path: 'http[].fault.abort.http2Error', severity: 'error', message: 'is not supported, by Istio neither: use httpStatus or grpcStatus' },
    { path: 'http[].fault.delay.exponentialDelay', severity: 'error', message: 'is not supported, by Istio neither: use fixedDelay' },
    { path: 'tcp[].match[].sourceSubnet', severity: 'warning', message: 'is ignored, by Istio too: use sourceLabels or sourceNamespace' },
  ],
}
