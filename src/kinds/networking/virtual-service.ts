// VirtualService: routes for the traffic to hosts (traffic spec 1.2). The rules are in virtual-service-rules.ts and
// http-route-rules.ts.
import { z } from 'zod'
import { anyHost, dnsLabel, ipOrCidr } from '../fields/host.ts'
import { exportTo, labels } from '../fields/labels.ts'
import { port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'
import { routeDestination } from './destination.ts'
import { httpRoute } from './http-route.ts'
import { virtualServiceRules } from './virtual-service-rules.ts'

const l4Match = {
  destinationSubnets: z.array(ipOrCidr).default([]),
  port: port.optional(),
  sourceLabels: labels.default({}),
  gateways: z.array(z.string()).default([]),
  sourceNamespace: dnsLabel.optional(),
}

export const tlsRoute = z.strictObject({
  match: z
    .array(z.strictObject({ sniHosts: z.array(anyHost).min(1, 'must name at least one host'), ...l4Match }))
    .min(1, 'must have at least one entry'),
  route: z.array(routeDestination).min(1, 'must have at least one destination'),
})

export const tcpRoute = z.strictObject({
  match: z.array(z.strictObject({ ...l4Match, sourceSubnet: z.string().optional() })).default([]),
  route: z.array(routeDestination).min(1, 'must have at least one destination'),
})

const schema = z.strictObject({
  hosts: z.array(z.string()).default([]),
  gateways: z.array(z.string()).min(1, 'must not be empty').default(['mesh']),
  http: z.array(httpRoute).default([]),
  tls: z.array(tlsRoute).default([]),
  tcp: z.array(tcpRoute).default([]),
  exportTo: exportTo.optional(),
})

export type VirtualService = z.infer<typeof schema>
export type VirtualServiceSpec = Frozen<VirtualService>
export type TlsRoute = z.infer<typeof tlsRoute>
export type TcpRoute = z.infer<typeof tcpRoute>

export const virtualService: Kind<VirtualService> = {
  kind: 'VirtualService',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: virtualServiceRules,
  notServed: [
    { path: 'tls' },
    { path: 'tcp' },
    { path: 'http[].match[].statPrefix' },
    { path: 'http[].delegate' },
    { path: 'http[].mirror' },
    { path: 'http[].mirrorPercentage' },
    { path: 'http[].mirrorPercent' },
    { path: 'http[].mirror_percent' },
    { path: 'http[].mirrors' },
    { path: 'http[].corsPolicy' },
    { path: 'http[].fault.abort.grpcStatus' },
    { path: 'http[].retries.retryRemoteLocalities' },
  ],
}
