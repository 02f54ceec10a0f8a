// What an access log line, a metric and a span can ask of one exchange or TCP connection. The proxy's Exchange is one.

/** Everything is final: asked once, when the exchange has ended. Unknown strings are empty, unknown numbers are 0. */
export interface AccessLogEntry {
  /** Milliseconds since the epoch at the first byte of the request. */
  readonly startTime: number
  /** Milliseconds from the first byte received to the last byte sent. */
  readonly duration: number
  /** `HTTP/1.1`, `HTTP/2`, or empty for TCP. */
  readonly protocol: string
  readonly method: string
  /** As routed and sent upstream; the original is in `x-envoy-original-path`. */
  readonly path: string
  readonly authority: string
  /** 0 when none was sent. */
  readonly responseCode: number
  /** Envoy's short flags, such as `UF,URX`; empty for none. */
  readonly responseFlags: string
  readonly responseCodeDetails: string
  readonly connectionTerminationDetails: string
  readonly upstreamTransportFailureReason: string
  readonly bytesReceived: number
  readonly bytesSent: number
  /** `1.2.3.4:9080`, or empty. */
  readonly upstreamHost: string
  readonly upstreamCluster: string
  readonly upstreamLocalAddress: string
  readonly downstreamLocalAddress: string
  readonly downstreamRemoteAddress: string
  readonly requestedServerName: string
  /** Of a connection of bytes: the AUDIT policy that matched it. */
  readonly auditPolicy?: string
  /** Tries of a request; undefined: none were made. */
  readonly attempts?: number
  readonly routeName: string
  /** `grpc-status` of a gRPC response, else empty. */
  readonly grpcStatus: string
  /** URI SANs of both ends of both connections; empty without mutual TLS. */
  readonly downstreamPeerUri: string
  readonly downstreamLocalUri: string
  readonly upstreamPeerUri: string
  readonly upstreamLocalUri: string
  /** Names are lower case. */
  requestHeader(name: string): string | undefined
  responseHeader(name: string): string | undefined
}
