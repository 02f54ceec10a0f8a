// What outlier detection knows of one host: how many failures of each kind came in a row, and whether, why and for how long it
// is ejected. Detection happens at the very result that completes a row (traffic spec 2.4).
import type { ResetReason } from '../types.ts'
import type { OutlierCause, OutlierSettings } from './settings.ts'

/** Told when a row is complete. */
export type OnOutlier = (monitor: OutlierMonitor, cause: OutlierCause) => void

export class OutlierMonitor {
  ejected = false
  ejectedAt = 0
  readmittedAt = 0
  /** How many base times the next ejection lasts, less one. */
  backoff = 0
  /** In words; undefined while it is not ejected. */
  ejection: string | undefined
  readonly #settings: OutlierSettings
  readonly #onOutlier: OnOutlier
  #server = 0
  #gateway = 0
  #local = 0

  constructor(settings: OutlierSettings, onOutlier: OnOutlier) {
    this.#settings = settings
    this.#onOutlier = onOutlier
  }

  onStatus(status: number): void {
    const { errorCodes } = this.#settings
    if (errorCodes === undefined ? status >= 500 && status <= 599 : errorCodes.has(status)) return this.#onError(status)
    this.#server = 0
    this.#gateway = 0
  }

  #onError(status: number): void {
    const { consecutive_5xx, consecutive_gateway_failure } = this.#settings.triggers
    if (status < 502 || status > 504) this.#gateway = 0
    else if (++this.#gateway === consecutive_gateway_failure.count) this.#onOutlier(this, 'consecutive_gateway_failure')
    if (++this.#server === consecutive_5xx.count) this.#onOutlier(this, 'consecutive_5xx')
  }

  /** Of our own making: no connection, a reset, a timeout. A connection that we closed ourselves says nothing of the host. */
  onLocalFailure(reason: ResetReason | 'timeout'): void {
    if (reason === 'overflow' || reason === 'local-reset') return
    if (!this.#settings.splitsLocal) return this.#onError(reason === 'timeout' ? 504 : 503)
    if (++this.#local === this.#settings.triggers.consecutive_local_origin_failure.count) this.#onOutlier(this, 'consecutive_local_origin_failure')
  }

  /** A request has its connection. */
  onStream(): void {
    this.#local = 0
  }

  /** An opaque connection stands: that is all the success it can have. */
  onSession(): void {
    if (this.#settings.splitsLocal) this.#local = 0
    else this.onStatus(200)
  }

  /** The row that was just completed begins anew. */
  restart(cause: OutlierCause): void {
    if (cause === 'consecutive_5xx') this.#server = 0
    else if (cause === 'consecutive_gateway_failure') this.#gateway = 0
    else this.#local = 0
  }

  /** It needs whole rows again to be ejected once more. */
  forget(): void {
    this.#server = 0
    this.#gateway = 0
    this.#local = 0
  }
}
