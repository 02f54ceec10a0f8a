// One request and its response: heads, peer, route, timings, a slot per filter, and the reason it ended. It holds what
// happened; stream.ts makes it happen. Decisions are kept as references into the compiled configuration and as small
// numbers: log, metrics and explain turn them into words.
import { HeaderList } from '../../codec/header-list.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { TlsInfo } from '../../net/transport.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import type { Cluster, Host, RequestHead } from '../upstream/types.ts'
import type { ConnectionFacts, Peer } from './connection-facts.ts'
import { flagText } from './flags.ts'
import type { CompiledRoute, CompiledVirtualHost } from './router/compile.ts'
import type { Target } from './router/forward.ts'
import type { RoutedRequest } from './router/request.ts'

const none: readonly never[] = []

/** Of own ends of upstream connections, each of which carries many requests. */
const addressTexts = new WeakMap<Address, string>()

function textOf(address: Address): string {
  const known = addressTexts.get(address)
  if (known !== undefined) return known
  const text = formatAddress(address)
  addressTexts.set(address, text)
  return text
}

export class Exchange implements AccessLogEntry, RequestHead, RoutedRequest {
  readonly connection: ConnectionFacts
  readonly startTime: number
  /** 0 until it has ended. */
  endTime = 0

  // The request.
  method = ''
  scheme = 'http'
  authority = ''
  /** With its query; `pathname` and `query` are its parts. */
  path = ''
  pathname = ''
  query = ''
  /** Before a route rewrote them; empty where none did. */
  askedPath = ''
  askedAuthority = ''
  minor = 1
  requestHeaders: HeaderList
  /** -1: not known. */
  bodyLength = 0
  sendZeroLength = false
  isGrpc = false
  /** What the request wants its connection to become (`websocket`), or empty. */
  upgrade = ''
  /** As trusted proxies in front of this one say; undefined: whoever is at the other end of the connection. */
  clientAddress: Address | undefined = undefined
  /** The client sent `x-envoy-...` headers that it was allowed to send: they may ask for times and retries. */
  hasEnvoyHeaders = false
  bytesReceived = 0
  requestComplete = false

  // What was decided.
  virtualHost: CompiledVirtualHost | undefined = undefined
  route: CompiledRoute | undefined = undefined
  target: Target | undefined = undefined
  clusterName = ''
  cluster: Cluster | undefined = undefined
  /** By the route's hash policy; and cookies that it made for the client. */
  hash: Hash64 | undefined = undefined
  newCookies: readonly string[] = none
  /** The host of the last try, and those of the tries before it. */
  host: Host | undefined = undefined
  tried: readonly Host[] = none
  attempts = 0
  /** State of each filter, by the filter's index in its chain. */
  slots: unknown[]
  /** What filters learnt, by namespace; see dynamic-metadata.ts. */
  dynamicMetadata: Map<string, Readonly<Record<string, unknown>>> | undefined = undefined
  /** A filter learnt or changed what routes look at: the route is to be chosen again. */
  routeCleared = false

  // The response.
  responseHeaders: HeaderList | undefined = undefined
  responseCode = 0
  responseCodeDetails = ''
  upstreamTransportFailureReason = ''
  bytesSent = 0
  flags = 0
  upstreamAddress: Address | undefined = undefined
  upstreamTls: TlsInfo | undefined = undefined
  /** When all of the request was there to go upstream (connecting and retries come after), and when a head came back. */
  upstreamStartTime = 0
  upstreamHeadTime = 0
  /** `grpc-status` of the trailers; of the head while there are none. */
  grpcStatus = ''
  /** `x-envoy-peer-metadata` (base64) and its id, as the two peers said. */
  downstreamMetadata = ''
  downstreamMetadataId = ''
  upstreamMetadata = ''
  upstreamMetadataId = ''

  constructor(connection: ConnectionFacts, startTime: number, requestHeaders: HeaderList, slots: unknown[]) {
    this.connection = connection
    this.startTime = startTime
    this.requestHeaders = requestHeaders
    this.slots = slots
  }

  /** Of the client's connection. */
  get peer(): Peer {
    return this.connection.peer
  }

  /** As the upstream contract wants it. */
  get headers(): HeaderList {
    return this.requestHeaders
  }

  get duration(): number {
    return this.endTime === 0 ? 0 : this.endTime - this.startTime
  }

  get protocol(): string {
    if (this.connection.http2) return 'HTTP/2'
    return this.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0'
  }

  get responseFlags(): string {
    return flagText(this.flags)
  }

  get connectionTerminationDetails(): string {
    return ''
  }

  get upstreamHost(): string {
    return this.host?.place ?? this.host?.name ?? ''
  }

  get upstreamCluster(): string {
    return this.clusterName
  }

  get upstreamLocalAddress(): string {
    return this.upstreamAddress === undefined ? '' : textOf(this.upstreamAddress)
  }

  get downstreamLocalAddress(): string {
    return this.connection.originalDestinationText
  }

  get downstreamRemoteAddress(): string {
    return this.clientAddress === undefined ? this.connection.remoteAddressText : formatAddress(this.clientAddress)
  }

  get requestedServerName(): string {
    return this.connection.tls?.serverName ?? ''
  }

  get routeName(): string {
    return this.route?.name ?? ''
  }

  get downstreamPeerUri(): string {
    return this.connection.peer.uriText
  }

  get downstreamLocalUri(): string {
    return this.connection.localUriText
  }

  get upstreamPeerUri(): string {
    return this.upstreamTls?.peerUris.join(',') ?? ''
  }

  get upstreamLocalUri(): string {
    return this.upstreamTls?.localUris.join(',') ?? ''
  }

  requestHeader(name: string): string | undefined {
    if (name.charCodeAt(0) !== 0x3a) return name === 'host' ? this.authority : this.requestHeaders.joined(name)
    switch (name) {
      case ':method': return this.method
      case ':path': return this.path
      case ':authority': return this.authority
      case ':scheme': return this.scheme
      default: return undefined
    }
  }

  responseHeader(name: string): string | undefined {
    return name === ':status' ? String(this.responseCode) : this.responseHeaders?.joined(name)
  }

  addCookie(value: string): void {
    this.newCookies = [...this.newCookies, value]
  }

  setPath(path: string): void {
    const question = path.indexOf('?')
    this.path = path
    this.pathname = question === -1 ? path : path.slice(0, question)
    this.query = question === -1 ? '' : path.slice(question + 1)
  }
}
