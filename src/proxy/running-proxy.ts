// One proxy from start to end: identity, xDS, the plan that serves, admin, drain. Several may run in one process: nothing
// here is global. The parts that it is made of come in from outside, so that each can be replaced.
import { systemClock } from '../lib/clock.ts'
import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import type { Listen, BoundSocket } from '../net/listen-set.ts'
import type { Node } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { RouteConfiguration } from '../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { HttpConnectionManager } from '../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TcpProxy } from '../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import type { AccessLogEntry } from '../telemetry/access-log-entry.ts'
import { adminPaths } from './admin/paths.ts'
import type { AdminSource, ProxyState, StatLine } from './admin/paths.ts'
import { startAdmin } from './admin/server.ts'
import type { AdminPlace, AdminServer } from './admin/server.ts'
import type { ClusterStatus } from './admin/clusters.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import { within } from './http/router/problem.ts'
import { FileSecrets, isFileSecret } from './identity/file-secrets.ts'
import type { Secrets } from './identity/secrets.ts'
import { noCapture } from './listen/capture.ts'
import type { Capture } from './listen/capture.ts'
import type { Direction } from './listen/compile.ts'
import { refusedEntry, sessionEntry } from './listen/connection-entry.ts'
import { InboundPeers } from './listen/inbound-peers.ts'
import type { ChainService } from './listen/connection.ts'
import { bootstrapJson, listenersShown, ownSecretsOf } from './main-admin.ts'
import { Serving } from './main-serving.ts'
import type { RouteSlot } from './main-serving.ts'
import { Updates } from './main-updates.ts'
import type { XdsUpdate } from './main-updates.ts'
import { Overview } from './overview.ts'
import { Planner } from './plan.ts'
import type { ClusterStore } from './plan-clusters.ts'
import type { WantedNames } from './plan-updates.ts'
import type { ProxySettings } from './settings.ts'
import { RbacCounters } from './rbac/counters.ts'
import { ConnectionGuard } from './tcp/filters/rbac.ts'
import { compileTcpProxy } from './tcp/tcp-proxy.ts'
import type { TcpHooks } from './tcp/tcp-proxy.ts'
import type { Counted, ThreadReport } from './threads/report.ts'
import type { ThreadSet } from './threads/thread-set.ts'
import type { ClusterLookup } from './upstream/types.ts'
import { nothingAccepted, resourceTypes } from './xds/accepted.ts'
import type { AcceptedByType } from './xds/accepted.ts'
import { nodeIdOf, nodeOf } from './xds/node.ts'
import type { TerminalFilter } from './xds/listener.ts'
import { SecretStore } from './xds/secret.ts'
import { meshTrustName } from '../xds/types.ts'

/** The stream to the control plane. It reconnects by itself; while it is away, what was accepted goes on serving. */
export interface XdsStream {
  /** Asks for exactly these names of a type that is asked for by name. */
  subscribe(typeUrl: string, names: readonly string[]): void
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
  openUpstream(secrets: Secrets, dial: Capture['dial']): UpstreamSide
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
  /** Stops accepting and lets open work finish; resolves with the number of connections that were left. */
  drain(timeoutMs?: number): Promise<number>
  /** The same, and a drain that was begun with a later deadline is not waited for. */
  drainWithin(timeoutMs: number): Promise<number>
  /** Drains for the termination time, then ends everything. */
  close(terminationMs?: number): Promise<void>
}

export async function runProxy(settings: ProxySettings, parts: ProxyParts): Promise<Proxy> {
  const proxy = new RunningProxy(settings, parts)
  try {
    if (parts.withoutAdmin !== true) await proxy.startAdmin()
    return proxy
  } catch (error) {
    await proxy.close()
    throw error
  }
}

class RunningProxy implements Proxy {
  readonly nodeId: string
  readonly planner: Planner
  readonly whenReady: Promise<void>
  readonly #settings: ProxySettings
  readonly #parts: ProxyParts
  readonly #clock: Clock
  readonly #files: FileSecrets
  readonly #secrets: SecretStore
  readonly #upstream: UpstreamSide
  readonly #serving: Serving
  readonly #stream: XdsStream
  readonly #accepted = nothingAccepted()
  readonly #peers: InboundPeers
  readonly #node: Node
  readonly #startedAt = Date.now()
  readonly #threads: ThreadSet | undefined
  readonly #overview: Overview
  #admin: AdminServer | undefined
  #serves = false
  #drained: Promise<number> | undefined
  #failsHealthcheck = false

  constructor(settings: ProxySettings, parts: ProxyParts) {
    this.#settings = settings
    this.#parts = parts
    this.#clock = parts.clock ?? systemClock
    this.#peers = parts.inboundPeers ?? new InboundPeers(this.#clock)
    this.#node = nodeOf(settings, parts.version)
    this.nodeId = nodeIdOf(settings)
    const capture = parts.capture ?? noCapture
    this.#files = new FileSecrets({ clock: this.#clock, log: (line) => this.#log(line) })
    this.#secrets = new SecretStore(parts.identity, this.#files)
    this.#secrets.onChange((name) => this.#followTrust(name))
    this.#upstream = parts.openUpstream(this.#secrets, (address, tls) => capture.dial(address, tls))
    this.#serving = this.#createServing(capture)
    this.planner = this.#createPlanner()
    this.#threads = parts.openThreads?.(this.#accepted)
    this.#overview = new Overview({ parts, serving: this.#serving, upstream: this.#upstream, peers: this.#peers, threads: this.#threads })
    const updates = new Updates(this.planner, this.#accepted, this.#clock)
    this.#stream = parts.openStream(this.#node, (update) => this.#take(updates, update))
    this.whenReady = this.#becomeReady()
    this.whenReady.catch((error: unknown) => this.#log(`cannot start to serve: ${describe(error)}`))
  }

  get adminPort(): number {
    return this.#admin?.port ?? 0
  }

  get state(): ProxyState {
    if (this.#drained !== undefined) return 'DRAINING'
    return this.#serves ? 'LIVE' : 'INITIALIZING'
  }

  get listening(): readonly Address[] {
    return this.#serving.sockets.addresses
  }

  boundAddress(listener: string): Address | undefined {
    return this.#serving.sockets.boundAddress(listener)
  }

  get threadSockets(): readonly BoundSocket[] {
    return this.#threads?.sockets ?? []
  }

  get adminHandle(): object | undefined {
    return this.#admin?.handle
  }

  report(): ThreadReport {
    return this.#overview.report()
  }

  async closeAdmin(): Promise<void> {
    await this.#admin?.close()
    this.#admin = undefined
  }

  reopenLogs(): void {
    this.#parts.onReopenLogs?.()
    this.#threads?.reopenLogs()
  }

  drain(timeoutMs = this.#settings.drainDuration): Promise<number> {
    this.#drained ??= this.#drainAll(timeoutMs)
    return this.#drained
  }

  /** All threads at once, under one deadline. */
  async #drainAll(timeoutMs: number): Promise<number> {
    const [own, others = 0] = await Promise.all([this.#serving.drain(timeoutMs), this.#threads?.drain(timeoutMs)])
    return own + others
  }

  async close(terminationMs = this.#settings.terminationDrainDuration): Promise<void> {
    const left = await this.drainWithin(terminationMs)
    if (left > 0) this.#log(`${left} connections were cut off`)
    this.#stream.close()
    this.planner.close()
    this.#serving.close()
    this.#upstream.close()
    this.#files.close()
    this.#parts.onEnd?.()
    await this.#threads?.close()
    await this.#admin?.close()
    await this.#parts.onClosed?.()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async startAdmin(on: AdminPlace = this.#settings.adminPort): Promise<void> {
    this.#admin = await startAdmin(on, adminPaths(this.#adminSource()), (action, from) => this.#parts.onAdminAction?.(action, from))
  }

  drainWithin(timeoutMs: number): Promise<number> {
    if (this.#drained === undefined) return this.drain(timeoutMs)
    return Promise.all([this.#serving.finish(timeoutMs), this.#threads?.drain(timeoutMs)]).then(([own, others = 0]) => own + others)
  }

  #log(line: string): void {
    this.#parts.log?.(line)
  }

  /** A root that is new, or a revocation, counts as soon as the control plane says so. */
  #followTrust(name: string): void {
    const trust = name === meshTrustName ? this.#secrets.trust(name) : undefined
    if (trust !== undefined) this.#parts.identity.takeTrust?.(trust)
  }

  #createServing(capture: Capture): Serving {
    const { maxConnections, maxHandshakes, drainDuration } = this.#settings
    const clock = this.#clock
    const clusters = this.#upstream.lookup
    return new Serving({
      clock, secrets: this.#secrets, capture, listen: this.#parts.listen, maxConnections, maxHandshakes, drainMs: drainDuration,
      compileService: (terminal, listener, direction, routes) => terminal.kind === 'http'
        ? this.#parts.compileHttp(terminal.config, { direction, clusters, routes, clock })
        : compileTcpProxy(terminal.config, { clusters, clock, random: Math.random, ...this.#guardOf(terminal), ...this.#tcpHooks(terminal.config, listener) }),
      compileRefusedLog: (listener) => this.#parts.listenerLog?.(listener),
      onServed: (connection, uris) => this.#peers.served(connection, uris),
      onRefused: (refused) => {
        this.#peers.refused(refused)
        this.#parts.onConnectionEnd?.(refusedEntry(refused, clock.now()))
      },
      onBindProblem: ({ message }) => this.#log(message),
      onServerFirst: (destination) => this.#log(`the server at ${formatAddress(destination)} speaks first: its bytes are forwarded as they are. Name its port tcp-..., or set appProtocol: tcp, and no client waits while this is found out`),
    })
  }

  #guardOf({ guards }: Extract<TerminalFilter, { kind: 'tcp' }>): { readonly guard?: ConnectionGuard } {
    return guards.length === 0 ? {} : { guard: new ConnectionGuard(guards, this.#parts.rbacCounters ?? new RbacCounters()) }
  }

  #tcpHooks(config: TcpProxy, { name }: Listener): TcpHooks {
    const hooks = within(`listener ${name}, tcp_proxy`, () => this.#parts.tcpHooks?.(config))
    return {
      onOpen: (session) => hooks?.onOpen?.(session),
      onEnd: (session) => {
        hooks?.onEnd(session)
        this.#parts.onConnectionEnd?.(sessionEntry(session))
      },
    }
  }

  #createPlanner(): Planner {
    return new Planner({
      clock: this.#clock,
      clusters: this.#upstream,
      secrets: this.#secrets,
      compileRoutes: (config) => this.#parts.compileRoutes(config),
      compileListener: (message, previous) => this.#serving.compile(message, previous),
      // A proxy that drains opens nothing new: what serves goes on as it is.
      onPlan: (plan) => {
        if (this.#drained === undefined) this.#serving.replace(plan)
      },
      onWanted: (wanted) => this.#subscribe(wanted),
    })
  }

  #subscribe({ endpoints, routes, secrets }: WantedNames): void {
    this.#stream.subscribe(resourceTypes.endpoints, endpoints)
    this.#stream.subscribe(resourceTypes.routes, routes)
    this.#stream.subscribe(resourceTypes.secrets, secrets.filter((name) => !isFileSecret(name)))
    this.#files.keep(secrets)
  }

  #take(updates: Updates, update: XdsUpdate): string | undefined {
    const nack = updates.take(update)
    if (nack !== undefined) this.#log(`rejected: ${nack}`)
    this.#threads?.feed(update)
    return nack
  }

  async #becomeReady(): Promise<void> {
    await this.planner.whenReady
    await this.#serving.whenBound()
    await this.#threads?.whenReady
    if (this.#drained !== undefined) return
    await this.#serving.startCapture()
    this.#serves = true
  }

  #notReadyBecause(): string {
    if (this.#drained !== undefined) return 'draining'
    if (this.#failsHealthcheck) return 'told to fail its health check'
    if (this.#serves) return ''
    return this.planner.warming > 0 ? `${this.planner.warming} listeners and route tables wait for what they depend on` : 'no configuration yet'
  }

  #adminSource(): AdminSource {
    return {
      accepted: this.#accepted,
      bootstrap: () => bootstrapJson(this.#settings, this.#node),
      ownSecrets: () => ownSecretsOf(this.#parts.identity),
      state: () => this.state,
      notReadyBecause: () => this.#notReadyBecause(),
      startedAt: this.#startedAt,
      version: this.#parts.version ?? '',
      nodeId: this.nodeId,
      clusters: () => this.#upstream.statuses(),
      lookup: this.#upstream.lookup,
      listeners: () => listenersShown(this.planner, this.#serving),
      clustersShown: () => this.#overview.clusters(),
      inboundPeers: () => this.#overview.inboundPeers(),
      stats: () => this.#overview.stats(),
      prometheus: () => this.#overview.prometheus(),
      drain: async (graceful) => void (await this.drain(graceful ? undefined : 0)),
      quit: () => this.#parts.onQuit?.(),
      reopenLogs: () => this.reopenLogs(),
      failHealthcheck: (failing) => (this.#failsHealthcheck = failing),
    }
  }
}
