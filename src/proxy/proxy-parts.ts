// What a proxy is made of, and what it is for those who have one. What drives the parts is running-proxy.ts.
import type { Clock } from '../lib/clock.ts'
import type { Address } from '../model/address.ts'
import type { Listen, BoundSocket } from '../net/listen-set.ts'
import type { Node } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { HttpConnectionManager } from '../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TcpProxy } from '../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import type { AccessLogEntry } from '../telemetry/access-log-entry.ts'
import type { ProxyState, StatLine } from './admin/paths.ts'
import type { AdminPlace } from './admin/server.ts'
import type { ClusterStatus } from './admin/clusters.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import type { Secrets } from './identity/secrets.ts'
import type { Capture } from './listen/capture.ts'
import type { Direction } from './listen/compile.ts'
import type { InboundPeers } from './listen/inbound-peers.ts'
import type { ChainService } from './listen/connection.ts'
import type { RouteSlot } from './main-serving.ts'
import type { XdsUpdate } from './main-updates.ts'
import type { Planner } from './plan.ts'
import type { ClusterStore } from './plan-clusters.ts'
import type { RbacCounters } from './rbac/counters.ts'
import type { TcpHooks } from './tcp/tcp-proxy.ts'
import type { Counted, ThreadReport } from './threads/report.ts'
import type { ThreadSet } from './threads/thread-set.ts'
import type { ClusterLookup } from './upstream/types.ts'
import type { AcceptedByType } from './xds/accepted.ts'
import type { NameTable } from './xds/names.ts'

/** The stream to the control plane. It reconnects by itself; while it is away, what was accepted goes on serving. */
export interface XdsStream {
  /** Asks for exactly these names of a type that is asked for by name. */
  subscribe(typeUrl: string, names: readonly string[]): void
  /** How the application is: well, or a sentence. Said again on every new stream. */
  reportHealth?(problem: string | undefined): void
  /** The proxy is about to end, and is to get no new requests. Resolves once every proxy knows, where the control plane says so. */
  leave?(): Promise<void>
  /** A word that nothing answers; while the control plane is away it is lost. */
  mention(typeUrl: string, names: readonly string[]): void
  close(): void
}

/** Clusters that run: given messages, they choose hosts. */
export interface UpstreamSide extends ClusterStore {
  readonly lookup: ClusterLookup
  statuses(): readonly ClusterStatus[]
  close(): void
}

/** What the HTTP side needs of the proxy around it. */
export interface HttpServiceContext {
  readonly direction: Direction
  readonly clusters: ClusterLookup
  readonly routes: (name: string) => RouteSlot
  readonly clock: Clock
}

export interface ProxyParts {
  /** Its own certificate and the mesh's roots; ready before the proxy starts. */
  readonly identity: Secrets
  /** Called once. `onUpdate` is never called inside; it answers with the text of a NACK, or undefined. */
  openStream(node: Node, onUpdate: (update: XdsUpdate) => string | undefined): XdsStream
  openUpstream(secrets: Secrets, dial: Capture['dial'], bindsSources: boolean): UpstreamSide
  compileRoutes(config: RouteConfiguration): CompiledRoutes
  compileHttp(config: HttpConnectionManager, context: HttpServiceContext): ChainService
  /** Metrics and access logs of one tcp_proxy, when it is compiled. Throws for logs that cannot be served. */
  tcpHooks?(config: TcpProxy): TcpHooks
  /** A listener's own access log, of connections that it refused. Throws likewise. */
  listenerLog?(listener: Listener): ((entry: AccessLogEntry) => void) | undefined
  /** Every TCP session and refused connection. */
  onConnectionEnd?(entry: AccessLogEntry): void
  /** Who comes, and how; without it, one of the proxy's own. */
  readonly inboundPeers?: InboundPeers
  /** What was asked of the admin server that changes the proxy, and by whom. */
  onAdminAction?(action: string, from: Address): void
  /** Of this thread alone. */
  /** What policies decided about connections. */
  readonly rbacCounters?: RbacCounters
  counted?(): Counted
  /** The texts of the admin server, for all threads together: this one's come first. */
  stats?(all: readonly Counted[]): readonly StatLine[]
  prometheus?(all: readonly Counted[]): string
  /** Which thread of several this is, from 0. */
  readonly threadNumber?: number | undefined
  /** The other threads of this proxy; called once. */
  openThreads?(accepted: AcceptedByType): ThreadSet
  /** Shares addresses with the other threads, or goes on with sockets of the process before. */
  readonly listen?: Listen | undefined
  /** The admin server is started later, or never: this thread is one of several. */
  readonly withoutAdmin?: boolean | undefined
  /** One line for people. */
  log?(line: string): void
  readonly capture?: Capture
  readonly clock?: Clock
  readonly version?: string
  /** The names that the workload may look up. Without it they are not asked for. Answers with the text of a NACK, or undefined. */
  onNames?(update: XdsUpdate): string | undefined
  /** As they were taken last; undefined before that. */
  names?(): NameTable | undefined
  readonly whenNamed?: Promise<void>
  /** How the application is to be asked, likewise. */
  onProbe?(update: XdsUpdate): string | undefined
  /** `reportHealth` says when the application takes requests: until then, who has left is not sent any. */
  readonly tellsReadiness?: boolean | undefined
  /** POST /reopen_logs: after log files were moved away. */
  onReopenLogs?(): void
  /** Nothing is served any more. */
  onEnd?(): void
  /** Everything that served has ended: what the parts were made of may go. */
  onClosed?(): Promise<void>
  /** POST /quitquitquit: ends the process where the proxy is one. */
  onQuit?(): void
}

export interface Proxy extends AsyncDisposable {
  readonly nodeId: string
  readonly adminPort: number
  readonly state: ProxyState
  /** What keeps it from being ready; empty when nothing does. */
  readonly notReadyBecause: string
  /** How the application is, for the control plane: well, or a sentence. */
  reportHealth(problem: string | undefined): void
  /** It is about to end: no new requests should come. Resolves once its peers know, or when the time is over. */
  withdraw(timeoutMs: number): Promise<void>
  /** What all threads have counted, for Prometheus. */
  prometheus(): Promise<string>
  /** The first configuration serves: listeners bound, captures open. */
  readonly whenReady: Promise<void>
  readonly planner: Planner
  /** Every address that a listener is bound to now. */
  readonly listening: readonly Address[]
  /** Where a listener really listens. */
  boundAddress(listener: string): Address | undefined
  /** The sockets of all threads, and the admin server's. */
  readonly threadSockets: readonly BoundSocket[]
  readonly adminHandle: object | undefined
  /** What this thread has counted. */
  report(): ThreadReport
  /** Where it was told to, or with a socket of the process before. */
  startAdmin(on?: AdminPlace): Promise<void>
  /** The process that takes over answers in its place. */
  closeAdmin(): Promise<void>
  /** After log files were moved away. */
  reopenLogs(): void
  /**
   * Requests that came to the workload finish, their connections end; the workload itself may still ask others. Resolves with
   * the number of inbound connections that were left.
   */
  drainInbound(timeoutMs: number): Promise<number>
  /** Stops accepting and lets open work finish; resolves with the number of connections that were left. */
  drain(timeoutMs?: number): Promise<number>
  /** The same, and a drain that was begun with a later deadline is not waited for. */
  drainWithin(timeoutMs: number): Promise<number>
  /** Drains for the termination time, then ends everything. */
  close(terminationMs?: number): Promise<void>
}
