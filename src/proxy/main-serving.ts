// What makes a plan serve: compiles listeners and route tables with everything they need, binds sockets, takes captured
// connections, and swaps one plan for the next.
import type { Clock } from '../lib/clock.ts'
import type { Address } from '../model/address.ts'
import { spawn } from '../lib/errors.ts'
import type { Inbound } from '../net/listen.ts'
import type { Listen } from '../net/listen-set.ts'
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { CompiledRoutes } from './http/router/compile.ts'
import type { AccessLogEntry } from '../telemetry/access-log-entry.ts'
import { Acceptor } from './listen/accept.ts'
import type { Refused } from './listen/accept.ts'
import type { Capture } from './listen/capture.ts'
import { compileListener } from './listen/compile.ts'
import type { CompiledListener, Direction } from './listen/compile.ts'
import { refusedEntry } from './listen/connection-entry.ts'
import type { AcceptedConnection, Arrival, ChainService } from './listen/connection.ts'
import { compileDownstreamTls } from './listen/downstream-tls.ts'
import { RefusalCounts } from './listen/refusal-counts.ts'
import { ChainServices } from './listen/services.ts'
import { Sockets } from './listen/sockets.ts'
import type { BindProblem } from './listen/sockets.ts'
import { emptyPlan } from './plan.ts'
import type { Plan } from './plan.ts'
import type { Secrets } from './identity/secrets.ts'
import type { TerminalFilter } from './xds/listener.ts'

/** The newest version of one route table, for services that live longer than any version. */
export interface RouteSlot {
  current: CompiledRoutes | undefined
}

export interface ServingParts {
  readonly clock: Clock
  readonly secrets: Secrets
  readonly capture: Capture
  readonly listen?: Listen | undefined
  readonly maxConnections: number
  readonly maxHandshakes: number
  readonly drainMs: number
  compileService(terminal: TerminalFilter, listener: Listener, direction: Direction, routes: (name: string) => RouteSlot): ChainService
  /** The listener's own access log. Throws for a log that cannot be served. */
  compileRefusedLog(listener: Listener): RefusedLog | undefined
  onServed(connection: AcceptedConnection, uris: readonly string[]): void
  onRefused(refused: Refused): void
  onBindProblem(problem: BindProblem): void
  onServerFirst(destination: Address): void
  onFault(listenerName: string, error: unknown): void
}

type RefusedLog = (entry: AccessLogEntry) => void

const captureListeners = { outbound: 'virtualOutbound', inbound: 'virtualInbound' } as const

export class Serving {
  readonly services: ChainServices
  readonly refusals = new RefusalCounts()
  readonly sockets: Sockets
  readonly #parts: ServingParts
  readonly #acceptor: Acceptor
  readonly #routes = new Map<string, RouteSlot>()
  readonly #refusedLogs = new WeakMap<Listener, RefusedLog>()
  #plan: Plan = emptyPlan
  #bound: Promise<void> = Promise.resolve()

  constructor(parts: ServingParts) {
    const { clock, capture, listen, maxConnections, maxHandshakes, drainMs } = parts
    this.#parts = parts
    this.services = new ChainServices(clock, drainMs)
    this.#acceptor = new Acceptor({
      listeners: () => this.#plan.listeners, maxConnections, maxHandshakes, clock,
      onServed: (connection, uris) => parts.onServed(connection, uris),
      onRefused: (refused) => this.#onRefused(refused),
      onServerFirst: (destination) => parts.onServerFirst(destination),
      onFault: (listenerName, error) => parts.onFault(listenerName, error),
    })
    this.sockets = new Sockets({
      clock, listen,
      bindsAt: (listener) => capture.bindsAt(listener),
      onConnection: (name, inbound) => this.#arrive(name, inbound),
      onProblem: (problem) => parts.onBindProblem(problem),
    })
  }

  get open(): number {
    return this.#acceptor.open
  }

  /** Since the start. */
  get accepted(): number {
    return this.#acceptor.accepted
  }

  compile(message: Listener, previous: CompiledListener | undefined): CompiledListener {
    const { secrets, compileService, compileRefusedLog } = this.#parts
    const log = compileRefusedLog(message)
    if (log !== undefined) this.#refusedLogs.set(message, log)
    return compileListener(message, previous, {
      compileTls: (chain) => compileDownstreamTls(chain, secrets),
      compileService: (terminal, listener, direction) => compileService(terminal, listener, direction, (name) => this.#slot(name)),
    })
  }

  /** From now on this plan serves. Requests on connections that are open already see its routes too. */
  replace(plan: Plan): void {
    this.#plan = plan
    for (const [name, { compiled }] of plan.routes) this.#slot(name).current = compiled
    this.services.replace(plan.listeners)
    this.#forgetRoutes()
    this.#bound = this.#bound.then(() => this.sockets.reconcile(plan.listeners))
    spawn('binding listeners', this.#bound)
  }

  /** Every bind of the newest plan has succeeded or failed once. */
  whenBound(): Promise<void> {
    return this.#bound
  }

  startCapture(): Promise<void> {
    return this.#parts.capture.start((direction, inbound, arrival) => this.#acceptor.accept(captureListeners[direction], inbound, arrival))
  }

  /** No new connections; open ones finish what they carry, until one deadline for all. Says how many were left. */
  async drain(timeoutMs: number): Promise<number> {
    this.#acceptor.drain()
    this.sockets.close()
    await this.#parts.capture.stop()
    return await this.finish(timeoutMs)
  }

  /**
   * Connections to the workload end when what they carry is done; who comes late is served once, in the first half of the time,
   * and refused after it. At its end nobody is connected any more. The other direction goes on.
   */
  async drainInbound(timeoutMs: number): Promise<number> {
    return await this.services.drainInbound(timeoutMs, { onHalf: () => this.#acceptor.refuseInbound(), onEnd: () => this.#acceptor.endInbound() })
  }

  /** What is open goes on for so long, nothing new comes. */
  finish(timeoutMs: number): Promise<number> {
    return this.services.drain(timeoutMs, () => this.#acceptor.open)
  }

  close(): void {
    this.services.close()
  }

  #arrive(name: string, inbound: Inbound): void {
    const arrival = arrivalOf(inbound, name, this.#parts.capture)
    if (arrival !== undefined) this.#acceptor.accept(name, inbound, arrival)
  }

  #onRefused(refused: Refused): void {
    this.refusals.count(refused.refusal)
    this.#refusedLogs.get(refused.listener.message)?.(refusedEntry(refused, this.#parts.clock.now()))
    this.#parts.onRefused(refused)
  }

  #slot(name: string): RouteSlot {
    const known = this.#routes.get(name)
    if (known !== undefined) return known
    const slot: RouteSlot = { current: this.#plan.routes.get(name)?.compiled }
    this.#routes.set(name, slot)
    return slot
  }

  /** Tables that nobody names any more are let go once no replaced chain is left that could still use them. */
  #forgetRoutes(): void {
    if (this.services.retired > 0) return
    for (const [name, slot] of this.#routes) if (!this.#plan.routes.has(name)) slot.current = undefined
  }
}

function arrivalOf(inbound: Inbound, listener: string, capture: Capture): Arrival | undefined {
  const redirected = capture.originalDestination(inbound, listener)
  if (redirected === null) return undefined
  return { originalDestination: redirected ?? inbound.localAddress, byAuthority: redirected === undefined && capture.forwards === true, authority: undefined }
}
