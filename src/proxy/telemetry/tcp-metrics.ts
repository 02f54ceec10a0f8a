// Counts TCP connections in Istio's standard metrics: opened when there is an upstream, bytes every five seconds while a
// connection lasts, closed with the reason. Connections that never had an upstream are opened and closed at once.
import type { Clock } from '../../lib/clock.ts'
import type { Family } from '../../telemetry/metrics/family.ts'
import type { Counter } from '../../telemetry/metrics/series.ts'
import type { OpenTcpSession, TcpSession } from '../tcp/tcp-proxy.ts'
import { tcpDestination } from './destination.ts'
import { tcpLabelsOf } from './istio-labels.ts'
import type { NodeFacts } from './istio-metrics.ts'
import { unknownPeer } from './peer.ts'
import type { PeerReader } from './peer.ts'

export interface TcpFamilies {
  readonly opened: Family<Counter>
  readonly closed: Family<Counter>
  readonly sent: Family<Counter>
  readonly received: Family<Counter>
}

/** Istio's tcpReportingInterval. */
const reportEveryMs = 5_000

/** A connection that is open, and what was counted of it already. */
interface Reported {
  readonly sent: Counter
  readonly received: Counter
  sentBytes: number
  receivedBytes: number
}

export class TcpMetrics {
  readonly #families: TcpFamilies
  readonly #node: NodeFacts
  readonly #endpoints: PeerReader
  readonly #clock: Clock
  readonly #open = new Map<OpenTcpSession, Reported>()
  #cancelReport: (() => void) | undefined

  constructor(families: TcpFamilies, node: NodeFacts, endpoints: PeerReader, clock: Clock) {
    this.#families = families
    this.#node = node
    this.#endpoints = endpoints
    this.#clock = clock
  }

  readonly onOpen = (session: OpenTcpSession): void => {
    const labels = this.#labelsOf(session, '')
    this.#families.opened.with(labels).add(1)
    this.#open.set(session, { sent: this.#families.sent.with(labels), received: this.#families.received.with(labels), sentBytes: 0, receivedBytes: 0 })
    this.#cancelReport ??= this.#clock.after(reportEveryMs, () => this.#reportAll())
  }

  readonly onEnd = (session: TcpSession): void => {
    const labels = this.#labelsOf(session, session.flags)
    const reported = session.open === undefined ? undefined : this.#open.get(session.open)
    if (reported === undefined) this.#families.opened.with(labels).add(1)
    else report(session.open!, reported)
    if (session.open !== undefined) this.#open.delete(session.open)
    this.#families.closed.with(labels).add(1)
  }

  close(): void {
    this.#cancelReport?.()
    this.#open.clear()
  }

  #reportAll(): void {
    for (const [session, reported] of this.#open) report(session, reported)
    this.#cancelReport = this.#open.size === 0 ? undefined : this.#clock.after(reportEveryMs, () => this.#reportAll())
  }

  #labelsOf(session: Omit<OpenTcpSession, 'received' | 'sent' | 'upstream'> & Pick<TcpSession, 'upstream'>, flags: string): string[] {
    const { connection, downstream, upstream, host, cluster, clusterName } = session
    const reporter = !this.#node.isGateway && connection.listener.direction === 'inbound' ? 'destination' : 'source'
    const tls = reporter === 'source' ? upstream?.tls : downstream.tls
    return tcpLabelsOf({
      reporter, own: this.#node.own,
      // Without Istio's exchange of metadata over TCP, only the source knows more than the peer's certificate.
      peer: reporter === 'source' ? this.#endpoints.of(host?.workload ?? '').facts : unknownPeer,
      ownUri: tls?.localUris[0] ?? '',
      peerUri: tls?.peerUris[0] ?? '',
      destination: tcpDestination(cluster, clusterName),
      protocol: 'tcp', responseCode: 0, grpcStatus: '', flags,
    })
  }
}

function report({ sent, received }: OpenTcpSession, reported: Reported): void {
  reported.sent.add(sent - reported.sentBytes)
  reported.received.add(received - reported.receivedBytes)
  reported.sentBytes = sent
  reported.receivedBytes = received
}
