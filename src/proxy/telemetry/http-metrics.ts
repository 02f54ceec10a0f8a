// Counts exchanges in Istio's standard metrics. The series of equal exchanges are found once and kept: one exchange costs
// a look-up and four additions. The rules of the labels are in istio-labels.ts.
import type { HeaderList } from '../../codec/header-list.ts'
import { RecentCache } from '../../lib/recent-cache.ts'
import type { Family } from '../../telemetry/metrics/family.ts'
import type { Counter, Histogram } from '../../telemetry/metrics/series.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Cluster } from '../upstream/types.ts'
import { httpDestination } from './destination.ts'
import { httpLabelsOf } from './istio-labels.ts'
import type { Reporter } from './istio-labels.ts'
import type { NodeFacts } from './istio-metrics.ts'
import type { KnownPeer, PeerReader } from './peer.ts'

export interface HttpFamilies {
  readonly requests: Family<Counter>
  readonly duration: Family<Histogram>
  readonly requestBytes: Family<Histogram>
  readonly responseBytes: Family<Histogram>
}

export interface Peers {
  readonly said: PeerReader
  readonly ofEndpoints: PeerReader
}

interface Series {
  readonly requests: Counter
  readonly duration: Histogram
  readonly requestBytes: Histogram
  readonly responseBytes: Histogram
}

/** Combinations of peer, code and flags that one cluster sees at a time; what is beyond is worked out again. */
const maxCombinations = 512

/** What the series of an exchange depend on, beside its cluster. */
interface Counted {
  readonly responseCode: number
  readonly flags: number
  readonly grpc: string
  readonly peer: KnownPeer
  readonly peerUri: string
  readonly ownUri: string
  readonly named: string
  readonly series: Series
}

/** Most exchanges are counted as the one before them was: they need no key. */
class KnownSeries {
  readonly byKey = new RecentCache<string, Series>(maxCombinations)
  last: Counted | undefined = undefined
}

export class HttpMetrics {
  readonly #families: HttpFamilies
  readonly #node: NodeFacts
  readonly #reporter: Reporter
  readonly #peers: Peers
  /** A cluster that is replaced takes its series' places with it; the series themselves stay. */
  readonly #byCluster = new WeakMap<Cluster, KnownSeries>()
  readonly #withoutCluster = new KnownSeries()

  constructor(families: HttpFamilies, node: NodeFacts, reporter: Reporter, peers: Peers) {
    this.#families = families
    this.#node = node
    this.#reporter = reporter
    this.#peers = peers
  }

  readonly onEnd = (exchange: Exchange): void => {
    const series = this.#seriesOf(exchange)
    series.requests.value++
    series.duration.record(exchange.duration)
    series.requestBytes.record(exchange.bytesReceived + headBytes(exchange.requestHeaders) + exchange.method.length + exchange.path.length)
    series.responseBytes.record(exchange.bytesSent + headBytes(exchange.responseHeaders))
  }

  #seriesOf(exchange: Exchange): Series {
    const known = this.#cacheOf(exchange.cluster)
    const peer = this.#peerOf(exchange)
    const atSource = this.#reporter === 'source'
    const tls = atSource ? exchange.upstreamTls : exchange.connection.tls
    const ownUri = tls?.localUris[0] ?? ''
    const peerUri = tls?.peerUris[0] ?? ''
    const grpc = exchange.isGrpc ? grpcStatusOf(exchange) : 'http'
    const named = atSource && exchange.cluster?.service === undefined ? `${exchange.routeName} ${exchange.clusterName} ${this.#authorityOf(exchange)}` : ''
    const { responseCode, flags } = exchange
    const { last } = known
    if (last !== undefined && last.responseCode === responseCode && last.flags === flags && last.peer === peer && last.grpc === grpc
      && last.ownUri === ownUri && last.peerUri === peerUri && last.named === named) return last.series
    const key = `${responseCode} ${flags} ${grpc} ${peer.key} ${peerUri} ${ownUri} ${named}`
    let series = known.byKey.get(key)
    if (series === undefined) known.byKey.set(key, series = this.#find(exchange, peer, ownUri, peerUri))
    known.last = { responseCode, flags, grpc, peer, peerUri, ownUri, named, series }
    return series
  }

  #cacheOf(cluster: Cluster | undefined): KnownSeries {
    if (cluster === undefined) return this.#withoutCluster
    const known = this.#byCluster.get(cluster)
    if (known !== undefined) return known
    const created = new KnownSeries()
    this.#byCluster.set(cluster, created)
    return created
  }

  /** What the peer says of itself, else what the control plane says of its endpoint. */
  #peerOf(exchange: Exchange): KnownPeer {
    if (this.#reporter === 'destination') return this.#peers.said.of(exchange.downstreamMetadata, exchange.connection)
    if (exchange.upstreamMetadata !== '') return this.#peers.said.of(exchange.upstreamMetadata, exchange.upstreamAddress)
    return this.#peers.ofEndpoints.of(exchange.host?.workload ?? '')
  }

  /** Strangers may write anything into Host: at a gateway it does not become a label. */
  #authorityOf(exchange: Exchange): string {
    return this.#node.isGateway || this.#reporter === 'destination' ? '' : exchange.authority
  }

  #find(exchange: Exchange, peer: KnownPeer, ownUri: string, peerUri: string): Series {
    const labels = httpLabelsOf({
      reporter: this.#reporter, own: this.#node.own, peer: peer.facts, ownUri, peerUri,
      destination: httpDestination(exchange.cluster, exchange.clusterName, exchange.routeName, this.#authorityOf(exchange)),
      protocol: exchange.isGrpc ? 'grpc' : 'http',
      responseCode: exchange.responseCode,
      grpcStatus: exchange.isGrpc ? grpcStatusOf(exchange) : '',
      flags: exchange.responseFlags,
    })
    const { requests, duration, requestBytes, responseBytes } = this.#families
    return { requests: requests.with(labels), duration: duration.with(labels), requestBytes: requestBytes.with(labels), responseBytes: responseBytes.with(labels) }
  }
}

/** Peers write the status: only numbers become labels. */
const grpcStatusOf = ({ grpcStatus }: Exchange): string => (grpcStatus.length <= 2 && /^\d+$/.test(grpcStatus) ? grpcStatus : '')

/** Of HTTP/1.1, as it stands after the proxy's edits: near enough for buckets that double. */
function headBytes(headers: HeaderList | undefined): number {
  if (headers === undefined) return 0
  const { flat } = headers
  let bytes = flat.length * 2 + 16
  for (let i = 0; i < flat.length; i++) bytes += flat[i]!.length
  return bytes
}
