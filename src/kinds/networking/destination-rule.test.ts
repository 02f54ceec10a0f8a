// Every rule of a DestinationRule: what is refused, what is warned of, and the twin that is fine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsIn, testKind } from '../../../test/support/kind-cases.ts'
import type { KindCase } from '../../../test/support/kind-cases.ts'

const destinationRule = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  spec: { host: 'reviews', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } }, subsets: [{ name: 'v1', labels: { version: 'v1' } }] },
}

const lb = 'trafficPolicy.loadBalancer'
const hash = (value: object, twin: object, at: string, message: string, title: string): KindCase =>
  ({ title, change: [lb, { consistentHash: value }], path: `${lb}.consistentHash${at}`, message, twin: [lb, { consistentHash: twin }] })
const locality = (value: object, twin: object, at: string, message: string, title: string): KindCase => ({
  title, path: `${lb}.localityLbSetting${at}`, message,
  change: ['trafficPolicy', { loadBalancer: { localityLbSetting: value }, outlierDetection: {} }],
  twin: ['trafficPolicy', { loadBalancer: { localityLbSetting: twin }, outlierDetection: {} }],
})
const tls = (value: object, twin: object, at: string, message: string, title: string, severity: 'error' | 'warning' = 'error'): KindCase =>
  ({ title, severity, change: ['trafficPolicy.tls', value], path: `trafficPolicy.tls${at}`, message, twin: ['trafficPolicy.tls', twin] })

const useSourceIp = true
const istioMutual = 'cannot stand beside mode ISTIO_MUTUAL, which uses the certificates of the mesh: remove it'
const unchecked = 'cannot stand beside insecureSkipVerify: true, which checks nothing: remove one of them'
const secretHoldsIt = 'cannot stand beside credentialName, whose secret holds all of it: remove one of them'

testKind(destinationRule, [
  { title: 'no host', change: ['host', undefined], message: 'is required', twin: ['host', '*.example.com'] },
  { title: 'a host that is no name', change: ['host', 'a_b'], message: '"a_b" is no host name: "a_b" is not a DNS label', twin: ['host', '*'] },
  { title: 'a subset twice', change: ['subsets', [{ name: 'v1' }, { name: 'v1' }]], path: 'subsets[1].name', message: 'subset v1 is there twice: rename or remove one', twin: ['subsets', [{ name: 'v1' }, { name: 'v2' }]] },
  { title: 'a subset whose name is no DNS label', change: ['subsets', [{ name: 'v.1' }]], path: 'subsets[0].name', message: `"v.1" is not a DNS label: letters, digits and '-', at most 63`, twin: ['subsets', [{ name: 'v-1' }]] },
  { title: 'a label of a subset that is none', change: ['subsets', [{ name: 'v1', labels: { '*': 'a' } }]], path: 'subsets[0].labels.*', message: '"*" is not a label key', twin: ['subsets', [{ name: 'v1', labels: {} }]] },
  { title: 'an empty policy', change: ['trafficPolicy', {}], message: 'needs one of loadBalancer, connectionPool, outlierDetection, tls, portLevelSettings, tunnel, proxyProtocol, retryBudget', twin: ['trafficPolicy', { retryBudget: { percent: 20 } }] },
  { title: 'an empty policy of a subset', change: ['subsets[0].trafficPolicy', {}], message: 'needs one of loadBalancer, connectionPool, outlierDetection, tls, portLevelSettings, tunnel, proxyProtocol, retryBudget', twin: ['subsets[0].trafficPolicy', { tls: {} }] },
  { title: 'a tunnel beside a proxy protocol', change: ['trafficPolicy', { tunnel: { targetHost: 'a.com', targetPort: 80 }, proxyProtocol: {} }], path: 'trafficPolicy.proxyProtocol', message: 'cannot stand beside tunnel: remove one of them', twin: ['trafficPolicy', { proxyProtocol: { version: 'V2' } }] },
  { title: 'a tunnel to nowhere', change: ['trafficPolicy', { tunnel: { targetHost: 'a_b', targetPort: 80 } }], path: 'trafficPolicy.tunnel.targetHost', message: '"a_b" is no host name: "a_b" is not a DNS label', twin: ['trafficPolicy', { tunnel: { targetHost: '10.0.0.1', targetPort: 80, protocol: 'POST' } }] },
  { title: 'a tunnel of another protocol', change: ['trafficPolicy', { tunnel: { targetHost: 'a', targetPort: 80, protocol: 'GET' } }], path: 'trafficPolicy.tunnel.protocol', message: 'must be one of CONNECT, POST, not "GET"', twin: ['trafficPolicy', { tunnel: { targetHost: 'a', targetPort: 80 } }] },
  { title: 'a wildcard at the end of a tunnel', change: ['trafficPolicy', { tunnel: { targetHost: '*.a.com', targetPort: 80 } }], path: 'trafficPolicy.tunnel.targetHost', message: '"*.a.com": a wildcard is not allowed here', twin: ['trafficPolicy', { tunnel: { targetHost: 'a.com', targetPort: 80 } }] },
  { title: 'a port policy without port', change: ['trafficPolicy.portLevelSettings', [{ tls: {} }]], path: 'trafficPolicy.portLevelSettings[0].port', message: 'is required: the port of the service that this is for', twin: ['trafficPolicy.portLevelSettings', [{ port: { number: 80 }, tls: {} }]] },
  { title: 'a port policy without policy', change: ['trafficPolicy.portLevelSettings', [{ port: { number: 80 } }]], path: 'trafficPolicy.portLevelSettings[0]', message: 'needs one of loadBalancer, connectionPool, outlierDetection, tls', twin: ['trafficPolicy.portLevelSettings', [{ port: { number: 80 }, connectionPool: { tcp: {} } }]] },
  { title: 'a port policy twice', severity: 'warning', change: ['trafficPolicy.portLevelSettings', [80, 80].map((number) => ({ port: { number }, tls: {} }))], path: 'trafficPolicy.portLevelSettings[1]', message: 'the port 80 is there twice: the first one counts', twin: ['trafficPolicy.portLevelSettings', [80, 81].map((number) => ({ port: { number }, tls: {} }))] },
  { title: 'mistakes in the blocks of a port', change: ['trafficPolicy.portLevelSettings', [{ port: { number: 80 }, connectionPool: {} }]], path: 'trafficPolicy.portLevelSettings[0].connectionPool', message: 'needs tcp or http', twin: ['trafficPolicy.portLevelSettings', [{ port: { number: 80 }, connectionPool: { http: {} } }]] },
  { title: 'an interval of a retry budget that is none', change: ['trafficPolicy.retryBudget', { budgetInterval: 'x' }], path: 'trafficPolicy.retryBudget.budgetInterval', message: 'must be a duration such as 1s, 500ms or 1m30s, not "x"', twin: ['trafficPolicy.retryBudget', { budgetInterval: '0s' }] },
  { title: 'a percent of retries beyond 100', change: ['trafficPolicy.retryBudget', { percent: 101 }], path: 'trafficPolicy.retryBudget.percent', message: 'must be at most 100, not 101', twin: ['trafficPolicy.retryBudget', { percent: 20.5, minRetryConcurrency: 3, budgetInterval: '1s' }] },

  { title: 'an export beyond the clients that it is for', change: [['workloadSelector', { matchLabels: { app: 'a' } }], ['exportTo', ['*']]], path: 'exportTo[0]', message: 'a DestinationRule with workloadSelector is for clients of its own namespace, not for "*": write "." or remove exportTo', twin: [['workloadSelector', { matchLabels: { app: 'a' } }], ['exportTo', ['.']]] },
  { title: 'an export to "." and its own namespace', change: ['exportTo', ['.', 'shop']], path: 'exportTo', message: '"." is the namespace shop, which is named too: keep one of them', twin: ['exportTo', ['shop']] },
  { title: 'a selector of all clients', severity: 'warning', change: ['workloadSelector', {}], path: 'workloadSelector', message: 'selects every client of the namespace, since it has no matchLabels', twin: ['workloadSelector', { matchLabels: { app: 'a' } }] },

  { title: 'two ways to pick an endpoint', change: [lb, { simple: 'RANDOM', consistentHash: { useSourceIp } }], path: `${lb}.consistentHash`, message: 'cannot stand beside simple: remove one of them', twin: [lb, { consistentHash: { useSourceIp } }] },
  { title: 'a way to pick that is none', change: [lb, { simple: 'ROUNDROBIN' }], path: `${lb}.simple`, message: 'must be one of UNSPECIFIED, LEAST_CONN, RANDOM, PASSTHROUGH, ROUND_ROBIN, LEAST_REQUEST, not "ROUNDROBIN"; did you mean ROUND_ROBIN?', twin: [lb, { simple: 'PASSTHROUGH' }] },
  { title: 'the old name of LEAST_REQUEST', severity: 'warning', change: [lb, { simple: 'LEAST_CONN' }], path: `${lb}.simple`, message: 'LEAST_CONN is deprecated: use LEAST_REQUEST', twin: [lb, { simple: 'LEAST_REQUEST' }] },
  { title: 'a hash of nothing', severity: 'warning', change: [lb, { consistentHash: {} }], path: `${lb}.consistentHash`, message: 'has no key, so any endpoint is as good: give it one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName', twin: [lb, { consistentHash: { httpQueryParameterName: 'a' } }] },
  hash({ useSourceIp, httpHeaderName: 'a' }, { httpHeaderName: 'a' }, '.useSourceIp', 'cannot stand beside httpHeaderName: a hash has one key', 'a hash of two things'),
  hash({ httpCookie: { ttl: '0s' } }, { httpCookie: { name: 'a', ttl: '0s', path: '/' } }, '.httpCookie.name', 'is required: the name of the cookie', 'a cookie without a name'),
  hash({ httpCookie: { name: 'a', attributes: [{ name: 'b' }, { name: 'b' }] } }, { httpCookie: { name: 'a', attributes: [{ name: 'b', value: 'c' }] } }, '.httpCookie.attributes[1].name', 'the attribute b is there twice: remove one', 'an attribute of a cookie twice'),
  hash({ useSourceIp, ringHash: {}, maglev: { tableSize: 7 } }, { useSourceIp, ringHash: {} }, '.maglev', 'cannot stand beside ringHash: remove one of them', 'two hash algorithms'),
  hash({ useSourceIp, minimumRingSize: 7, ringHash: {} }, { useSourceIp, ringHash: { minimumRingSize: 7 } }, '.minimumRingSize', 'cannot stand beside ringHash: remove it', 'a ring size twice'),
  hash({ useSourceIp, minimumRingSize: 7, maglev: { tableSize: 7 } }, { useSourceIp, maglev: { tableSize: 7 } }, '.minimumRingSize', 'cannot stand beside maglev: remove it', 'a ring size without a ring'),
  hash({ useSourceIp, maglev: {} }, { useSourceIp, maglev: { tableSize: 65_537 } }, '.maglev.tableSize', 'is required: a prime number, such as 65537', 'a table without a size'),
  hash({ useSourceIp, maglev: { tableSize: 1000 } }, { useSourceIp, maglev: { tableSize: 2 } }, '.maglev.tableSize', 'must be a prime number, such as 65537, not 1000', 'a table whose size is no prime'),
  hash({ useSourceIp, maglev: { tableSize: 5_000_011 } }, { useSourceIp, maglev: { tableSize: 4_999_999 } }, '.maglev.tableSize', 'must be below 5000011, not 5000011', 'a table too large'),
  { title: 'the old size of a ring', severity: 'warning', change: [lb, { consistentHash: { useSourceIp, minimumRingSize: 7 } }], path: `${lb}.consistentHash.minimumRingSize`, message: 'is deprecated: use ringHash.minimumRingSize', twin: [lb, { consistentHash: { useSourceIp } }] },
  { title: 'an order of places where zones are the proxy\'s own business', change: [lb, { zoneAwareLbSetting: { failoverPriority: ['topology.kubernetes.io/zone'] } }], path: `${lb}.zoneAwareLbSetting.failoverPriority[0]`, message: 'topology.kubernetes.io/zone is no label to order by here: zones are balanced by the proxy, regions by failover', twin: [lb, { zoneAwareLbSetting: { failoverPriority: ['version'] } }] },
  { title: 'a failover from a region to itself', change: [lb, { zoneAwareLbSetting: { failover: [{ from: 'a', to: 'a' }] } }], path: `${lb}.zoneAwareLbSetting.failover[0].to`, message: 'must be another region than a', twin: [lb, { zoneAwareLbSetting: { failover: [{ from: 'a', to: 'b' }] } }] },
  { title: 'two ways to treat localities', change: [lb, { localityLbSetting: {}, zoneAwareLbSetting: {} }], path: `${lb}.zoneAwareLbSetting`, message: 'cannot stand beside localityLbSetting: remove one of them', twin: [lb, { localityLbSetting: {} }] },
  { title: 'a warm-up without a time', change: [lb, { warmup: {} }], path: `${lb}.warmup.duration`, message: 'is required: how long a new endpoint takes to get its full share', twin: [lb, { warmup: { duration: '10s', minimumPercent: 100, aggression: 1.5 } }] },
  { title: 'a warm-up without aggression', change: [lb, { warmup: { duration: '1s', aggression: 0.3 } }], path: `${lb}.warmup.aggression`, message: 'must be at least 1, not 0.3', twin: [lb, { warmup: { duration: '1s', aggression: 1 } }] },
  { title: 'a warm-up from more than all', change: [lb, { warmup: { duration: '1s', minimumPercent: 101 } }], path: `${lb}.warmup.minimumPercent`, message: 'must be at most 100, not 101', twin: [lb, { warmup: { duration: '1s', minimumPercent: 0 } }] },
  { title: 'the old warm-up', severity: 'warning', change: [lb, { warmupDurationSecs: '1s' }], path: `${lb}.warmupDurationSecs`, message: 'is deprecated: use warmup.duration', twin: [lb, { warmup: { duration: '1s' } }] },

  locality({ distribute: [{ from: 'a', to: { a: 100 } }], failover: [{ from: 'a', to: 'b' }] }, { failover: [{ from: 'a', to: 'b' }] }, '.failover', 'cannot stand beside distribute: remove one of them', 'a spread beside a failover'),
  locality({ distribute: [{ from: 'a', to: { a: 100 } }], failoverPriority: ['x'] }, { failoverPriority: ['x', 'y=z'] }, '.failoverPriority', 'cannot stand beside distribute: remove one of them', 'a spread beside an order'),
  locality({ distribute: [{ from: 'a//b', to: { a: 100 } }] }, { distribute: [{ from: 'a/b/c', to: { 'a/b/*': 100 } }] }, '.distribute[0].from', '"a//b" is not a locality: write region, region/zone or region/zone/subzone', 'a locality that is none'),
  locality({ distribute: [{ from: 'a/*/c', to: { a: 100 } }] }, { distribute: [{ from: '*', to: { a: 100 } }] }, '.distribute[0].from', '"a/*/c": a wildcard is allowed only at the end', 'a wildcard in the middle of a locality'),
  locality({ distribute: [{ from: 'a', to: { a: 100 } }, { from: 'a/b', to: { a: 100 } }] }, { distribute: [{ from: 'a/b', to: { a: 100 } }, { from: 'a/c', to: { a: 100 } }] }, '.distribute[1].from', 'a/b overlaps a, which is there too: keep one of them', 'localities that overlap'),
  locality({ distribute: [{ from: 'a', to: { a: 50, 'a/*': 50 } }] }, { distribute: [{ from: 'a', to: { a: 50, b: 50 } }] }, '.distribute[0].to.a/*', 'a/* overlaps a, which is there too: keep one of them', 'localities that overlap in a spread'),
  locality({ distribute: [{ from: 'a', to: { a: 60, b: 50 } }] }, { distribute: [{ from: 'a', to: { a: 60, b: 40 } }] }, '.distribute[0].to', 'weights must add up to 100, not 110', 'a spread of more than all'),
  locality({ distribute: [{ from: 'a', to: { a: 100, b: 0 } }] }, { distribute: [{ from: 'a', to: { a: 99, b: 1 } }] }, '.distribute[0].to.b', 'must be a weight of 1 to 100, not 0', 'a spread without weight'),
  locality({ failover: [{ from: 'a/b', to: 'c' }] }, { failover: [{ from: 'a', to: 'c' }] }, '.failover[0].from', 'must be a region, without zone and wildcard, not "a/b"', 'a failover from a zone'),
  locality({ failover: [{ from: 'a', to: '*' }] }, { failover: [{ from: 'a', to: 'b' }] }, '.failover[0].to', 'must be a region, without zone and wildcard, not "*"', 'a failover to everywhere'),
  locality({ failover: [{ from: 'a', to: 'a' }] }, { failover: [{ from: 'a', to: 'b' }] }, '.failover[0].to', 'must be another region than a', 'a failover to itself'),
  locality({ failoverPriority: ['a', 'a=b'] }, { failoverPriority: ['a', 'b=a'] }, '.failoverPriority[1]', 'the label a is there twice: remove one', 'a label of an order twice'),
  locality({ failoverPriority: ['=b'] }, { failoverPriority: ['a=b'] }, '.failoverPriority[0]', 'must be the key of a label, or key=value', 'a label of an order without key'),
  { title: 'a failover that never happens', severity: 'warning', change: [lb, { localityLbSetting: { failover: [{ from: 'a', to: 'b' }] } }], path: `${lb}.localityLbSetting.failover`, message: 'has no effect without outlierDetection, which finds out what has failed', twin: ['trafficPolicy', { loadBalancer: { localityLbSetting: { failover: [{ from: 'a', to: 'b' }] } }, outlierDetection: {} }] },
  { title: 'an order that is never used', severity: 'warning', change: [lb, { localityLbSetting: { failoverPriority: ['a'] } }], path: `${lb}.localityLbSetting.failoverPriority`, message: 'has no effect without outlierDetection, which finds out what has failed', twin: [lb, { localityLbSetting: { enabled: false } }] },

  { title: 'a pool of nothing', change: ['trafficPolicy.connectionPool', {}], message: 'needs tcp or http', twin: ['trafficPolicy.connectionPool', { tcp: { maxConnections: 1, connectTimeout: '1s' } }] },
  { title: 'two wishes for a protocol', change: ['trafficPolicy.connectionPool', { http: { h2UpgradePolicy: 'UPGRADE', useClientProtocol: true } }], path: 'trafficPolicy.connectionPool.http.useClientProtocol', message: 'cannot stand beside h2UpgradePolicy: UPGRADE: remove one of them', twin: ['trafficPolicy.connectionPool', { http: { h2UpgradePolicy: 'DO_NOT_UPGRADE', useClientProtocol: true } }] },
  { title: 'pings without an interval', change: ['trafficPolicy.connectionPool', { http: { http2KeepAlive: { timeout: '1s' } } }], path: 'trafficPolicy.connectionPool.http.http2KeepAlive.interval', message: 'is required', twin: ['trafficPolicy.connectionPool', { http: { http2KeepAlive: { timeout: '1s', interval: '1s' } } }] },
  { title: 'pings without a limit', change: ['trafficPolicy.connectionPool', { http: { http2KeepAlive: { interval: '1s' } } }], path: 'trafficPolicy.connectionPool.http.http2KeepAlive.timeout', message: 'is required', twin: ['trafficPolicy.connectionPool', { http: { maxRetries: 3, idleTimeout: '0s' } }] },
  { title: 'a negative limit', change: ['trafficPolicy.connectionPool', { http: { http1MaxPendingRequests: -1 } }], path: 'trafficPolicy.connectionPool.http.http1MaxPendingRequests', message: 'must be at least 0, not -1', twin: ['trafficPolicy.connectionPool', { http: { http1MaxPendingRequests: 0 } }] },
  { title: 'local failures that are not told apart', change: ['trafficPolicy.outlierDetection', { consecutiveLocalOriginFailures: 5 }], path: 'trafficPolicy.outlierDetection.consecutiveLocalOriginFailures', message: 'has no effect without splitExternalLocalOriginErrors: true: add it, or remove this', twin: ['trafficPolicy.outlierDetection', { consecutiveLocalOriginFailures: 5, splitExternalLocalOriginErrors: true }] },
  { title: 'more ejected than there are', change: ['trafficPolicy.outlierDetection', { maxEjectionPercent: 101 }], path: 'trafficPolicy.outlierDetection.maxEjectionPercent', message: 'must be 0 to 100, not 101', twin: ['trafficPolicy.outlierDetection', { maxEjectionPercent: 100 }] },
  { title: 'a health below nothing', change: ['trafficPolicy.outlierDetection', { minHealthPercent: -1 }], path: 'trafficPolicy.outlierDetection.minHealthPercent', message: 'must be 0 to 100, not -1', twin: ['trafficPolicy.outlierDetection', { minHealthPercent: 0, interval: '1s', baseEjectionTime: '1m' }] },
  { title: 'a count that is ignored', severity: 'warning', change: ['trafficPolicy.outlierDetection', { consecutiveErrors: 5 }], path: 'trafficPolicy.outlierDetection.consecutiveErrors', message: 'is ignored, by Istio too: use consecutive5xxErrors or consecutiveGatewayErrors', twin: ['trafficPolicy.outlierDetection', { consecutive5xxErrors: 5 }] },

  tls({ mode: 'MUTUAL' , clientCertificate: '/a' }, { mode: 'MUTUAL', clientCertificate: '/a', privateKey: '/b' }, '.privateKey', 'is required for mode MUTUAL without credentialName', 'a client certificate without its key'),
  tls({ mode: 'MUTUAL', privateKey: '/a' }, { mode: 'MUTUAL', credentialName: 'a' }, '.clientCertificate', 'is required for mode MUTUAL without credentialName', 'a key without its certificate'),
  tls({ mode: 'SIMPLE', credentialName: 'a', caCertificates: '/a' }, { mode: 'SIMPLE', caCertificates: '/a' }, '.caCertificates', secretHoldsIt, 'roots in two places'),
  tls({ mode: 'MUTUAL', credentialName: 'a', privateKey: '/a' }, { mode: 'MUTUAL', credentialName: 'a' }, '.privateKey', secretHoldsIt, 'a key in two places'),
  tls({ mode: 'SIMPLE', credentialName: 'invalid://' }, { mode: 'SIMPLE', credentialName: 'a' }, '.credentialName', 'is never answered: connections are refused', 'a credential that nobody has', 'warning'),
  tls({ mode: 'ISTIO_MUTUAL', credentialName: 'a' }, { mode: 'ISTIO_MUTUAL', sni: 'a.com', subjectAltNames: ['a'] }, '.credentialName', 'has no effect with mode ISTIO_MUTUAL, which uses the certificates of the mesh', 'a secret for mTLS of the mesh', 'warning'),
  tls({ mode: 'ISTIO_MUTUAL', clientCertificate: '/a' }, { mode: 'ISTIO_MUTUAL' }, '.clientCertificate', istioMutual, 'a certificate for mTLS of the mesh'),
  tls({ mode: 'SIMPLE', insecureSkipVerify: true, subjectAltNames: ['a'] }, { mode: 'SIMPLE', insecureSkipVerify: true }, '.subjectAltNames', unchecked, 'names that are not checked'),
  tls({ mode: 'SIMPLE', insecureSkipVerify: true, caCertificates: '/a' }, { mode: 'SIMPLE', insecureSkipVerify: false, caCertificates: '/a' }, '.caCertificates', unchecked, 'roots that are not used'),
  tls({ mode: 'SIMPLE', insecureSkipVerify: true, credentialName: 'a' }, { mode: 'MUTUAL', insecureSkipVerify: true, credentialName: 'a' }, '.credentialName', unchecked, 'a secret that is not used'),
  tls({ sni: 'a.com' }, { mode: 'SIMPLE', sni: 'a.com' }, '.sni', 'has no effect with mode DISABLE, which is also the mode when none is given', 'a server name without TLS', 'warning'),
])

test('DestinationRule: mistakes in a policy of a subset and of its ports are found there', () => {
  const policy = { connectionPool: {}, portLevelSettings: [{ port: { number: 80 }, tls: { mode: 'MUTUAL', clientCertificate: '/a' } }] }
  assert.deepEqual(findingsIn(destinationRule, [['subsets[0].trafficPolicy', policy]]).filter((text) => text.startsWith('error')), [
    'error spec.subsets[0].trafficPolicy.connectionPool: needs tcp or http',
    'error spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.privateKey: is required for mode MUTUAL without credentialName',
  ])
})
