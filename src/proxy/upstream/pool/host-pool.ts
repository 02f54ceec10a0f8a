// The HTTP/1.1 connections to one host for one server name: lends them, the most recently used first, opens more while
// requests wait and the circuit breakers allow it, and lets them go when they were idle for too long.
import type { Clock } from '../../../lib/clock.ts'
import type { KeepAlive } from '../../../net/keep-alive.ts'
import type { Transport } from '../../../net/transport.ts'
import type { Breakers } from '../breakers.ts'
import type { HttpSettings } from '../cluster-config.ts'
import type { RuntimeHost } from '../host.ts'
import type { ClusterStats } from '../stats.ts'
import type { ClientAddresses, ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure, Connector } from './connector.ts'
import { H1Connection } from './h1-connection.ts'
import type { ConnectionOwner } from './h1-connection.ts'

export interface PoolParts {
  readonly http: HttpSettings
  readonly connectTimeoutMs: number
  readonly keepAlive: KeepAlive | undefined
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
}

const nothingToCancel = (): void => {}

export class HostPool implements ConnectionOwner {
  readonly #host: RuntimeHost
  readonly #serverName: string
  readonly #client: ClientAddresses | undefined
  readonly #parts: PoolParts
  readonly #connections = new Set<H1Connection>()
  /** The last one was used last. */
  readonly #idle: H1Connection[] = []
  readonly #opening = new Set<() => void>()
  /** In order of arrival. */
  readonly #waiting = new Set<Waiting>()
  #state: 'open' | 'draining' | 'destroyed' = 'open'

  /** `client`: whom its connections are for, where the host is told; they are nobody else's then. */
  constructor(host: RuntimeHost, serverName: string, client: ClientAddresses | undefined, parts: PoolParts) {
    this.#host = host
    this.#serverName = serverName
    this.#client = client
    this.#parts = parts
  }

  get empty(): boolean {
    return this.#connections.size === 0 && this.#opening.size === 0 && this.#waiting.size === 0
  }

  request(reader: ResponseReader, waiter: StreamWaiter): () => void {
    const waiting: Waiting = { reader, waiter }
    if (this.#state === 'destroyed') {
      waiter.onFailure('local-reset', '')
      return nothingToCancel
    }
    const { breakers } = this.#parts
    const connection = breakers.requestsFull ? undefined : this.#takeIdle()
    if (connection !== undefined) {
      this.#start(connection, waiting)
      return nothingToCancel
    }
    if (breakers.requestsFull || breakers.pendingFull) {
      this.#overflow(waiting)
      return nothingToCancel
    }
    this.#enqueue(waiting)
    this.#openMore()
    return () => this.#cancel(waiting)
  }

  /** Idle connections end now, busy ones when they are done; who waits is still served. */
  drain(): void {
    if (this.#state === 'open') this.#state = 'draining'
    for (const connection of this.#idle.slice()) connection.close()
  }

  /** Everything ends now. */
  destroy(): void {
    this.#state = 'destroyed'
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

  onAbandoned(): void {
    this.#parts.stats.upstream_rq_tx_reset++
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
    if (connection.diesAt !== Infinity && this.#isTooOld(connection)) return this.#expire(connection)
    const waiting = this.#firstWaiting()
    if (waiting === undefined) return this.#keep(connection)
    this.#dequeue(waiting)
    this.#start(connection, waiting)
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

  #firstWaiting(): Waiting | undefined {
    for (const waiting of this.#waiting) return waiting
    return undefined
  }

  #cancel(waiting: Waiting): void {
    if (this.#dequeue(waiting)) this.#parts.stats.upstream_rq_cancelled++
  }

  #fail(waiting: Waiting, { reason, detail }: Pick<ConnectionFailure, 'reason' | 'detail'>): void {
    if (!this.#dequeue(waiting)) return
    this.#parts.stats.upstream_rq_pending_failure_eject++
    waiting.waiter.onFailure(reason, detail)
  }

  #overflow({ waiter }: Waiting): void {
    this.#parts.stats.upstream_rq_pending_overflow++
    waiter.onFailure('overflow', '')
  }

  // --- Connections ---

  #takeIdle(): H1Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!this.#isStale(connection)) return connection
      this.#expire(connection)
    }
    return undefined
  }

  #isStale(connection: H1Connection): boolean {
    const { idleTimeoutMs } = this.#parts.http
    const limit = Math.min(idleTimeoutMs === 0 ? Infinity : idleTimeoutMs, connection.peerIdleMs)
    const now = this.#parts.clock.now()
    return !connection.usable || now - connection.idleSince >= limit || now >= connection.diesAt
  }

  #isTooOld({ diesAt }: H1Connection): boolean {
    return this.#parts.clock.now() >= diesAt
  }

  #expire(connection: H1Connection): void {
    if (connection.diesAt !== Infinity && this.#isTooOld(connection)) this.#parts.stats.upstream_cx_max_duration_reached++
    else this.#parts.stats.upstream_cx_idle_timeout++
    connection.close()
  }

  #start(connection: H1Connection, waiting: Waiting): void {
    const { breakers } = this.#parts
    if (breakers.requestsFull) {
      this.#keep(connection)
      return this.#overflow(waiting)
    }
    breakers.requests++
    this.#host.onRequest()
    waiting.waiter.onStream(connection.begin(waiting.reader))
  }

  #keep(connection: H1Connection): void {
    if (this.#state !== 'open') return connection.close()
    connection.idleSince = this.#parts.clock.now()
    this.#idle.push(connection)
    this.#parts.onIdle()
  }

  /** One connection on its way for each request that waits, as far as the breaker allows; a pool may always have one. */
  #openMore(): void {
    while (this.#waiting.size > this.#opening.size) {
      if (this.#parts.breakers.connectionsFull && this.#connections.size + this.#opening.size > 0) {
        this.#parts.stats.upstream_cx_overflow++
        return
      }
      this.#open()
    }
  }

  #open(): void {
    const { connector, connectTimeoutMs, keepAlive, http, breakers } = this.#parts
    const request = {
      host: this.#host, use: 'http' as const, serverName: this.#serverName, verifyServerName: http.autoVerify, timeoutMs: connectTimeoutMs, keepAlive,
      client: this.#client,
    }
    breakers.connections++
    const stop = connector.open(request, (failure, transport) => {
      this.#opening.delete(cancel)
      if (failure === undefined) this.#onConnected(transport!)
      else this.#onFailure(failure)
    })
    const cancel = (): void => {
      this.#opening.delete(cancel)
      breakers.connections--
      stop()
    }
    this.#opening.add(cancel)
  }

  #onConnected(transport: Transport): void {
    this.#host.onConnected()
    const connection = new H1Connection(transport, this.#host, this)
    const { maxConnectionMs } = this.#parts.http
    if (maxConnectionMs > 0) connection.diesAt = this.#parts.clock.now() + maxConnectionMs
    this.#connections.add(connection)
    this.onFree(connection)
  }

  /** The one that has waited longest hears of it; all do when nothing is left that could serve them. */
  #onFailure(failure: ConnectionFailure): void {
    this.#parts.breakers.connections--
    if (failure.blamesHost) this.#host.onConnectFailure(failure.reason === 'connection-timeout')
    const waiting = Array.from(this.#waiting)
    const lost = this.#opening.size + this.#connections.size === 0
    for (const one of lost ? waiting : waiting.slice(0, 1)) this.#fail(one, failure)
    this.#openMore()
  }
}
