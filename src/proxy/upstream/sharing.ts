// What the clusters of one proxy share over its threads: circuit breakers count what all of them carry, and a host that one
// thread leaves out is left out by all. How threads do that is proxy/threads' business; a proxy of one thread shares nothing.
import type { OutlierCause } from './outlier/settings.ts'

/**
 * Numbers of one cluster, a group for each thread: connections, pending, requests, retries. Each thread writes its own group
 * only, so that what a thread that broke had counted can be taken back.
 */
export interface BreakerCells {
  readonly cells: Int32Array
  /** Of the first thread's group. */
  readonly at: number
  readonly threads: number
  /** Which group is this thread's. */
  readonly thread: number
}

export const cellsOfThread = 4

/** What a detector hears of the others. */
export interface OutlierListener {
  /** From now on all threads count the failures of this host in the same cells. */
  onCells(host: string, cells: Int32Array, at: number): void
  /** Judge: a row was completed in another thread. */
  onOutlier?(host: string, cause: OutlierCause): void
  /** Follower: who is left out now, and why. */
  onEjected?(ejected: ReadonlyMap<string, string>): void
}

/** Of one cluster with outlier detection. One thread judges, the others follow: as in Envoy, where the main thread does. */
export interface OutlierSharing {
  readonly judges: boolean
  /** Takes the place of the listener of a cluster that it replaces; tells it at once what is known. */
  listen(listener: OutlierListener): void
  /** Only while its listener is the last that listens. */
  stop(listener: OutlierListener): void
  /** The first failure of a host: its cells come with `onCells`, at once or later; never where there are too many hosts. */
  want(host: string): void
  /** Judge: the cluster does not know it any more. */
  forget(host: string): void
  /** Follower: a row is complete. */
  report(host: string, cause: OutlierCause): void
  /** Judge: these are left out now. */
  publish(ejected: ReadonlyMap<string, string>): void
}

export interface ClusterSharing {
  /** Undefined where there are too many clusters: then each thread counts for itself. */
  breakers(cluster: string): BreakerCells | undefined
  outliers(cluster: string): OutlierSharing
}
