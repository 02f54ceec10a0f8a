// Listeners of the proxy without xDS, routes or pools: messages in, real sockets out, clusters that are plain addresses.
import { systemClock } from '../../src/lib/clock.ts'
import { formatAddress } from '../../src/model/address.ts'
import type { Address } from '../../src/model/address.ts'
import { connect } from '../../src/net/connect.ts'
import { Acceptor } from '../../src/proxy/listen/accept.ts'
import type { Refused } from '../../src/proxy/listen/accept.ts'
import type { Capture } from '../../src/proxy/listen/capture.ts'
import { noCapture } from '../../src/proxy/listen/capture.ts'
import { compileListener } from '../../src/proxy/listen/compile.ts'
import type { CompiledListener } from '../../src/proxy/listen/compile.ts'
import { compileDownstreamTls } from '../../src/proxy/listen/downstream-tls.ts'
import { Sockets } from '../../src/proxy/listen/sockets.ts'
import { compileTcpProxy } from '../../src/proxy/tcp/tcp-proxy.ts'
import type { TcpSession } from '../../src/proxy/tcp/tcp-proxy.ts'
import type { ConnectionGuard } from '../../src/proxy/tcp/filters/rbac.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import type { Cluster, ClusterLookup } from '../../src/proxy/upstream/types.ts'
import { hostAt } from './hosts.ts'
import type { Listener } from '../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'

export interface ListenerWorldOptions {
  /** Cluster name -> where its one host is; `original` goes where the client meant to go. */
  readonly clusters: Readonly<Record<string, Address | 'original' | 'empty'>>
  /** Whole clusters instead. */
  readonly lookup?: ClusterLookup
  readonly secrets?: Secrets
  readonly capture?: Capture
  readonly maxConnections?: number
  readonly maxHandshakes?: number
  /** Before the bytes of every chain. */
  readonly guard?: ConnectionGuard
}

const noSecrets: Secrets = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

export class ListenerWorld implements AsyncDisposable {
  readonly refused: Refused[] = []
  readonly sessions: TcpSession[] = []
  readonly problems: string[] = []
  /** Destinations whose servers were found to speak first. */
  readonly serverFirst: string[] = []
  listeners: ReadonlyMap<string, CompiledListener> = new Map()
  readonly #options: ListenerWorldOptions
  readonly #capture: Capture
  readonly #sockets: Sockets
  readonly #acceptor: Acceptor
  #waiting: (() => void)[] = []

  constructor(options: ListenerWorldOptions) {
    this.#options = options
    this.#capture = options.capture ?? noCapture
    this.#acceptor = new Acceptor({
      clock: systemClock,
      listeners: () => this.listeners,
      maxConnections: options.maxConnections ?? 1000,
      maxHandshakes: options.maxHandshakes ?? 1000,
      onFault: (listenerName, error) => this.problems.push(`${listenerName}: ${String(error)}`),
      onServerFirst: (destination) => this.serverFirst.push(formatAddress(destination)),
      onRefused: (refused) => {
        this.refused.push(refused)
        this.#changed()
      },
    })
    this.#sockets = new Sockets({
      clock: systemClock,
      bindsAt: (listener) => this.#capture.bindsAt(listener),
      onConnection: (name, inbound) => this.#acceptor.accept(name, inbound, { originalDestination: inbound.localAddress, authority: undefined }),
      onProblem: ({ message }) => {
        this.problems.push(message)
        this.#changed()
      },
    })
  }

  async serve(...messages: Listener[]): Promise<void> {
    const secrets = this.#options.secrets ?? noSecrets
    this.listeners = new Map(messages.map((message) => [message.name, compileListener(message, this.listeners.get(message.name), {
      compileTls: (chain) => compileDownstreamTls(chain, secrets),
      compileService: (terminal) => {
        if (terminal.kind === 'http') throw new Error('this world only forwards bytes')
        return compileTcpProxy(terminal.config, {
          clusters: this.#options.lookup ?? ((name) => this.#cluster(name)), clock: systemClock, random: Math.random, namedPort: terminal.namedPort,
          ...(this.#options.guard !== undefined && { guard: this.#options.guard }),
          onEnd: (session) => {
            this.sessions.push(session)
            this.#changed()
          },
        })
      },
    })]))
    await this.#sockets.reconcile(this.listeners)
  }

  async startCapture(): Promise<void> {
    await this.#capture.start((direction, inbound, arrival) => {
      this.#acceptor.accept(direction === 'outbound' ? 'virtualOutbound' : 'virtualInbound', inbound, arrival)
    })
  }

  /** Resolves as soon as the condition holds; it is looked at after every event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sockets.close()
    await this.#capture.stop()
    for (const { chains } of this.listeners.values()) for (const { service } of chains) service.close()
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #cluster(name: string): Cluster | undefined {
    const target = this.#options.clusters[name]
    if (target === undefined) return undefined
    return {
      name, service: undefined, connectTimeoutMs: 1000,
      chooseHost: ({ originalDestination }) => {
        if (target === 'empty') return undefined
        return hostAt(target === 'original' ? this.#capture.dial(originalDestination!, false) : target)
      },
      request: () => { throw new Error('this world only forwards bytes') }, tryRetry: () => true, retryDone() {},
      connect: (host, waiter) => connect({ address: host.address, timeoutMs: 1000 }, (error, transport) => {
        if (transport === undefined) waiter.onFailure('connection-failure', error!.message)
        else waiter.onTransport(transport)
      }),
    }
  }
}
