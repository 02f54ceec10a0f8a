// A cluster's circuit breakers (traffic spec 2.5): how many connections, waiting requests, running requests and retries
// there may be at once, over all of its hosts. They belong to this proxy alone, and to all of its threads together: between
// two that ask at the same moment a limit may be passed by one, as in Envoy.
import { RecentRequests } from './recent-requests.ts'
import type { BreakerCells } from './sharing.ts'
import { cellsOfThread } from './sharing.ts'

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

const ownCells = (): BreakerCells => ({ cells: new Int32Array(cellsOfThread), at: 0, threads: 1, thread: 0 })

const connections = 0
const pending = 1
const requests = 2
const retries = 3

export class Breakers {
  readonly #limits: BreakerLimits
  readonly #recent: RecentRequests | undefined
  readonly #cells: Int32Array
  readonly #first: number
  readonly #own: number
  readonly #threads: number

  constructor(limits: BreakerLimits, now: () => number, { cells, at, threads, thread } = ownCells()) {
    this.#limits = limits
    const intervalMs = limits.retryBudget?.intervalMs ?? 0
    this.#recent = intervalMs === 0 ? undefined : new RecentRequests(intervalMs, now)
    this.#cells = cells
    this.#first = at
    this.#own = at + thread * cellsOfThread
    this.#threads = threads
  }

  // --- Of this thread ---

  get connections(): number { return this.#cells[this.#own + connections]! }
  set connections(value: number) { this.#cells[this.#own + connections] = value }
  get pending(): number { return this.#cells[this.#own + pending]! }
  set pending(value: number) { this.#cells[this.#own + pending] = value }
  get requests(): number { return this.#cells[this.#own + requests]! }
  set requests(value: number) { this.#cells[this.#own + requests] = value }
  get retries(): number { return this.#cells[this.#own + retries]! }
  set retries(value: number) { this.#cells[this.#own + retries] = value }

  requestBegins(): void {
    this.requests++
    if (this.#recent !== undefined) this.#recent.add()
  }

  // --- Of all threads ---

  get connectionsFull(): boolean {
    return this.#total(connections) >= this.#limits.maxConnections
  }

  get pendingFull(): boolean {
    return this.#total(pending) >= this.#limits.maxPendingRequests
  }

  get requestsFull(): boolean {
    return this.#total(requests) >= this.#limits.maxRequests
  }

  get retriesFull(): boolean {
    const { maxRetries, retryBudget } = this.#limits
    if (retryBudget === undefined) return this.#total(retries) >= maxRetries
    if (this.#recent !== undefined) return this.#recentRetriesFull(retryBudget, this.#recent)
    const share = Math.floor((retryBudget.percent / 100) * (this.#total(requests) + this.#total(pending)))
    return this.#total(retries) >= Math.max(retryBudget.minConcurrency, share)
  }

  /** Each thread has its share of what it began itself: together that is the share of all. */
  #recentRetriesFull({ percent, minConcurrency }: RetryBudget, recent: RecentRequests): boolean {
    return this.retries >= Math.max(Math.ceil(minConcurrency / this.#threads), Math.floor((percent / 100) * recent.total))
  }

  #total(kind: number): number {
    if (this.#threads === 1) return this.#cells[this.#own + kind]!
    let total = 0
    for (let thread = 0; thread < this.#threads; thread++) total += this.#cells[this.#first + thread * cellsOfThread + kind]!
    return total
  }
}
