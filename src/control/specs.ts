// The fields of Istio's kinds that translation reads. Structural: the parsed specs of src/kinds fit, and so does a test's
// literal. Durations are milliseconds; whatever a document may leave out is optional here.

type Labels = Readonly<Record<string, string>>

export interface StringMatch {
  readonly exact?: string | undefined
  readonly prefix?: string | undefined
  readonly regex?: string | undefined
}

export interface Percent {
  readonly value?: number | undefined
}

export interface Destination {
  readonly host: string
  readonly subset?: string | undefined
  readonly port?: { readonly number: number } | undefined
}

export interface HeaderOperations {
  readonly set?: Labels | undefined
  readonly add?: Labels | undefined
  readonly remove?: readonly string[] | undefined
}

export interface Headers {
  readonly request?: HeaderOperations | undefined
  readonly response?: HeaderOperations | undefined
}

export interface HttpMatch {
  readonly name?: string | undefined
  readonly uri?: StringMatch | undefined
  readonly scheme?: StringMatch | undefined
  readonly method?: StringMatch | undefined
  readonly authority?: StringMatch | undefined
  readonly headers?: Readonly<Record<string, StringMatch>> | undefined
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>> | undefined
  readonly queryParams?: Readonly<Record<string, StringMatch>> | undefined
  readonly ignoreUriCase?: boolean | undefined
  readonly port?: number | undefined
  readonly sourceLabels?: Labels | undefined
  readonly sourceNamespace?: string | undefined
  readonly gateways?: readonly string[] | undefined
  readonly statPrefix?: string | undefined
}

export interface RouteDestination {
  readonly destination: Destination
  readonly weight?: number | undefined
  readonly headers?: Headers | undefined
}

export interface HttpRewrite {
  readonly uri?: string | undefined
  readonly authority?: string | undefined
  readonly uriRegexRewrite?: { readonly match?: string | undefined; readonly rewrite?: string | undefined } | undefined
}

export interface HttpRedirect {
  readonly uri?: string | undefined
  readonly prefixRewrite?: string | undefined
  readonly authority?: string | undefined
  readonly port?: number | undefined
  readonly derivePort?: string | undefined
  readonly scheme?: string | undefined
  readonly redirectCode?: number | undefined
}

export interface HttpRetry {
  readonly attempts?: number | undefined
  readonly perTryTimeout?: number | undefined
  readonly retryOn?: string | undefined
  readonly retryRemoteLocalities?: boolean | undefined
  readonly retryIgnorePreviousHosts?: boolean | undefined
  readonly backoff?: number | undefined
}

export interface HttpFault {
  readonly delay?: {
    readonly percentage?: Percent | undefined
    readonly percent?: number | undefined
    readonly fixedDelay?: number | undefined
  } | undefined
  readonly abort?: {
    readonly percentage?: Percent | undefined
    readonly httpStatus?: number | undefined
    readonly grpcStatus?: string | undefined
  } | undefined
}

export interface CorsPolicy {
  readonly allowOrigins?: readonly StringMatch[] | undefined
  readonly allowOrigin?: readonly string[] | undefined
  readonly allowMethods?: readonly string[] | undefined
  readonly allowHeaders?: readonly string[] | undefined
  readonly exposeHeaders?: readonly string[] | undefined
  readonly maxAge?: number | undefined
  readonly allowCredentials?: boolean | undefined
  readonly unmatchedPreflights?: string | undefined
}

export interface Mirror {
  readonly destination: Destination
  readonly percentage?: Percent | undefined
}

export interface HttpRule {
  readonly name?: string | undefined
  readonly match?: readonly HttpMatch[] | undefined
  readonly route?: readonly RouteDestination[] | undefined
  readonly redirect?: HttpRedirect | undefined
  readonly directResponse?: {
    readonly status: number
    readonly body?: { readonly string?: string | undefined; readonly bytes?: string | Uint8Array | undefined } | undefined
  } | undefined
  readonly delegate?: { readonly name?: string | undefined; readonly namespace?: string | undefined } | undefined
  readonly rewrite?: HttpRewrite | undefined
  readonly timeout?: number | undefined
  readonly retries?: HttpRetry | undefined
  readonly fault?: HttpFault | undefined
  readonly mirror?: Destination | undefined
  readonly mirrorPercentage?: Percent | undefined
  readonly mirrorPercent?: number | undefined
  readonly mirror_percent?: number | undefined
  readonly mirrors?: readonly Mirror[] | undefined
  readonly corsPolicy?: CorsPolicy | undefined
  readonly headers?: Headers | undefined
}

export interface TcpMatch {
  readonly destinationSubnets?: readonly string[] | undefined
  readonly port?: number | undefined
  readonly sourceLabels?: Labels | undefined
  readonly sourceNamespace?: string | undefined
  readonly gateways?: readonly string[] | undefined
}

export interface TlsMatch extends TcpMatch {
  readonly sniHosts: readonly string[]
}

export interface TlsRule {
  readonly match: readonly TlsMatch[]
  readonly route?: readonly RouteDestination[] | undefined
}

export interface TcpRule {
  readonly match?: readonly TcpMatch[] | undefined
  readonly route?: readonly RouteDestination[] | undefined
}

export interface VirtualServiceSpec {
  readonly hosts?: readonly string[] | undefined
  readonly gateways?: readonly string[] | undefined
  readonly http?: readonly HttpRule[] | undefined
  readonly tcp?: readonly TcpRule[] | undefined
  readonly tls?: readonly TlsRule[] | undefined
  readonly exportTo?: readonly string[] | undefined
}

export interface ConsistentHash {
  readonly httpHeaderName?: string | undefined
  readonly httpCookie?: {
    readonly name: string
    readonly path?: string | undefined
    readonly ttl?: number | undefined
    readonly attributes?: readonly { readonly name: string; readonly value?: string | undefined }[] | undefined
  } | undefined
  readonly useSourceIp?: boolean | undefined
  readonly httpQueryParameterName?: string | undefined
  readonly ringHash?: { readonly minimumRingSize?: number | undefined } | undefined
  readonly maglev?: { readonly tableSize?: number | undefined } | undefined
  readonly minimumRingSize?: number | undefined
}

export interface LocalityLbSetting {
  readonly distribute?: readonly { readonly from: string; readonly to: Readonly<Record<string, number>> }[] | undefined
  readonly failover?: readonly { readonly from: string; readonly to: string }[] | undefined
  readonly failoverPriority?: readonly string[] | undefined
  readonly enabled?: boolean | undefined
}

/** As Envoy balances by zones; `failover` between regions. */
export interface ZoneAwareLbSetting {
  readonly enabled?: boolean | undefined
  readonly minClusterSize?: number | undefined
  readonly failover?: LocalityLbSetting['failover']
  readonly failoverPriority?: readonly string[] | undefined
}

export interface LoadBalancer {
  readonly localityLbSetting?: LocalityLbSetting | undefined
  readonly zoneAwareLbSetting?: ZoneAwareLbSetting | undefined
  readonly simple?: string | undefined
  readonly consistentHash?: ConsistentHash | undefined
  readonly warmup?: {
    readonly duration?: number | undefined
    readonly minimumPercent?: number | undefined
    readonly aggression?: number | undefined
  } | undefined
  readonly warmupDurationSecs?: number | undefined
}

export interface TcpKeepalive {
  readonly probes?: number | undefined
  readonly time?: number | undefined
  readonly interval?: number | undefined
}

export interface ConnectionPool {
  readonly tcp?: {
    readonly maxConnections?: number | undefined
    readonly connectTimeout?: number | undefined
    readonly tcpKeepalive?: TcpKeepalive | undefined
    readonly maxConnectionDuration?: number | undefined
    readonly idleTimeout?: number | undefined
  } | undefined
  readonly http?: {
    readonly http1MaxPendingRequests?: number | undefined
    readonly http2MaxRequests?: number | undefined
    readonly maxRequestsPerConnection?: number | undefined
    readonly maxRetries?: number | undefined
    readonly idleTimeout?: number | undefined
    readonly h2UpgradePolicy?: string | undefined
    readonly useClientProtocol?: boolean | undefined
    readonly maxConcurrentStreams?: number | undefined
    readonly http2KeepAlive?: { readonly interval?: number | undefined; readonly timeout?: number | undefined } | undefined
  } | undefined
}

export interface OutlierDetection {
  readonly consecutive5xxErrors?: number | undefined
  readonly consecutiveGatewayErrors?: number | undefined
  readonly consecutiveLocalOriginFailures?: number | undefined
  readonly splitExternalLocalOriginErrors?: boolean | undefined
  readonly interval?: number | undefined
  readonly baseEjectionTime?: number | undefined
  readonly maxEjectionPercent?: number | undefined
  readonly minHealthPercent?: number | undefined
  readonly outlierDetectionHttpErrorCodes?: readonly number[] | undefined
}

export interface ClientTls {
  readonly mode?: string | undefined
  readonly clientCertificate?: string | undefined
  readonly privateKey?: string | undefined
  readonly caCertificates?: string | undefined
  readonly caCrl?: string | undefined
  readonly credentialName?: string | undefined
  readonly subjectAltNames?: readonly string[] | undefined
  readonly sni?: string | undefined
  readonly insecureSkipVerify?: boolean | undefined
}

/** The blocks that a port entry, a subset or the top level of a DestinationRule can set. */
export interface PolicyBlocks {
  readonly loadBalancer?: LoadBalancer | undefined
  readonly connectionPool?: ConnectionPool | undefined
  readonly outlierDetection?: OutlierDetection | undefined
  readonly tls?: ClientTls | undefined
}

/** Blocks that no port entry can set. */
export interface WholePolicyBlocks extends PolicyBlocks {
  readonly tunnel?: { readonly protocol?: string | undefined; readonly targetHost: string; readonly targetPort: number } | undefined
  readonly proxyProtocol?: { readonly version?: string | undefined } | undefined
  readonly retryBudget?: { readonly percent?: number | undefined; readonly minRetryConcurrency?: number | undefined; readonly budgetInterval?: number | undefined } | undefined
}

export interface TrafficPolicy extends WholePolicyBlocks {
  readonly portLevelSettings?: readonly (PolicyBlocks & { readonly port?: { readonly number: number } | undefined })[] | undefined
}

export interface Subset {
  readonly name: string
  readonly labels?: Labels | undefined
  readonly trafficPolicy?: TrafficPolicy | undefined
}

export interface DestinationRuleSpec {
  readonly host: string
  readonly trafficPolicy?: TrafficPolicy | undefined
  readonly subsets?: readonly Subset[] | undefined
  readonly exportTo?: readonly string[] | undefined
  readonly workloadSelector?: { readonly matchLabels?: Labels | undefined } | undefined
}

export interface ServerTls {
  readonly httpsRedirect?: boolean | undefined
  readonly mode?: string | undefined
  readonly serverCertificate?: string | undefined
  readonly privateKey?: string | undefined
  readonly caCertificates?: string | undefined
  readonly caCrl?: string | undefined
  readonly credentialName?: string | undefined
  readonly credentialNames?: readonly string[] | undefined
  readonly caCertCredentialName?: string | undefined
  readonly tlsCertificates?: readonly {
    readonly serverCertificate?: string | undefined
    readonly privateKey?: string | undefined
    readonly caCertificates?: string | undefined
  }[] | undefined
  readonly subjectAltNames?: readonly string[] | undefined
  readonly verifyCertificateSpki?: readonly string[] | undefined
  readonly verifyCertificateHash?: readonly string[] | undefined
  readonly minProtocolVersion?: string | undefined
  readonly maxProtocolVersion?: string | undefined
  readonly cipherSuites?: readonly string[] | undefined
  readonly ecdhCurves?: readonly string[] | undefined
}

export interface GatewayServer {
  readonly port: { readonly number: number; readonly name: string; readonly protocol: string }
  readonly bind?: string | undefined
  readonly hosts: readonly string[]
  readonly name?: string | undefined
  readonly tls?: ServerTls | undefined
}

export interface GatewaySpec {
  readonly selector?: Labels | undefined
  readonly servers?: readonly GatewayServer[] | undefined
}

export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Labels | undefined } | undefined
  readonly ingress?: readonly {
    readonly port: { readonly number: number; readonly protocol: string; readonly name: string }
    readonly bind?: string | undefined
    readonly captureMode?: string | undefined
    readonly tls?: ServerTls | undefined
    readonly defaultEndpoint?: string | undefined
    readonly connectionPool?: ConnectionPool | undefined
  }[] | undefined
  readonly egress?: readonly {
    readonly port?: { readonly number: number; readonly protocol: string; readonly name: string } | undefined
    readonly bind?: string | undefined
    readonly captureMode?: string | undefined
    readonly hosts: readonly string[]
  }[] | undefined
  readonly inboundConnectionPool?: ConnectionPool | undefined
  readonly outboundTrafficPolicy?: { readonly mode?: string | undefined; readonly egressProxy?: Destination | undefined } | undefined
}

export interface PeerAuthenticationSpec {
  readonly selector?: { readonly matchLabels?: Labels | undefined } | undefined
  readonly mtls?: { readonly mode?: string | undefined } | undefined
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: string | undefined }>> | undefined
}

export interface MeshTls {
  readonly minProtocolVersion?: string | undefined
  readonly ecdhCurves?: readonly string[] | undefined
  readonly cipherSuites?: readonly string[] | undefined
}

/** How a proxy is set up, as far as it is the control plane's to say. */
export interface ProxyConfigSpec {
  readonly gatewayTopology?: {
    readonly numTrustedProxies?: number | undefined
    readonly forwardClientCertDetails?: string | undefined
    readonly proxyProtocol?: object | undefined
  } | undefined
  readonly proxyMetadata?: Labels | undefined
}

/** The kind ProxyConfig. */
export interface ProxyConfigResource {
  readonly selector?: { readonly matchLabels?: Labels | undefined } | undefined
  readonly environmentVariables?: Labels | undefined
}

/** What providers have in common that decide about requests. */
export interface AskedProvider {
  readonly service: string
  readonly port: number
  readonly timeout: number
  readonly failOpen: boolean
  readonly statusOnError?: string | undefined
  readonly clearRouteCache: boolean
  readonly includeRequestBodyInCheck?: { readonly maxRequestBytes: number; readonly allowPartialMessage: boolean; readonly packAsBytes: boolean } | undefined
}

/** Whom CUSTOM policies ask, as far as they can be. */
export interface ExtensionProvider {
  readonly name: string
  readonly envoyExtAuthzGrpc?: AskedProvider | undefined
  readonly envoyExtAuthzHttp?: AskedProvider & {
    readonly pathPrefix: string
    readonly includeHeadersInCheck: readonly string[]
    readonly includeRequestHeadersInCheck: readonly string[]
    readonly includeAdditionalHeadersInCheck: Labels
    readonly headersToUpstreamOnAllow: readonly string[]
    readonly headersToDownstreamOnDeny: readonly string[]
    readonly headersToDownstreamOnAllow: readonly string[]
  } | undefined
}

/** What of MeshConfig is read, wherever it came from. */
export interface MeshConfigSpec {
  readonly trustDomain?: string | undefined
  readonly trustDomainAliases?: readonly string[] | undefined
  readonly rootNamespace?: string | undefined
  readonly enableAutoMtls?: boolean | undefined
  readonly connectTimeout?: number | undefined
  readonly outboundTrafficPolicy?: { readonly mode?: string | undefined; readonly tls?: ClientTls | undefined } | undefined
  readonly accessLogFile?: string | undefined
  readonly accessLogEncoding?: string | undefined
  readonly accessLogFormat?: string | undefined
  readonly disableEnvoyListenerLog?: boolean | undefined
  readonly defaultHttpRetryPolicy?: HttpRetry | undefined
  readonly defaultInboundHttpRetryPolicy?: HttpRetry | undefined
  readonly localityLbSetting?: LocalityLbSetting | undefined
  readonly zoneAwareLbSetting?: ZoneAwareLbSetting | undefined
  readonly defaultTrafficPolicy?: Pick<PolicyBlocks, 'connectionPool' | 'outlierDetection'> | undefined
  readonly tcpKeepalive?: TcpKeepalive | undefined
  readonly h2UpgradePolicy?: string | undefined
  readonly inboundTrafficPolicy?: { readonly mode?: string | undefined } | undefined
  readonly protocolDetectionTimeout?: number | undefined
  readonly dnsRefreshRate?: number | undefined
  readonly meshMTLS?: MeshTls | undefined
  readonly tlsDefaults?: MeshTls | undefined
  readonly proxyListenPort?: number | undefined
  readonly proxyInboundListenPort?: number | undefined
  readonly proxyHttpPort?: number | undefined
  readonly defaultConfig?: ProxyConfigSpec | undefined
  readonly defaultVirtualServiceExportTo?: readonly string[] | undefined
  readonly defaultDestinationRuleExportTo?: readonly string[] | undefined
  readonly defaultServiceExportTo?: readonly string[] | undefined
  readonly extensionProviders?: readonly ExtensionProvider[] | undefined
  readonly pathNormalization?: { readonly normalization?: string | undefined } | undefined
}
