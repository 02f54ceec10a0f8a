// Counters of one cluster and of one host, under Envoy's names. Plain numbers: counting costs an addition.
import type { HostStats } from './types.ts'

export class ClusterStats {
  upstream_cx_total = 0
  upstream_cx_active = 0
  upstream_cx_connect_fail = 0
  upstream_cx_connect_timeout = 0
  upstream_cx_overflow = 0
  upstream_cx_max_requests = 0
  upstream_cx_idle_timeout = 0
  upstream_cx_max_duration_reached = 0
  upstream_cx_protocol_error = 0
  upstream_rq_total = 0
  upstream_rq_active = 0
  upstream_rq_completed = 0
  upstream_rq_2xx = 0
  upstream_rq_3xx = 0
  upstream_rq_4xx = 0
  upstream_rq_5xx = 0
  upstream_rq_timeout = 0
  upstream_rq_rx_reset = 0
  upstream_rq_tx_reset = 0
  upstream_rq_cancelled = 0
  upstream_rq_pending_total = 0
  upstream_rq_pending_active = 0
  upstream_rq_pending_overflow = 0
  upstream_rq_pending_failure_eject = 0
  upstream_rq_retry = 0
  upstream_rq_retry_overflow = 0
  lb_healthy_panic = 0
  lb_zone_routing_all_directly = 0
  lb_zone_routing_sampled = 0
  lb_zone_routing_cross_zone = 0
  membership_total = 0
  membership_healthy = 0
  /** Ours: hosts that are left out because connections to them fail (suspect.ts). */
  membership_suspect = 0
  'outlier_detection.ejections_active' = 0
  'outlier_detection.ejections_enforced_total' = 0
  'outlier_detection.ejections_overflow' = 0
  'outlier_detection.ejections_detected_consecutive_5xx' = 0
  'outlier_detection.ejections_enforced_consecutive_5xx' = 0
  'outlier_detection.ejections_detected_consecutive_gateway_failure' = 0
  'outlier_detection.ejections_enforced_consecutive_gateway_failure' = 0
  'outlier_detection.ejections_detected_consecutive_local_origin_failure' = 0
  'outlier_detection.ejections_enforced_consecutive_local_origin_failure' = 0
}

export class CountedHostStats implements HostStats {
  cxTotal = 0
  cxActive = 0
  cxConnectFail = 0
  rqTotal = 0
  rqSuccess = 0
  rqError = 0
  rqTimeout = 0
}

export interface StatLine {
  readonly name: string
  readonly value: number
}

/** `cluster.outbound|80||a.default.svc.cluster.local.upstream_cx_total`. */
export function statLines(cluster: string, stats: ClusterStats): StatLine[] {
  return Object.entries(stats).map(([name, value]) => ({ name: `cluster.${cluster}.${name}`, value: Number(value) }))
}
