// What each thread of a proxy has counted, and all of it as one: the admin server shows a proxy, not its threads.
import { mergedMetrics, snapshotOf } from '../../telemetry/metrics/snapshot.ts'
import type { FamilySnapshot } from '../../telemetry/metrics/snapshot.ts'
import type { ClusterShown, HostShown } from '../admin/clusters.ts'
import type { StatLine } from '../admin/paths.ts'
import type { InboundPeersShown, PlaintextClient } from '../listen/inbound-peers.ts'
import { isGauge } from '../telemetry/stats-text.ts'

export interface Counted {
  readonly counters: readonly StatLine[]
  readonly metrics: readonly FamilySnapshot[]
}

export interface ThreadReport extends Counted {
  readonly clusters: readonly ClusterShown[]
  readonly inboundPeers: InboundPeersShown
}

/** Every thread knows the same hosts: their number is not added up. */
const known = /membership_[a-z]+$/

export function mergedCounters(threads: readonly (readonly StatLine[])[]): StatLine[] {
  const sums = new Map<string, number>()
  for (const { name, value } of threads.flat()) {
    const sum = sums.get(name) ?? 0
    sums.set(name, known.test(name) ? Math.max(sum, value) : sum + value)
  }
  return [...sums].map(([name, value]) => ({ name, value }))
}

export function addedUp(all: readonly Counted[]): Counted {
  return { counters: mergedCounters(all.map(({ counters }) => counters)), metrics: snapshotOf(mergedMetrics(all.map(({ metrics }) => metrics))) }
}

/** Of a thread that is gone: what only grows stays counted, or rates would be computed from a fall. */
export function withoutGauges({ counters, metrics }: Counted): Counted {
  return { counters: counters.filter(({ name }) => !isGauge(name)), metrics: metrics.filter(({ type }) => type !== 'gauge') }
}

/** Hosts as the first thread sees them, with what all of them carry. */
export function mergedClusters([first = [], ...others]: readonly (readonly ClusterShown[])[]): ClusterShown[] {
  const byName = others.map((clusters) => new Map(clusters.map((one) => [one.name, new Map(one.hosts.map((host) => [host.name, host]))])))
  return first.map((cluster) => ({
    ...cluster,
    hosts: cluster.hosts.map((host) => mergedHost(host, byName.flatMap((clusters) => clusters.get(cluster.name)?.get(host.name) ?? []))),
  }))
}

function mergedHost(first: HostShown, others: readonly HostShown[]): HostShown {
  const all = [first, ...others]
  const stats = { ...first.stats! }
  for (const { stats: more } of others) for (const name of statNames) stats[name] += more?.[name] ?? 0
  return {
    ...plainHost(first),
    active: all.reduce((sum, { active }) => sum + active, 0),
    suspect: all.some(({ suspect }) => suspect === true),
    ejection: all.find(({ ejection }) => ejection !== undefined)?.ejection,
    ...(first.stats === undefined ? {} : { stats }),
  }
}

const statNames = ['cxTotal', 'cxActive', 'cxConnectFail', 'rqTotal', 'rqSuccess', 'rqError', 'rqTimeout'] as const

/** A host with its numbers of the moment, that may leave its thread. */
export function plainHost({ address, name, weight, health, suspect = false, ejection, priority = 0, locality = '', active, stats }: HostShown): HostShown {
  const { cxTotal = 0, cxActive = 0, cxConnectFail = 0, rqTotal = 0, rqSuccess = 0, rqError = 0, rqTimeout = 0 } = stats ?? {}
  return {
    address: { ...address }, name, weight, health, suspect, ejection, priority, locality, active,
    ...(stats === undefined ? {} : { stats: { cxTotal, cxActive, cxConnectFail, rqTotal, rqSuccess, rqError, rqTimeout } }),
  }
}

export function mergedPeers(threads: readonly InboundPeersShown[]): InboundPeersShown {
  const ports = new Map<number, number>()
  const clients = new Map<string, PlaintextClient>()
  for (const { port, mutual } of threads.flatMap((one) => one.ports)) ports.set(port, (ports.get(port) ?? 0) + mutual)
  for (const client of threads.flatMap(({ plaintext }) => plaintext)) {
    const key = `${client.port} ${client.address}`
    const before = clients.get(key)
    clients.set(key, before === undefined ? client : {
      ...client,
      connections: before.connections + client.connections,
      refused: before.refused + client.refused,
      first: before.first < client.first ? before.first : client.first,
      last: before.last > client.last ? before.last : client.last,
      says: [...new Set([...before.says, ...client.says])],
    })
  }
  return {
    since: threads.map(({ since }) => since).sort()[0] ?? '',
    ports: [...ports].map(([port, mutual]) => ({ port, mutual })),
    plaintext: [...clients.values()].sort((one, other) => (one.last < other.last ? 1 : -1)),
    forgotten: threads.reduce((sum, { forgotten }) => sum + forgotten, 0),
  }
}
