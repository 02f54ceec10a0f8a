// The HttpConnectionManager: compiled once, it serves any number of connections until it is drained.
import type { HttpConnectionManager } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Transport } from '../../net/transport.ts'
import { FilterChains } from './chain.ts'
import type { Arrival } from './connection-facts.ts'
import { ConnectionLife } from './connection-life.ts'
import type { ConnectionOwner, ServedConnection } from './connection-life.ts'
import { DateHeader } from './date-header.ts'
import { DeadlineSweep, DeadlineWatch } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import { FirstBytes } from './first-bytes.ts'
import { Http1Connection } from './h1-connection.ts'
import { Http2Connection } from './h2-connection.ts'
import { HttpCounters } from './http-counters.ts'
import { decodeManager } from './manager-config.ts'
import { createRequestIds } from './request-id.ts'
import { compileRoutes } from './router/compile.ts'
import { badConfig, within } from './router/problem.ts'
import type { HttpDeps, HttpRuntime, RouteTable } from './runtime.ts'

export type { HttpDeps, NodeMetadata, RouteTable } from './runtime.ts'

/** A connection as the listener hands it over. */
export interface DownstreamConnection {
  readonly arrival: Arrival
}

/** What a filter chain of a listener ends in. */
export interface HttpService {
  readonly serve: (connection: DownstreamConnection, transport: Transport) => void
  /** Connections end with their next response, idle ones as soon as they have been so for a second. */
  drain(): void
  /** Streams that live long are told; at the `last` moment everybody else is answered. */
  announceEnd(last: boolean): void
  /** Ends what is still open. */
  close(): void
  /** Open connections. */
  readonly active: number
  /** A newer version is in force: requests that it does not allow any more end. */
  recheck(successor: object): void
}

/** How late a request's time limit may be noticed, and how late a connection's. */
const requestTickMs = 10
const connectionTickMs = 500

/** Throws MeshError `proxy/bad-config` for what it does not understand. */
export function compileConnectionManager(manager: HttpConnectionManager, deps: HttpDeps): HttpService {
  return within('http connection manager', () => {
    const counters = deps.counters ?? new HttpCounters()
    const runtime: HttpRuntime = {
      deps,
      config: decodeManager(manager),
      chains: new FilterChains(manager.httpFilters, { ...deps, statPrefix: manager.statPrefix, believesForwardedFor: manager.useRemoteAddress !== true, rbacCounters: counters.rbac }),
      deadlines: new DeadlineWatch(deps.clock, requestTickMs),
      date: new DateHeader(),
      routes: routeTable(manager, deps),
      newRequestId: createRequestIds(),
      counters,
      onExchangeEnd: reporter(counters, deps.onExchangeEnd, deps.accessLog?.(manager.accessLog)),
    }
    return new RunningService(runtime)
  })
}

function routeTable({ routeSpecifier: { case: kind, value } }: HttpConnectionManager, deps: HttpDeps): RouteTable {
  if (kind === 'rds') return deps.routes(value.routeConfigName)
  if (kind === 'routeConfig') return { current: compileRoutes(value) }
  throw badConfig(`a route specifier of kind ${kind ?? 'none'} is not supported`)
}

type Sink = (exchange: Exchange) => void

function reporter(counters: HttpCounters, metrics: Sink | undefined, log: Sink | undefined): Sink {
  return (exchange) => {
    if (exchange.route !== undefined && exchange.route.message.statPrefix !== '') counters.onEnd(exchange)
    metrics?.(exchange)
    log?.(exchange)
  }
}

class RunningService implements HttpService, ConnectionOwner {
  readonly runtime: HttpRuntime
  draining = false
  /** All that are open. */
  readonly #sweep: DeadlineSweep<ServedConnection>

  constructor(runtime: HttpRuntime) {
    this.runtime = runtime
    this.#sweep = new DeadlineSweep(runtime.deps.clock, connectionTickMs)
  }

  get active(): number {
    return this.#sweep.size
  }

  readonly serve = ({ arrival }: DownstreamConnection, transport: Transport): void => {
    this.#sweep.add(this.#speak(new ConnectionLife(this.runtime, transport, arrival)))
  }

  /** What was agreed on by ALPN holds; without that the first bytes say it. */
  #speak(life: ConnectionLife): ServedConnection {
    const { codec } = this.runtime.config
    if (codec === 'http2' || (codec === 'auto' && life.transport.tls?.alpn === 'h2')) return new Http2Connection(this, life)
    return codec === 'http1' ? new Http1Connection(this, life) : new FirstBytes(this, life)
  }

  onClosed(connection: ServedConnection): void {
    this.#sweep.delete(connection)
  }

  onReplaced(connection: ServedConnection, by: ServedConnection): void {
    this.onClosed(connection)
    this.#sweep.add(by)
  }

  drain(): void {
    this.draining = true
    for (const connection of this.#sweep.all()) connection.drain()
  }

  announceEnd(last: boolean): void {
    for (const connection of this.#sweep.all()) connection.eachStream((stream) => stream.announceEnd(last))
  }

  recheck(successor: object): void {
    if (!(successor instanceof RunningService)) return
    const { chains } = successor.runtime
    for (const connection of this.#sweep.all()) connection.eachStream((stream) => stream.recheck(chains))
  }

  close(): void {
    this.draining = true
    for (const connection of this.#sweep.all()) connection.close()
  }
}
