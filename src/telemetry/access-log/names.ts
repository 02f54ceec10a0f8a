// Names that the operators need: Envoy's long names of response flags, gRPC's names of its statuses, and the operators
// whose values this proxy never has.

const flagNames: Readonly<Record<string, string>> = {
  DC: 'DownstreamConnectionTermination', LH: 'FailedLocalHealthCheck', UH: 'NoHealthyUpstream', UT: 'UpstreamRequestTimeout',
  LR: 'LocalReset', UR: 'UpstreamRemoteReset', UF: 'UpstreamConnectionFailure', UC: 'UpstreamConnectionTermination',
  UO: 'UpstreamOverflow', NR: 'NoRouteFound', DI: 'DelayInjected', FI: 'FaultInjected', RL: 'RateLimited',
  UAEX: 'UnauthorizedExternalService', RLSE: 'RateLimitServiceError', URX: 'UpstreamRetryLimitExceeded', SI: 'StreamIdleTimeout',
  IH: 'InvalidEnvoyRequestHeaders', DPE: 'DownstreamProtocolError', UMSDR: 'UpstreamMaxStreamDurationReached',
  RFCF: 'ResponseFromCacheFilter', NFCF: 'NoFilterConfigFound', DT: 'DurationTimeout', UPE: 'UpstreamProtocolError',
  NC: 'NoClusterFound', OM: 'OverloadManagerTerminated', DF: 'DnsResolutionFailed', DO: 'DropOverload',
  DR: 'DownstreamRemoteReset', UDO: 'UnconditionalDropOverload',
}

/** `UpstreamConnectionFailure,UpstreamRetryLimitExceeded` for `UF,URX`. */
export function longFlags(flags: string): string {
  return flags === '' ? '' : flags.split(',').map((flag) => flagNames[flag] ?? flag).join(',')
}

const statuses = [
  'OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists', 'PermissionDenied',
  'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented', 'Internal', 'Unavailable', 'DataLoss',
  'Unauthenticated',
]
const snakeOf = (camel: string): string => (camel === 'OK' ? camel : camel.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase())
const spelled = { CAMEL_STRING: statuses, SNAKE_STRING: statuses.map(snakeOf).map((name) => (name === 'CANCELED' ? 'CANCELLED' : name)) }

/** The number itself where gRPC has no name for it. */
export function grpcStatusName(status: string, spelling: keyof typeof spelled): string {
  return spelled[spelling][status === '' ? -1 : Number(status)] ?? status
}

const absent = new Set(`
  DYNAMIC_METADATA CLUSTER_METADATA UPSTREAM_METADATA FILTER_STATE UPSTREAM_FILTER_STATE METADATA TRAILER TRACE_ID SPAN_ID
  ENVIRONMENT HOSTNAME STREAM_ID UNIQUE_ID CONNECTION_ID UPSTREAM_CONNECTION_ID VIRTUAL_CLUSTER_NAME LOCAL_REPLY_BODY
  FILTER_CHAIN_NAME ACCESS_LOG_TYPE EMIT_TIME EMIT_TIME_LOCAL START_TIME_LOCAL CEL CUSTOM_FLAGS QUERY_PARAM QUERY_PARAMS PATH
  REQUEST_DURATION REQUEST_TX_DURATION RESPONSE_DURATION RESPONSE_TX_DURATION ROUNDTRIP_DURATION COMMON_DURATION
  DOWNSTREAM_HANDSHAKE_DURATION UPSTREAM_CONNECTION_POOL_READY_DURATION UPSTREAM_PROTOCOL
  UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_HOST_NAMES_ATTEMPTED UPSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_DETECTED_CLOSE_TYPE
  TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT BYTES_RETRANSMITTED PACKETS_RETRANSMITTED
`.trim().split(/\s+/))

/** Families of operators: certificates, wire bytes, endpoints. */
const absentFamily = /^(?:DOWNSTREAM|UPSTREAM)_(?:TLS|LOCAL|PEER|TRANSPORT|WIRE_BYTES|HEADER_BYTES|DECOMPRESSED_HEADER_BYTES)_/

/** Envoy has the operator; here its value is never known. */
export const neverKnown = (operator: string): boolean => absent.has(operator) || absentFamily.test(operator)
