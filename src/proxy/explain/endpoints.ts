// The endpoints of a cluster, which of them a request may come to, and why not to the others: their health and the loads
// of their priorities, by the arithmetic that chooses in traffic.
import type { Cluster } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { Hash64 } from '../../lib/xxhash64.ts'
import { createBalancer, isHashing } from '../upstream/balancer/create.ts'
import { decodeCluster } from '../upstream/cluster-config.ts'
import type { ClusterConfig } from '../upstream/cluster-config.ts'
import { decodeEndpoints } from '../upstream/endpoints.ts'
import { RuntimeHost } from '../upstream/host.ts'
import { TlsContexts } from '../upstream/tls-contexts.ts'
import { TransportSockets } from '../upstream/transport-sockets.ts'
import { HostSet } from '../upstream/host-set.ts'
import { spreadLoad } from '../upstream/priority-load.ts'
import { ClusterStats } from '../upstream/stats.ts'
import type { Host } from '../upstream/types.ts'

export interface ExplainedEndpoint {
  readonly cluster: string
  readonly address: string
  /** `namespace/name`, where the control plane said so. */
  readonly workload: string | null
  readonly locality: string | null
  readonly priority: number
  readonly weight: number
  /** Of the requests to the cluster, as much as its priority takes. */
  readonly priorityPercent: number
  /** Why the request cannot come to it; null where it can. */
  readonly whyNot: string | null
}

export interface ExplainedEndpoints {
  readonly endpoints: readonly ExplainedEndpoint[]
  /** The address that a hash falls on. */
  readonly chosen: string | null
}

/** The hosts of a cluster: of a running one, or as they would be at its start. */
export interface KnownCluster {
  readonly hosts: readonly Host[]
  /** The host for a hash; asked only of clusters that choose by hash. Undefined: there is none. */
  choose(hash: Hash64): Host | undefined
}

/** Of which it is known how its hosts would be spoken to. */
export interface StartingCluster extends KnownCluster {
  readonly hosts: readonly RuntimeHost[]
}

/** Of a running proxy. Undefined: it does not know the cluster. */
export type FindCluster = (name: string) => KnownCluster | undefined

/** A list is to be read by a person. */
const maxListed = 50

export function explainEndpoints(message: Cluster, { hosts, choose }: KnownCluster, hash: Hash64 | undefined): ExplainedEndpoints {
  const config = decodeCluster(message)
  const levels = [...Map.groupBy(hosts, ({ priority = 0 }) => priority)].sort(([one], [other]) => one - other)
  const loads = spreadLoad(levels.map(([, all]) => ({ healthy: all.filter(isTrusted).length, total: all.length })), config.panicPercent)
  const chosen = hash === undefined || !isHashing(config.balancer) ? undefined : choose(hash)
  const endpoints = levels.flatMap(([priority, all], index) => {
    const { percent, panics } = loads[index]!
    const believed = all.some((host) => host.suspect !== true && (panics || isTrusted(host)))
    return all.map((host): ExplainedEndpoint => ({
      ...placed(message.name, host),
      priorityPercent: percent,
      whyNot: unfit(host, panics, believed) ?? unloaded(percent, priority, levels, loads) ?? unchosen(host, chosen) ?? null,
    }))
  })
  return { endpoints: endpoints.slice(0, maxListed), chosen: chosen?.name ?? null }
}

/** The one to which a client connects by its address, which may be a member of another cluster. Undefined: nobody that is known. */
export function explainMet({ name }: Cluster, host: RuntimeHost | undefined): ExplainedEndpoints {
  if (host === undefined) return { endpoints: [], chosen: null }
  return { endpoints: [{ ...placed(host.socket.tls?.cluster ?? name, host), priorityPercent: 100, whyNot: null }], chosen: host.name }
}

function placed(cluster: string, host: Host): Omit<ExplainedEndpoint, 'priorityPercent' | 'whyNot'> {
  const { locality = '', priority = 0, weight } = host
  return { cluster, address: host.name, workload: workloadOf(host), locality: locality.replaceAll('/', '') === '' ? null : locality.replace(/\/+$/, ''), priority, weight }
}

const isTrusted = ({ health, ejection }: Host): boolean => health === 'healthy' && ejection === undefined

function unfit({ health, ejection, suspect }: Host, panics: boolean, believed: boolean): string | undefined {
  if (!panics && health === 'draining') return 'is draining: it finishes what it has'
  if (!panics && health === 'unhealthy') return 'is unhealthy, as the control plane says'
  if (!panics && ejection !== undefined) return `is ejected by outlier detection: ${ejection}`
  return suspect === true && believed ? 'could not be connected to a moment ago' : undefined
}

type Levels = readonly (readonly [priority: number, hosts: readonly Host[]])[]

function unloaded(percent: number, priority: number, levels: Levels, loads: readonly { readonly percent: number }[]): string | undefined {
  if (percent > 0) return undefined
  const carrying = levels.filter((_, index) => loads[index]!.percent > 0).map(([one]) => one)
  return `has priority ${priority}, for when others fail: priority ${carrying.join(' and ')} takes all requests`
}

const unchosen = (host: Host, chosen: Host | undefined): string | undefined =>
  (chosen === undefined || chosen.name === host.name ? undefined : `the hash of the request falls on ${chosen.name}`)

/** `workload;namespace;canonical name;revision;cluster`. */
function workloadOf({ workload }: Host): string | null {
  const [name = '', namespace = ''] = workload.split(';')
  return name === '' ? null : `${namespace}/${name}`
}

/** As a proxy has them that was just sent them, before it has learned anything by itself. */
export function startingCluster(message: Cluster, assignment: ClusterLoadAssignment | undefined): StartingCluster {
  const config = decodeCluster(message)
  const settings = assignment === undefined ? config.endpoints : decodeEndpoints(assignment)
  const hosts = hostSetOf(message, config)
  hosts.replace(settings)
  return { hosts: hosts.all, choose: (hash) => hosts.choose([], hash) }
}

/** Nobody is ever connected to. */
const noContexts = new TlsContexts({ certificate: () => undefined, trust: () => undefined, onChange: () => () => {} })

function hostSetOf(message: Cluster, { balancer, panicPercent, weighsLocalities }: ClusterConfig): HostSet {
  const stats = new ClusterStats()
  const sockets = new TransportSockets(message, noContexts)
  const random = (): number => 0
  return new HostSet({
    stats, panicPercent, random,
    localities: !weighsLocalities ? 'none' : isHashing(balancer) ? 'share' : 'draw',
    warmUp: undefined,
    createBalancer: () => createBalancer(balancer, random),
    now: () => 0,
    create: (settings) => new RuntimeHost(settings, { stats, socket: sockets.socketFor(settings.socketLabels), now: () => 0, onSuspicion: () => {} }),
    retire: () => {},
  })
}
