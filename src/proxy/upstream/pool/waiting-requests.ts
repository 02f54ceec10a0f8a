// Requests that wait for a connection of one pool, in order of arrival, within the cluster's circuit breaker.
import type { Breakers } from '../breakers.ts'
import type { ClusterStats } from '../stats.ts'
import type { ResponseReader, StreamWaiter } from '../types.ts'
import type { ConnectionFailure } from './connector.ts'

export interface Waiting {
  readonly reader: ResponseReader
  readonly waiter: StreamWaiter
}

export class WaitingRequests {
  readonly #breakers: Breakers
  readonly #stats: ClusterStats
  readonly #waiting = new Set<Waiting>()

  constructor({ breakers, stats }: { readonly breakers: Breakers; readonly stats: ClusterStats }) {
    this.#breakers = breakers
    this.#stats = stats
  }

  get size(): number {
    return this.#waiting.size
  }

  add(waiting: Waiting): void {
    this.#waiting.add(waiting)
    this.#breakers.pending++
    this.#stats.upstream_rq_pending_total++
    this.#stats.upstream_rq_pending_active++
  }

  /** The one that has waited longest waits no more. */
  take(): Waiting | undefined {
    for (const waiting of this.#waiting) {
      this.#remove(waiting)
      return waiting
    }
    return undefined
  }

  cancel(waiting: Waiting): void {
    if (this.#remove(waiting)) this.#stats.upstream_rq_cancelled++
  }

  /** The circuit breaker's answer to one that does not wait. */
  overflow({ waiter }: Waiting): void {
    this.#stats.upstream_rq_pending_overflow++
    waiter.onFailure('overflow', '')
  }

  /** Those who wait now, or the first of them, hear that they waited in vain. */
  fail(failure: Pick<ConnectionFailure, 'reason' | 'detail'>, which: 'first' | 'all'): void {
    const all = Array.from(this.#waiting)
    for (const waiting of which === 'all' ? all : all.slice(0, 1)) {
      if (!this.#remove(waiting)) continue
      this.#stats.upstream_rq_pending_failure_eject++
      waiting.waiter.onFailure(failure.reason, failure.detail)
    }
  }

  #remove(waiting: Waiting): boolean {
    if (!this.#waiting.delete(waiting)) return false
    this.#breakers.pending--
    this.#stats.upstream_rq_pending_active--
    return true
  }
}
