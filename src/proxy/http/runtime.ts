// What a connection manager gives to each of its connections and requests: decoded settings, compiled filters, and the
// parts of the proxy that they use.
import type { Clock } from '../../lib/clock.ts'
import type { AccessLog } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import type { ClusterLookup } from '../upstream/types.ts'
import type { FilterChains } from './chain.ts'
import type { DateHeader } from './date-header.ts'
import type { DeadlineWatch } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import type { HttpCounters } from './http-counters.ts'
import type { MissingKeys } from './jwt/missing-keys.ts'
import type { ManagerConfig } from './manager-config.ts'
import type { CompiledRoutes } from './router/compile.ts'
import type { Random } from './router/request.ts'

/** How a proxy stands to the mesh: `inbound` serves its own workload, `outbound` sends on (a gateway too). */
export type Direction = 'inbound' | 'outbound' | 'unspecified'

/** The newest version of one route table. */
export interface RouteTable {
  readonly current: CompiledRoutes | undefined
}

/** What a proxy says about itself to its peers (security spec 3.4). */
export interface NodeMetadata {
  /** Node id. */
  readonly id: string
  /** Base64 of the Struct; see peer-metadata.ts. */
  readonly metadata: string
}

/** What the HTTP side needs of the proxy around it. */
export interface HttpDeps {
  readonly direction: Direction
  readonly clusters: ClusterLookup
  /** Late binding: the table may come after the listener, and change under it. */
  readonly routes: (name: string) => RouteTable
  readonly clock: Clock
  readonly random: Random
  /** Undefined: peers are told nothing, and what they say is dropped. */
  readonly node?: NodeMetadata | undefined
  /** Of the whole proxy. Without it, what is counted is not shown. */
  readonly counters?: HttpCounters | undefined
  /** Every exchange that has ended, however it ended: metrics. Must not throw. */
  readonly onExchangeEnd?: ((exchange: Exchange) => void) | undefined
  /** Compiles the manager's access logs; the result is called like `onExchangeEnd`. */
  readonly accessLog?: ((config: readonly AccessLog[]) => ((entry: AccessLogEntry) => void) | undefined) | undefined
  readonly missingKeys?: MissingKeys
}

export interface HttpRuntime {
  readonly deps: HttpDeps
  readonly config: ManagerConfig
  readonly chains: Pick<FilterChains, 'of'>
  readonly deadlines: DeadlineWatch
  readonly date: DateHeader
  readonly routes: RouteTable
  readonly newRequestId: () => string
  readonly counters: HttpCounters
  readonly onExchangeEnd: (exchange: Exchange) => void
}
