// All telemetry of one proxy, as the proxy's parts want it: hooks for HTTP and TCP, logs of listeners, and the two texts
// of the admin server. Log files are the process's, so that proxies that share one never mix their lines.
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AccessLog } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { TcpProxy } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { Metrics } from '../../telemetry/metrics/registry.ts'
import type { StatLine } from '../../telemetry/metrics/registry.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import type { WriteAudit } from '../../telemetry/audit/events.ts'
import type { LogSinks } from '../../telemetry/sink/log-files.ts'
import type { Exchange } from '../http/exchange.ts'
import { badConfig, within } from '../http/router/problem.ts'
import type { Direction, HttpDeps } from '../http/runtime.ts'
import { sessionEntry } from '../listen/connection-entry.ts'
import type { InboundPeers } from '../listen/inbound-peers.ts'
import type { ProxySettings } from '../settings.ts'
import type { TcpHooks, TcpSession } from '../tcp/tcp-proxy.ts'
import { auditConnections, auditExchanges } from './audit.ts'
import { compileAccessLogs } from './access-logs.ts'
import type { LogEntry } from './access-logs.ts'
import { istioMetrics, nodeFactsOf } from './istio-metrics.ts'
import type { IstioMetrics } from './istio-metrics.ts'
import { nodeMetadataOf } from './peer-metadata.ts'
import { nameClients } from './plaintext-names.ts'
import { defaultStatsMatcher, prometheusOf, withTraffic } from './stats-text.ts'
import type { StatsMatcher } from './stats-text.ts'

export interface TelemetryParts {
  readonly sinks: LogSinks
  readonly version?: string
  readonly clock?: Clock
  readonly statsMatcher?: StatsMatcher
  /** Where denials and admin actions are written down. */
  readonly audit?: WriteAudit | undefined
  /** Whose names are to be found out. */
  readonly inboundPeers?: InboundPeers
}

export type HttpTelemetry = Required<Pick<HttpDeps, 'node' | 'onExchangeEnd' | 'accessLog'>>

export class ProxyTelemetry {
  readonly metrics = new Metrics()
  readonly #istio: IstioMetrics
  readonly #node: HttpTelemetry['node']
  readonly #sinks: LogSinks
  readonly #matcher: StatsMatcher
  readonly #auditExchange: ((exchange: Exchange) => void) | undefined
  readonly #nameClient: ((exchange: Exchange) => void) | undefined
  /** Every TCP session and every refused connection. */
  readonly onConnectionEnd: ((entry: AccessLogEntry) => void) | undefined

  constructor(settings: ProxySettings, { sinks, version = '', clock = systemClock, statsMatcher = defaultStatsMatcher, audit, inboundPeers }: TelemetryParts) {
    this.#istio = istioMetrics(nodeFactsOf(settings, version), this.metrics, clock)
    this.#node = nodeMetadataOf(settings)
    this.#sinks = sinks
    this.#matcher = statsMatcher
    this.#auditExchange = audit === undefined ? undefined : auditExchanges(audit)
    this.onConnectionEnd = audit === undefined ? undefined : auditConnections(audit)
    this.#nameClient = inboundPeers === undefined ? undefined : nameClients(inboundPeers, this.#istio.said)
  }

  /** For HttpDeps. */
  http(direction: Direction): HttpTelemetry {
    return {
      node: this.#node,
      onExchangeEnd: all([this.#istio.onExchangeEnd(direction), this.#auditExchange, direction === 'inbound' ? this.#nameClient : undefined]),
      accessLog: (config: readonly AccessLog[]) => compileAccessLogs(config, this.#sinks),
    }
  }

  /** For each tcp_proxy, when it is compiled. Throws `proxy/bad-config` for logs that cannot be served. */
  readonly tcpHooks = (config: TcpProxy): TcpHooks => {
    if (config.accessLogOptions !== undefined || config.accessLogFlushInterval !== undefined) throw badConfig('tcp_proxy: access_log_options is not served yet; connections are logged when they end')
    const log = compileAccessLogs(config.accessLog, this.#sinks)
    const count = this.#istio.onTcpEnd
    const onEnd = (session: TcpSession): void => {
      count(session)
      log?.(sessionEntry(session))
    }
    return { onOpen: this.#istio.onTcpOpen, onEnd }
  }

  /** For each listener: connections that it refused. Throws `proxy/bad-config`. */
  readonly listenerLog = ({ name, accessLog }: Listener): LogEntry | undefined =>
    within(`listener ${name}`, () => compileAccessLogs(accessLog, this.#sinks))

  /** `others`: counters of other parts, such as of clusters; those of clusters without traffic are left out. `metrics`: of all threads. */
  stats(others: readonly StatLine[], metrics = this.metrics): StatLine[] {
    return [...withTraffic(others), ...metrics.lines().map(({ name, value }) => ({ name: `istiocustom.${name}`, value }))]
  }

  prometheus(others: readonly StatLine[], metrics = this.metrics): string {
    return metrics.prometheus() + prometheusOf(withTraffic(others), this.#matcher)
  }

  close(): void {
    this.#istio.close()
  }
}

type OnExchange = (exchange: Exchange) => void

/** At most three: no loop, since it is per request. */
function all([first, second, third]: readonly [OnExchange, OnExchange | undefined, OnExchange | undefined]): OnExchange {
  if (second === undefined && third === undefined) return first
  return (exchange) => {
    first(exchange)
    second?.(exchange)
    third?.(exchange)
  }
}
