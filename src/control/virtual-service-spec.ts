// The fields of a VirtualService that translation reads; specs.ts says how such types are meant.

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
