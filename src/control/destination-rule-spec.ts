// The fields of a DestinationRule, and of the traffic policies that others have as well, that translation reads; specs.ts says
// how such types are meant.

type Labels = Readonly<Record<string, string>>

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
