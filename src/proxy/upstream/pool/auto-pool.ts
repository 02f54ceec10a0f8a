// The connections to a host that says itself what it speaks, by ALPN: the first one decides, and once all are gone the
// next first one does again.
import type { Transport } from '../../../net/transport.ts'
import type { ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure } from './connector.ts'
import { H1Pool } from './h1-pool.ts'
import { H2Pool } from './h2-pool.ts'
import { OpeningConnections } from './opening.ts'
import type { Opener } from './opening.ts'
import { nothingToCancel } from './pool.ts'
import type { Pool, PoolParts, PoolTarget } from './pool.ts'
import { WaitingRequests } from './waiting-requests.ts'
import type { Waiting } from './waiting-requests.ts'

export class AutoPool implements Pool, Opener {
  readonly #target: PoolTarget
  readonly #parts: PoolParts
  readonly #opening: OpeningConnections
  readonly #waiting: WaitingRequests
  #pool: H1Pool | H2Pool | undefined = undefined
  #state: 'open' | 'draining' | 'destroyed' = 'open'

  constructor(target: PoolTarget, parts: PoolParts) {
    this.#target = target
    this.#parts = parts
    this.#opening = new OpeningConnections(target, parts, 'http-auto', this)
    this.#waiting = new WaitingRequests(parts)
  }

  get empty(): boolean {
    return this.#opening.size === 0 && this.#waiting.size === 0 && this.#pool?.empty !== false
  }

  request(reader: ResponseReader, waiter: StreamWaiter): () => void {
    if (this.#pool !== undefined && !this.#pool.empty) return this.#pool.request(reader, waiter)
    const waiting: Waiting = { reader, waiter }
    const { breakers } = this.#parts
    if (this.#state === 'destroyed') {
      waiter.onFailure('local-reset', '')
      return nothingToCancel
    }
    if (breakers.requestsFull || breakers.pendingFull) {
      this.#waiting.overflow(waiting)
      return nothingToCancel
    }
    this.#waiting.add(waiting)
    if (this.#opening.size === 0) this.#opening.open()
    return this.#cancelOf(waiting)
  }

  /** Once it is decided, the one who waits may wait in the pool. */
  #cancelOf(waiting: Waiting): () => void {
    return () => {
      this.#waiting.cancel(waiting)
      this.#moved.get(waiting)?.()
    }
  }

  readonly #moved = new WeakMap<Waiting, () => void>()

  drain(): void {
    if (this.#state === 'open') this.#state = 'draining'
    this.#pool?.drain()
  }

  destroy(): void {
    this.#state = 'destroyed'
    this.#opening.cancelAll()
    this.#waiting.fail({ reason: 'local-reset', detail: '' }, 'all')
    this.#pool?.destroy()
  }

  sweep(): boolean {
    return this.#pool?.sweep() === true
  }

  onConnected(transport: Transport): void {
    const Kind = transport.tls?.alpn.endsWith('h2') === true ? H2Pool : H1Pool
    const pool = new Kind(this.#target, this.#parts)
    this.#pool = pool
    pool.onConnected(transport)
    for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) this.#moved.set(next, pool.request(next.reader, next.waiter))
    if (this.#state === 'draining') pool.drain()
  }

  onFailed(failure: ConnectionFailure): void {
    this.#waiting.fail(failure, 'all')
  }
}
