// One HTTP connection manager on a real socket in front of real clusters, without xDS, listeners' matching or a plan.
import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { systemClock } from '../../src/lib/clock.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { Address } from '../../src/model/address.ts'
import { listen } from '../../src/net/listen.ts'
import type { Listening } from '../../src/net/listen.ts'
import type { ResolveName } from '../../src/net/resolve.ts'
import type { Transports } from '../../src/net/transport-options.ts'
import { ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { RouteConfigurationSchema as Routes } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteActionSchema, RouteSchema } from '../../src/proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { CorsSchema } from '../../src/proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../src/proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { RouterSchema } from '../../src/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpConnectionManagerSchema } from '../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import { compileConnectionManager } from '../../src/proxy/http/connection-manager.ts'
import type { HttpDeps, HttpService, RouteTable } from '../../src/proxy/http/connection-manager.ts'
import type { Exchange } from '../../src/proxy/http/exchange.ts'
import { compileRoutes } from '../../src/proxy/http/router/compile.ts'
import { openClusters } from '../../src/proxy/upstream/cluster-set.ts'
import type { Clusters } from '../../src/proxy/upstream/cluster-set.ts'
import { rawClient } from './raw-peer.ts'
import type { RawConnection } from './raw-peer.ts'
import { socketAddress, typed } from './xds-messages.ts'

/** A message as it is written down, not one that was made already. */
type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, MessageShape<Schema>>

export type RouteInit = Init<typeof RouteSchema>
export type ActionInit = Init<typeof RouteActionSchema>
export type TableInit = Init<typeof Routes>
export type ManagerInit = Init<typeof HttpConnectionManagerSchema>
export type ClusterInit = Init<typeof ClusterSchema>

export interface HttpWorldOptions {
  /** Cluster name -> its hosts, and more of the message. */
  readonly clusters?: Readonly<Record<string, readonly Address[]>>
  readonly cluster?: ClusterInit
  /** All of the table, or the routes of one virtual host for every name; without either: everything to cluster `up`. */
  readonly table?: TableInit
  readonly routes?: readonly RouteInit[]
  readonly manager?: ManagerInit
  readonly deps?: Partial<HttpDeps>
  readonly transports?: Transports
  readonly clock?: Clock
  readonly resolve?: ResolveName
}

const noSecrets: Secrets = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

/** A route for a prefix, to one cluster; `action` and `route` add to it. */
export function routeTo(cluster: string, prefix = '/', action: ActionInit = {}, route: RouteInit = {}): RouteInit {
  return {
    match: { pathSpecifier: { case: 'prefix', value: prefix } },
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, ...action } },
    ...route,
  }
}

export const tableOf = (routes: readonly RouteInit[]): TableInit => ({ name: 'table', virtualHosts: [{ name: 'all', domains: ['*'], routes: [...routes] }] })

export function clusterMessage(name: string, hosts: readonly Address[], over: ClusterInit = {}) {
  return create(ClusterSchema, {
    name,
    connectTimeout: { seconds: 2n, nanos: 0 },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: hosts.map(({ host, port }) => ({ hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(host, port) } } })) }] },
    ...over,
  })
}

export const httpFilters = [
  typed('envoy.filters.http.cors', CorsSchema, {}),
  typed('envoy.filters.http.fault', HTTPFaultSchema, {}),
  typed('envoy.filters.http.router', RouterSchema, {}),
]

export class HttpWorld implements AsyncDisposable {
  /** Every exchange that has ended, in order. */
  readonly ended: Exchange[] = []
  readonly service: HttpService
  readonly upstream: Clusters
  readonly table: { current: RouteTable['current'] }
  readonly #listening: Listening
  #waiting: (() => void)[] = []

  private constructor(service: HttpService, upstream: Clusters, table: { current: RouteTable['current'] }, listening: Listening) {
    this.service = service
    this.upstream = upstream
    this.table = table
    this.#listening = listening
  }

  static async start(options: HttpWorldOptions = {}): Promise<HttpWorld> {
    const { clusters = {}, table: init = tableOf(options.routes ?? [routeTo('up')]), clock = systemClock, deps = {} } = options
    const upstream = openClusters({ secrets: noSecrets, dial: (address) => address, random: Math.random, ...(options.resolve === undefined ? {} : { resolve: options.resolve }) })
    upstream.update(Object.entries(clusters).map(([name, hosts]) => clusterMessage(name, hosts, options.cluster)))
    const table = { current: compileRoutes(create(Routes, init)) as RouteTable['current'] }
    const manager = create(HttpConnectionManagerSchema, {
      statPrefix: 'test', httpFilters, routeSpecifier: { case: 'rds', value: { routeConfigName: 'table' } }, ...options.manager,
    })
    let world: HttpWorld | undefined
    const service = compileConnectionManager(manager, {
      direction: 'outbound', clusters: upstream.lookup, routes: () => table, clock, random: Math.random,
      onExchangeEnd: (exchange) => world!.#onEnd(exchange), ...deps,
    })
    const listening = await listen({
      address: { host: '127.0.0.1', port: 0 },
      onConnection: (inbound) => service.serve({ arrival: { originalDestination: inbound.localAddress, authority: undefined } }, inbound.plain()),
      ...(options.transports === undefined ? {} : { transports: options.transports }),
    })
    world = new HttpWorld(service, upstream, table, listening)
    return world
  }

  get address(): Address {
    return this.#listening.address
  }

  get url(): string {
    return `http://127.0.0.1:${this.address.port}`
  }

  get last(): Exchange {
    return this.ended.at(-1)!
  }

  setRoutes(routes: readonly RouteInit[]): void {
    this.table.current = compileRoutes(create(Routes, tableOf(routes)))
  }

  client(): Promise<RawConnection> {
    return rawClient(this.address)
  }

  /** Sends bytes on a connection of their own, and gives all that came until it ended. */
  async exchange(text: string): Promise<string> {
    await using client = await this.client()
    client.send(text)
    return await client.closed()
  }

  /** What curl writes, head included. */
  async curl(path: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('curl', ['-s', '-i', '--max-time', '20', ...args, this.url + path])
    return stdout
  }

  async untilEnded(count: number): Promise<void> {
    const deadline = Date.now() + 10_000
    while (this.ended.length < count) {
      if (Date.now() > deadline) throw new Error(`${this.ended.length} of ${count} exchanges have ended`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        this.#waiting.push(() => (clearTimeout(timer), resolve()))
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.service.close()
    this.upstream.close()
    this.#listening.destroyConnections()
    await this.#listening.close()
  }

  #onEnd(exchange: Exchange): void {
    this.ended.push(exchange)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
