// One proxy from start to end: identity, xDS, the plan that serves, admin, drain. Several may run in one process: nothing
// here is global. The parts that it is made of come in from outside, so that each can be replaced.
import { systemClock } from '../lib/clock.ts'
import type { Clock } from '../lib/clock.ts'
import { describe, spawn } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import type { BoundSocket } from '../net/listen-set.ts'
import type { Node } from '../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { TcpProxy } from '../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { adminPaths } from './admin/paths.ts'
import type { AdminSource, ProxyState } from './admin/paths.ts'
import { startAdmin } from './admin/server.ts'
import type { AdminPlace, AdminServer } from './admin/server.ts'
import { within } from './http/router/problem.ts'
import { FileSecrets, isFileSecret } from './identity/file-secrets.ts'
import { noCapture } from './listen/capture.ts'
import type { Capture } from './listen/capture.ts'
import { refusedEntry, sessionEntry } from './listen/connection-entry.ts'
import { InboundPeers } from './listen/inbound-peers.ts'
import { bootstrapJson, listenersShown, ownSecretsOf } from './main-admin.ts'
import { Serving } from './main-serving.ts'
import { Updates } from './main-updates.ts'
import type { XdsUpdate } from './main-updates.ts'
import { Overview } from './overview.ts'
import { Planner } from './plan.ts'
import type { WantedNames } from './plan-updates.ts'
import type { Proxy, ProxyParts, UpstreamSide, XdsStream } from './proxy-parts.ts'
import type { ProxySettings } from './settings.ts'
import { RbacCounters } from './rbac/counters.ts'
import { ConnectionGuard } from './tcp/filters/rbac.ts'
import { compileTcpProxy } from './tcp/tcp-proxy.ts'
import type { TcpHooks } from './tcp/tcp-proxy.ts'
import type { ThreadReport } from './threads/report.ts'
import type { ThreadSet } from './threads/thread-set.ts'
import { nothingAccepted, resourceTypes } from './xds/accepted.ts'
import { nodeIdOf, nodeOf } from './xds/node.ts'
import type { TerminalFilter } from './xds/listener.ts'
import { SecretStore } from './xds/secret.ts'
import { meshTrustName, typeUrls } from '../xds/types.ts'

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

/** Names come last of all types, right after what is waited for anyway. */
const namesMs = 10_000

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
  /** Its inbound side drains. */
  #leaves = false
  #failsHealthcheck = false

  constructor(settings: ProxySettings, parts: ProxyParts) {
    this.#settings = settings
    this.#parts = parts
    this.#clock = parts.clock ?? systemClock
    this.#peers = parts.inboundPeers ?? new InboundPeers(this.#clock)
    this.#node = nodeOf(settings, parts)
    this.nodeId = nodeIdOf(settings)
    const capture = parts.capture ?? noCapture
    this.#files = new FileSecrets({ clock: this.#clock, log: (line) => this.#log(line) })
    this.#secrets = new SecretStore(parts.identity, this.#files)
    this.#secrets.onChange((name) => this.#followTrust(name))
    this.#upstream = parts.openUpstream(this.#secrets, (address, tls) => capture.dial(address, tls), capture.bindsSources === true)
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
    if (this.#drained !== undefined || this.#leaves) return 'DRAINING'
    return this.#serves ? 'LIVE' : 'INITIALIZING'
  }

  get notReadyBecause(): string {
    return this.#notReadyBecause()
  }

  reportHealth(problem: string | undefined): void {
    this.#stream.reportHealth?.(problem)
  }

  async prometheus(): Promise<string> {
    return await this.#overview.prometheus()
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

  async withdraw(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve)
      spawn('withdrawing', (this.#stream.leave?.() ?? Promise.resolve()).then(() => (cancel(), resolve())))
    })
  }

  async drainInbound(timeoutMs: number): Promise<number> {
    this.#leaves = true
    const [own, others = 0] = await Promise.all([this.#serving.drainInbound(timeoutMs), this.#threads?.drainInbound(timeoutMs)])
    return own + others
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
        : compileTcpProxy(terminal.config, { clusters, clock, random: Math.random, namedPort: terminal.namedPort, ...this.#guardOf(terminal), ...this.#tcpHooks(terminal.config, listener) }),
      compileRefusedLog: (listener) => this.#parts.listenerLog?.(listener),
      onServed: (connection, uris) => this.#peers.served(connection, uris),
      onRefused: (refused) => {
        this.#peers.refused(refused)
        this.#parts.onConnectionEnd?.(refusedEntry(refused, clock.now()))
      },
      onBindProblem: ({ message }) => this.#log(message),
      onFault: (listenerName, error) => this.#log(`a fault of the proxy closed a connection of listener ${listenerName}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
      onServerFirst: (destination) => this.#log(`the server at ${formatAddress(destination)} speaks first: its bytes are forwarded as they are. Name its port tcp-..., or set appProtocol: tcp, and no client waits while this is found out`),
    })
  }

  #guardOf({ guards }: Extract<TerminalFilter, { kind: 'tcp' }>): { readonly guard?: ConnectionGuard } {
    return guards.length === 0 ? {} : { guard: new ConnectionGuard(guards, { counters: this.#parts.rbacCounters ?? new RbacCounters(), clusters: this.#upstream.lookup, clock: this.#clock }) }
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
    const nack = this.#isForAgent(update) ? this.#giveToAgent(update) : updates.take(update)
    if (nack !== undefined) this.#log(`rejected: ${nack}`)
    if (!this.#isForAgent(update)) this.#threads?.feed(update)
    return nack
  }

  /** Names and probes are the business of the process around this proxy, not of its plan. */
  #isForAgent({ typeUrl }: XdsUpdate): boolean {
    return typeUrl === typeUrls.NDS || typeUrl === typeUrls.PCDS
  }

  #giveToAgent(update: XdsUpdate): string | undefined {
    return update.typeUrl === typeUrls.NDS ? this.#parts.onNames?.(update) : this.#parts.onProbe?.(update)
  }

  async #becomeReady(): Promise<void> {
    await this.planner.whenReady
    await this.#serving.whenBound()
    await this.#threads?.whenReady
    await this.#whenNamed()
    if (this.#drained !== undefined) return
    await this.#serving.startCapture()
    this.#serves = true
  }

  /** A workload that looks names up finds them from its first moment on. A server that knows of no names is not waited for long. */
  async #whenNamed(): Promise<void> {
    const { whenNamed } = this.#parts
    if (whenNamed === undefined) return
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(namesMs, () => {
      this.#log(`the control plane has said no names within ${namesMs / 1000} s: look-ups fail until it does`)
      resolve()
    })
    await Promise.race([whenNamed, late])
    cancel()
  }

  #notReadyBecause(): string {
    if (this.#drained !== undefined || this.#leaves) return 'draining'
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
      names: () => this.#parts.names?.(),
      reopenLogs: () => this.reopenLogs(),
      failHealthcheck: (failing) => (this.#failsHealthcheck = failing),
    }
  }
}
