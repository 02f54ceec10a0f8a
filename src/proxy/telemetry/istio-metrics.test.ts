import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterOf, endedExchange, hostWith, tlsOf } from '../../../test/support/ended-exchange.ts'
import type { ExchangeInit } from '../../../test/support/ended-exchange.ts'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { readPrometheus } from '../../../test/support/prometheus-text.ts'
import type { Sample } from '../../../test/support/prometheus-text.ts'
import { Metrics } from '../../telemetry/metrics/registry.ts'
import { flag } from '../http/flags.ts'
import type { Direction } from '../http/runtime.ts'
import { proxySettings } from '../settings.ts'
import type { OpenTcpSession, TcpSession } from '../tcp/tcp-proxy.ts'
import { httpLabels } from './istio-labels.ts'
import { istioMetrics, nodeFactsOf } from './istio-metrics.ts'
import { encodePeerMetadata } from './peer-metadata.ts'

const productpage = proxySettings({ name: 'productpage-v1-a', workloadName: 'productpage-v1', namespace: 'web', serviceAccount: 'productpage', clusterId: 'east', labels: { app: 'productpage', version: 'v1' } })
const reviews = proxySettings({ name: 'reviews-v2-b', workloadName: 'reviews-v2', namespace: 'books', serviceAccount: 'reviews', clusterId: 'west', labels: { app: 'reviews', version: 'v2' } })
const gateway = proxySettings({ type: 'router', name: 'ingress-c', workloadName: 'ingress', namespace: 'edge', clusterId: 'east', labels: { istio: 'ingress' } })
const productpageUri = 'spiffe://cluster.local/ns/web/sa/productpage'
const reviewsUri = 'spiffe://cluster.local/ns/books/sa/reviews'
const service = { host: 'reviews.books.svc.cluster.local', name: 'reviews', namespace: 'books' }
const outbound = clusterOf('outbound|9080||reviews.books.svc.cluster.local', service)

function samplesOf(settings: typeof reviews, direction: Direction, ...exchanges: ExchangeInit[]): readonly Sample[] {
  const metrics = new Metrics()
  const onEnd = istioMetrics(nodeFactsOf(settings, '0.1.0'), metrics).onExchangeEnd(direction)
  for (const one of exchanges) onEnd(endedExchange(one))
  return readPrometheus(metrics.prometheus()).samples
}

/** Labels of the one request. */
function labelsOf(settings: typeof reviews, direction: Direction, exchange: ExchangeInit): Readonly<Record<string, string>> {
  const found = samplesOf(settings, direction, exchange).filter(({ name }) => name === 'istio_requests_total')
  assert.equal(found.length, 1)
  assert.equal(found[0]!.value, 1)
  return found[0]!.labels
}

const scenarios: readonly { readonly title: string; readonly at: typeof reviews; readonly direction: Direction; readonly exchange: ExchangeInit; readonly labels: Readonly<Record<string, string>> }[] = [
  {
    title: 'sidecar to sidecar with mutual TLS, as the source sees it', at: productpage, direction: 'outbound',
    exchange: { cluster: outbound, host: hostWith('reviews-v2;books;reviews;v2;west'), upstreamTls: tlsOf(productpageUri, reviewsUri), upstreamMetadata: encodePeerMetadata(reviews) },
    labels: {
      reporter: 'source', source_workload: 'productpage-v1', source_canonical_service: 'productpage', source_canonical_revision: 'v1', source_workload_namespace: 'web',
      source_principal: productpageUri, source_app: 'productpage', source_version: 'v1', source_cluster: 'east',
      destination_workload: 'reviews-v2', destination_workload_namespace: 'books', destination_principal: reviewsUri, destination_app: 'reviews', destination_version: 'v2',
      destination_service: service.host, destination_canonical_service: 'reviews', destination_canonical_revision: 'v2', destination_service_name: 'reviews',
      destination_service_namespace: 'books', destination_cluster: 'west',
      request_protocol: 'http', response_code: '200', grpc_response_status: '', response_flags: '-', connection_security_policy: 'unknown',
    },
  },
  {
    title: 'sidecar to sidecar with mutual TLS, as the destination sees it', at: reviews, direction: 'inbound',
    exchange: { cluster: clusterOf('inbound|9080||', service), downstreamTls: tlsOf(reviewsUri, productpageUri), downstreamMetadata: encodePeerMetadata(productpage) },
    labels: {
      reporter: 'destination', source_workload: 'productpage-v1', source_canonical_service: 'productpage', source_canonical_revision: 'v1', source_workload_namespace: 'web',
      source_principal: productpageUri, source_app: 'productpage', source_version: 'v1', source_cluster: 'east',
      destination_workload: 'reviews-v2', destination_workload_namespace: 'books', destination_principal: reviewsUri, destination_app: 'reviews', destination_version: 'v2',
      destination_service: service.host, destination_canonical_service: 'reviews', destination_canonical_revision: 'v2', destination_service_name: 'reviews',
      destination_service_namespace: 'books', destination_cluster: 'west',
      request_protocol: 'http', response_code: '200', grpc_response_status: '', response_flags: '-', connection_security_policy: 'mutual_tls',
    },
  },
  {
    title: 'a plain client without a proxy, as the destination sees it', at: reviews, direction: 'inbound', exchange: { cluster: clusterOf('inbound|9080||') },
    labels: {
      source_workload: 'unknown', source_canonical_revision: 'latest', source_workload_namespace: 'unknown', source_principal: 'unknown', source_app: 'unknown', source_cluster: 'unknown',
      destination_principal: 'unknown', destination_service: 'reviews', destination_service_name: 'reviews', destination_service_namespace: 'books', connection_security_policy: 'none',
    },
  },
  {
    title: "the namespace of the peer's certificate counts more than what the peer says", at: reviews, direction: 'inbound',
    exchange: { downstreamTls: tlsOf(reviewsUri, 'spiffe://cluster.local/ns/other/sa/x'), downstreamMetadata: encodePeerMetadata(productpage) },
    labels: { source_workload: 'productpage-v1', source_workload_namespace: 'other' },
  },
  {
    title: 'an endpoint without a proxy is named by the control plane', at: productpage, direction: 'outbound', exchange: { cluster: outbound, host: hostWith('reviews-v3;books;reviews;v3;west') },
    labels: { destination_workload: 'reviews-v3', destination_workload_namespace: 'books', destination_canonical_service: 'reviews', destination_canonical_revision: 'v3', destination_cluster: 'west', destination_app: 'unknown', destination_principal: 'unknown' },
  },
  {
    title: 'no endpoint: the service is known, the workload is not', at: productpage, direction: 'outbound', exchange: { cluster: outbound, responseCode: 503, flags: flag.UH },
    labels: { response_code: '503', response_flags: 'UH', destination_workload: 'unknown', destination_service: service.host, destination_service_name: 'reviews', destination_service_namespace: 'books', destination_canonical_revision: 'latest' },
  },
  {
    title: 'a cluster that does not exist: the Host header names the service', at: productpage, direction: 'outbound', exchange: { clusterName: 'outbound|9080||gone', authority: 'reviews.books:9080', responseCode: 503, flags: flag.NC },
    labels: { response_flags: 'NC', destination_service: 'reviews.books:9080', destination_service_name: 'reviews', destination_service_namespace: 'unknown' },
  },
  {
    title: 'an unknown host that is passed through', at: productpage, direction: 'outbound', exchange: { cluster: clusterOf('PassthroughCluster'), routeName: 'allow_any', authority: 'example.com' },
    labels: { destination_service: 'example.com', destination_service_name: 'PassthroughCluster', destination_service_namespace: 'unknown' },
  },
  {
    title: 'an unknown host that is refused', at: productpage, direction: 'outbound', exchange: { routeName: 'block_all', authority: 'example.com', responseCode: 502 },
    labels: { destination_service: 'example.com', destination_service_name: 'BlackHoleCluster', response_code: '502' },
  },
  {
    title: 'a gateway reports as source, whatever the direction, and a stranger cannot name services', at: gateway, direction: 'inbound', exchange: { authority: 'made.up.example', responseCode: 404, flags: flag.NR },
    labels: { reporter: 'source', source_workload: 'ingress', source_app: 'unknown', source_canonical_service: 'ingress', destination_service: 'unknown', destination_service_name: 'unknown', response_flags: 'NR', connection_security_policy: 'unknown' },
  },
  {
    title: 'gRPC that fails', at: productpage, direction: 'outbound', exchange: { cluster: outbound, isGrpc: true, grpcStatus: '5' },
    labels: { request_protocol: 'grpc', response_code: '200', grpc_response_status: '5' },
  },
  {
    title: 'a gRPC status that is no number does not become a label', at: productpage, direction: 'outbound', exchange: { cluster: outbound, isGrpc: true, grpcStatus: 'x'.repeat(99) },
    labels: { request_protocol: 'grpc', grpc_response_status: '' },
  },
  {
    title: 'a client that leaves', at: productpage, direction: 'outbound', exchange: { cluster: outbound, responseCode: 0, flags: flag.DC },
    labels: { response_code: '0', response_flags: 'DC' },
  },
]

for (const { title, at, direction, exchange, labels } of scenarios) {
  test(`labels: ${title}`, () => {
    const found = labelsOf(at, direction, exchange)
    assert.deepEqual(Object.keys(found), [...httpLabels], 'the labels and their order')
    assert.deepEqual(Object.fromEntries(Object.keys(labels).map((name) => [name, found[name]])), labels)
  })
}

test('equal exchanges are one series, and what differs is another', () => {
  const one = { cluster: outbound, host: hostWith('reviews-v3;books;reviews;v3;west') }
  const samples = samplesOf(productpage, 'outbound', one, one, { ...one, responseCode: 500 }, { ...one, host: hostWith('reviews-v1;books;reviews;v1;west') }, one)
  assert.deepEqual(samples.filter(({ name }) => name === 'istio_requests_total').map(({ value }) => value), [3, 1, 1])
})

test('durations and sizes, heads included, are in histograms', () => {
  const samples = samplesOf(productpage, 'outbound', { cluster: outbound, duration: 30, bytesReceived: 5_000, bytesSent: 20 })
  const bucket = (name: string, le: string) => samples.find((sample) => sample.name === `${name}_bucket` && sample.labels['le'] === le)!.value
  assert.deepEqual([bucket('istio_request_duration_milliseconds', '25'), bucket('istio_request_duration_milliseconds', '50')], [0, 1])
  assert.deepEqual([bucket('istio_request_bytes', '5000'), bucket('istio_request_bytes', '10000')], [0, 1])
  assert.deepEqual([bucket('istio_response_bytes', '50'), bucket('istio_response_bytes', '100')], [0, 1])
})

test('the build is a metric', () => {
  assert.deepEqual(samplesOf(reviews, 'inbound'), [{ name: 'istio_build', labels: { component: 'proxy', tag: '0.1.0' }, value: 1 }])
})

function tcpSession(over: Partial<OpenTcpSession> & { direction?: string } = {}): { open: { -readonly [Key in keyof OpenTcpSession]: OpenTcpSession[Key] }; end: (flags: string, known?: boolean) => TcpSession } {
  const connection = { listener: { direction: over.direction ?? 'outbound' } } as OpenTcpSession['connection']
  const open = { connection, downstream: { tls: undefined }, upstream: { tls: tlsOf(productpageUri, reviewsUri) }, clusterName: outbound.name, cluster: outbound, host: hostWith('reviews-v3;books;reviews;v3;west'), received: 0, sent: 0, ...over } as OpenTcpSession
  return { open, end: (flags, known = true) => ({ ...open, upstream: known ? open.upstream : undefined, startTime: 0, endTime: 1, flags, failure: '', denial: '', result: undefined, open: known ? open : undefined }) }
}

test('bytes of a TCP connection move while it is open, and its end is counted', async () => {
  const metrics = new Metrics()
  const clock = manualClock()
  const tcp = istioMetrics(nodeFactsOf(productpage, ''), metrics, clock)
  const valueOf = (name: string) => readPrometheus(metrics.prometheus()).samples.filter((sample) => sample.name === name).map(({ value }) => value)
  const { open, end } = tcpSession()
  tcp.onTcpOpen(open)
  assert.deepEqual(valueOf('istio_tcp_connections_opened_total'), [1])
  open.received = 100
  open.sent = 7
  await clock.advance(5_000)
  assert.deepEqual([valueOf('istio_tcp_received_bytes_total'), valueOf('istio_tcp_sent_bytes_total')], [[100], [7]])
  open.received = 120
  tcp.onTcpEnd(end(''))
  assert.deepEqual(valueOf('istio_tcp_received_bytes_total'), [120])
  assert.deepEqual(valueOf('istio_tcp_connections_closed_total'), [1])
  await clock.advance(5_000)
  assert.equal(clock.waiting, 0, 'no timer without a connection')
  const { labels } = readPrometheus(metrics.prometheus()).samples.find(({ name }) => name === 'istio_tcp_connections_closed_total')!
  assert.deepEqual([labels['request_protocol'], labels['destination_workload'], labels['source_principal'], labels['response_code']], ['tcp', 'reviews-v3', productpageUri, undefined])
  tcp.close()
})

test('a TCP connection that never had an upstream is opened and closed, with its flags', () => {
  const metrics = new Metrics()
  const tcp = istioMetrics(nodeFactsOf(productpage, ''), metrics, manualClock())
  tcp.onTcpEnd(tcpSession({ clusterName: 'BlackHoleCluster', cluster: clusterOf('BlackHoleCluster') }).end('UH', false))
  const samples = readPrometheus(metrics.prometheus()).samples.filter(({ name }) => name.startsWith('istio_tcp'))
  assert.deepEqual(samples.map(({ name, value, labels }) => [name, value, labels['response_flags'], labels['destination_service'], labels['destination_service_name']]), [
    ['istio_tcp_connections_opened_total', 1, 'UH', 'BlackHoleCluster', 'BlackHoleCluster'],
    ['istio_tcp_connections_closed_total', 1, 'UH', 'BlackHoleCluster', 'BlackHoleCluster'],
  ])
})
