// What outlier detection knows of one host: how many failures of each kind came in a row, and whether, why and for how long it
// is ejected. Detection happens at the very result that completes a row (traffic spec 2.4). Where the proxy has several
// threads, they count in the same cells from the first failure on.
import type { ResetReason } from '../types.ts'
import type { OutlierCause, OutlierSettings } from './settings.ts'

export interface MonitorParts {
  readonly settings: OutlierSettings
  /** A row is complete. */
  onOutlier(monitor: OutlierMonitor, cause: OutlierCause): void
  /** Nothing has failed before. */
  onFirstFailure(monitor: OutlierMonitor): void
}

const server = 0
const gateway = 1
const local = 2
const causes: readonly OutlierCause[] = ['consecutive_5xx', 'consecutive_gateway_failure', 'consecutive_local_origin_failure']

export class OutlierMonitor {
  readonly host: string
  ejected = false
  ejectedAt = 0
  readmittedAt = 0
  /** How many base times the next ejection lasts, less one. */
  backoff = 0
  /** In words; undefined while it is not ejected. */
  ejection: string | undefined
  readonly #parts: MonitorParts
  #cells: Int32Array = new Int32Array(causes.length)
  #at = 0
  #shared = false
  #failed = false

  constructor(host: string, parts: MonitorParts) {
    this.host = host
    this.#parts = parts
  }

  /** All threads count here from now on, with what this one has counted so far. */
  share(cells: Int32Array, at: number): void {
    if (this.#shared) return
    const before = this.#cells
    this.#cells = cells
    this.#at = at
    this.#shared = true
    for (let row = 0; row < causes.length; row++) if (before[row]! > 0) this.#count(row, before[row]!)
  }

  get shared(): boolean {
    return this.#shared
  }

  /** What a cluster names as errors are statuses of HTTP: Envoy does not judge calls of gRPC by them. */
  onStatus(status: number, ofCall = false): void {
    const { errorCodes } = this.#parts.settings
    if (errorCodes === undefined || ofCall ? status >= 500 && status <= 599 : errorCodes.has(status)) return this.#onError(status)
    this.#clear(server)
    this.#clear(gateway)
  }

  #onError(status: number): void {
    if (status < 502 || status > 504) this.#clear(gateway)
    else this.#count(gateway, 1)
    this.#count(server, 1)
  }

  /** Of our own making: no connection, a reset, a timeout. A connection that we closed ourselves says nothing of the host. */
  onLocalFailure(reason: ResetReason | 'timeout'): void {
    if (reason === 'overflow' || reason === 'local-reset') return
    if (!this.#parts.settings.splitsLocal) return this.#onError(reason === 'timeout' ? 504 : 503)
    this.#count(local, 1)
  }

  /** A request has its connection. */
  onStream(): void {
    this.#clear(local)
  }

  /** An opaque connection stands: that is all the success it can have. */
  onSession(): void {
    if (this.#parts.settings.splitsLocal) this.#clear(local)
    else this.onStatus(200)
  }

  /** The row that was just completed begins anew. */
  restart(cause: OutlierCause): void {
    this.#clear(causes.indexOf(cause))
  }

  /** It needs whole rows again to be ejected once more. */
  forget(): void {
    for (let row = 0; row < causes.length; row++) this.#clear(row)
  }

  /** Whoever passes the limit has completed the row: that is one, whatever other threads add at the same time. */
  #count(row: number, more: number): void {
    if (!this.#failed) {
      this.#failed = true
      this.#parts.onFirstFailure(this)
    }
    const before = Atomics.add(this.#cells, this.#at + row, more)
    const cause = causes[row]!
    const { count } = this.#parts.settings.triggers[cause]
    if (before < count && before + more >= count) this.#parts.onOutlier(this, cause)
  }

  /** Nearly always there is nothing to clear. */
  #clear(row: number): void {
    if (this.#cells[this.#at + row] !== 0) this.#cells[this.#at + row] = 0
  }
}
