// One endpoint of a cluster while it is known: its state, its counters, its pool. It is told how connections and requests
// to it end, and tells its cluster when that makes it suspect.
import type { Address } from '../../model/address.ts'
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import type { OutlierMonitor } from './outlier/monitor.ts'
import { IdleLimit } from './pool/idle-limit.ts'
import type { Pool } from './pool/pool.ts'
import { CountedHostStats } from './stats.ts'
import type { ClusterStats } from './stats.ts'
import { Suspicion } from './suspect.ts'
import type { Host, HostHealth, HostResult } from './types.ts'
import type { HostSocket } from './transport-sockets.ts'

export interface HostParts {
  readonly stats: ClusterStats
  readonly socket: HostSocket
  now(): number
  /** Outlier detection, where the cluster has it. */
  watch?(host: string): OutlierMonitor
  /** The host has become suspect, or is not any more. */
  onSuspicion(): void
}

const none: readonly Address[] = []

/** Of what makes a host another one. */
export const socketKeyOf = ({ socketLabels, further }: EndpointSettings): string => (further === undefined ? JSON.stringify(socketLabels) : JSON.stringify([socketLabels, further]))

export class RuntimeHost implements Host {
  readonly address: Address
  readonly name: string
  readonly mutualTls: boolean
  readonly socket: HostSocket
  readonly stats = new CountedHostStats()
  readonly suspicion = new Suspicion()
  readonly idleLimit = new IdleLimit()
  /** Equal for endpoints that may share connections. */
  readonly socketKey: string
  readonly further: readonly Address[]
  /** Where new connections go. */
  connectTo: Address
  place: string | undefined = undefined
  weight = 1
  health: HostHealth = 'healthy'
  priority = 0
  locality = ''
  localityWeight = 0
  /** When it joined, or became healthy again. */
  since: number
  workload = ''
  active = 0
  /** One for each server name that connections were asked for, and protocol and client where they make a difference; nearly always one, for none. */
  readonly pools = new Map<string, Pool>()
  readonly monitor: OutlierMonitor | undefined
  /** The cluster does not know it any more: what is open finishes, nothing is kept. */
  retired = false
  readonly #parts: HostParts

  constructor(settings: EndpointSettings, parts: HostParts) {
    this.address = settings.address
    this.connectTo = settings.connectTo
    this.name = settings.name
    this.mutualTls = settings.socketLabels['tlsMode'] === 'istio'
    this.socketKey = socketKeyOf(settings)
    this.further = settings.further ?? none
    this.socket = parts.socket
    this.#parts = parts
    this.since = parts.now()
    this.monitor = parts.watch?.(settings.name)
    this.apply(settings)
  }

  /** What may change while it stays the same host. */
  apply({ address, connectTo, weight, health, priority, locality, localityWeight, workload }: EndpointSettings): void {
    this.connectTo = connectTo
    this.place = connectTo === address ? undefined : hostName(connectTo)
    if (health === 'healthy' && this.health !== 'healthy') {
      this.suspicion.forget()
      this.since = this.#parts.now()
    }
    this.locality = locality
    this.localityWeight = localityWeight
    this.weight = weight
    this.health = health
    this.priority = priority
    this.workload = workload
  }

  /** Healthy as far as anyone knows. */
  get trusted(): boolean {
    return this.health === 'healthy' && this.monitor?.ejected !== true
  }

  /** Why outlier detection leaves it out; undefined when it does not. */
  get ejection(): string | undefined {
    return this.monitor?.ejection
  }

  get suspect(): boolean {
    return this.suspicion.isSuspect(this.#parts.now())
  }

  /** Nothing runs, waits or is open. */
  get unused(): boolean {
    if (this.active > 0) return false
    for (const pool of this.pools.values()) if (!pool.empty) return false
    return true
  }

  /** No request will choose it any more. */
  retire(): void {
    this.retired = true
    for (const pool of this.pools.values()) pool.drain()
  }

  /** Closes connections that were idle for too long, and forgets pools without any. Whether some are still idle. */
  sweep(): boolean {
    let idle = false
    for (const [serverName, pool] of this.pools) {
      if (pool.sweep()) idle = true
      else if (pool.empty) this.pools.delete(serverName)
    }
    return idle
  }

  destroy(): void {
    for (const pool of this.pools.values()) pool.destroy()
  }

  onConnected(): void {
    this.stats.cxTotal++
    this.stats.cxActive++
    this.#parts.stats.upstream_cx_total++
    this.#parts.stats.upstream_cx_active++
    if (this.suspicion.connected()) this.#parts.onSuspicion()
  }

  onDisconnected(): void {
    this.stats.cxActive--
    this.#parts.stats.upstream_cx_active--
  }

  onConnectFailure(timeout: boolean): void {
    this.stats.cxConnectFail++
    this.#parts.stats.upstream_cx_connect_fail++
    if (timeout) this.#parts.stats.upstream_cx_connect_timeout++
    if (this.suspicion.failed(this.#parts.now())) this.#parts.onSuspicion()
  }

  /** Outlier detection lets it in again: as a new one, it warms up. */
  onReadmitted(): void {
    this.since = this.#parts.now()
  }

  /** A connection of its own, for opaque bytes. */
  onSession(): void {
    this.active++
    this.monitor?.onSession()
    this.onConnected()
  }

  onSessionEnd(): void {
    this.active--
    this.onDisconnected()
  }

  onRequest(): void {
    this.active++
    this.monitor?.onStream()
    this.stats.rqTotal++
    this.#parts.stats.upstream_rq_total++
    this.#parts.stats.upstream_rq_active++
  }

  onRequestEnd(): void {
    this.active--
    this.#parts.stats.upstream_rq_active--
  }

  onResult(result: HostResult): void {
    if (result.kind === 'response') {
      this.monitor?.onStatus(result.judgedAs ?? result.status, result.judgedAs !== undefined)
      return this.#onStatus(result.status)
    }
    if (result.reason === 'overflow') return
    this.monitor?.onLocalFailure(result.reason)
    this.stats.rqError++
    if (result.reason !== 'timeout') return
    this.stats.rqTimeout++
    this.#parts.stats.upstream_rq_timeout++
  }

  #onStatus(status: number): void {
    const stats = this.#parts.stats
    stats.upstream_rq_completed++
    if (status >= 500) stats.upstream_rq_5xx++
    else if (status >= 400) stats.upstream_rq_4xx++
    else if (status >= 300) stats.upstream_rq_3xx++
    else stats.upstream_rq_2xx++
    if (status >= 500) this.stats.rqError++
    else this.stats.rqSuccess++
  }
}
