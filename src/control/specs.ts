// The fields of Istio's kinds that translation reads; those of VirtualServices and DestinationRules have files of their own.
// Structural: the parsed specs of src/kinds fit, and so does a test's literal. Durations are milliseconds; whatever a document may
// leave out is optional here.
import type { ClientTls, ConnectionPool, LocalityLbSetting, PolicyBlocks, TcpKeepalive, ZoneAwareLbSetting } from './destination-rule-spec.ts'
import type { Destination, HttpRetry } from './virtual-service-spec.ts'

type Labels = Readonly<Record<string, string>>

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
