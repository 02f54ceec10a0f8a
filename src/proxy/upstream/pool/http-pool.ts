// What the pools of HTTP/1.1 and HTTP/2 have in common: who asks gets a connection that is there, or waits for one that is
// opened for it, within the circuit breakers. What a connection is and which one is lent is theirs.
import type { Transport } from '../../../net/transport.ts'
import type { TlsUse } from '../tls.ts'
import type { ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure } from './connector.ts'
import { OpeningConnections } from './opening.ts'
import type { Opener } from './opening.ts'
import { nothingToCancel } from './pool.ts'
import type { Pool, PoolParts, PoolTarget } from './pool.ts'
import { WaitingRequests } from './waiting-requests.ts'
import type { Waiting } from './waiting-requests.ts'

export abstract class HttpPool implements Pool, Opener {
  protected readonly target: PoolTarget
  protected readonly parts: PoolParts
  protected readonly opening: OpeningConnections
  protected readonly waiting: WaitingRequests
  protected state: 'open' | 'draining' | 'destroyed' = 'open'

  constructor(target: PoolTarget, parts: PoolParts, use: TlsUse) {
    this.target = target
    this.parts = parts
    this.opening = new OpeningConnections(target, parts, use, this)
    this.waiting = new WaitingRequests(parts)
  }

  get empty(): boolean {
    return this.size === 0 && this.opening.size === 0 && this.waiting.size === 0
  }

  request(reader: ResponseReader, waiter: StreamWaiter): () => void {
    const waiting: Waiting = { reader, waiter }
    if (this.state === 'destroyed') {
      waiter.onFailure('local-reset', '')
      return nothingToCancel
    }
    const { breakers } = this.parts
    if (!breakers.requestsFull && this.serve(waiting)) return nothingToCancel
    if (breakers.requestsFull || breakers.pendingFull) {
      this.waiting.overflow(waiting)
      return nothingToCancel
    }
    if (breakers.connectionsFull) this.makeRoom()
    this.waiting.add(waiting)
    this.openMore()
    return () => this.waiting.cancel(waiting)
  }

  destroy(): void {
    this.state = 'destroyed'
    this.opening.cancelAll()
    this.waiting.fail({ reason: 'local-reset', detail: '' }, 'all')
    this.closeAll()
  }

  abstract drain(): void
  abstract sweep(): boolean
  abstract onConnected(transport: Transport): void
  abstract onFailed(failure: ConnectionFailure): void

  /** Connections that are open. */
  protected abstract get size(): number
  /** Requests that one on its way will take at a time. */
  protected abstract get expectedRoom(): number
  /** With a connection that is open. False: there is none that it may have. */
  protected abstract serve(waiting: Waiting): boolean
  /** The cluster has all the connections that it may have: one that nobody wants need not be among them. */
  protected abstract makeRoom(): void
  protected abstract closeAll(): void

  /** As many on their way as would serve all who wait, as far as the breaker allows; a pool may always have one. */
  protected openMore(): void {
    if (this.waiting.size === 0) return
    const room = this.expectedRoom
    while (this.waiting.size > this.opening.size * room) {
      if (this.parts.breakers.connectionsFull && this.size + this.opening.size > 0) {
        this.parts.stats.upstream_cx_overflow++
        return
      }
      this.opening.open()
    }
  }

  protected disconnected(): void {
    this.parts.breakers.connections--
    this.target.host.onDisconnected()
    this.openMore()
  }
}
