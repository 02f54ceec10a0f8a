// The contract between the HTTP layer and the upstream side: clusters choose hosts, pools lend connections, a
// connection carries one request at a time (HTTP/1) or many (HTTP/2), and tells a reader what came back.
import type { HeaderList } from '../../codec/header-list.ts'
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { Address } from '../../model/address.ts'
import type { TlsInfo, Transport } from '../../net/transport.ts'
import type { Caution } from './pool/idle-limit.ts'

/** Why a request or a connection failed; `rescue` turns each into status, flag and body (traffic spec 2.8). */
export type ResetReason =
  | 'connection-failure'        // refused, unreachable, TLS failure: no byte of the request was sent
  | 'connection-timeout'        // connect timeout: likewise
  | 'connection-termination'    // the peer closed before its response was complete
  | 'remote-reset'
  | 'remote-refused'            // REFUSED_STREAM
  | 'local-reset'
  | 'protocol-error'
  | 'overflow'                  // circuit breaker: never counted against the host, never retried

export interface RequestHead {
  readonly method: string
  /** What the client called it, `http` unless it says otherwise; only HTTP/2 hands it on. */
  readonly scheme?: string
  /** What the request wants to become (`websocket`), or empty. */
  readonly upgrade?: string
  /** Path and query. */
  readonly path: string
  readonly authority: string
  /** Without hop-by-hop fields, Host, Content-Length and Transfer-Encoding: the codec writes those. */
  readonly headers: HeaderList
  /** -1: length not known (chunked); 0: no body; else its length in bytes. */
  readonly bodyLength: number
  /** For a request without a body that must still say so (`content-length: 0` on POST). */
  readonly sendZeroLength: boolean
}

/** Receives one response. Bytes are only valid during the call. After `onEnd` or `onReset` nothing follows. */
export interface ResponseReader {
  onInformational(status: number, headers: HeaderList): void
  onHead(status: number, headers: HeaderList, bodyLength: number): void
  onData(bytes: Buffer, at: number, end: number): void
  onEnd(trailers: HeaderList | undefined): void
  /** More request body may be sent, after `sendBody` returned false. */
  onWritable(): void
  /** `begun`: whether any byte of the request may have been taken by the peer. */
  onReset(reason: ResetReason, detail: string, begun: boolean): void
}

/** One request in flight. The pool gets its connection back by itself when the exchange is complete. */
export interface UpstreamStream {
  readonly host: Host
  readonly localAddress: Address
  readonly tls: TlsInfo | undefined
  /** The connection was there before: the peer may have closed it while this request was on its way. */
  readonly reused: boolean
  /** Sends the head, at once or joined with the first piece of body. */
  sendHead(head: RequestHead): void
  /** False: wait for `onWritable`. */
  sendBody(bytes: Uint8Array, at: number, end: number): boolean
  sendEnd(trailers: HeaderList | undefined): void
  /** No more is read; what has been read already (64 KB at most) may still come. */
  pauseResponse(): void
  resumeResponse(): void
  /** Gives the exchange up: the connection is closed (HTTP/1) or the stream reset, and the reader hears nothing more. */
  reset(): void
}

/** Waits for a stream. One of the two is called exactly once, possibly inside `request`. */
export interface StreamWaiter {
  /** Which connections will do; `any` where it does not say. */
  readonly caution?: Caution
  onStream(stream: UpstreamStream): void
  onFailure(reason: ResetReason, detail: string): void
}

/** Waits for a connection of its own. One of the two is called exactly once, never inside `connect`. */
export interface TransportWaiter {
  onTransport(transport: Transport): void
  onFailure(reason: ResetReason, detail: string): void
}

export type HostHealth = 'healthy' | 'unhealthy' | 'draining'

/** One endpoint of a cluster, kept across EDS updates by address. */
export interface Host {
  readonly address: Address
  /** `1.2.3.4:9080`. */
  readonly name: string
  /** Where connections to it go, if that is not its name: what the name of its only endpoint was looked up to. */
  readonly place?: string | undefined
  readonly weight: number
  readonly health: HostHealth
  /** Left out for a while, because connections to it failed. */
  readonly suspect?: boolean
  /** Why outlier detection leaves it out, in words; undefined when it does not. */
  readonly ejection?: string | undefined
  /** 0 is used first. */
  readonly priority?: number
  /** `region/zone/subzone`. */
  readonly locality?: string
  /** Requests in flight (HTTP) or connections (TCP). */
  readonly active: number
  /** filter_metadata.istio of the endpoint: `workload;namespace;canonical;revision;cluster` for metric labels. */
  readonly workload: string
  /** Labels by which subsets select. Usually empty: Istio sends a cluster per subset. */
  readonly mutualTls: boolean
  /** Counted by the pool and by `onResult`; read, do not write. */
  readonly stats?: HostStats
  /** A response or failure, for outlier detection. */
  onResult(result: HostResult): void
}

/** Named as in Envoy's /clusters. */
export interface HostStats {
  readonly cxTotal: number
  readonly cxActive: number
  readonly cxConnectFail: number
  readonly rqTotal: number
  readonly rqSuccess: number
  readonly rqError: number
  readonly rqTimeout: number
}

export type HostResult =
  /** `judgedAs`: of a call of gRPC, the status that outlier detection sees. */
  | { readonly kind: 'response'; readonly status: number; readonly judgedAs?: number }
  | { readonly kind: 'local'; readonly reason: ResetReason | 'timeout' }

/** What a balancer may look at. Objects are reused: read, do not keep. */
export interface ChoiceContext {
  /** Hash of the route's hash policy, or undefined. */
  readonly hash: Hash64 | undefined
  /** Where the client meant to go (ORIGINAL_DST clusters). */
  readonly originalDestination: Address | undefined
  /** Hosts tried before by this exchange: avoided where there is another. */
  readonly tried: readonly Host[]
  /** Whom the request is for (dynamic forward proxy). */
  readonly authority?: string
  /** Priorities that a retry should leave, where another has healthy hosts. */
  readonly avoidPriorities?: readonly number[]
}

/** Who connected to the proxy, and to where. */
export interface ClientAddresses {
  readonly remoteAddress: Address
  readonly originalDestination: Address
  /** Whether it speaks HTTP/2, for clusters that speak what the client speaks. */
  readonly http2?: boolean
  /** Hosts see its own address, with this mark on the packets to them (TPROXY). */
  readonly sourceMark?: number | undefined
}

/** A cluster as the HTTP and TCP sides see it. It lives until the Plan that replaced it has drained. */
export interface Cluster {
  readonly name: string
  /** `metadata.filter_metadata.istio.services[0]`: host, name, namespace for metric labels. */
  readonly service: { readonly host: string; readonly name: string; readonly namespace: string } | undefined
  /** Of a cluster of no service: whether whoever is where the client meant to go is of the mesh. */
  knows?(originalDestination: Address | undefined): boolean
  /** Chooses by the cluster's policy; undefined when no host is usable (UH). */
  chooseHost(context: ChoiceContext): Host | undefined
  /**
   * Borrows a stream on a pooled connection to the host. The result cancels the wait and is harmless afterwards.
   * Circuit breakers answer with `overflow`. `authority` is the server name where the cluster takes it from the request,
   * `client` whom the host is told of, where it wants to know.
   */
  request(host: Host, reader: ResponseReader, waiter: StreamWaiter, authority?: string, client?: ClientAddresses): () => void
  /** Asks the circuit breaker for one more retry. True: call `retryDone` when that attempt has ended. */
  tryRetry(): boolean
  retryDone(): void
  readonly connectTimeoutMs: number
  /**
   * Opens a connection of its own for opaque bytes (TCP proxy), with TLS where the cluster asks for it. It counts as
   * active on the host until it closes. The result gives the wait up.
   */
  connect(host: Host, waiter: TransportWaiter, client?: ClientAddresses): () => void
}

/** Finds a cluster by name; undefined is response flag NC. */
export type ClusterLookup = (name: string) => Cluster | undefined
