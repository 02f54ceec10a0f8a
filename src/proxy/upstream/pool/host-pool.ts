// The HTTP/1.1 connections to one host: lends them, the most recently used first, opens more while requests wait and the
// circuit breakers allow it, and lets them go when they were idle for too long.
import type { Clock } from '../../../lib/clock.ts'
import type { Transport } from '../../../net/transport.ts'
import type { Breakers } from '../breakers.ts'
import type { HttpSettings } from '../cluster-config.ts'
import type { RuntimeHost } from '../host.ts'
import type { ClusterStats } from '../stats.ts'
import type { ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure, Connector } from './connector.ts'
import { H1Connection } from './h1-connection.ts'
import type { ConnectionOwner } from './h1-connection.ts'

export interface PoolParts {
  readonly http: HttpSettings
  readonly connectTimeoutMs: number
  readonly breakers: Breakers
  readonly stats: ClusterStats
  readonly connector: Connector
  readonly clock: Clock
  /** There is something that `sweep` may have to close. */
  onIdle(): void
}

interface Waiting {
  readonly reader: ResponseReader
  readonly waiter: StreamWaiter
  readonly serverName: string
}

const nothingToCancel = (): void => {}

export class HostPool implements ConnectionOwner {
  readonly #host: RuntimeHost
  readonly #parts: PoolParts
  readonly #connections = new Set<H1Connection>()
  /** The last one was used last. */
  readonly #idle: H1Connection[] = []
  readonly #opening = new Set<() => void>()
  /** In order of arrival. */
  readonly #waiting = new Set<Waiting>()
  #draining = false

  constructor(host: RuntimeHost, parts: PoolParts) {
    this.#host = host
    this.#parts = parts
  }

  get empty(): boolean {
    return this.#connections.size === 0 && this.#opening.size === 0 && this.#waiting.size === 0
  }

  request(reader: ResponseReader, waiter: StreamWaiter, serverName: string): () => void {
    const waiting: Waiting = { reader, waiter, serverName }
    const connection = this.#takeIdle(serverName)
    if (connection !== undefined) {
      this.#start(connection, waiting)
      return nothingToCancel
    }
    if (this.#parts.breakers.pendingFull) {
      this.#overflow(waiting)
      return nothingToCancel
    }
    this.#enqueue(waiting)
    this.#openMore()
    return () => this.#cancel(waiting)
  }

  /** Idle connections end now, busy ones when they are done; who waits is still served. */
  drain(): void {
    this.#draining = true
    for (const connection of this.#idle.slice()) connection.close()
  }

  /** Everything ends now. */
  destroy(): void {
    this.#draining = true
    for (const cancel of Array.from(this.#opening)) cancel()
    for (const waiting of Array.from(this.#waiting)) this.#fail(waiting, { reason: 'local-reset', detail: '' })
    for (const connection of Array.from(this.#connections)) connection.close()
  }

  /** Closes what was idle for too long. Whether some is still idle. */
  sweep(): boolean {
    for (const connection of this.#idle.slice()) if (this.#isStale(connection)) this.#expire(connection)
    return this.#idle.length > 0
  }

  // --- What connections tell ---

  onStreamEnd(): void {
    this.#parts.breakers.requests--
    this.#host.onRequestEnd()
  }

  onProtocolError(): void {
    this.#parts.stats.upstream_cx_protocol_error++
  }

  onFree(connection: H1Connection): void {
    const { maxRequestsPerConnection: max } = this.#parts.http
    if (max > 0 && connection.served >= max) {
      this.#parts.stats.upstream_cx_max_requests++
      return connection.close()
    }
    const waiting = this.#nextFor(connection.serverName)
    if (waiting !== undefined) return this.#start(connection, waiting)
    if (this.#draining) return connection.close()
    connection.idleSince = this.#parts.clock.now()
    this.#idle.push(connection)
    this.#parts.onIdle()
  }

  onGone(connection: H1Connection): void {
    if (!this.#connections.delete(connection)) return
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    this.#parts.breakers.connections--
    this.#host.onDisconnected()
    this.#openMore()
  }

  // --- Waiting ---

  #enqueue(waiting: Waiting): void {
    this.#waiting.add(waiting)
    this.#parts.breakers.pending++
    this.#parts.stats.upstream_rq_pending_total++
    this.#parts.stats.upstream_rq_pending_active++
  }

  #dequeue(waiting: Waiting): boolean {
    if (!this.#waiting.delete(waiting)) return false
    this.#parts.breakers.pending--
    this.#parts.stats.upstream_rq_pending_active--
    return true
  }

  #cancel(waiting: Waiting): void {
    if (this.#dequeue(waiting)) this.#parts.stats.upstream_rq_cancelled++
  }

  #nextFor(serverName: string): Waiting | undefined {
    for (const waiting of this.#waiting) {
      if (waiting.serverName !== serverName) continue
      this.#dequeue(waiting)
      return waiting
    }
    return undefined
  }

  #fail(waiting: Waiting, { reason, detail }: Pick<ConnectionFailure, 'reason' | 'detail'>): void {
    if (this.#dequeue(waiting)) waiting.waiter.onFailure(reason, detail)
  }

  #overflow({ waiter }: Waiting): void {
    this.#parts.stats.upstream_rq_pending_overflow++
    waiter.onFailure('overflow', '')
  }

  // --- Connections ---

  #takeIdle(serverName: string): H1Connection | undefined {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const connection = this.#idle[i]!
      if (connection.serverName !== serverName) continue
      this.#idle.splice(i, 1)
      if (!this.#isStale(connection)) return connection
      this.#expire(connection)
      i = this.#idle.length
    }
    return undefined
  }

  #isStale(connection: H1Connection): boolean {
    const { idleTimeoutMs } = this.#parts.http
    const limit = Math.min(idleTimeoutMs === 0 ? Infinity : idleTimeoutMs, connection.peerIdleMs)
    return !connection.usable || this.#parts.clock.now() - connection.idleSince >= limit
  }

  #expire(connection: H1Connection): void {
    this.#parts.stats.upstream_cx_idle_timeout++
    connection.close()
  }

  #start(connection: H1Connection, waiting: Waiting): void {
    const { breakers } = this.#parts
    if (breakers.requestsFull) {
      this.#overflow(waiting)
      return this.#keep(connection)
    }
    breakers.requests++
    this.#host.onRequest()
    waiting.waiter.onStream(connection.begin(waiting.reader))
  }

  /** It was free and still is. */
  #keep(connection: H1Connection): void {
    if (this.#draining) return connection.close()
    this.#idle.push(connection)
    this.#parts.onIdle()
  }

  /** One connection on its way for each request that waits, as far as the breaker allows; a host may always have one. */
  #openMore(): void {
    for (const waiting of this.#waitingWithoutConnection()) {
      if (this.#parts.breakers.connectionsFull && this.#connections.size + this.#opening.size > 0) {
        this.#parts.stats.upstream_cx_overflow++
        return
      }
      this.#open(waiting.serverName)
    }
  }

  #waitingWithoutConnection(): readonly Waiting[] {
    if (this.#waiting.size <= this.#opening.size) return []
    return Array.from(this.#waiting).slice(this.#opening.size)
  }

  #open(serverName: string): void {
    const { connector, connectTimeoutMs, http, breakers } = this.#parts
    const request = { host: this.#host, use: 'http' as const, serverName, verifyServerName: http.autoVerify, timeoutMs: connectTimeoutMs }
    breakers.connections++
    const stop = connector.open(request, (failure, transport) => {
      this.#opening.delete(cancel)
      if (failure === undefined) this.#onConnected(transport!, serverName)
      else this.#onFailure(failure)
    })
    const cancel = (): void => {
      this.#opening.delete(cancel)
      breakers.connections--
      stop()
    }
    this.#opening.add(cancel)
  }

  #onConnected(transport: Transport, serverName: string): void {
    this.#host.onConnected()
    const connection = new H1Connection(transport, this.#host, serverName, this)
    this.#connections.add(connection)
    this.onFree(connection)
  }

  /** The one that has waited longest hears of it; all do when nothing is left that could serve them. */
  #onFailure(failure: ConnectionFailure): void {
    this.#parts.breakers.connections--
    if (failure.blamesHost) this.#host.onConnectFailure(failure.reason === 'connection-timeout')
    const [first, ...others] = this.#waiting
    const lost = this.#opening.size + this.#connections.size === 0
    if (first !== undefined) this.#fail(first, failure)
    if (lost) for (const waiting of others) this.#fail(waiting, failure)
    this.#openMore()
  }
}
