// Outlier detection of one cluster: ejects hosts that fail several times in a row, never more of them than allowed, for a
// time that grows with every ejection, and lets them in again (traffic spec 2.4). This proxy's own view, of its own traffic.
// Of several threads the first one judges what all of them see; the others follow it (follower.ts).
import type { Clock } from '../../../lib/clock.ts'
import type { OutlierListener, OutlierSharing } from '../sharing.ts'
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
  /** With the other threads of this proxy. */
  readonly sharing?: OutlierSharing | undefined
}

/** What a cluster asks of it, whoever judges. */
export interface OutlierDetection {
  /** Its cluster serves. */
  start(): void
  watch(host: string): OutlierMonitor
  /** A host that is none any more. */
  forget(monitor: OutlierMonitor): void
  /** The cluster is done: whoever is ejected stays so, and no timer runs. */
  stop(): void
}

export class OutlierDetector implements OutlierDetection, OutlierListener {
  readonly #parts: DetectorParts
  readonly #monitors = new Set<OutlierMonitor>()
  #ejected = 0
  #cancelSweep: (() => void) | undefined

  constructor(parts: DetectorParts) {
    this.#parts = parts
  }

  start(): void {
    this.#parts.sharing?.listen(this)
  }

  watch(host: string): OutlierMonitor {
    const { settings, sharing } = this.#parts
    const monitor = new OutlierMonitor(host, { settings, onFirstFailure: () => sharing?.want(host), onOutlier: (one, cause) => this.#detected(one, cause) })
    this.#monitors.add(monitor)
    return monitor
  }

  forget(monitor: OutlierMonitor): void {
    if (!this.#monitors.delete(monitor)) return
    this.#parts.sharing?.forget(monitor.host)
    if (!monitor.ejected) return
    monitor.ejected = false
    this.#count(-1)
    this.#publish()
  }

  stop(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.#parts.sharing?.stop(this)
    for (const monitor of Array.from(this.#monitors)) this.forget(monitor)
  }

  onCells(host: string, cells: Int32Array, at: number): void {
    for (const monitor of this.#monitors) if (monitor.host === host) monitor.share(cells, at)
  }

  onOutlier(host: string, cause: OutlierCause): void {
    for (const monitor of this.#monitors) if (monitor.host === host) this.#detected(monitor, cause)
  }

  #publish(): void {
    const { sharing } = this.#parts
    if (sharing === undefined) return
    sharing.publish(new Map([...this.#monitors].filter(({ ejected }) => ejected).map(({ host, ejection = '' }) => [host, ejection])))
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
    this.#publish()
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
    if (readmitted.length === 0) return
    this.#publish()
    this.#parts.onChange(readmitted)
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
