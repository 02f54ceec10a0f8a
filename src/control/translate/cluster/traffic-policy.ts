// A DestinationRule's load balancer, connection pool and outlier detection as fields of a cluster (traffic spec 2.1-2.5).
import { create } from '@bufbuild/protobuf'
import { CircuitBreakers_Thresholds_RetryBudgetSchema as RetryBudgetSchema } from '../../../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { Cluster_LbPolicy } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterSchema } from '../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Http2ProtocolOptionsSchema } from '../../../proto/gen/envoy/config/core/v3/protocol_pb.ts'
import { HttpProtocolOptionsSchema } from '../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { setBudgetInterval } from '../../../xds/budget-interval.ts'
import type { ConnectionPool, LoadBalancer, OutlierDetection, PolicyBlocks, TcpKeepalive, WholePolicyBlocks } from '../../destination-rule-spec.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'

export type ClusterInit = Init<typeof ClusterSchema>

/** Istio's "no limit": Envoy's own defaults of 1024 would trip silently. */
const unlimited = 4_294_967_295

/** 0 means unset throughout connectionPool and outlierDetection. */
const setOr = <Fallback>(value: number | undefined, fallback: Fallback): number | Fallback =>
  value === undefined || value === 0 ? fallback : value

export function loadBalancing(lb: LoadBalancer | undefined): ClusterInit {
  if (lb?.consistentHash !== undefined) return hashing(lb.consistentHash)
  const slowStartConfig = slowStart(lb)
  switch (lb?.simple) {
    case 'ROUND_ROBIN':
      return {
        lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
        ...(slowStartConfig && { lbConfig: { case: 'roundRobinLbConfig' as const, value: { slowStartConfig } } }),
      }
    case 'RANDOM':
      return { lbPolicy: Cluster_LbPolicy.RANDOM }
    // PASSTHROUGH makes a sidecar's cluster one of the original destination, which chooses for itself; elsewhere there is none.
    default:
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        ...(slowStartConfig && { lbConfig: { case: 'leastRequestLbConfig' as const, value: { slowStartConfig } } }),
      }
  }
}

function hashing(hash: NonNullable<LoadBalancer['consistentHash']>): ClusterInit {
  if (hash.maglev !== undefined) {
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      lbConfig: { case: 'maglevLbConfig', value: { tableSize: BigInt(setOr(hash.maglev.tableSize, 65537)) } },
    }
  }
  const size = setOr(hash.ringHash?.minimumRingSize, setOr(hash.minimumRingSize, 1024))
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: BigInt(size) } },
  }
}

function slowStart(lb: LoadBalancer | undefined) {
  const windowMs = lb?.warmup?.duration ?? lb?.warmupDurationSecs
  if (windowMs === undefined || windowMs === 0) return undefined
  return {
    slowStartWindow: durationOf(windowMs),
    aggression: { defaultValue: lb?.warmup?.aggression ?? 1, runtimeKey: '' },
    minWeightPercent: { value: lb?.warmup?.minimumPercent ?? 10 },
  }
}

export function circuitBreakers(pool: ConnectionPool | undefined, budget?: WholePolicyBlocks['retryBudget']): ClusterInit['circuitBreakers'] {
  return {
    thresholds: [{
      maxConnections: setOr(pool?.tcp?.maxConnections, unlimited),
      maxPendingRequests: setOr(pool?.http?.http1MaxPendingRequests, unlimited),
      maxRequests: setOr(pool?.http?.http2MaxRequests, unlimited),
      maxRetries: setOr(pool?.http?.maxRetries, unlimited),
      ...(budget !== undefined && { retryBudget: retryBudget(budget) }),
      trackRemaining: true,
    }],
  }
}

function retryBudget({ percent = 20, minRetryConcurrency = 3, budgetInterval = 0 }: NonNullable<WholePolicyBlocks['retryBudget']>) {
  const budget = create(RetryBudgetSchema, { budgetPercent: { value: percent }, minRetryConcurrency })
  return budgetInterval === 0 ? budget : setBudgetInterval(budget, durationOf(budgetInterval))
}

export function outlierDetection(od: OutlierDetection | undefined): ClusterInit['outlierDetection'] {
  if (od === undefined) return undefined
  const split = od.splitExternalLocalOriginErrors === true
  return {
    enforcingSuccessRate: 0,
    consecutive5xx: od.consecutive5xxErrors ?? 5,
    enforcingConsecutive5xx: od.consecutive5xxErrors === 0 ? 0 : 100,
    ...gatewayErrors(od.consecutiveGatewayErrors),
    ...(od.interval !== undefined && { interval: durationOf(od.interval) }),
    ...(od.baseEjectionTime !== undefined && { baseEjectionTime: durationOf(od.baseEjectionTime) }),
    ...(setOr(od.maxEjectionPercent, undefined) !== undefined && { maxEjectionPercent: od.maxEjectionPercent! }),
    splitExternalLocalOriginErrors: split,
    ...(split && localErrors(od.consecutiveLocalOriginFailures ?? 5)),
  }
}

function gatewayErrors(count: number | undefined) {
  return count === undefined || count === 0 ? {} : { consecutiveGatewayFailure: count, enforcingConsecutiveGatewayFailure: 100 }
}

function localErrors(count: number) {
  return count === 0
    ? { enforcingConsecutiveLocalOriginFailure: 0 }
    : { consecutiveLocalOriginFailure: count, enforcingConsecutiveLocalOriginFailure: 100, enforcingLocalOriginSuccessRate: 0 }
}

/** Envoy's panic threshold: off unless asked for, so that nothing is sent to hosts that are known to be down. */
export const panicThreshold = (od: OutlierDetection | undefined): number => od?.minHealthPercent ?? 0

/** What a DestinationRule leaves open is as the mesh says, field by field. */
export function keepalive(own: TcpKeepalive | undefined, mesh: TcpKeepalive | undefined): ClusterInit['upstreamConnectionOptions'] {
  if (own === undefined && mesh === undefined) return undefined
  const tcp = { probes: own?.probes ?? mesh?.probes, time: own?.time ?? mesh?.time, interval: own?.interval ?? mesh?.interval }
  return {
    tcpKeepalive: {
      ...(setOr(tcp.probes, undefined) !== undefined && { keepaliveProbes: tcp.probes! }),
      ...(tcp.time !== undefined && { keepaliveTime: Math.round(tcp.time / 1000) }),
      ...(tcp.interval !== undefined && { keepaliveInterval: Math.round(tcp.interval / 1000) }),
    },
  }
}

export function connectTimeoutMs(policy: PolicyBlocks, mesh: MeshSettings): number {
  return setOr(policy.connectionPool?.tcp?.connectTimeout, mesh.connectTimeoutMs)
}

export type UpstreamProtocol = 'http1' | 'http2' | 'downstream'

const protocolOptionsKey = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** HTTP settings of an upstream: which protocol, how long idle connections stay, how many requests each carries. */
export function httpProtocolOptions(
  protocol: UpstreamProtocol,
  pool: ConnectionPool | undefined,
  more: { readonly idleMs?: number; readonly autoServerName?: boolean; readonly autoVerify?: boolean; readonly errorCodes?: readonly number[] } = {},
): ClusterInit {
  const http = pool?.http
  const idleTimeoutMs = setOr(http?.idleTimeout, setOr(pool?.tcp?.idleTimeout, more.idleMs))
  const maxRequests = setOr(http?.maxRequestsPerConnection, undefined)
  const maxDurationMs = setOr(pool?.tcp?.maxConnectionDuration, undefined)
  const common = {
    ...(maxDurationMs !== undefined && { maxConnectionDuration: durationOf(maxDurationMs) }),
    ...(idleTimeoutMs !== undefined && { idleTimeout: durationOf(idleTimeoutMs) }),
    ...(maxRequests !== undefined && { maxRequestsPerConnection: maxRequests }),
  }
  const options = packed(HttpProtocolOptionsSchema, {
    ...(Object.keys(common).length > 0 && { commonHttpProtocolOptions: common }),
    // The request's Host is the server name that TLS asks for, and checks, where the operator names none.
    ...(more.autoServerName === true && {
      upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: more.autoVerify === true },
    }),
    upstreamProtocolOptions: upstreamProtocol(protocol, http2Options(http)),
    ...errorMatcher(more.errorCodes ?? []),
  })
  return { typedExtensionProtocolOptions: { [protocolOptionsKey]: options } }
}

/** What outlier detection takes for an error, in the place of 5xx. */
function errorMatcher(codes: readonly number[]): Pick<Init<typeof HttpProtocolOptionsSchema>, 'outlierDetection'> {
  const [only, ...more] = [...new Set(codes)].map((code) => ({
    rule: {
      case: 'httpResponseHeadersMatch' as const,
      value: { headers: [{ name: ':status', headerMatchSpecifier: { case: 'stringMatch' as const, value: { matchPattern: { case: 'exact' as const, value: String(code) } } } }] },
    },
  }))
  if (only === undefined) return {}
  // Envoy takes no choice of one.
  return { outlierDetection: { errorMatcher: more.length === 0 ? only : { rule: { case: 'orMatch', value: { rules: [only, ...more] } } } } }
}

type UpstreamProtocolOptions = NonNullable<Init<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions']>

type Http2Options = Init<typeof Http2ProtocolOptionsSchema>

/** Streams of one connection at once, and how a connection that has gone silent is found out. */
function http2Options({ maxConcurrentStreams, http2KeepAlive }: NonNullable<ConnectionPool['http']> = {}): Http2Options {
  const streams = setOr(maxConcurrentStreams, undefined)
  const { interval, timeout } = http2KeepAlive ?? {}
  return {
    ...(streams !== undefined && { maxConcurrentStreams: streams }),
    // Envoy takes no interval without a timeout.
    ...(interval !== undefined && timeout !== undefined && { connectionKeepalive: { interval: durationOf(interval), timeout: durationOf(timeout) } }),
  }
}

function upstreamProtocol(protocol: UpstreamProtocol, http2ProtocolOptions: Http2Options): UpstreamProtocolOptions {
  if (protocol === 'downstream') {
    return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions } }
  }
  const protocolConfig = protocol === 'http2'
    ? { case: 'http2ProtocolOptions' as const, value: http2ProtocolOptions }
    : { case: 'httpProtocolOptions' as const, value: {} }
  return { case: 'explicitHttpConfig', value: { protocolConfig } }
}
