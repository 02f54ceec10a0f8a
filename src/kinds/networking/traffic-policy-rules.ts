// What a DestinationRule says of traffic to a host, one of its ports or a subset: rules of the whole and of each block
// (traffic spec 1.3.1, 1.3.7).
import { each, error, warning, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { clientTlsRules } from './client-tls-rules.ts'
import { connectionPoolRules } from './connection-pool-rules.ts'
import type { LoadBalancer } from './load-balancer.ts'
import { loadBalancerRules } from './load-balancer-rules.ts'
import type { ClientTls, ConnectionPool, OutlierDetection, PortTrafficPolicy, TrafficPolicy } from './traffic-policy.ts'

const blocks = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const
const others = ['tunnel', 'proxyProtocol', 'retryBudget'] as const

const outlierDetectionRules: readonly Rule<OutlierDetection>[] = [
  error(function* ({ splitExternalLocalOriginErrors: split, consecutiveLocalOriginFailures: failures }) {
    if (!split && failures !== undefined && failures > 0) {
      yield [['consecutiveLocalOriginFailures'], 'has no effect without splitExternalLocalOriginErrors: true: add it, or remove this']
    }
  }),
  error(function* (detection) {
    for (const field of ['maxEjectionPercent', 'minHealthPercent'] as const) {
      const percent = detection[field]
      if (percent !== undefined && (percent < 0 || percent > 100)) yield [[field], `must be 0 to 100, not ${percent}`]
    }
  }),
]

/** The blocks that a policy has at the top and at a port alike. */
const blockRules = <Policy extends Pick<TrafficPolicy, (typeof blocks)[number]>>(): readonly Rule<Policy>[] => [
  ...within<Policy, LoadBalancer>((policy) => policy.loadBalancer, ['loadBalancer'], loadBalancerRules),
  ...within<Policy, ConnectionPool>((policy) => policy.connectionPool, ['connectionPool'], connectionPoolRules),
  ...within<Policy, OutlierDetection>((policy) => policy.outlierDetection, ['outlierDetection'], outlierDetectionRules),
  ...within<Policy, ClientTls>((policy) => policy.tls, ['tls'], clientTlsRules),
  warning(function* ({ loadBalancer, outlierDetection }) {
    const locality = loadBalancer?.localityLbSetting
    if (locality === undefined || outlierDetection !== undefined) return
    for (const field of ['failover', 'failoverPriority'] as const) {
      if (locality[field].length > 0) yield [['loadBalancer', 'localityLbSetting', field], 'has no effect without outlierDetection, which finds out what has failed']
    }
  }),
]

const portRules: readonly Rule<PortTrafficPolicy>[] = [
  error(function* (policy) {
    if (policy.port === undefined) yield [['port'], 'is required: the port of the service that this is for']
    if (blocks.every((block) => policy[block] === undefined)) yield [[], `needs one of ${blocks.join(', ')}`]
  }),
  ...blockRules<PortTrafficPolicy>(),
]

export const trafficPolicyRules: readonly Rule<TrafficPolicy>[] = [
  error(function* (policy) {
    if ([...blocks, ...others].every((field) => policy[field] === undefined) && policy.portLevelSettings.length === 0) {
      yield [[], `needs one of ${[...blocks, 'portLevelSettings', ...others].join(', ')}`]
    }
  }),
  error(function* ({ tunnel, proxyProtocol }) {
    if (tunnel !== undefined && proxyProtocol !== undefined) yield [['proxyProtocol'], 'cannot stand beside tunnel: remove one of them']
  }),
  warning(function* ({ portLevelSettings }) {
    const seen = new Set<number>()
    for (const [index, { port }] of portLevelSettings.entries()) {
      if (port === undefined) continue
      if (seen.has(port.number)) yield [['portLevelSettings', index], `the port ${port.number} is there twice: the first one counts`]
      seen.add(port.number)
    }
  }),
  ...blockRules<TrafficPolicy>(),
  ...each<TrafficPolicy, PortTrafficPolicy>(({ portLevelSettings }) => portLevelSettings, ['portLevelSettings'], portRules),
]
