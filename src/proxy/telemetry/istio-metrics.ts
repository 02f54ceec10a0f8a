// Istio's standard metrics of one proxy: declares them and gives the hooks that count. What each label says is in
// istio-labels.ts.
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Metrics } from '../../telemetry/metrics/registry.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Direction } from '../http/runtime.ts'
import type { ProxySettings } from '../settings.ts'
import type { OpenTcpSession, TcpSession } from '../tcp/tcp-proxy.ts'
import { HttpMetrics } from './http-metrics.ts'
import { httpLabels, tcpLabels } from './istio-labels.ts'
import { appOf, canonicalRevisionOf, canonicalServiceOf, peerOfEndpoint, PeerReader, versionOf } from './peer.ts'
import type { PeerFacts } from './peer.ts'
import { decodePeerMetadata } from './peer-metadata.ts'
import { TcpMetrics } from './tcp-metrics.ts'

/** What the proxy knows of itself. */
export interface NodeFacts {
  readonly isGateway: boolean
  readonly own: PeerFacts
  /** Of this software. */
  readonly build: string
}

export function nodeFactsOf(settings: ProxySettings, build: string): NodeFacts {
  const { type, name, namespace, labels, clusterId } = settings
  const workload = settings.workloadName || name
  const own = {
    workload, namespace, cluster: clusterId, app: appOf(labels), version: versionOf(labels),
    canonicalService: canonicalServiceOf(labels, workload), canonicalRevision: canonicalRevisionOf(labels),
  }
  return { isGateway: type === 'router', own, build }
}

export interface IstioMetrics {
  /** For `HttpDeps.onExchangeEnd` of listeners of this direction. */
  onExchangeEnd(direction: Direction): (exchange: Exchange) => void
  /** Reads what peers say of themselves. */
  readonly said: PeerReader
  readonly onTcpOpen: (session: OpenTcpSession) => void
  readonly onTcpEnd: (session: TcpSession) => void
  close(): void
}

export function istioMetrics(node: NodeFacts, metrics: Metrics, clock: Clock = systemClock): IstioMetrics {
  metrics.gauge({ name: 'istio_build', help: 'Always 1; the labels say what runs.', labels: ['component', 'tag'] }).with(['proxy', node.build || 'unknown']).set(1)
  const peers = { said: new PeerReader('m', decodePeerMetadata), ofEndpoints: new PeerReader('e', peerOfEndpoint) }
  const families = httpFamilies(metrics)
  const source = new HttpMetrics(families, node, 'source', peers)
  const destination = new HttpMetrics(families, node, 'destination', peers)
  const tcp = new TcpMetrics(tcpFamilies(metrics), node, peers.ofEndpoints, clock)
  return {
    onExchangeEnd: (direction) => (direction === 'inbound' && !node.isGateway ? destination.onEnd : source.onEnd),
    said: peers.said,
    onTcpOpen: tcp.onOpen,
    onTcpEnd: tcp.onEnd,
    close: () => tcp.close(),
  }
}

function httpFamilies(metrics: Metrics) {
  const labels = httpLabels
  return {
    requests: metrics.counter({ name: 'istio_requests_total', help: 'Requests, counted when they end.', labels }),
    duration: metrics.histogram({ name: 'istio_request_duration_milliseconds', help: 'From the first byte of a request to the last of its response.', labels }),
    requestBytes: metrics.histogram({ name: 'istio_request_bytes', help: 'Size of requests, with their headers.', labels }),
    responseBytes: metrics.histogram({ name: 'istio_response_bytes', help: 'Size of responses, with their headers.', labels }),
  }
}

function tcpFamilies(metrics: Metrics) {
  const labels = tcpLabels
  return {
    opened: metrics.counter({ name: 'istio_tcp_connections_opened_total', help: 'TCP connections opened.', labels }),
    closed: metrics.counter({ name: 'istio_tcp_connections_closed_total', help: 'TCP connections closed.', labels }),
    sent: metrics.counter({ name: 'istio_tcp_sent_bytes_total', help: 'Bytes sent to clients of TCP connections.', labels }),
    received: metrics.counter({ name: 'istio_tcp_received_bytes_total', help: 'Bytes received from clients of TCP connections.', labels }),
  }
}
