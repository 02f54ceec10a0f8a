// What the first thread of a proxy shares with the others, so that limits are the proxy's and not each thread's: numbers of
// circuit breakers, rows of failures of hosts, and who is ejected. The numbers are memory that all threads see; which row is
// whose, and who is ejected, the first thread says.
import { cellsOfThread } from '../upstream/sharing.ts'
import type { BreakerCells, ClusterSharing, OutlierListener, OutlierSharing } from '../upstream/sharing.ts'
import type { FromThread, NumbersMemory, ToThread } from './link.ts'
import { breakerCells, outlierCells, NamedRows } from './named-rows.ts'

/** Far more clusters than a proxy has, and hosts that fail at a time: 256 KB a thread, and 256 KB. What is over counts in each thread for itself. */
const maxRows = 16_384
const bytesOfCell = 4

interface Outliers {
  listener: OutlierListener | undefined
  readonly hosts: Set<string>
  ejected: ReadonlyMap<string, string>
}

export class SharedNumbers implements ClusterSharing {
  readonly memory: NumbersMemory
  /** To all other threads. */
  tell: (message: ToThread) => void = () => {}
  readonly #breakers: Int32Array
  readonly #outlierCells: Int32Array
  readonly #clusterRows: NamedRows
  readonly #hostRows = new NamedRows(maxRows, () => false)
  readonly #outliers = new Map<string, Outliers>()
  /** Rows that the others have not been told of. */
  #untold: [string, number][] = []

  constructor(threads: number) {
    const breakers = new SharedArrayBuffer(maxRows * threads * cellsOfThread * bytesOfCell)
    const outliers = new SharedArrayBuffer(maxRows * outlierCells * bytesOfCell)
    this.memory = { breakers, outliers, threads }
    this.#breakers = new Int32Array(breakers)
    this.#outlierCells = new Int32Array(outliers)
    this.#clusterRows = new NamedRows(maxRows, (row) => this.#inUse(row))
  }

  breakers(cluster: string): BreakerCells | undefined {
    const known = this.#clusterRows.find(cluster)
    const row = known < 0 ? this.#clusterRows.place(cluster) : known
    if (row < 0) return undefined
    if (known < 0) this.#untold.push([cluster, row])
    return breakerCells(this.#breakers, row, this.memory.threads, 0)
  }

  /** Before the others are told of an update of clusters: which there are now. */
  keepClusters(accepted: { has(name: string): boolean }): void {
    for (const [name] of this.#clusterRows.entries()) {
      if (accepted.has(name)) continue
      this.#clusterRows.forget(name)
      this.#untold.push([name, -1])
    }
    if (this.#untold.length > 0) this.tell({ kind: 'breaker-rows', rows: this.#untold })
    this.#untold = []
  }

  outliers(cluster: string): OutlierSharing {
    return {
      judges: true,
      listen: (listener) => this.#listen(cluster, listener),
      stop: (listener) => {
        if (this.#outliers.get(cluster)?.listener === listener) this.#endOutliers(cluster)
      },
      want: (host) => this.#want(cluster, host),
      forget: (host) => this.#forgetHost(cluster, host),
      report: () => {},
      publish: (ejected) => this.#publish(cluster, ejected),
    }
  }

  /** What another thread says. */
  take(message: Extract<FromThread, { kind: 'outlier-row' | 'outlier' }>): void {
    if (message.kind === 'outlier-row') this.#want(message.cluster, message.host)
    else this.#outliers.get(message.cluster)?.listener?.onOutlier?.(message.host, message.cause)
  }

  /** For a thread that begins. */
  all(): readonly ToThread[] {
    return [
      { kind: 'memory', memory: this.memory },
      { kind: 'breaker-rows', rows: this.#clusterRows.entries() },
      ...[...this.#outliers].flatMap(([cluster, { hosts, ejected }]): ToThread[] => [
        { kind: 'outlier-rows', cluster, rows: [...hosts].map((host) => [host, this.#hostRows.find(keyOf(cluster, host))]) },
        { kind: 'ejected', cluster, hosts: ejected },
      ]),
    ]
  }

  /** What a thread carried that has broken is over. */
  threadGone(thread: number): void {
    const { threads } = this.memory
    for (let at = thread * cellsOfThread; at < this.#breakers.length; at += threads * cellsOfThread) this.#breakers.fill(0, at, at + cellsOfThread)
  }

  /** Everything begins anew with a cluster that is new: it has ejected nobody. */
  #listen(cluster: string, listener: OutlierListener): void {
    this.#endOutliers(cluster)
    this.#outliers.set(cluster, { listener, hosts: new Set(), ejected: new Map() })
  }

  #endOutliers(cluster: string): void {
    const known = this.#outliers.get(cluster)
    if (known === undefined) return
    for (const host of Array.from(known.hosts)) this.#forgetHost(cluster, host)
    this.#publish(cluster, new Map())
    this.#outliers.delete(cluster)
  }

  #want(cluster: string, host: string): void {
    const outliers = this.#outliers.get(cluster)
    const key = keyOf(cluster, host)
    if (outliers === undefined || outliers.hosts.has(host)) return
    const row = this.#hostRows.place(key)
    if (row < 0) return
    outliers.hosts.add(host)
    this.#outlierCells.fill(0, row * outlierCells, (row + 1) * outlierCells)
    this.tell({ kind: 'outlier-rows', cluster, rows: [[host, row]] })
    outliers.listener?.onCells(host, this.#outlierCells, row * outlierCells)
  }

  #forgetHost(cluster: string, host: string): void {
    if (this.#outliers.get(cluster)?.hosts.delete(host) !== true) return
    this.#hostRows.forget(keyOf(cluster, host))
    this.tell({ kind: 'outlier-rows', cluster, rows: [[host, -1]] })
  }

  #publish(cluster: string, ejected: ReadonlyMap<string, string>): void {
    const known = this.#outliers.get(cluster)
    if (known === undefined || (known.ejected.size === 0 && ejected.size === 0)) return
    known.ejected = ejected
    this.tell({ kind: 'ejected', cluster, hosts: ejected })
  }

  #inUse(row: number): boolean {
    const width = this.memory.threads * cellsOfThread
    return this.#breakers.subarray(row * width, (row + 1) * width).some((cell) => cell !== 0)
  }
}

const keyOf = (cluster: string, host: string): string => `${cluster}\n${host}`
