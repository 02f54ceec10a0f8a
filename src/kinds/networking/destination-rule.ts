// DestinationRule: what happens to traffic once its host is chosen (traffic spec 1.3).
import { z } from 'zod'
import { dnsLabel, wildcardHost } from '../fields/host.ts'
import { exportTo, labels, matchLabels } from '../fields/labels.ts'
import type { Frozen, Kind } from '../kind.ts'
import { destinationRuleRules } from './destination-rule-rules.ts'
import { trafficPolicy } from './traffic-policy.ts'

export const subset = z.strictObject({
  name: dnsLabel,
  labels: labels.default({}),
  trafficPolicy: trafficPolicy.optional(),
})

const schema = z.strictObject({
  host: wildcardHost,
  trafficPolicy: trafficPolicy.optional(),
  subsets: z.array(subset).default([]),
  exportTo: exportTo.optional(),
  workloadSelector: matchLabels.optional(),
})

export type DestinationRule = z.infer<typeof schema>
export type DestinationRuleSpec = Frozen<DestinationRule>
export type Subset = z.infer<typeof subset>

const policies = ['trafficPolicy', 'trafficPolicy.portLevelSettings[]', 'subsets[].trafficPolicy', 'subsets[].trafficPolicy.portLevelSettings[]']

export const destinationRule: Kind<DestinationRule> = {
  kind: 'DestinationRule',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: destinationRuleRules,
  notServed: [],
  neverServed: policies.map((policy) => ({
    path: `${policy}.outlierDetection.consecutiveErrors`, severity: 'warning',
    message: 'is ignored, by Istio too: use consecutive5xxErrors or consecutiveGatewayErrors',
  })),
}
