// What a proxy has counted: of this thread, and of all its threads as one.
import type { InboundPeers, InboundPeersShown } from './listen/inbound-peers.ts'
import type { StatLine } from './admin/paths.ts'
import type { ClusterShown } from './admin/clusters.ts'
import type { Serving } from './main-serving.ts'
import type { ProxyParts, UpstreamSide } from './proxy-parts.ts'
import { mergedClusters, mergedPeers, plainHost } from './threads/report.ts'
import type { Counted, ThreadReport } from './threads/report.ts'
import type { ThreadReports, ThreadSet } from './threads/thread-set.ts'

export interface OverviewParts {
  readonly parts: ProxyParts
  readonly serving: Serving
  readonly upstream: UpstreamSide
  readonly peers: InboundPeers
  readonly threads: ThreadSet | undefined
}

const alone: ThreadReports = { threads: [], counted: [] }

export class Overview {
  readonly #of: OverviewParts

  constructor(of: OverviewParts) {
    this.#of = of
  }

  /** Of this thread. */
  report(): ThreadReport {
    const { upstream, peers } = this.#of
    return { ...this.#counted(), clusters: upstream.statuses().map((one) => ({ ...one, hosts: one.hosts.map(plainHost) })), inboundPeers: peers.shown() }
  }

  async clusters(): Promise<readonly ClusterShown[]> {
    const { threads } = await this.#others()
    return threads.length === 0 ? this.#of.upstream.statuses() : mergedClusters([this.#of.upstream.statuses(), ...threads.map(({ clusters }) => clusters)])
  }

  async inboundPeers(): Promise<InboundPeersShown> {
    const { threads } = await this.#others()
    return threads.length === 0 ? this.#of.peers.shown() : mergedPeers([this.#of.peers.shown(), ...threads.map(({ inboundPeers }) => inboundPeers)])
  }

  async stats(): Promise<readonly StatLine[]> {
    return this.#of.parts.stats?.(await this.#allCounted()) ?? []
  }

  async prometheus(): Promise<string> {
    return this.#of.parts.prometheus?.(await this.#allCounted()) ?? ''
  }

  #counted(): Counted {
    const { parts, serving } = this.#of
    const { counters, metrics } = parts.counted?.() ?? { counters: [], metrics: [] }
    return { counters: [...counters, { name: 'listener_manager.downstream_cx_active', value: serving.open }, ...serving.refusals.lines(), ...ofThread(parts.threadNumber, serving)], metrics }
  }

  async #allCounted(): Promise<readonly Counted[]> {
    return [this.#counted(), ...(await this.#others()).counted]
  }

  async #others(): Promise<ThreadReports> {
    return await this.#of.threads?.reports() ?? alone
  }
}

/** How connections are spread over the threads, where there are several. */
function ofThread(number: number | undefined, { open, accepted }: Serving): StatLine[] {
  if (number === undefined) return []
  const at = `listener_manager.worker_${number}`
  return [{ name: `${at}.downstream_cx_active`, value: open }, { name: `${at}.downstream_cx_total`, value: accepted }]
}
