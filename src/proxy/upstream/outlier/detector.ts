// Outlier detection of one cluster: ejects hosts that fail several times in a row, never more of them than allowed, for a
// time that grows with every ejection, and lets them in again (traffic spec 2.4). This proxy's own view, of its own traffic.
import type { Clock } from '../../../lib/clock.ts'
import type { ClusterStats } from '../stats.ts'
import { OutlierMonitor } from './monitor.ts'
import type { OutlierCause, OutlierSettings } from './settings.ts'

export interface DetectorParts {
  readonly settings: OutlierSettings
  readonly stats: ClusterStats
  readonly clock: Clock
  random(): number
  /** Of all priorities. */
  hostCount(): number
  /** Hosts were ejected or let in again; `readmitted` are those of the latter. */
  onChange(readmitted: readonly OutlierMonitor[]): void
}

export class OutlierDetector {
  readonly #parts: DetectorParts
  readonly #monitors = new Set<OutlierMonitor>()
  #ejected = 0
  #cancelSweep: (() => void) | undefined

  constructor(parts: DetectorParts) {
    this.#parts = parts
  }

  watch(): OutlierMonitor {
    const monitor = new OutlierMonitor(this.#parts.settings, (one, cause) => this.#detected(one, cause))
    this.#monitors.add(monitor)
    return monitor
  }

  /** A host that is none any more. */
  forget(monitor: OutlierMonitor): void {
    if (!this.#monitors.delete(monitor) || !monitor.ejected) return
    monitor.ejected = false
    this.#count(-1)
  }

  /** The cluster is done: whoever is ejected stays so, and no timer runs. */
  stop(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    for (const monitor of Array.from(this.#monitors)) this.forget(monitor)
  }

  #detected(monitor: OutlierMonitor, cause: OutlierCause): void {
    if (monitor.ejected || !this.#monitors.has(monitor)) return
    const { stats } = this.#parts
    stats[`outlier_detection.ejections_detected_${cause}`]++
    if (this.#mayEject()) this.#enforce(monitor, cause)
    else stats['outlier_detection.ejections_overflow']++
    monitor.restart(cause)
  }

  #mayEject(): boolean {
    const { settings, hostCount } = this.#parts
    return (100 * (this.#ejected + 1)) / hostCount() <= settings.maxEjectionPercent
  }

  /** Envoy's enforcing_...: a share of those that are found; nearly always none or all. */
  #enforce(monitor: OutlierMonitor, cause: OutlierCause): void {
    const { settings, stats, clock, random } = this.#parts
    const { enforced, count } = settings.triggers[cause]
    if (random() * 100 >= enforced) return
    stats['outlier_detection.ejections_enforced_total']++
    stats[`outlier_detection.ejections_enforced_${cause}`]++
    this.#count(1)
    monitor.ejected = true
    monitor.ejectedAt = clock.now()
    if (monitor.backoff * settings.baseEjectionMs < settings.maxEjectionMs + settings.baseEjectionMs) monitor.backoff++
    monitor.ejection = `ejected for ${this.#lengthOf(monitor) / 1_000} s after ${count} ${causeWords[cause]}`
    this.#sweepLater()
    this.#parts.onChange([])
  }

  #lengthOf({ backoff }: OutlierMonitor): number {
    const { baseEjectionMs, maxEjectionMs } = this.#parts.settings
    return Math.min(baseEjectionMs * backoff, maxEjectionMs)
  }

  #sweepLater(): void {
    const { clock, settings } = this.#parts
    this.#cancelSweep ??= clock.after(settings.intervalMs, () => this.#sweep())
  }

  /** Runs only while there is something to do: clusters are many, outliers few. */
  #sweep(): void {
    this.#cancelSweep = undefined
    const now = this.#parts.clock.now()
    const readmitted = [...this.#monitors].filter((one) => one.ejected && now - one.ejectedAt >= this.#lengthOf(one))
    for (const monitor of this.#monitors) if (!monitor.ejected) this.#calmDown(monitor, now)
    for (const monitor of readmitted) this.#readmit(monitor, now)
    if ([...this.#monitors].some(({ ejected, backoff }) => ejected || backoff > 0)) this.#sweepLater()
    if (readmitted.length > 0) this.#parts.onChange(readmitted)
  }

  /** What behaves for an interval is punished less hard the next time. */
  #calmDown(monitor: OutlierMonitor, now: number): void {
    if (monitor.backoff > 0 && now - monitor.readmittedAt >= this.#parts.settings.intervalMs) monitor.backoff--
  }

  #readmit(monitor: OutlierMonitor, now: number): void {
    this.#count(-1)
    monitor.ejected = false
    monitor.ejection = undefined
    monitor.readmittedAt = now
    monitor.forget()
  }

  #count(change: number): void {
    this.#ejected += change
    this.#parts.stats['outlier_detection.ejections_active'] += change
  }
}

const causeWords: Readonly<Record<OutlierCause, string>> = {
  consecutive_5xx: 'consecutive 5xx errors',
  consecutive_gateway_failure: 'consecutive gateway errors',
  consecutive_local_origin_failure: 'consecutive failures to reach it',
}
