// The mesh-wide settings that translation reads, defaults filled in (security spec 6.4).
import type { ClientTls, ConnectionPool, LocalityLbSetting, OutlierDetection, TcpKeepalive, ZoneAwareLbSetting } from './destination-rule-spec.ts'
import type { ExtensionProvider, MeshConfigSpec, MeshTls, ProxyConfigSpec } from './specs.ts'
import type { HttpRetry } from './virtual-service-spec.ts'

export interface MeshSettings {
  readonly domain: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  readonly rootNamespace: string
  readonly enableAutoMtls: boolean
  readonly connectTimeoutMs: number
  readonly registryOnly: boolean
  /** Hosts that nobody knows are looked up when a request names them. */
  readonly resolvesUnknown: boolean
  /** Spoken to them then. */
  readonly unknownTls: ClientTls | undefined
  readonly accessLogFile: string
  readonly accessLogJson: boolean
  readonly accessLogFormat: string
  /** Also connections that no filter chain takes. */
  readonly logsListeners: boolean
  readonly defaultRetry: HttpRetry
  /** From a sidecar to its own workload. */
  readonly inboundRetry: HttpRetry
  readonly localityLb: LocalityLbSetting | undefined
  readonly zoneAwareLb: ZoneAwareLbSetting | undefined
  /** What a DestinationRule leaves open. */
  readonly defaultConnectionPool: ConnectionPool | undefined
  readonly defaultOutlierDetection: OutlierDetection | undefined
  readonly tcpKeepalive: TcpKeepalive | undefined
  /** Where a port is declared to be HTTP and its DestinationRule says nothing else. */
  readonly upgradesToHttp2: boolean
  /** Applications are reached on 127.0.0.1, as if they were behind nothing but a proxy of their own. */
  readonly inboundToLocalhost: boolean
  /** How long a silent client is waited for before its bytes count as no known protocol; 0: without limit. */
  readonly detectionTimeoutMs: number
  /** Of names whose answers do not say how long they hold. */
  readonly dnsRefreshMs: number
  /** Of mutual TLS in the mesh, and of all other TLS. */
  readonly meshTls: MeshTls
  readonly tlsDefaults: MeshTls
  /** Where capture brings what workloads send, and what is sent to them. */
  readonly outboundPort: number
  readonly inboundPort: number
  /** Of the forward proxy that every sidecar has on loopback; undefined for none. */
  readonly httpProxyPort: number | undefined
  readonly proxyConfig: ProxyConfigSpec
  readonly virtualServiceExportTo: readonly string[]
  readonly destinationRuleExportTo: readonly string[]
  readonly serviceExportTo: readonly string[]
  /** Who may be asked about requests. */
  readonly extensionProviders: readonly ExtensionProvider[]
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
  /** `%2F` and `%5C` are slashes. */
  readonly decodeSlashes: boolean
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
    resolvesUnknown: config.outboundTrafficPolicy?.mode === 'ALLOW_ANY_DYNAMIC_DNS',
    unknownTls: config.outboundTrafficPolicy?.tls,
    accessLogFile: config.accessLogFile ?? '',
    accessLogJson: config.accessLogEncoding === 'JSON',
    accessLogFormat: config.accessLogFormat ?? '',
    logsListeners: config.disableEnvoyListenerLog !== true,
    defaultRetry: config.defaultHttpRetryPolicy ?? builtInRetry,
    inboundRetry: config.defaultInboundHttpRetryPolicy ?? builtInInboundRetry,
    localityLb: config.localityLbSetting,
    zoneAwareLb: config.zoneAwareLbSetting,
    defaultConnectionPool: config.defaultTrafficPolicy?.connectionPool,
    defaultOutlierDetection: config.defaultTrafficPolicy?.outlierDetection,
    tcpKeepalive: config.tcpKeepalive,
    upgradesToHttp2: config.h2UpgradePolicy === 'UPGRADE',
    inboundToLocalhost: config.inboundTrafficPolicy?.mode === 'LOCALHOST',
    detectionTimeoutMs: config.protocolDetectionTimeout ?? 0,
    dnsRefreshMs: config.dnsRefreshRate ?? 60_000,
    meshTls: config.meshMTLS ?? {},
    tlsDefaults: config.tlsDefaults ?? {},
    outboundPort: config.proxyListenPort ?? 15001,
    inboundPort: config.proxyInboundListenPort ?? 15006,
    httpProxyPort: config.proxyHttpPort === 0 ? undefined : config.proxyHttpPort,
    proxyConfig: config.defaultConfig ?? {},
    virtualServiceExportTo: config.defaultVirtualServiceExportTo ?? everyone,
    destinationRuleExportTo: config.defaultDestinationRuleExportTo ?? everyone,
    serviceExportTo: config.defaultServiceExportTo ?? everyone,
    extensionProviders: config.extensionProviders ?? [],
    normalizePath: normalization !== 'NONE',
    mergeSlashes: normalization.startsWith('MERGE_SLASHES') || normalization.startsWith('DECODE_AND_MERGE'),
    decodeSlashes: normalization.startsWith('DECODE_AND_MERGE'),
  })
}
