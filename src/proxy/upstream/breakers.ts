// A cluster's circuit breakers (traffic spec 2.5): how many connections, waiting requests, running requests and retries
// there may be at once, over all of its hosts. They belong to this proxy alone.
import { RecentRequests } from './recent-requests.ts'

export interface RetryBudget {
  readonly percent: number
  readonly minConcurrency: number
  /** A share of the requests that began within so long; 0: of those that run and wait. */
  readonly intervalMs: number
}

export interface BreakerLimits {
  readonly maxConnections: number
  readonly maxPendingRequests: number
  readonly maxRequests: number
  readonly maxRetries: number
  /** Replaces maxRetries: a share, and how many are always allowed. */
  readonly retryBudget: RetryBudget | undefined
}

/** Envoy's, for clusters that name none; Istio always does. */
export const defaultBreakerLimits: BreakerLimits = {
  maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3, retryBudget: undefined,
}

export class Breakers {
  connections = 0
  pending = 0
  requests = 0
  retries = 0
  readonly #limits: BreakerLimits
  readonly #recent: RecentRequests | undefined

  constructor(limits: BreakerLimits, now: () => number) {
    this.#limits = limits
    const intervalMs = limits.retryBudget?.intervalMs ?? 0
    this.#recent = intervalMs === 0 ? undefined : new RecentRequests(intervalMs, now)
  }

  requestBegins(): void {
    this.requests++
    if (this.#recent !== undefined) this.#recent.add()
  }

  get connectionsFull(): boolean {
    return this.connections >= this.#limits.maxConnections
  }

  get pendingFull(): boolean {
    return this.pending >= this.#limits.maxPendingRequests
  }

  get requestsFull(): boolean {
    return this.requests >= this.#limits.maxRequests
  }

  get retriesFull(): boolean {
    const { maxRetries, retryBudget } = this.#limits
    if (retryBudget === undefined) return this.retries >= maxRetries
    const share = Math.floor((retryBudget.percent / 100) * (this.#recent === undefined ? this.requests + this.pending : this.#recent.total))
    return this.retries >= Math.max(retryBudget.minConcurrency, share)
  }
}
