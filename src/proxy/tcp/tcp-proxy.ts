// The tcp_proxy network filter: chooses a cluster and a host for a connection, connects, and leaves the copying of bytes
// to Forward. Reports each connection once, when it has ended.
import type { Clock } from '../../lib/clock.ts'
import { MeshError, spawn } from '../../lib/errors.ts'
import { Roster } from '../../lib/roster.ts'
import { xxHash64 } from '../../lib/xxhash64.ts'
import type { Hash64 } from '../../lib/xxhash64.ts'
import type { Transport } from '../../net/transport.ts'
import type { TcpProxy } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { serverNameOf } from '../listen/detect.ts'
import type { AcceptedConnection, Arrived, ChainService } from '../listen/connection.ts'
import type { Cluster, ClusterLookup, Host } from '../upstream/types.ts'
import { milliseconds } from '../xds/duration.ts'
import type { ConnectionGuard, ConnectionVerdict } from './filters/rbac.ts'
import { Forward } from './forward.ts'
import type { ForwardResult } from './forward.ts'
import { awaitGreeting } from './greeting.ts'
import type { Greeting } from './greeting.ts'
import { openTunnel } from './tunnel.ts'
import type { TunnelRequest } from './tunnel.ts'

/** Those who log and count connections. Must not throw. */
export interface TcpHooks {
  /** Bytes begin to flow. */
  onOpen?(session: OpenTcpSession): void
  onEnd(session: TcpSession): void
}

export interface TcpParts extends TcpHooks {
  readonly clusters: ClusterLookup
  readonly clock: Clock
  /** A number in [0, 1). */
  random(): number
  /** Who may connect; without it, everybody. */
  readonly guard?: ConnectionGuard
  /** The server name of a ClientHello is the host, at this port; 0: it is not. */
  readonly namedPort?: number
}

/** A connection that has its upstream. */
export interface OpenTcpSession {
  readonly connection: AcceptedConnection
  readonly downstream: Transport
  readonly upstream: Transport
  readonly clusterName: string
  readonly cluster: Cluster | undefined
  readonly host: Host | undefined
  /** Bytes so far: from the client, and to it. */
  readonly received: number
  readonly sent: number
}

/** What is known of one connection when it has ended. */
export interface TcpSession {
  readonly connection: AcceptedConnection
  readonly downstream: Transport
  readonly upstream: Transport | undefined
  readonly clusterName: string
  readonly cluster: Cluster | undefined
  readonly host: Host | undefined
  readonly startTime: number
  readonly endTime: number
  /** Envoy's flags: NC, UH, `UF,URX`, or empty. */
  readonly flags: string
  readonly failure: string
  /** Why the proxy would not have it, in Envoy's words; empty where it did. */
  readonly denial: string
  /** Envoy's response code details, where there are any. */
  readonly details?: string
  /** The AUDIT policy that matched it. */
  readonly audited?: string | undefined
  readonly result: ForwardResult | undefined
  /** As it was told to `onOpen`; undefined when it never had an upstream. */
  readonly open: OpenTcpSession | undefined
}

/** Envoy's default for `idle_timeout`. */
const defaultIdleMs = 3_600_000

export function compileTcpProxy(config: TcpProxy, parts: TcpParts): ChainService {
  return new TcpService(parts, clusterChooser(config, parts.random), {
    idleMs: config.idleTimeout === undefined ? defaultIdleMs : milliseconds(config.idleTimeout),
    longestMs: config.maxDownstreamConnectionDuration === undefined ? 0 : milliseconds(config.maxDownstreamConnectionDuration),
    attempts: config.maxConnectAttempts ?? 1,
    tunnel: tunnelOf(config),
    hashesSource: hashesSource(config),
  })
}

/** Undefined: bytes go to the host as they are. */
function tunnelOf({ tunnelingConfig: tunnel }: TcpProxy): TcpLimits['tunnel'] {
  if (tunnel === undefined) return undefined
  if (tunnel.hostname === '' || tunnel.hostname.includes('%')) throw new MeshError('proxy/bad-config', `tcp_proxy: tunneling_config.hostname ${JSON.stringify(tunnel.hostname)} is no plain host and port`)
  return { target: tunnel.hostname, method: tunnel.usePost ? 'POST' : 'CONNECT' }
}

function hashesSource({ hashPolicy }: TcpProxy): boolean {
  const [only] = hashPolicy
  if (only === undefined) return false
  if (hashPolicy.length > 1 || only.policySpecifier.case !== 'sourceIp') throw new MeshError('proxy/bad-config', 'tcp_proxy: hash_policy can be the source address only')
  return true
}

function clusterChooser({ clusterSpecifier }: TcpProxy, random: () => number): () => string {
  if (clusterSpecifier.case === 'cluster') return () => clusterSpecifier.value
  if (clusterSpecifier.case !== 'weightedClusters') throw new MeshError('proxy/bad-config', 'tcp_proxy: no cluster')
  const { clusters } = clusterSpecifier.value
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0)
  if (total === 0) throw new MeshError('proxy/bad-config', 'tcp_proxy: the weights add up to 0')
  return () => {
    let left = random() * total
    return clusters.find(({ weight }) => (left -= weight) < 0)!.name
  }
}

interface TcpLimits {
  readonly idleMs: number
  /** From the client's connecting; 0: no limit. */
  readonly longestMs: number
  readonly attempts: number
  /** What an HTTP proxy behind the cluster is asked for. */
  readonly tunnel: Pick<TunnelRequest, 'target' | 'method'> | undefined
  /** Connections of one client address go to one host. */
  readonly hashesSource: boolean
}

class TcpService implements ChainService {
  readonly #parts: TcpParts
  readonly #choose: () => string
  readonly #limits: TcpLimits
  readonly #open = new Roster<TcpConnection>()

  constructor(parts: TcpParts, choose: () => string, limits: TcpLimits) {
    this.#parts = parts
    this.#choose = choose
    this.#limits = limits
  }

  get active(): number {
    return this.#open.size
  }

  readonly serve = (accepted: AcceptedConnection, downstream: Transport): void => {
    const ended = (connection: TcpConnection) => this.#open.delete(connection)
    this.#open.add(new TcpConnection(this.#parts, this.#limits, accepted, downstream, this.#choose(), ended))
  }

  readonly askForGreeting = ({ inbound, arrival }: Arrived, done: (greeting: Greeting) => void): (() => void) => {
    const { remoteAddress } = inbound
    // The server would hear of a client that may not come to it.
    const denied = this.#parts.guard?.mayAsk === true || this.#parts.guard?.judge({ inbound, arrival }, { remoteAddress, tls: undefined }) !== undefined
    const cluster = denied || this.#limits.tunnel !== undefined ? undefined : this.#parts.clusters(this.#choose())
    if (cluster !== undefined) return awaitGreeting(cluster, { remoteAddress, originalDestination: arrival.originalDestination, sourceMark: arrival.sourceMark }, this.#parts.clock, done)
    queueMicrotask(() => done('unknown'))
    return () => {}
  }

  /** Opaque bytes have no place to stop at: connections run until they end or until the drain's deadline. */
  drain(): void {}

  close(): void {
    for (const connection of this.#open.all()) connection.close()
  }

  newDenial(connection: AcceptedConnection, transport: Transport): string | undefined {
    return this.#parts.guard?.judge(connection, transport)
  }

  recheck(successor: ChainService): void {
    for (const connection of this.#open.all()) connection.recheck(successor)
  }
}

const unguarded: ConnectionVerdict = { denial: undefined, audited: undefined, asks: undefined }

class TcpConnection {
  listIndex = -1
  readonly #parts: TcpParts
  readonly #limits: TcpLimits
  readonly #accepted: AcceptedConnection
  readonly #downstream: Transport
  readonly #clusterName: string
  readonly #cluster: Cluster | undefined
  readonly #startTime: number
  readonly #ended: (connection: TcpConnection) => void
  readonly #tried: Host[] = []
  #upstream: Transport | undefined
  #forward: Forward | undefined
  #open: OpenTcpSession | undefined
  #giveUp: () => void = () => {}
  #cancelLongest: () => void = () => {}
  /** Why we end what is open. */
  #reason = { flags: '', failure: '' }
  #over = false
  #denial = ''
  #details = ''
  #audited: string | undefined = undefined

  constructor(parts: TcpParts, limits: TcpLimits, accepted: AcceptedConnection, downstream: Transport, clusterName: string, ended: (connection: TcpConnection) => void) {
    this.#parts = parts
    this.#limits = limits
    this.#accepted = accepted
    this.#downstream = downstream
    this.#clusterName = clusterName
    this.#cluster = parts.clusters(clusterName)
    this.#startTime = parts.clock.now()
    this.#ended = ended
    // Nothing is read before there is somewhere to write it; a client that leaves meanwhile is noticed by its close.
    downstream.handler = { onData() {}, onDrain() {}, onEnd() {}, onClose: () => this.#finish('', '', undefined) }
    if (limits.longestMs > 0) this.#cancelLongest = parts.clock.after(limits.longestMs, () => this.#end('DT', 'downstream duration timeout'))
    queueMicrotask(() => this.#begin())
  }

  close(): void {
    this.#end('', 'closed by the proxy')
  }

  /** Policies have changed: those that hold now are asked again. */
  recheck(successor: ChainService): void {
    const denial = successor.newDenial?.(this.#accepted, this.#downstream)
    if (denial === undefined) return
    this.#denial = denial
    this.#end('', 'authorization policy changed')
  }

  #end(flags: string, failure: string): void {
    if (this.#forward === undefined) return this.#finish(flags, failure, undefined)
    if (flags !== '') this.#reason = { flags, failure }
    this.#forward.close()
  }

  #begin(): void {
    if (this.#over) return
    const { denial, audited, asks } = this.#parts.guard?.decide(this.#accepted, this.#downstream) ?? unguarded
    this.#audited = audited
    if (denial === undefined) return asks === undefined ? this.#connect() : spawn('asking about a connection', this.#ask(asks))
    this.#denial = denial
    this.#finish('', '', undefined)
  }

  async #ask(asks: NonNullable<ConnectionVerdict['asks']>): Promise<void> {
    const denial = await asks()
    if (denial === undefined) return this.#connect()
    this.#details = denial
    this.#finish('UAEX', '', undefined)
  }

  #connect(): void {
    if (this.#over) return
    const cluster = this.#cluster
    if (cluster === undefined) return this.#finish('NC', `no cluster ${this.#clusterName}`, undefined)
    const originalDestination = this.#accepted.arrival.originalDestination
    const host = cluster.chooseHost({ hash: this.#hash(), originalDestination, tried: this.#tried, ...this.#named() })
    if (host === undefined) return this.#finish('UH', `no host of ${this.#clusterName} is usable`, undefined)
    this.#tried.push(host)
    this.#giveUp = cluster.connect(host, {
      onTransport: (upstream) => this.#onTransport(host, upstream),
      onFailure: (reason, detail) => this.#onFailure(host, reason, detail),
    }, { remoteAddress: this.#downstream.remoteAddress, originalDestination, sourceMark: this.#accepted.arrival.sourceMark })
  }

  #onFailure(host: Host, reason: Parameters<Parameters<Cluster['connect']>[1]['onFailure']>[0], detail: string): void {
    if (this.#over) return
    host.onResult({ kind: 'local', reason })
    if (this.#tried.length < this.#limits.attempts) this.#connect()
    else this.#finish(reason === 'overflow' ? 'UO' : 'UF,URX', detail, undefined)
  }

  #named(): { readonly authority?: string } {
    const { namedPort = 0 } = this.#parts
    const name = namedPort === 0 ? '' : serverNameOf(this.#accepted.inbound)
    return name === '' ? {} : { authority: `${name}:${namedPort}` }
  }

  #hash(): Hash64 | undefined {
    const { host } = this.#downstream.remoteAddress
    return this.#limits.hashesSource && !host.startsWith('unix://') ? xxHash64(host) : undefined
  }

  #onTransport(host: Host, upstream: Transport): void {
    const { tunnel } = this.#limits
    if (tunnel === undefined || this.#over) return this.#onUpstream(upstream, undefined)
    this.#giveUp = openTunnel(upstream, { ...tunnel, timeoutMs: this.#cluster!.connectTimeoutMs, clock: this.#parts.clock }, {
      onTunnel: (opened, early) => this.#onUpstream(opened, early),
      onFailure: (detail) => this.#onFailure(host, 'remote-reset', detail),
    })
  }

  /** `early`: what the server has said already. */
  #onUpstream(upstream: Transport, early: Buffer | undefined): void {
    if (this.#over) return upstream.destroy()
    this.#upstream = upstream
    const { clock } = this.#parts
    this.#forward = new Forward(this.#downstream, upstream, clock, this.#limits.idleMs, (result) => {
      const failed = result.end === 'upstream-closed' && result.error !== undefined
      this.#finish(failed ? 'UC' : this.#reason.flags, result.error?.message ?? this.#reason.failure, result)
    })
    this.#open = this.#openSession(upstream, this.#forward)
    this.#parts.onOpen?.(this.#open)
    if (early !== undefined && early.length > 0) upstream.handler.onData(early, early.length)
  }

  #openSession(upstream: Transport, forward: Forward): OpenTcpSession {
    return {
      connection: this.#accepted, downstream: this.#downstream, upstream,
      clusterName: this.#clusterName, cluster: this.#cluster, host: this.#tried.at(-1),
      get received() {
        return forward.received
      },
      get sent() {
        return forward.sent
      },
    }
  }

  #finish(flags: string, failure: string, result: ForwardResult | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#cancelLongest()
    this.#giveUp()
    this.#ended(this)
    if (result === undefined) this.#downstream.destroy(flags !== '')
    this.#parts.onEnd({
      connection: this.#accepted,
      downstream: this.#downstream,
      upstream: this.#upstream,
      clusterName: this.#clusterName,
      cluster: this.#cluster,
      host: this.#tried.at(-1),
      startTime: this.#startTime,
      endTime: this.#parts.clock.now(),
      flags, failure, result,
      denial: this.#denial,
      details: this.#details,
      audited: this.#audited,
      open: this.#open,
    })
  }
}
