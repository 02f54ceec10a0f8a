// What a thread that is not the first one shares: it counts where the first one says, tells it of failures, and leaves out the
// hosts that it names.
import type { OutlierCause } from '../upstream/outlier/settings.ts'
import type { BreakerCells, ClusterSharing, OutlierListener, OutlierSharing } from '../upstream/sharing.ts'
import type { FromThread, NumbersMemory, ToThread } from './link.ts'
import { breakerCells, outlierCells } from './named-rows.ts'

interface Outliers {
  listener: OutlierListener | undefined
  readonly rows: Map<string, number>
  ejected: ReadonlyMap<string, string>
}

export class FollowedNumbers implements ClusterSharing {
  readonly #thread: number
  readonly #say: (message: FromThread) => void
  #threads = 1
  #breakers: Int32Array = new Int32Array(0)
  #outlierCells: Int32Array = new Int32Array(0)
  readonly #clusterRows = new Map<string, number>()
  readonly #outliers = new Map<string, Outliers>()

  constructor(thread: number, say: (message: FromThread) => void) {
    this.#thread = thread
    this.#say = say
  }

  take(message: Extract<ToThread, { kind: 'memory' | 'breaker-rows' | 'outlier-rows' | 'ejected' }>): void {
    switch (message.kind) {
      case 'memory': return this.#map(message.memory)
      case 'breaker-rows':
        for (const [cluster, row] of message.rows) this.#placeCluster(cluster, row)
        return
      case 'outlier-rows': return this.#takeRows(message.cluster, message.rows)
      case 'ejected': {
        const outliers = this.#outliersOf(message.cluster)
        outliers.ejected = message.hosts
        return outliers.listener?.onEjected?.(message.hosts)
      }
    }
  }

  breakers(cluster: string): BreakerCells | undefined {
    const row = this.#clusterRows.get(cluster)
    return row === undefined ? undefined : breakerCells(this.#breakers, row, this.#threads, this.#thread)
  }

  outliers(cluster: string): OutlierSharing {
    return {
      judges: false,
      listen: (listener) => this.#listen(cluster, listener),
      stop: (listener) => {
        const known = this.#outliers.get(cluster)
        if (known?.listener === listener) known.listener = undefined
        if (known !== undefined) this.#dropUnused(cluster)
      },
      want: (host) => {
        const row = this.#outliers.get(cluster)?.rows.get(host)
        if (row === undefined) this.#say({ kind: 'outlier-row', cluster, host })
        else this.#outliers.get(cluster)?.listener?.onCells(host, this.#outlierCells, row * outlierCells)
      },
      forget: () => {},
      report: (host, cause: OutlierCause) => this.#say({ kind: 'outlier', cluster, host, cause }),
      publish: () => {},
    }
  }

  #placeCluster(cluster: string, row: number): void {
    if (row < 0) this.#clusterRows.delete(cluster)
    else this.#clusterRows.set(cluster, row)
  }

  #map({ breakers, outliers, threads }: NumbersMemory): void {
    this.#threads = threads
    this.#breakers = new Int32Array(breakers)
    this.#outlierCells = new Int32Array(outliers)
  }

  #listen(cluster: string, listener: OutlierListener): void {
    const outliers = this.#outliersOf(cluster)
    outliers.listener = listener
    listener.onEjected?.(outliers.ejected)
    for (const [host, row] of outliers.rows) listener.onCells(host, this.#outlierCells, row * outlierCells)
  }

  #takeRows(cluster: string, rows: readonly (readonly [host: string, row: number])[]): void {
    const outliers = this.#outliersOf(cluster)
    for (const [host, row] of rows) {
      if (row < 0) outliers.rows.delete(host)
      else {
        outliers.rows.set(host, row)
        outliers.listener?.onCells(host, this.#outlierCells, row * outlierCells)
      }
    }
    this.#dropUnused(cluster)
  }

  #outliersOf(cluster: string): Outliers {
    const known = this.#outliers.get(cluster)
    if (known !== undefined) return known
    const fresh: Outliers = { listener: undefined, rows: new Map(), ejected: new Map() }
    this.#outliers.set(cluster, fresh)
    return fresh
  }

  #dropUnused(cluster: string): void {
    const known = this.#outliers.get(cluster)
    if (known?.listener === undefined && known?.rows.size === 0 && known.ejected.size === 0) this.#outliers.delete(cluster)
  }
}
