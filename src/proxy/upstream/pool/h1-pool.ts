// The HTTP/1.1 connections to one host for one server name: lends them, the most recently used first, opens more while
// requests wait and the circuit breakers allow it, and lets them go when they were idle for too long.
import type { Transport } from '../../../net/transport.ts'
import type { ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure } from './connector.ts'
import { H1Connection } from './h1-connection.ts'
import type { ConnectionOwner } from './h1-connection.ts'
import { OpeningConnections } from './opening.ts'
import type { Opener } from './opening.ts'
import { nothingToCancel } from './pool.ts'
import type { Pool, PoolParts, PoolTarget } from './pool.ts'
import { WaitingRequests } from './waiting-requests.ts'
import type { Waiting } from './waiting-requests.ts'

export class H1Pool implements Pool, ConnectionOwner, Opener {
  readonly #target: PoolTarget
  readonly #parts: PoolParts
  readonly #connections = new Set<H1Connection>()
  /** The last one was used last. */
  readonly #idle: H1Connection[] = []
  readonly #opening: OpeningConnections
  readonly #waiting: WaitingRequests
  #state: 'open' | 'draining' | 'destroyed' = 'open'

  constructor(target: PoolTarget, parts: PoolParts) {
    this.#target = target
    this.#parts = parts
    this.#opening = new OpeningConnections(target, parts, 'http', this)
    this.#waiting = new WaitingRequests(parts)
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
      this.#waiting.overflow(waiting)
      return nothingToCancel
    }
    this.#waiting.add(waiting)
    this.#openMore()
    return () => this.#waiting.cancel(waiting)
  }

  drain(): void {
    if (this.#state === 'open') this.#state = 'draining'
    for (const connection of this.#idle.slice()) connection.close()
  }

  destroy(): void {
    this.#state = 'destroyed'
    this.#opening.cancelAll()
    this.#waiting.fail({ reason: 'local-reset', detail: '' }, 'all')
    for (const connection of Array.from(this.#connections)) connection.close()
  }

  sweep(): boolean {
    for (const connection of this.#idle.slice()) if (this.#isStale(connection)) this.#expire(connection)
    return this.#idle.length > 0
  }

  // --- What connections tell ---

  onStreamEnd(): void {
    this.#parts.breakers.requests--
    this.#target.host.onRequestEnd()
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
    const waiting = this.#waiting.take()
    if (waiting === undefined) return this.#keep(connection)
    this.#start(connection, waiting)
  }

  onGone(connection: H1Connection): void {
    if (!this.#connections.delete(connection)) return
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    this.#parts.breakers.connections--
    this.#target.host.onDisconnected()
    this.#openMore()
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
      return this.#waiting.overflow(waiting)
    }
    breakers.requestBegins()
    this.#target.host.onRequest()
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
      this.#opening.open()
    }
  }

  onConnected(transport: Transport): void {
    const connection = new H1Connection(transport, this.#target.host, this)
    const { maxConnectionMs } = this.#parts.http
    if (maxConnectionMs > 0) connection.diesAt = this.#parts.clock.now() + maxConnectionMs
    this.#connections.add(connection)
    this.onFree(connection)
  }

  /** The one that has waited longest hears of it; all do when nothing is left that could serve them. */
  onFailed(failure: ConnectionFailure): void {
    const lost = this.#opening.size + this.#connections.size === 0
    this.#waiting.fail(failure, lost ? 'all' : 'first')
    this.#openMore()
  }
}
