// DestinationRule: what happens to traffic once its host is chosen (traffic spec 1.3).
import { z } from 'zod'
import { dnsLabel, wildcardHost } from '../fields/host.ts'
import { exportTo, labels, matchLabels } from '../fields/labels.ts'
import type { Frozen, Kind, NotServed } from '../kind.ts'
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

/** Of the blocks that stand at the top, at a port and in a subset alike. */
const policyNotServed: readonly NotServed[] = [
  { path: 'loadBalancer.simple', values: ['PASSTHROUGH'] },
  { path: 'loadBalancer.consistentHash' },
  { path: 'loadBalancer.localityLbSetting' },
  { path: 'loadBalancer.zoneAwareLbSetting' },
  { path: 'loadBalancer.warmup' },
  { path: 'loadBalancer.warmupDurationSecs' },
  { path: 'connectionPool.tcp.tcpKeepalive' },
  { path: 'connectionPool.tcp.maxConnectionDuration' },
  { path: 'connectionPool.tcp.idleTimeout' },
  { path: 'connectionPool.http.h2UpgradePolicy', values: ['UPGRADE'] },
  { path: 'connectionPool.http.useClientProtocol' },
  { path: 'connectionPool.http.maxConcurrentStreams' },
  { path: 'connectionPool.http.http2KeepAlive' },
  { path: 'outlierDetection' },
  { path: 'tls.mode', values: ['SIMPLE', 'MUTUAL'] },
]

const wholePolicyNotServed: readonly NotServed[] = [
  ...policyNotServed,
  ...policyNotServed.map((row) => ({ ...row, path: `portLevelSettings[].${row.path}` })),
  { path: 'tunnel' },
  { path: 'proxyProtocol' },
  { path: 'retryBudget' },
]

export const destinationRule: Kind<DestinationRule> = {
  kind: 'DestinationRule',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: destinationRuleRules,
  notServed: [
    { path: 'workloadSelector' },
    ...wholePolicyNotServed.map((row) => ({ ...row, path: `trafficPolicy.${row.path}` })),
    ...wholePolicyNotServed.map((row) => ({ ...row, path: `subsets[].trafficPolicy.${row.path}` })),
  ],
}
