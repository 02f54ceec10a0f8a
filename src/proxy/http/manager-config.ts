// What an HttpConnectionManager says about requests and connections, decoded once. Routes and filters are compiled
// elsewhere.
import {
  HttpConnectionManager_CodecType as CodecType, HttpConnectionManager_ForwardClientCertDetails as ClientCert, HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpConnectionManager } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { H1Limits } from '../../codec/h1/types.ts'
import { defaultLimits } from '../../codec/h1/types.ts'
import { http2Settings } from '../h2/settings.ts'
import type { Http2Settings } from '../h2/settings.ts'
import { milliseconds } from '../xds/duration.ts'
import { badConfig } from './router/problem.ts'

export interface ManagerConfig {
  readonly codec: 'auto' | 'http1' | 'http2'
  readonly limits: H1Limits
  readonly http2: Http2Settings
  /** By lower-case name: protocols that a request may upgrade to, unless its route says otherwise. */
  readonly upgrades: ReadonlyMap<string, boolean>
  readonly acceptHttp10: boolean
  readonly defaultHostForHttp10: string
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
  readonly escapedSlashes: EscapedSlashes
  readonly useRemoteAddress: boolean
  readonly appendForwardedFor: boolean
  /** Proxies in front of this one that are believed. */
  readonly trustedHops: number
  readonly generateRequestId: boolean
  readonly requestIdInResponse: boolean
  readonly clientCert: ClientCert
  readonly clientCertFields: { readonly cert: boolean; readonly subject: boolean; readonly dns: boolean; readonly uri: boolean }
  readonly proxy100Continue: boolean
  readonly stripAnyPort: boolean
  readonly serverName: string
  readonly serverHeader: ServerHeader
  /** Connections without a request; 0: no limit. */
  readonly idleTimeoutMs: number
  /** From the first byte of a head to its last. */
  readonly headTimeoutMs: number
  /** Requests in which nothing moves; 0: no limit. */
  readonly streamIdleTimeoutMs: number
  /** From the head of a request to the end of its body; 0: no limit. */
  readonly requestTimeoutMs: number
  /** From the first byte of a request to the last one of its answer, where its route does not say; 0: no limit. */
  readonly maxStreamDurationMs: number
  readonly delayedCloseMs: number
  readonly maxConnectionDurationMs: number
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number
}

/** Envoy's idle timeouts of connections and requests. */
const defaultIdleMs = 3_600_000
const defaultStreamIdleMs = 300_000
/** Envoy has none; a client that takes a minute for a head is holding the connection, not using it. */
const defaultHeadTimeoutMs = 60_000
const defaultDelayedCloseMs = 1_000

export function decodeManager(manager: HttpConnectionManager): ManagerConfig {
  refuseUnserved(manager)
  const common = manager.commonHttpProtocolOptions
  const h1 = manager.httpProtocolOptions
  const details = manager.setCurrentClientCertDetails
  const maxHeadBytes = manager.maxRequestHeadersKb === undefined ? defaultLimits.maxHeadBytes : manager.maxRequestHeadersKb * 1024
  const maxHeaders = common?.maxHeadersCount ?? defaultLimits.maxHeaders
  return {
    codec: codecOf(manager.codecType),
    limits: { ...defaultLimits, maxHeadBytes, maxHeaders },
    http2: http2Settings(manager.http2ProtocolOptions, { maxHeaderListBytes: maxHeadBytes, maxHeaders }),
    upgrades: upgradesOf(manager.upgradeConfigs),
    acceptHttp10: h1?.acceptHttp10 ?? false,
    defaultHostForHttp10: h1?.defaultHostForHttp10 ?? '',
    normalizePath: manager.normalizePath ?? false,
    mergeSlashes: manager.mergeSlashes,
    escapedSlashes: manager.pathWithEscapedSlashesAction,
    useRemoteAddress: manager.useRemoteAddress ?? false,
    trustedHops: manager.xffNumTrustedHops,
    appendForwardedFor: (manager.useRemoteAddress ?? false) && !manager.skipXffAppend,
    generateRequestId: manager.generateRequestId ?? true,
    requestIdInResponse: manager.alwaysSetRequestIdInResponse,
    clientCert: manager.forwardClientCertDetails,
    clientCertFields: { cert: details?.cert ?? false, subject: details?.subject ?? false, dns: details?.dns ?? false, uri: details?.uri ?? false },
    proxy100Continue: manager.proxy100Continue,
    stripAnyPort: manager.stripPortMode.case === 'stripAnyHostPort' && manager.stripPortMode.value,
    serverName: manager.serverName === '' ? 'envoy' : manager.serverName,
    serverHeader: manager.serverHeaderTransformation,
    idleTimeoutMs: duration(common?.idleTimeout, defaultIdleMs),
    headTimeoutMs: duration(manager.requestHeadersTimeout, defaultHeadTimeoutMs),
    streamIdleTimeoutMs: duration(manager.streamIdleTimeout, defaultStreamIdleMs),
    requestTimeoutMs: duration(manager.requestTimeout, 0),
    delayedCloseMs: duration(manager.delayedCloseTimeout, defaultDelayedCloseMs),
    maxStreamDurationMs: duration(common?.maxStreamDuration, 0),
    maxConnectionDurationMs: duration(common?.maxConnectionDuration, 0),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
  }
}

/** Of a manager or a route. Filters of its own for an upgrade would be another chain. */
export function upgradesOf(configs: readonly UpgradeConfig[]): ReadonlyMap<string, boolean> {
  return new Map(configs.map(({ upgradeType, enabled, filters = [] }) => {
    if (filters.length > 0) throw badConfig(`upgrade_configs: filters of ${upgradeType} are not served yet`)
    return [upgradeType.toLowerCase(), enabled ?? true]
  }))
}

interface UpgradeConfig {
  readonly upgradeType: string
  readonly enabled?: boolean | undefined
  readonly filters?: readonly unknown[]
}

function codecOf(type: CodecType): ManagerConfig['codec'] {
  switch (type) {
    case CodecType.AUTO: return 'auto'
    case CodecType.HTTP1: return 'http1'
    case CodecType.HTTP2: return 'http2'
    default: throw badConfig('codec_type HTTP3 is not served')
  }
}

const duration = (value: Duration | undefined, otherwise: number): number => (value === undefined ? otherwise : milliseconds(value))

/** What would change how requests are treated, and is not there: better no configuration than a half-true one. */
function refuseUnserved(manager: HttpConnectionManager): void {
  if (manager.routeSpecifier.case === 'scopedRoutes') throw badConfig('scoped_routes is not served yet')
  if (manager.localReplyConfig !== undefined) throw badConfig('local_reply_config is not served yet')
  if (manager.originalIpDetectionExtensions.length > 0) throw badConfig('original_ip_detection_extensions is not served yet')
  if (manager.earlyHeaderMutationExtensions.length > 0) throw badConfig('early_header_mutation_extensions is not served yet')
  // Without use_remote_address Envoy counts the hops from elsewhere.
  if (manager.xffNumTrustedHops > 0 && manager.useRemoteAddress !== true) throw badConfig('xff_num_trusted_hops without use_remote_address is not served yet')
}
