// Reads a Cluster message into what this proxy runs. Throws `proxy/bad-config` for what cannot be honoured.
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../../lib/errors.ts'
import type { KeepAlive } from '../../net/keep-alive.ts'
import type { AddressFamily } from '../../net/resolve.ts'
import {
  Cluster_ClusterProtocolSelection as ProtocolSelection, Cluster_DiscoveryType as DiscoveryType, Cluster_DnsLookupFamily as Family, Cluster_LbPolicy as LbPolicy, Cluster_RingHashLbConfig_HashFunction as HashFunction,
} from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type {
  Cluster as ClusterMessage, Cluster_LeastRequestLbConfig as LeastRequestConfig, Cluster_MaglevLbConfig as MaglevConfig,
  Cluster_RingHashLbConfig as RingHashConfig,
} from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { CircuitBreakers_Thresholds as Thresholds } from '../../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { RoutingPriority } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { ClusterConfigSchema as DynamicForwardProxySchema } from '../../proto/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { HttpProtocolOptionsSchema } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { HttpProtocolOptions } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { budgetIntervalOf } from '../../xds/budget-interval.ts'
import { http2Settings } from '../h2/settings.ts'
import type { Http2Settings } from '../h2/settings.ts'
import { assignmentNameOf, knownEndpointsOf } from '../xds/cluster.ts'
import { milliseconds } from '../xds/duration.ts'
import type { BalancerSettings } from './balancer/create.ts'
import { leastRequestDefaults } from './balancer/least-request.ts'
import type { LeastRequestSettings } from './balancer/least-request.ts'
import { maglevDefaultSize } from './balancer/maglev.ts'
import { ringHashDefaults } from './balancer/ring-hash.ts'
import type { RingHashSettings } from './balancer/ring-hash.ts'
import { defaultBreakerLimits } from './breakers.ts'
import type { BreakerLimits } from './breakers.ts'
import { dnsTypeOf } from './dns-type.ts'
import { decodeEndpoints } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import { errorCodesOf } from './outlier/error-codes.ts'
import { decodeOutlierDetection } from './outlier/settings.ts'
import type { OutlierSettings } from './outlier/settings.ts'
import type { Cluster } from './types.ts'
import type { WarmUpSettings } from './warm-up.ts'
import type { ZoneAwareSettings } from './zone-aware.ts'

/** `by-authority` looks up whom each request is for. `logical-dns` is one host whose new connections go where its name points; `strict-dns` makes a host of every address. */
export type Discovery = 'eds' | 'static' | 'original-destination' | 'strict-dns' | 'logical-dns' | 'by-authority'

/** `downstream`: what the client of each request speaks; `auto`: what the host chooses by ALPN. */
export type HttpProtocol = 'http1' | 'http2' | 'downstream' | 'auto'

export interface HttpSettings {
  readonly protocol: HttpProtocol
  readonly http2: Http2Settings
  /** 0: no limit. */
  readonly idleTimeoutMs: number
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number
  /** From then on a connection carries no further request; 0: no limit. */
  readonly maxConnectionMs: number
  /** The server name of TLS is the request's authority, and its certificate must be for it. */
  readonly autoServerName: boolean
  readonly autoVerify: boolean
}

export interface DnsSettings {
  readonly refreshMs: number
  readonly respectsTtl: boolean
  readonly family: AddressFamily
}

export interface ClusterConfig {
  readonly name: string
  readonly discovery: Discovery
  readonly balancer: BalancerSettings
  /** Weights of localities decide how much each carries. */
  readonly weighsLocalities: boolean
  readonly zoneAware: ZoneAwareSettings | undefined
  readonly warmUp: WarmUpSettings | undefined
  readonly outliers: OutlierSettings | undefined
  readonly connectTimeoutMs: number
  /** Undefined: the kernel never asks whether a silent peer is still there. */
  readonly keepAlive: KeepAlive | undefined
  readonly breakers: BreakerLimits
  readonly http: HttpSettings
  readonly dns: DnsSettings
  /** Below this share of healthy hosts, health is taken for a mistake and all of them are used; 0: never. */
  readonly panicPercent: number
  /** Name of the load assignment; empty: it has none. */
  readonly assignmentName: string
  /** Where clients meant to go, endpoints that are known to take the mesh's mutual TLS are spoken to so. */
  readonly knowsMesh: boolean
  /** Hosts that stand in the cluster itself. */
  readonly endpoints: readonly EndpointSettings[]
}

/** Envoy's defaults. */
const defaultConnectTimeoutMs = 5_000
const defaultDnsRefreshMs = 5_000
const defaultCacheRefreshMs = 60_000
const defaultIdleTimeoutMs = 3_600_000
const defaultPanicPercent = 50
const defaultZoneAwareHosts = 6n

export function decodeCluster(message: ClusterMessage): ClusterConfig {
  const discovery = discoveryOf(message)
  const endpoints = message.loadAssignment === undefined ? [] : decodeEndpoints(message.loadAssignment)
  if (discovery === 'logical-dns' && endpoints.length !== 1) throw bad(message.name, `LOGICAL_DNS with ${endpoints.length} endpoints: it needs exactly one`)
  const connectTimeoutMs = timeOr(message.connectTimeout, defaultConnectTimeoutMs)
  if (connectTimeoutMs <= 0) throw bad(message.name, 'connect_timeout must be longer than 0')
  return {
    name: message.name,
    discovery,
    balancer: balancerOf(message),
    weighsLocalities: message.commonLbConfig?.localityConfigSpecifier.case === 'localityWeightedLbConfig',
    zoneAware: zoneAwareOf(message),
    warmUp: warmUpOf(message),
    outliers: decodeOutlierDetection(message, errorCodesOf(message.name, httpOptions(message))),
    connectTimeoutMs,
    keepAlive: keepAliveOf(message),
    breakers: breakersOf(message),
    http: httpSettings(message),
    dns: dnsSettings(message),
    panicPercent: message.commonLbConfig?.healthyPanicThreshold?.value ?? defaultPanicPercent,
    assignmentName: assignmentNameOf(message) ?? '',
    knowsMesh: knownEndpointsOf(message) === 'mutual_tls',
    endpoints,
  }
}

/** What telemetry calls the service: the first of the cluster's istio metadata. */
export function serviceOf(message: ClusterMessage): Cluster['service'] {
  const services = message.metadata?.filterMetadata['istio']?.['services']
  const first = Array.isArray(services) ? services[0] : undefined
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return undefined
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { host: text(first['host']), name: text(first['name']), namespace: text(first['namespace']) }
}

function discoveryOf(message: ClusterMessage): Discovery {
  const { name, clusterDiscoveryType: type } = message
  const dns = dnsTypeOf(message)
  if (dns !== undefined) return dns.kind
  if (type.case === 'clusterType') {
    const { name: kind, typedConfig } = type.value
    if (typedConfig === undefined || !anyIs(typedConfig, DynamicForwardProxySchema)) throw bad(name, `cluster_type ${kind} is not served yet`)
    return 'by-authority'
  }
  switch (type.value ?? DiscoveryType.STATIC) {
    case DiscoveryType.STATIC: return 'static'
    case DiscoveryType.EDS: return 'eds'
    case DiscoveryType.ORIGINAL_DST: return 'original-destination'
    case DiscoveryType.STRICT_DNS: return 'strict-dns'
    case DiscoveryType.LOGICAL_DNS: return 'logical-dns'
    default: throw bad(name, `discovery type ${String(type.value)} is not known`)
  }
}

function balancerOf({ name, lbPolicy, lbConfig: { case: kind, value } }: ClusterMessage): BalancerSettings {
  switch (lbPolicy) {
    case LbPolicy.LEAST_REQUEST: return { kind: 'least-request', ...leastRequestOf(kind === 'leastRequestLbConfig' ? value : undefined) }
    case LbPolicy.RANDOM: return { kind: 'random' }
    case LbPolicy.RING_HASH: return { kind: 'ring-hash', ...ringHashOf(name, kind === 'ringHashLbConfig' ? value : undefined) }
    case LbPolicy.MAGLEV: return { kind: 'maglev', tableSize: tableSizeOf(name, kind === 'maglevLbConfig' ? value : undefined) }
    default: return { kind: 'round-robin' }
  }
}

function leastRequestOf(config: LeastRequestConfig | undefined): LeastRequestSettings {
  return { choices: config?.choiceCount ?? leastRequestDefaults.choices, bias: config?.activeRequestBias?.defaultValue ?? leastRequestDefaults.bias }
}

function ringHashOf(name: string, config: RingHashConfig | undefined): RingHashSettings {
  if (config?.hashFunction === HashFunction.MURMUR_HASH_2) throw bad(name, 'MURMUR_HASH_2 is not supported')
  const { minSize, maxSize } = ringHashDefaults
  const found = { minSize: Number(config?.minimumRingSize ?? minSize), maxSize: Number(config?.maximumRingSize ?? maxSize) }
  if (found.minSize > found.maxSize || found.maxSize > maxSize) throw bad(name, `a ring of ${found.minSize} to ${found.maxSize} points: at most ${maxSize}`)
  return found
}

function tableSizeOf(name: string, config: MaglevConfig | undefined): number {
  const size = Number(config?.tableSize ?? maglevDefaultSize)
  if (size > largestTable || !isPrime(size)) throw bad(name, `a Maglev table of ${size} places: it must be a prime, at most ${largestTable}`)
  return size
}

/** Envoy's. */
const largestTable = 5_000_011

function isPrime(value: number): boolean {
  for (let by = 2; by * by <= value; by++) if (value % by === 0) return false
  return value > 1
}

function warmUpOf({ lbConfig }: ClusterMessage): WarmUpSettings | undefined {
  const config = lbConfig.case === 'roundRobinLbConfig' || lbConfig.case === 'leastRequestLbConfig' ? lbConfig.value.slowStartConfig : undefined
  if (config?.slowStartWindow === undefined) return undefined
  const windowMs = milliseconds(config.slowStartWindow)
  // An aggression of 0 would divide by it.
  return { windowMs, aggression: Math.max(Number.MIN_VALUE, config.aggression?.defaultValue ?? 1), minPercent: config.minWeightPercent?.value ?? 10 }
}

/** Hashing looks at no locality, as in Envoy. */
function zoneAwareOf({ commonLbConfig, lbPolicy }: ClusterMessage): ZoneAwareSettings | undefined {
  const specifier = commonLbConfig?.localityConfigSpecifier
  if (specifier?.case !== 'zoneAwareLbConfig' || lbPolicy === LbPolicy.RING_HASH || lbPolicy === LbPolicy.MAGLEV) return undefined
  const { routingEnabled, minClusterSize = defaultZoneAwareHosts, failTrafficOnPanic: failsInPanic } = specifier.value
  const routed = routingEnabled?.value ?? 100
  return routed === 0 ? undefined : { routed, minHosts: Number(minClusterSize), failsInPanic }
}

function keepAliveOf({ upstreamConnectionOptions }: ClusterMessage): KeepAlive | undefined {
  const found = upstreamConnectionOptions?.tcpKeepalive
  if (found === undefined) return undefined
  return { afterS: found.keepaliveTime ?? 0, intervalS: found.keepaliveInterval ?? 0, probes: found.keepaliveProbes ?? 0 }
}

function dnsSettings(message: ClusterMessage): DnsSettings {
  const { dnsRefreshRate, respectDnsTtl, dnsLookupFamily, clusterDiscoveryType: { case: kind, value } } = message
  const cache = kind === 'clusterType' && value.typedConfig !== undefined ? anyUnpack(value.typedConfig, DynamicForwardProxySchema)?.clusterImplementationSpecifier : undefined
  // A cache of names asks again when an answer's time is over.
  if (cache?.case === 'dnsCacheConfig') return { refreshMs: timeOr(cache.value.dnsRefreshRate, defaultCacheRefreshMs), respectsTtl: true, family: familyOf(cache.value.dnsLookupFamily) }
  const dns = dnsTypeOf(message)
  if (dns !== undefined) return { refreshMs: timeOr(dns.refreshRate, defaultDnsRefreshMs), respectsTtl: dns.respectsTtl, family: dns.family }
  return { refreshMs: timeOr(dnsRefreshRate, defaultDnsRefreshMs), respectsTtl: respectDnsTtl, family: familyOf(dnsLookupFamily) }
}

function familyOf(family: Family): AddressFamily {
  switch (family) {
    case Family.V4_ONLY: return 'v4'
    case Family.V6_ONLY: return 'v6'
    case Family.V4_PREFERRED: return 'v4-first'
    case Family.ALL: return 'all'
    default: return 'v6-first'
  }
}

function breakersOf({ circuitBreakers }: ClusterMessage): BreakerLimits {
  const found = circuitBreakers?.thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT)
  if (found === undefined) return defaultBreakerLimits
  return {
    maxConnections: found.maxConnections ?? defaultBreakerLimits.maxConnections,
    maxPendingRequests: found.maxPendingRequests ?? defaultBreakerLimits.maxPendingRequests,
    maxRequests: found.maxRequests ?? defaultBreakerLimits.maxRequests,
    maxRetries: found.maxRetries ?? defaultBreakerLimits.maxRetries,
    retryBudget: retryBudgetOf(found),
  }
}

function retryBudgetOf({ retryBudget: budget }: Thresholds): BreakerLimits['retryBudget'] {
  if (budget === undefined) return undefined
  const interval = budgetIntervalOf(budget)
  return { percent: budget.budgetPercent?.value ?? 20, minConcurrency: budget.minRetryConcurrency ?? 3, intervalMs: interval === undefined ? 0 : milliseconds(interval) }
}

function httpSettings(message: ClusterMessage): HttpSettings {
  const options = httpOptions(message)
  const common = options?.commonHttpProtocolOptions ?? message.commonHttpProtocolOptions
  const upstream = options?.upstreamHttpProtocolOptions ?? message.upstreamHttpProtocolOptions
  return {
    idleTimeoutMs: timeOr(common?.idleTimeout, defaultIdleTimeoutMs),
    maxConnectionMs: timeOr(common?.maxConnectionDuration, 0),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? message.maxRequestsPerConnection ?? 0,
    autoServerName: upstream?.autoSni ?? false,
    autoVerify: upstream?.autoSanValidation ?? false,
    ...protocolOf(message, options),
  }
}

/** The cluster's own fields are Envoy's older spelling. */
function protocolOf(message: ClusterMessage, options: HttpProtocolOptions | undefined): Pick<HttpSettings, 'protocol' | 'http2'> {
  const { case: kind, value } = options?.upstreamProtocolOptions ?? { case: undefined }
  switch (kind) {
    case 'explicitHttpConfig': {
      const { case: protocol, value: own } = value.protocolConfig
      if (protocol === 'http3ProtocolOptions') throw bad(message.name, 'HTTP/3 is not served yet')
      return { protocol: protocol === 'http2ProtocolOptions' ? 'http2' : 'http1', http2: http2Settings(protocol === 'http2ProtocolOptions' ? own : undefined) }
    }
    case 'useDownstreamProtocolConfig': return { protocol: 'downstream', http2: http2Settings(value.http2ProtocolOptions) }
    case 'autoConfig': return { protocol: 'auto', http2: http2Settings(value.http2ProtocolOptions) }
    default: {
      const { http2ProtocolOptions: own, protocolSelection } = message
      const protocol = protocolSelection === ProtocolSelection.USE_DOWNSTREAM_PROTOCOL ? 'downstream' : own === undefined ? 'http1' : 'http2'
      return { protocol, http2: http2Settings(own) }
    }
  }
}

function httpOptions({ name, typedExtensionProtocolOptions: all }: ClusterMessage): HttpProtocolOptions | undefined {
  const any = all[HttpProtocolOptionsSchema.typeName]
  if (any === undefined) return undefined
  const options = anyUnpack(any, HttpProtocolOptionsSchema)
  if (options === undefined) throw bad(name, `HTTP protocol options of type ${any.typeUrl}`)
  return options
}

const timeOr = (value: Duration | undefined, otherwise: number) => (value === undefined ? otherwise : milliseconds(value))
const bad = (name: string, what: string) => new MeshError('proxy/bad-config', `cluster ${name}: ${what}`)
