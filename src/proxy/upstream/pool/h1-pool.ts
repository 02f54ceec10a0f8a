// The HTTP/1.1 connections to one host for one server name: lends them, the most recently used first, opens more while
// requests wait and the circuit breakers allow it, and lets them go when they were idle for too long.
import type { Transport } from '../../../net/transport.ts'
import type { ConnectionFailure } from './connector.ts'
import { H1Connection } from './h1-connection.ts'
import type { ConnectionOwner } from './h1-connection.ts'
import { HttpPool } from './http-pool.ts'
import type { Caution } from './idle-limit.ts'
import type { PoolParts, PoolTarget } from './pool.ts'
import type { Waiting } from './waiting-requests.ts'

export class H1Pool extends HttpPool implements ConnectionOwner {
  readonly #connections = new Set<H1Connection>()
  /** The last one was used last. */
  readonly #idle: H1Connection[] = []

  constructor(target: PoolTarget, parts: PoolParts) {
    super(target, parts, 'http')
  }

  drain(): void {
    if (this.state === 'open') this.state = 'draining'
    for (const connection of this.#idle.slice()) connection.close()
  }

  /** Those that are kept beyond their use are looked at too: as long as they are open, they say something of the host. */
  sweep(): boolean {
    const oldest = this.#idle[0]
    if (oldest === undefined) return false
    const now = this.parts.clock.now()
    this.target.host.idleLimit.open(now - oldest.idleSince)
    for (const connection of this.#idle.slice()) if (this.#isStale(connection, now)) this.#expire(connection)
    return this.#idle.length > 0
  }

  // --- What connections tell ---

  onStreamEnd(): void {
    this.parts.breakers.requests--
    this.target.host.onRequestEnd()
  }

  onAbandoned(): void {
    this.parts.stats.upstream_rq_tx_reset++
  }

  onProtocolError(): void {
    this.parts.stats.upstream_cx_protocol_error++
  }

  onFree(connection: H1Connection): void {
    const { maxRequestsPerConnection: max } = this.parts.http
    if (max > 0 && connection.served >= max) {
      this.parts.stats.upstream_cx_max_requests++
      return connection.close()
    }
    if (connection.diesAt !== Infinity && this.#isTooOld(connection)) return this.#expire(connection)
    const waiting = this.waiting.take()
    if (waiting === undefined) return this.#keep(connection)
    this.#start(connection, waiting)
  }

  onPeerClosedIdle(connection: H1Connection): void {
    this.target.host.idleLimit.closed(this.parts.clock.now() - connection.idleSince)
  }

  onGone(connection: H1Connection): void {
    if (!this.#connections.delete(connection)) return
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    this.disconnected()
  }

  // --- What every pool is asked ---

  protected get size(): number {
    return this.#connections.size
  }

  protected get expectedRoom(): number {
    return 1
  }

  protected serve(waiting: Waiting): boolean {
    const connection = this.#takeIdle(waiting.waiter.caution ?? 'any')
    if (connection === undefined) return false
    this.#start(connection, waiting)
    return true
  }

  protected makeRoom(): void {
    this.#idle[0]?.close()
  }

  protected closeAll(): void {
    for (const connection of Array.from(this.#connections)) connection.close()
  }

  // --- Connections ---

  /** Where the one that was used last has been idle for too long, so have the others. */
  #takeIdle(caution: Caution): H1Connection | undefined {
    const idle = this.#idle
    if (idle.length === 0 || caution === 'new') return undefined
    const now = this.parts.clock.now()
    for (let connection = idle[idle.length - 1]; connection !== undefined; connection = idle[idle.length - 1]) {
      if (this.#isStale(connection, now)) this.#expire(connection)
      else {
        if (!this.target.host.idleLimit.lends(now - connection.idleSince, connection.peerIdleMs, caution)) return undefined
        idle.pop()
        return connection
      }
    }
    return undefined
  }

  #isStale(connection: H1Connection, now: number): boolean {
    const { idleTimeoutMs } = this.parts.http
    const limit = Math.min(idleTimeoutMs === 0 ? Infinity : idleTimeoutMs, connection.peerIdleMs)
    return !connection.usable || now - connection.idleSince >= limit || now >= connection.diesAt
  }

  #isTooOld({ diesAt }: H1Connection): boolean {
    return this.parts.clock.now() >= diesAt
  }

  #expire(connection: H1Connection): void {
    if (connection.diesAt !== Infinity && this.#isTooOld(connection)) this.parts.stats.upstream_cx_max_duration_reached++
    else this.parts.stats.upstream_cx_idle_timeout++
    connection.close()
  }

  #start(connection: H1Connection, waiting: Waiting): void {
    const { breakers } = this.parts
    if (breakers.requestsFull) {
      this.#keep(connection)
      return this.waiting.overflow(waiting)
    }
    breakers.requestBegins()
    this.target.host.onRequest()
    waiting.waiter.onStream(connection.begin(waiting.reader))
  }

  #keep(connection: H1Connection): void {
    if (this.state !== 'open') return connection.close()
    connection.idleSince = this.parts.clock.now()
    this.#idle.push(connection)
    this.parts.onIdle()
  }

  onConnected(transport: Transport): void {
    const connection = new H1Connection(transport, this.target.host, this)
    const { maxConnectionMs } = this.parts.http
    if (maxConnectionMs > 0) connection.diesAt = this.parts.clock.now() + maxConnectionMs
    this.#connections.add(connection)
    this.onFree(connection)
  }

  /** The one that has waited longest hears of it; all do when nothing is left that could serve them. */
  onFailed(failure: ConnectionFailure): void {
    const lost = this.opening.size + this.#connections.size === 0
    this.waiting.fail(failure, lost ? 'all' : 'first')
    this.openMore()
  }
}
