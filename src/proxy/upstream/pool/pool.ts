// What a cluster sees of the connections to one host, whatever they speak.
import type { Clock } from '../../../lib/clock.ts'
import type { KeepAlive } from '../../../net/keep-alive.ts'
import type { Breakers } from '../breakers.ts'
import type { HttpSettings } from '../cluster-config.ts'
import type { RuntimeHost } from '../host.ts'
import type { ClusterStats } from '../stats.ts'
import type { ClientAddresses, ResponseReader, StreamWaiter } from '../types.ts'
import type { Connector } from './connector.ts'

/** The connections to one host for one server name. */
export interface Pool {
  /** Nothing runs, waits, opens or is kept. */
  readonly empty: boolean
  /** The result cancels the wait. */
  request(reader: ResponseReader, waiter: StreamWaiter): () => void
  /** Idle connections end now, busy ones when they are done; who waits is still served. */
  drain(): void
  /** Everything ends now. */
  destroy(): void
  /** Closes what was idle for too long. Whether some is still idle. */
  sweep(): boolean
}

/** What the pools of a cluster share. */
export interface PoolParts {
  readonly http: HttpSettings
  readonly connectTimeoutMs: number
  readonly keepAlive: KeepAlive | undefined
  readonly breakers: Breakers
  readonly stats: ClusterStats
  readonly connector: Connector
  readonly clock: Clock
  readonly random: () => number
  /** There is something that `sweep` may have to close. */
  onIdle(): void
}

/** Where the connections of one pool go. */
export interface PoolTarget {
  readonly host: RuntimeHost
  readonly serverName: string
  /** Whom its connections are for, where the host is told; they are nobody else's then. */
  readonly client: ClientAddresses | undefined
}

export const nothingToCancel = (): void => {}
