// The mesh-wide settings that translation reads, defaults filled in (security spec 6.4).
import type { ConnectionPool, HttpRetry, LocalityLbSetting, MeshConfigSpec, OutlierDetection, TcpKeepalive } from './specs.ts'

export interface MeshSettings {
  readonly domain: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  readonly rootNamespace: string
  readonly enableAutoMtls: boolean
  readonly connectTimeoutMs: number
  readonly registryOnly: boolean
  readonly accessLogFile: string
  readonly accessLogJson: boolean
  readonly accessLogFormat: string
  readonly defaultRetry: HttpRetry
  /** From a sidecar to its own workload. */
  readonly inboundRetry: HttpRetry
  readonly localityLb: LocalityLbSetting | undefined
  /** What a DestinationRule leaves open. */
  readonly defaultConnectionPool: ConnectionPool | undefined
  readonly defaultOutlierDetection: OutlierDetection | undefined
  readonly tcpKeepalive: TcpKeepalive | undefined
  /** Where a port is declared to be HTTP and its DestinationRule says nothing else. */
  readonly upgradesToHttp2: boolean
  readonly virtualServiceExportTo: readonly string[]
  readonly destinationRuleExportTo: readonly string[]
  readonly serviceExportTo: readonly string[]
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
}

/** Istio's built-in policy: what is safe to repeat, because the server has not taken the request. */
const builtInRetry: HttpRetry = { attempts: 2, retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes' }

/** Only what the application has certainly not seen. */
const builtInInboundRetry: HttpRetry = { attempts: 2, retryOn: 'reset-before-request' }

const everyone = ['*']

export function meshSettings(config: MeshConfigSpec = {}, domain = 'cluster.local', trustDomain = 'cluster.local'): MeshSettings {
  const normalization = config.pathNormalization?.normalization ?? 'BASE'
  return Object.freeze({
    domain,
    trustDomain: config.trustDomain ?? trustDomain,
    trustDomainAliases: config.trustDomainAliases ?? [],
    rootNamespace: config.rootNamespace ?? 'istio-system',
    enableAutoMtls: config.enableAutoMtls ?? true,
    connectTimeoutMs: config.connectTimeout ?? 10_000,
    registryOnly: config.outboundTrafficPolicy?.mode === 'REGISTRY_ONLY',
    accessLogFile: config.accessLogFile ?? '',
    accessLogJson: config.accessLogEncoding === 'JSON',
    accessLogFormat: config.accessLogFormat ?? '',
    defaultRetry: config.defaultHttpRetryPolicy ?? builtInRetry,
    inboundRetry: config.defaultInboundHttpRetryPolicy ?? builtInInboundRetry,
    localityLb: config.localityLbSetting,
    defaultConnectionPool: config.defaultTrafficPolicy?.connectionPool,
    defaultOutlierDetection: config.defaultTrafficPolicy?.outlierDetection,
    tcpKeepalive: config.tcpKeepalive,
    upgradesToHttp2: config.h2UpgradePolicy === 'UPGRADE',
    virtualServiceExportTo: config.defaultVirtualServiceExportTo ?? everyone,
    destinationRuleExportTo: config.defaultDestinationRuleExportTo ?? everyone,
    serviceExportTo: config.defaultServiceExportTo ?? everyone,
    normalizePath: normalization !== 'NONE',
    mergeSlashes: normalization.startsWith('MERGE_SLASHES') || normalization.startsWith('DECODE_AND_MERGE'),
  })
}
