// What one client, and all clients together, may cost the gRPC server. Each has a default and a reason.

export interface GrpcLimits {
  /** A sidecar needs one connection. Beyond this, new ones are dropped at accept: 10,000 proxies are 1 GB of streams. */
  readonly maxConnections: number
  /** ADS is one stream and a certificate now and then another; a connection with more is no proxy. */
  readonly maxStreamsPerConnection: number
  /** gRPC's own default; the subscriptions of 10,000 names are 1 MB. */
  readonly maxMessageBytes: number
  /** How many messages may wait for a client that does not read: services wait for `send`, so this is never met. */
  readonly maxQueuedMessages: number
  /** A TLS handshake takes longer than this only where somebody holds a connection on purpose. */
  readonly handshakeTimeoutMs: number
  /** Finds peers that vanished without a word; the same for all of Istio's clients. */
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  /** Clients come back and prove who they are again, some earlier than others so that they do not come together. */
  readonly maxConnectionAgeMs: number
  /** How long calls may take to end once a connection drains; streams are told at once. */
  readonly drainMs: number
}

export const defaultGrpcLimits: GrpcLimits = {
  maxConnections: 10_000,
  maxStreamsPerConnection: 100,
  maxMessageBytes: 4 * 1024 * 1024,
  maxQueuedMessages: 64,
  handshakeTimeoutMs: 10_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 10_000,
  maxConnectionAgeMs: 30 * 60_000,
  drainMs: 5000,
}
