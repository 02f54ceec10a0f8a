// Reads a cluster's outlier_detection. Statistical ejection (success rate, failure percentage) is off in Istio; a cluster
// that asks for it is refused rather than served without it.
import { MeshError } from '../../../lib/errors.ts'
import type { Cluster as ClusterMessage } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { OutlierDetection } from '../../../proto/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import { milliseconds } from '../../xds/duration.ts'

export type OutlierCause = 'consecutive_5xx' | 'consecutive_gateway_failure' | 'consecutive_local_origin_failure'

export interface OutlierTrigger {
  /** Failures in a row; 0: never. */
  readonly count: number
  /** In per cent: how many of those that are found are ejected. */
  readonly enforced: number
}

export interface OutlierSettings {
  readonly triggers: Readonly<Record<OutlierCause, OutlierTrigger>>
  /** Failures to connect, resets and timeouts have a counter of their own, instead of being 5xx. */
  readonly splitsLocal: boolean
  /** Statuses that are errors; undefined: 500 to 599. */
  readonly errorCodes?: ReadonlySet<number> | undefined
  readonly intervalMs: number
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  readonly maxEjectionPercent: number
}

/** Envoy's. */
const defaultCount = 5
const defaultIntervalMs = 10_000
const defaultBaseEjectionMs = 30_000
const defaultMaxEjectionMs = 300_000
const defaultMaxEjectionPercent = 10

export function decodeOutlierDetection({ name, outlierDetection: found }: ClusterMessage, errorCodes?: ReadonlySet<number>): OutlierSettings | undefined {
  if (found === undefined) return undefined
  refuseStatistics(name, found)
  const baseEjectionMs = found.baseEjectionTime === undefined ? defaultBaseEjectionMs : milliseconds(found.baseEjectionTime)
  const maxEjectionMs = found.maxEjectionTime === undefined ? defaultMaxEjectionMs : milliseconds(found.maxEjectionTime)
  return {
    triggers: {
      consecutive_5xx: { count: found.consecutive5xx ?? defaultCount, enforced: found.enforcingConsecutive5xx ?? 100 },
      consecutive_gateway_failure: { count: found.consecutiveGatewayFailure ?? defaultCount, enforced: found.enforcingConsecutiveGatewayFailure ?? 0 },
      consecutive_local_origin_failure: { count: found.consecutiveLocalOriginFailure ?? defaultCount, enforced: found.enforcingConsecutiveLocalOriginFailure ?? 100 },
    },
    splitsLocal: found.splitExternalLocalOriginErrors,
    ...(errorCodes !== undefined && { errorCodes }),
    intervalMs: found.interval === undefined ? defaultIntervalMs : milliseconds(found.interval),
    baseEjectionMs,
    maxEjectionMs: Math.max(maxEjectionMs, baseEjectionMs),
    maxEjectionPercent: Math.min(100, found.maxEjectionPercent ?? defaultMaxEjectionPercent),
  }
}

/** Envoy's own default for success rate is to enforce it, but Istio always sends 0. */
function refuseStatistics(name: string, found: OutlierDetection): void {
  const rates = [found.enforcingFailurePercentage, found.enforcingFailurePercentageLocalOrigin, found.enforcingSuccessRate]
  if (rates.some((one) => (one ?? 0) > 0)) {
    throw new MeshError('proxy/bad-config', `cluster ${name}: outlier detection by success rate or failure percentage is not supported`)
  }
}
