// One cluster at work: knows its hosts wherever they come from, chooses among them, lends connections within its circuit
// breakers. When it is replaced or removed, what is open finishes; it is done once nothing is left.
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { keepAliveProblem } from '../../net/keep-alive.ts'
import type { ResolveName } from '../../net/resolve.ts'
import { formatAddress, parseAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Cluster as ClusterMessage } from '../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterStatus } from '../admin/clusters.ts'
import type { Random } from './balancer/balancer.ts'
import { createBalancer, isHashing, warmsUp } from './balancer/create.ts'
import { Breakers } from './breakers.ts'
import { decodeCluster, serviceOf } from './cluster-config.ts'
import type { ClusterConfig } from './cluster-config.ts'
import { DnsHosts } from './dns-hosts.ts'
import { DynamicHosts } from './dynamic-hosts.ts'
import { hostName } from './endpoints.ts'
import type { EndpointSettings } from './endpoints.ts'
import { failLater } from './fail-later.ts'
import { RuntimeHost } from './host.ts'
import { HostSet } from './host-set.ts'
import type { MeshEndpoints } from './mesh-endpoints.ts'
import { OriginalHosts } from './original-hosts.ts'
import { OutlierDetector } from './outlier/detector.ts'
import type { OutlierDetection } from './outlier/detector.ts'
import { OutlierFollower } from './outlier/follower.ts'
import type { OutlierMonitor } from './outlier/monitor.ts'
import type { Connector } from './pool/connector.ts'
import { createPool } from './pool/create.ts'
import type { Pool, PoolParts } from './pool/pool.ts'
import type { ClusterSharing } from './sharing.ts'
import { ClusterStats, statLines } from './stats.ts'
import type { StatLine } from './stats.ts'
import type { UpstreamTls } from './tls.ts'
import type { TlsContexts } from './tls-contexts.ts'
import { TransportSockets } from './transport-sockets.ts'
import type { Fleet } from './zone-aware.ts'
import type { ChoiceContext, ClientAddresses, Cluster, Host, ResponseReader, StreamWaiter, TransportWaiter } from './types.ts'

export interface RunningClusterParts {
  readonly contexts: TlsContexts
  readonly connector: Connector
  readonly clock: Clock
  readonly random: Random
  readonly resolve: ResolveName
  /** The proxies like this one, where they are known. */
  fleet(): Fleet | undefined
  /** With the other threads of this proxy. */
  readonly sharing?: ClusterSharing | undefined
  /** Of all clusters of the proxy. */
  readonly meshEndpoints: MeshEndpoints
  /** `sweep` has something to look at. */
  onIdle(cluster: RunningCluster): void
}

export class RunningCluster implements Cluster {
  readonly name: string
  readonly service: Cluster['service']
  readonly connectTimeoutMs: number
  /** Empty: it has none. */
  readonly assignmentName: string
  readonly stats: ClusterStats
  /** Why its connections are not asked as it says whether they live. */
  readonly keepAliveProblem: string | undefined
  readonly message: ClusterMessage
  readonly #config: ClusterConfig
  readonly #parts: RunningClusterParts
  readonly #sockets: TransportSockets
  readonly #breakers: Breakers
  readonly #pools: PoolParts
  readonly #hosts: HostSet
  readonly #outliers: OutlierDetection | undefined
  readonly #original: OriginalHosts
  readonly #dns: DnsHosts | undefined
  readonly #dynamic: DynamicHosts | undefined
  /** Hosts that are none any more, until the last of what is open to them has ended. */
  readonly #leaving = new Set<RuntimeHost>()
  #state: 'serving' | 'retired' | 'closed' = 'serving'

  /** Throws `proxy/bad-config`. Nothing runs before `start`. `stats`: of the cluster that it replaces; counters go on. */
  constructor(message: ClusterMessage, parts: RunningClusterParts, stats = new ClusterStats()) {
    const config = decodeCluster(message)
    this.message = message
    this.stats = stats
    this.name = config.name
    this.service = serviceOf(message)
    this.connectTimeoutMs = config.connectTimeoutMs
    this.assignmentName = config.assignmentName
    this.#config = config
    this.keepAliveProblem = config.keepAlive && keepAliveProblem(config.keepAlive)
    this.#parts = parts
    this.#sockets = new TransportSockets(message, parts.contexts)
    this.#breakers = new Breakers(config.breakers, () => parts.clock.now(), parts.sharing?.breakers(config.name))
    this.#pools = this.#poolParts()
    this.#outliers = this.#createDetector()
    this.#hosts = this.#createHosts()
    this.#original = new OriginalHosts({
      meshEndpoints: config.knowsMesh ? parts.meshEndpoints : undefined,
      create: (settings, tls) => this.#createHost(settings, tls),
      retire: (host) => this.#leave(host),
    })
    this.#dns = this.#createDns()
    this.#dynamic = this.#createDynamic()
  }

  /** `endpoints`: of its load assignment, where that has come already. */
  start(endpoints: readonly EndpointSettings[] | undefined): void {
    this.#hosts.replace(this.#dns?.hosts() ?? endpoints ?? this.#config.endpoints)
    this.#outliers?.start()
    this.#dns?.start()
  }

  updateEndpoints(endpoints: readonly EndpointSettings[]): void {
    this.#hosts.replace(endpoints)
  }

  /** Other proxies like this one have come or gone. */
  fleetChanged(): void {
    if (this.#config.zoneAware !== undefined) this.#hosts.refresh()
  }

  /** Without those that clients named. */
  get members(): readonly RuntimeHost[] {
    return this.#hosts.all
  }

  status(): ClusterStatus {
    return { name: this.name, assignmentName: this.assignmentName, hosts: this.#known() }
  }

  statLines(): readonly StatLine[] {
    this.#hosts.count()
    return statLines(this.name, this.stats)
  }

  // --- What the HTTP and TCP sides ask for ---

  chooseHost({ hash, originalDestination, tried, avoidPriorities, authority }: ChoiceContext): Host | undefined {
    if (this.#dynamic !== undefined) return authority === undefined ? undefined : this.#dynamic.at(authority)
    if (this.#config.discovery !== 'original-destination') return this.#hosts.choose(tried, hash, avoidPriorities)
    if (originalDestination === undefined) return undefined
    const member = this.#hosts.size === 0 ? undefined : this.#hosts.named(hostName(originalDestination))
    return member ?? this.#original.at(originalDestination)
  }

  knows(originalDestination: Address | undefined): boolean {
    return originalDestination !== undefined && this.#config.knowsMesh && this.#parts.meshEndpoints.at(hostName(originalDestination)) !== undefined
  }

  request(host: Host, reader: ResponseReader, waiter: StreamWaiter, authority = '', client?: ClientAddresses): () => void {
    const to = own(host)
    if (this.#dynamic === undefined) return this.#poolOf(to, this.#serverNameFor(authority), client).request(reader, waiter)
    return this.#dynamic.onceResolved(to, () => this.#poolOf(to, this.#serverNameFor(authority), client).request(reader, waiter), waiter)
  }

  tryRetry(): boolean {
    if (this.#breakers.retriesFull) {
      this.stats.upstream_rq_retry_overflow++
      return false
    }
    this.#breakers.retries++
    this.stats.upstream_rq_retry++
    return true
  }

  retryDone(): void {
    this.#breakers.retries--
  }

  /** An opaque connection does not queue: over the limit it fails, unless it is the host's only one. */
  connect(to: Host, waiter: TransportWaiter, client?: ClientAddresses): () => void {
    const host = own(to)
    if (this.#dynamic === undefined) return this.#connectTo(host, waiter, client)
    return this.#dynamic.onceResolved(host, () => this.#connectTo(host, waiter, client), waiter)
  }

  #connectTo(host: RuntimeHost, waiter: TransportWaiter, client: ClientAddresses | undefined): () => void {
    if (this.#state === 'closed') return failLater(() => waiter.onFailure('local-reset', ''))
    if (this.#breakers.connectionsFull && host.stats.cxActive > 0) {
      this.stats.upstream_cx_overflow++
      return failLater(() => waiter.onFailure('overflow', ''))
    }
    this.#breakers.connections++
    let over = false
    const request = {
      host, use: this.#config.knowsMesh ? 'bytes-by-address' as const : 'tcp' as const, serverName: '', verifyServerName: false, timeoutMs: this.connectTimeoutMs,
      keepAlive: this.#config.keepAlive, client, onClosed: () => this.#sessionEnded(host),
    }
    const stop = this.#parts.connector.open(request, (failure, transport) => {
      over = true
      if (failure === undefined) {
        host.onSession()
        return waiter.onTransport(transport!)
      }
      this.#breakers.connections--
      if (failure.blamesHost) host.onConnectFailure(failure.reason === 'connection-timeout')
      waiter.onFailure(failure.reason, failure.detail)
    })
    return () => {
      if (over) return
      over = true
      this.#breakers.connections--
      stop()
    }
  }

  // --- Its end ---

  /** Another took its place, or none did. Those who still hold it may go on using it. */
  retire(): void {
    this.#state = 'retired'
    this.#dns?.stop()
    this.#dynamic?.stop()
    this.#outliers?.stop()
    for (const host of this.#known()) this.#leave(host)
  }

  /** Everything ends now. */
  close(): void {
    this.#state = 'closed'
    this.#dns?.stop()
    this.#dynamic?.stop()
    this.#outliers?.stop()
    for (const host of this.#known()) host.destroy()
    for (const host of this.#leaving) host.destroy()
  }

  /** Closes what was idle for too long, forgets what has ended. False: there is nothing left to look at. */
  sweep(): boolean {
    let more = false
    for (const host of this.#known()) more = host.sweep() || more
    for (const host of this.#leaving) {
      host.sweep()
      if (host.unused) this.#leaving.delete(host)
    }
    const named = this.#dynamic?.forgetUnused() === true
    return this.#original.forgetUnused() || named || more || this.#leaving.size > 0
  }

  // --- Hosts and their pools ---

  #known(): readonly RuntimeHost[] {
    return [...this.#hosts.all, ...this.#original.all, ...(this.#dynamic?.all ?? [])]
  }

  #createHosts(): HostSet {
    const { balancer, panicPercent, weighsLocalities, warmUp, zoneAware } = this.#config
    const { random, clock } = this.#parts
    return new HostSet({
      stats: this.stats, panicPercent, random,
      localities: !weighsLocalities ? 'none' : isHashing(balancer) ? 'share' : 'draw',
      warmUp: warmsUp(balancer) ? warmUp : undefined,
      zoneAware, fleet: () => this.#parts.fleet(),
      createBalancer: () => createBalancer(balancer, random),
      now: () => clock.now(),
      create: (settings) => this.#parts.meshEndpoints.add(this.#createHost(settings)),
      retire: (host) => this.#leave(host),
    })
  }

  /** `tls`: instead of its own. */
  #createHost(settings: EndpointSettings, tls?: UpstreamTls): RuntimeHost {
    const socket = this.#sockets.socketFor(settings.socketLabels)
    return new RuntimeHost(settings, {
      stats: this.stats,
      socket: tls === undefined ? socket : { ...socket, tls },
      now: () => this.#parts.clock.now(),
      ...(this.#outliers !== undefined && { watch: (name: string) => this.#outliers!.watch(name) }),
      onSuspicion: () => this.#hosts.refresh(),
    })
  }

  /** Hosts that clients name themselves (ORIGINAL_DST) are not for us to leave out. */
  #createDetector(): OutlierDetection | undefined {
    const { outliers: settings, discovery, name } = this.#config
    if (settings === undefined || discovery === 'original-destination' || discovery === 'by-authority') return undefined
    const sharing = this.#parts.sharing?.outliers(name)
    const onChange = (readmitted: readonly OutlierMonitor[]): void => this.#onOutliers(readmitted)
    if (sharing !== undefined && !sharing.judges) return new OutlierFollower({ settings, onChange }, sharing)
    const { clock, random } = this.#parts
    return new OutlierDetector({ settings, clock, random, stats: this.stats, hostCount: () => this.#hosts.size, onChange, sharing })
  }

  #onOutliers(readmitted: readonly OutlierMonitor[]): void {
    for (const host of this.#hosts.all) if (host.monitor !== undefined && readmitted.includes(host.monitor)) host.onReadmitted()
    this.#hosts.refresh()
  }

  #createDns(): DnsHosts | undefined {
    const { discovery, endpoints, dns } = this.#config
    if (discovery !== 'strict-dns' && discovery !== 'logical-dns') return undefined
    const { resolve, clock, random } = this.#parts
    return new DnsHosts({ kind: discovery, endpoints, settings: dns, resolve, clock, random, onHosts: (hosts) => this.#hosts.replace(hosts) })
  }

  #createDynamic(): DynamicHosts | undefined {
    const { discovery, dns, http } = this.#config
    if (discovery !== 'by-authority') return undefined
    const { resolve, clock, random } = this.#parts
    return new DynamicHosts({ settings: dns, defaultPort: http.autoServerName ? 443 : 80, resolve, clock, random, create: (settings) => this.#createHost(settings) })
  }

  #poolParts(): PoolParts {
    const { http, connectTimeoutMs, keepAlive } = this.#config
    const { connector, clock, random } = this.#parts
    return { http, connectTimeoutMs, keepAlive, breakers: this.#breakers, stats: this.stats, connector, clock, random, onIdle: () => this.#parts.onIdle(this) }
  }

  /** Connections of which the host was told whose they are, are for that client only. */
  #poolOf(host: RuntimeHost, serverName: string, client: ClientAddresses | undefined): Pool {
    if (this.#state !== 'serving' || host.retired) this.#leave(host)
    const told = host.socket.proxyProtocol === undefined && client?.sourceMark === undefined ? undefined : client
    const { protocol } = this.#config.http
    const speaks = protocol !== 'downstream' ? protocol : client?.http2 === true ? 'http2' : 'http1'
    const key = told === undefined && protocol !== 'downstream' ? serverName : keyOf(serverName, told, speaks)
    const known = host.pools.get(key)
    if (known !== undefined) return known
    const pool = createPool(speaks, { host, serverName, client: told }, this.#pools)
    host.pools.set(key, pool)
    if (host.retired) pool.drain()
    if (this.#state === 'closed') pool.destroy()
    return pool
  }

  #leave(host: RuntimeHost): void {
    host.retire()
    this.#parts.meshEndpoints.remove(host)
    if (host.monitor !== undefined) this.#outliers?.forget(host.monitor)
    this.#leaving.add(host)
    this.#parts.onIdle(this)
  }

  /** As Envoy's auto_sni and auto_san_validation: the authority without its port. */
  #serverNameFor(authority: string): string {
    const { autoServerName, autoVerify } = this.#config.http
    return autoServerName || autoVerify ? (parseAddress(authority)?.host ?? authority).toLowerCase() : ''
  }

  #sessionEnded(host: RuntimeHost): void {
    this.#breakers.connections--
    host.onSessionEnd()
    this.#parts.onIdle(this)
  }
}

function keyOf(serverName: string, client: ClientAddresses | undefined, protocol: string): string {
  const told = client === undefined ? '' : client.sourceMark !== undefined ? client.remoteAddress.host : `${formatAddress(client.remoteAddress)} ${formatAddress(client.originalDestination)}`
  return `${serverName} ${protocol} ${told}`
}

function own(host: Host): RuntimeHost {
  if (host instanceof RuntimeHost) return host
  throw new MeshError('proxy/foreign-host', `${host.name} was not chosen by a cluster of this proxy`)
}
