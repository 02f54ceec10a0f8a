// Outlier detection of one cluster in a thread that does not judge: it counts, tells the first thread of complete rows, and
// leaves out whom that one leaves out.
import type { OutlierListener, OutlierSharing } from '../sharing.ts'
import type { DetectorParts, OutlierDetection } from './detector.ts'
import { OutlierMonitor } from './monitor.ts'
import type { OutlierCause } from './settings.ts'

export class OutlierFollower implements OutlierDetection, OutlierListener {
  readonly #parts: Pick<DetectorParts, 'settings' | 'onChange'>
  readonly #sharing: OutlierSharing
  readonly #monitors = new Set<OutlierMonitor>()
  #ejected: ReadonlyMap<string, string> = new Map()

  constructor(parts: Pick<DetectorParts, 'settings' | 'onChange'>, sharing: OutlierSharing) {
    this.#parts = parts
    this.#sharing = sharing
  }

  start(): void {
    this.#sharing.listen(this)
  }

  watch(host: string): OutlierMonitor {
    const { settings } = this.#parts
    const monitor = new OutlierMonitor(host, { settings, onFirstFailure: () => this.#sharing.want(host), onOutlier: (one, cause) => this.#detected(one, cause) })
    this.#monitors.add(monitor)
    this.#follow(monitor)
    return monitor
  }

  forget(monitor: OutlierMonitor): void {
    this.#monitors.delete(monitor)
    monitor.ejected = false
  }

  stop(): void {
    this.#sharing.stop(this)
    for (const monitor of Array.from(this.#monitors)) this.forget(monitor)
  }

  onCells(host: string, cells: Int32Array, at: number): void {
    for (const monitor of this.#monitors) if (monitor.host === host) monitor.share(cells, at)
  }

  onEjected(ejected: ReadonlyMap<string, string>): void {
    this.#ejected = ejected
    const readmitted: OutlierMonitor[] = []
    let changed = false
    for (const monitor of this.#monitors) {
      const before = monitor.ejected
      this.#follow(monitor)
      if (before === monitor.ejected) continue
      changed = true
      if (before) readmitted.push(monitor)
    }
    if (changed) this.#parts.onChange(readmitted)
  }

  #follow(monitor: OutlierMonitor): void {
    monitor.ejection = this.#ejected.get(monitor.host)
    monitor.ejected = monitor.ejection !== undefined
  }

  /** The judge begins shared rows anew; one of this thread alone is its own business. */
  #detected(monitor: OutlierMonitor, cause: OutlierCause): void {
    if (monitor.ejected || !this.#monitors.has(monitor)) return
    if (!monitor.shared) monitor.restart(cause)
    this.#sharing.report(monitor.host, cause)
  }
}
