import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt'
import { CircuitBreakers_Thresholds_RetryBudgetSchema as RetryBudgetSchema } from '../../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { Cluster_ClusterProtocolSelection as ProtocolSelection, Cluster_DiscoveryType as DiscoveryType, Cluster_DnsLookupFamily as Family, Cluster_LbPolicy as LbPolicy, ClusterSchema } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { RoutingPriority } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { HttpProtocolOptionsSchema } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { HttpProtocolOptions_ExplicitHttpConfigSchema } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { setBudgetInterval } from '../../xds/budget-interval.ts'
import { http2Settings } from '../h2/settings.ts'
import { decodeCluster, serviceOf } from './cluster-config.ts'

const decode = (init: MessageInitShape<typeof ClusterSchema>) => decodeCluster(create(ClusterSchema, init))
const withOptions = (init: MessageInitShape<typeof HttpProtocolOptionsSchema>) =>
  ({ name: 'c', typedExtensionProtocolOptions: { [HttpProtocolOptionsSchema.typeName]: anyPack(HttpProtocolOptionsSchema, create(HttpProtocolOptionsSchema, init)) } })

test('what a cluster leaves out is as in Envoy', () => {
  assert.deepEqual(decode({ name: 'c' }), {
    name: 'c', discovery: 'static', balancer: { kind: 'round-robin' }, weighsLocalities: false, zoneAware: undefined, warmUp: undefined, outliers: undefined, connectTimeoutMs: 5_000, keepAlive: undefined,
    breakers: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3, retryBudget: undefined },
    http: { idleTimeoutMs: 3_600_000, maxConnectionMs: 0, maxRequestsPerConnection: 0, autoServerName: false, autoVerify: false, protocol: 'http1', http2: http2Settings(undefined) },
    dns: { refreshMs: 5_000, respectsTtl: false, family: 'v6-first' },
    panicPercent: 50, assignmentName: '', knowsMesh: false, endpoints: [],
  })
})

const discoveries: [keyof typeof DiscoveryType, string][] = [
  ['STATIC', 'static'], ['EDS', 'eds'], ['ORIGINAL_DST', 'original-destination'], ['STRICT_DNS', 'strict-dns'],
]
for (const [name, discovery] of discoveries) {
  test(`discovery type ${name} is ${discovery}`, () => {
    assert.equal(decode({ name: 'c', clusterDiscoveryType: { case: 'type', value: DiscoveryType[name] } }).discovery, discovery)
  })
}

const balancers: [keyof typeof LbPolicy, object][] = [
  ['ROUND_ROBIN', { kind: 'round-robin' }], ['LEAST_REQUEST', { kind: 'least-request', choices: 2, bias: 1 }], ['RANDOM', { kind: 'random' }],
  ['RING_HASH', { kind: 'ring-hash', minSize: 1_024, maxSize: 8_388_608 }], ['MAGLEV', { kind: 'maglev', tableSize: 65_537 }],
  ['CLUSTER_PROVIDED', { kind: 'round-robin' }],
]
for (const [name, balancer] of balancers) {
  test(`policy ${name} balances as Envoy does by default`, () => assert.deepEqual(decode({ name: 'c', lbPolicy: LbPolicy[name] }).balancer, balancer))
}

test('balancers are set as the cluster says', () => {
  const ring = decode({ name: 'c', lbPolicy: LbPolicy.RING_HASH, lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: 10n, maximumRingSize: 100n } } })
  assert.deepEqual(ring.balancer, { kind: 'ring-hash', minSize: 10, maxSize: 100 })
  const least = decode({ name: 'c', lbPolicy: LbPolicy.LEAST_REQUEST, lbConfig: { case: 'leastRequestLbConfig', value: {
    choiceCount: 4, activeRequestBias: { defaultValue: 2 }, slowStartConfig: { slowStartWindow: { seconds: 60n }, aggression: { defaultValue: 3 }, minWeightPercent: { value: 5 } },
  } } })
  assert.deepEqual(least.balancer, { kind: 'least-request', choices: 4, bias: 2 })
  assert.deepEqual(least.warmUp, { windowMs: 60_000, aggression: 3, minPercent: 5 })
})

test('rings and tables that cannot be are refused', () => {
  const ring = { case: 'ringHashLbConfig' as const, value: { minimumRingSize: 10n, maximumRingSize: 5n } }
  assert.throws(() => decode({ name: 'c', lbPolicy: LbPolicy.RING_HASH, lbConfig: ring }), /a ring of 10 to 5 points/)
  for (const tableSize of [0n, 10n, 5_000_077n]) {
    assert.throws(() => decode({ name: 'c', lbPolicy: LbPolicy.MAGLEV, lbConfig: { case: 'maglevLbConfig', value: { tableSize } } }), /it must be a prime/)
  }
})

test('outlier detection has the defaults of Envoy, and statistics are refused', () => {
  assert.deepEqual(decode({ name: 'c', outlierDetection: {} }).outliers, {
    triggers: {
      consecutive_5xx: { count: 5, enforced: 100 },
      consecutive_gateway_failure: { count: 5, enforced: 0 },
      consecutive_local_origin_failure: { count: 5, enforced: 100 },
    },
    splitsLocal: false, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 10,
  })
  assert.throws(() => decode({ name: 'c', outlierDetection: { enforcingFailurePercentage: 100 } }), /by success rate or failure percentage/)
})

const families: [keyof typeof Family, string][] = [['AUTO', 'v6-first'], ['V4_ONLY', 'v4'], ['V6_ONLY', 'v6'], ['V4_PREFERRED', 'v4-first'], ['ALL', 'all']]
for (const [name, family] of families) {
  test(`lookup family ${name} is ${family}`, () => assert.equal(decode({ name: 'c', dnsLookupFamily: Family[name] }).dns.family, family))
}

test('an EDS cluster asks by its service name, or else by its own', () => {
  const type = { case: 'type' as const, value: DiscoveryType.EDS }
  assert.equal(decode({ name: 'c', clusterDiscoveryType: type }).assignmentName, 'c')
  assert.equal(decode({ name: 'c', clusterDiscoveryType: type, edsClusterConfig: { serviceName: 's' } }).assignmentName, 's')
})

test('breakers are those of the default priority; a budget has defaults of its own', () => {
  const thresholds = [{ priority: RoutingPriority.HIGH, maxConnections: 1 }, { maxConnections: 7, maxRetries: 4_294_967_295, retryBudget: {} }]
  const { breakers } = decode({ name: 'c', circuitBreakers: { thresholds } })
  assert.deepEqual(breakers, { maxConnections: 7, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 4_294_967_295, retryBudget: { percent: 20, minConcurrency: 3, intervalMs: 0 } })
  const budget = setBudgetInterval(create(RetryBudgetSchema, { budgetPercent: { value: 50 }, minRetryConcurrency: 1 }), create(DurationSchema, { nanos: 500_000_000 }))
  assert.deepEqual(decode({ name: 'c', circuitBreakers: { thresholds: [{ retryBudget: budget }] } }).breakers.retryBudget, { percent: 50, minConcurrency: 1, intervalMs: 500 })
})

test('HTTP options come from the extension, and the older fields count without it', () => {
  const { http } = decode(withOptions({
    commonHttpProtocolOptions: { idleTimeout: { seconds: 3n }, maxRequestsPerConnection: 9, maxConnectionDuration: { seconds: 60n } }, upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true },
  }))
  assert.deepEqual(http, { idleTimeoutMs: 3_000, maxConnectionMs: 60_000, maxRequestsPerConnection: 9, autoServerName: true, autoVerify: true, protocol: 'http1', http2: http2Settings(undefined) })
  assert.equal(decode({ name: 'c', commonHttpProtocolOptions: { idleTimeout: {} } }).http.idleTimeoutMs, 0)
})

type Explicit = Exclude<MessageInitShape<typeof HttpProtocolOptions_ExplicitHttpConfigSchema>['protocolConfig'], undefined>
const explicit = (protocolConfig: Explicit) => withOptions({ upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig } } })
const protocols: [string, MessageInitShape<typeof ClusterSchema>, string][] = [
  ['explicit HTTP/1', explicit({ case: 'httpProtocolOptions', value: {} }), 'http1'],
  ['explicit HTTP/2', explicit({ case: 'http2ProtocolOptions', value: {} }), 'http2'],
  ['the protocol of the client', withOptions({ upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: {} } }), 'downstream'],
  ['what the host chooses', withOptions({ upstreamProtocolOptions: { case: 'autoConfig', value: {} } }), 'auto'],
  ['options of HTTP/2 in the cluster itself', { name: 'c', http2ProtocolOptions: {} }, 'http2'],
  ['the protocol of the client, by the older field', { name: 'c', protocolSelection: ProtocolSelection.USE_DOWNSTREAM_PROTOCOL, http2ProtocolOptions: {} }, 'downstream'],
]
for (const [what, init, protocol] of protocols) {
  test(`a cluster may speak ${what}`, () => assert.equal(decode(init).http.protocol, protocol))
}

test('HTTP/3 is refused', () => {
  assert.throws(() => decode(explicit({ case: 'http3ProtocolOptions', value: {} })), /cluster c: HTTP\/3 is not served yet/)
})

test('options of HTTP/2 are taken within what memory allows', () => {
  const { limits, keepAlive } = decode(explicit({ case: 'http2ProtocolOptions', value: {
    maxConcurrentStreams: 7, initialStreamWindowSize: 70_000, initialConnectionWindowSize: 268_435_456, connectionKeepalive: { interval: { seconds: 30n }, timeout: { seconds: 5n } },
  } })).http.http2
  assert.deepEqual([limits.maxConcurrentStreams, limits.initialStreamWindow, limits.initialConnectionWindow], [7, 70_000, 1024 * 1024])
  assert.deepEqual(keepAlive, { intervalMs: 30_000, timeoutMs: 5_000, jitterPercent: 15, idleMs: 0 })
})

test('TCP keep-alive is off unless it is asked for, and may leave the time to the system', () => {
  assert.deepEqual(decode({ name: 'c', upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 75, keepaliveInterval: 9, keepaliveProbes: 3 } } }).keepAlive, { afterS: 75, intervalS: 9, probes: 3 })
  assert.deepEqual(decode({ name: 'c', upstreamConnectionOptions: { tcpKeepalive: {} } }).keepAlive, { afterS: 0, intervalS: 0, probes: 0 })
})

test('the panic threshold may be zero', () => {
  assert.equal(decode({ name: 'c', commonLbConfig: { healthyPanicThreshold: { value: 0 } } }).panicPercent, 0)
})

test('the service is the first that the istio metadata names', () => {
  const services = [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }, { host: 'other' }]
  assert.deepEqual(serviceOf(create(ClusterSchema, { metadata: { filterMetadata: { istio: { services } } } })), services[0])
  for (const wrong of [undefined, 'x', [], ['x'], [[]], [null]]) {
    const istio = wrong === undefined ? {} : { services: wrong }
    assert.equal(serviceOf(create(ClusterSchema, { metadata: { filterMetadata: { istio } } })), undefined)
  }
})

const refusals: [string, MessageInitShape<typeof ClusterSchema>, RegExp][] = [
  ['a custom cluster type', { name: 'c', clusterDiscoveryType: { case: 'clusterType', value: { name: 'envoy.clusters.aggregate' } } }, /cluster c: cluster_type envoy.clusters.aggregate is not served yet/],
  ['an unknown discovery type', { name: 'c', clusterDiscoveryType: { case: 'type', value: 99 as DiscoveryType } }, /cluster c: discovery type 99 is not known/],
  ['no time to connect', { name: 'c', connectTimeout: {} }, /cluster c: connect_timeout must be longer than 0/],
  ['LOGICAL_DNS without its one endpoint', { name: 'c', clusterDiscoveryType: { case: 'type', value: DiscoveryType.LOGICAL_DNS } }, /cluster c: LOGICAL_DNS with 0 endpoints: it needs exactly one/],
  ['HTTP options of another type', { name: 'c', typedExtensionProtocolOptions: { [HttpProtocolOptionsSchema.typeName]: { typeUrl: 'type.googleapis.com/x.Y', value: new Uint8Array() } } }, /cluster c: HTTP protocol options of type .*x\.Y/],
]
for (const [title, init, message] of refusals) {
  test(`a cluster with ${title} is refused`, () => assert.throws(() => decode(init), message))
}
