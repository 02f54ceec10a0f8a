// The HTTP/2 connections to one host for one server name. One is enough while it takes the requests that come; more are
// opened when it does not, as the circuit breakers allow.
import type { Clock } from '../../../lib/clock.ts'
import type { Transport } from '../../../net/transport.ts'
import type { ConnectionFailure } from './connector.ts'
import { H2Connection } from './h2-connection.ts'
import type { H2ConnectionOwner } from './h2-connection.ts'
import { HttpPool } from './http-pool.ts'
import type { PoolParts, PoolTarget } from './pool.ts'
import type { Waiting } from './waiting-requests.ts'

/** Of a connection that is on its way: what a peer allows before it says so, in most implementations. */
const assumedRoom = 100

export class H2Pool extends HttpPool implements H2ConnectionOwner {
  readonly clock: Clock
  readonly random: () => number
  expectedStreams = Infinity
  readonly #connections: H2Connection[] = []

  constructor(target: PoolTarget, parts: PoolParts) {
    super(target, parts, 'http2')
    this.clock = parts.clock
    this.random = parts.random
  }

  drain(): void {
    if (this.state === 'open') this.state = 'draining'
    for (const connection of this.#connections.slice()) connection.drain()
  }

  sweep(): boolean {
    for (const connection of this.#connections.slice()) this.#look(connection)
    return this.#connections.some(({ active }) => active === 0)
  }

  // --- From connections on their way ---

  onConnected(transport: Transport): void {
    const { http } = this.parts
    const connection = new H2Connection(transport, this.target.host, this, http.http2)
    if (http.maxConnectionMs > 0) connection.diesAt = this.clock.now() + http.maxConnectionMs
    this.#connections.push(connection)
    this.#serveWaiting(connection)
    if (connection.active > 0) return
    if (this.state === 'open') this.parts.onIdle()
    else connection.drain()
  }

  /** Those who wait hear of it when nothing is left that could serve them. */
  onFailed(failure: ConnectionFailure): void {
    const lost = this.opening.size + this.#connections.length === 0
    if (lost) this.waiting.fail(failure, 'all')
    this.openMore()
  }

  // --- From connections ---

  onPeerStreams(max: number): void {
    this.expectedStreams = max
  }

  onStreamEnd(connection: H2Connection): void {
    this.parts.breakers.requests--
    this.target.host.onRequestEnd()
    if (connection.active > 0) return
    if (this.state === 'open') this.parts.onIdle()
    else connection.drain()
  }

  onAbandoned(): void {
    this.parts.stats.upstream_rq_tx_reset++
  }

  onRemoteReset(): void {
    this.parts.stats.upstream_rq_rx_reset++
  }

  onProtocolError(): void {
    this.parts.stats.upstream_cx_protocol_error++
  }

  onRoom(connection: H2Connection): void {
    if (this.waiting.size > 0) this.#serveWaiting(connection)
  }

  onGone(connection: H2Connection): void {
    const at = this.#connections.indexOf(connection)
    if (at === -1) return
    this.#connections.splice(at, 1)
    this.disconnected()
  }

  // --- What every pool is asked ---

  protected get size(): number {
    return this.#connections.length
  }

  protected get expectedRoom(): number {
    return Math.max(1, Math.min(assumedRoom, this.expectedStreams, this.parts.http.http2.limits.maxConcurrentStreams))
  }

  protected serve(waiting: Waiting): boolean {
    const connection = this.#withRoom()
    if (connection === undefined) return false
    this.#start(connection, waiting)
    return true
  }

  /** All of them are wanted as long as they take requests. */
  protected makeRoom(): void {}

  protected closeAll(): void {
    for (const connection of this.#connections.slice()) connection.close()
  }

  // --- Connections ---

  /** The oldest that has room: so that those which are not needed any more come to rest. */
  #withRoom(): H2Connection | undefined {
    for (let i = 0; i < this.#connections.length; i++) {
      const connection = this.#connections[i]!
      if (connection.room > 0 && !this.#isTooOld(connection)) return connection
    }
    return undefined
  }

  #serveWaiting(connection: H2Connection): void {
    while (this.waiting.size > 0 && connection.room > 0) this.#start(connection, this.waiting.take()!)
    this.openMore()
  }

  #start(connection: H2Connection, waiting: Waiting): void {
    const { breakers, http, stats } = this.parts
    if (breakers.requestsFull) return this.waiting.overflow(waiting)
    breakers.requestBegins()
    this.target.host.onRequest()
    const stream = connection.begin(waiting.reader)
    if (http.maxRequestsPerConnection > 0 && connection.served >= http.maxRequestsPerConnection) {
      stats.upstream_cx_max_requests++
      connection.drain()
    }
    waiting.waiter.onStream(stream)
  }

  #isTooOld(connection: H2Connection): boolean {
    if (connection.diesAt === Infinity || this.clock.now() < connection.diesAt) return false
    this.parts.stats.upstream_cx_max_duration_reached++
    connection.drain()
    return true
  }

  #look(connection: H2Connection): void {
    const { http, stats } = this.parts
    if (connection.active > 0 || this.#isTooOld(connection)) return
    if (http.idleTimeoutMs === 0 || this.clock.now() - connection.idleSince < http.idleTimeoutMs) return
    stats.upstream_cx_idle_timeout++
    connection.close()
  }
}
