// The upstream side of a proxy alone: cluster messages in, real connections out, and a way to ask that says all that a
// reader would hear.
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { HeaderList } from '../../src/codec/header-list.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { Address } from '../../src/model/address.ts'
import type { ResolveName } from '../../src/net/resolve.ts'
import type { Transport } from '../../src/net/transport.ts'
import type { CircuitBreakers_ThresholdsSchema as ThresholdsSchema } from '../../src/proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { Cluster_DiscoveryType as DiscoveryType, ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster as ClusterMessage } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { LbEndpoint, LbEndpointSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterLoadAssignment } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { Http2ProtocolOptionsSchema } from '../../src/proto/gen/envoy/config/core/v3/protocol_pb.ts'
import { UpstreamTlsContextSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import type { CommonTlsContextSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { HttpProtocolOptionsSchema } from '../../src/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { HttpProtocolOptions } from '../../src/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import { openClusters } from '../../src/proxy/upstream/cluster-set.ts'
import type { Clusters } from '../../src/proxy/upstream/cluster-set.ts'
import type { Caution } from '../../src/proxy/upstream/pool/idle-limit.ts'
import type { ClientAddresses, Cluster, Host, RequestHead, ResetReason, ResponseReader, UpstreamStream } from '../../src/proxy/upstream/types.ts'
import { pack, socketAddress, typed } from './xds-messages.ts'

type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, ClusterMessage>
type EndpointInit = Exclude<MessageInitShape<typeof LbEndpointSchema>, LbEndpoint>

export const lbEndpoint = ({ host, port }: Address, more: EndpointInit = {}): EndpointInit =>
  ({ hostIdentifier: { case: 'endpoint', value: { address: socketAddress(host, port) } }, ...more })

export const staticCluster = (name: string, addresses: readonly Address[], more: ClusterInit = {}): ClusterMessage =>
  create(ClusterSchema, {
    name, clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC }, connectTimeout: { seconds: 2n },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: addresses.map((address) => lbEndpoint(address)) }] }, ...more,
  })

export const edsCluster = (name: string, more: ClusterInit = {}): ClusterMessage =>
  create(ClusterSchema, { name, clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS }, connectTimeout: { seconds: 2n }, ...more })

export const assignment = (clusterName: string, lbEndpoints: readonly EndpointInit[], priority = 0): ClusterLoadAssignment =>
  create(ClusterLoadAssignmentSchema, { clusterName, endpoints: [{ priority, lbEndpoints: [...lbEndpoints] }] })

/** Fields of HttpProtocolOptions, as a cluster carries them. */
export const httpOptions = (init: MessageInitShape<typeof HttpProtocolOptionsSchema>): ClusterInit =>
  ({ typedExtensionProtocolOptions: { [HttpProtocolOptionsSchema.typeName]: pack(HttpProtocolOptionsSchema, init) } })

type HttpOptionsInit = Exclude<MessageInitShape<typeof HttpProtocolOptionsSchema>, HttpProtocolOptions>

/** A cluster whose hosts speak HTTP/2. */
export const speaksHttp2 = (options: MessageInitShape<typeof Http2ProtocolOptionsSchema> = {}, common: HttpOptionsInit = {}): ClusterInit =>
  httpOptions({ ...common, upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: options } } } })

export const limits = (thresholds: MessageInitShape<typeof ThresholdsSchema>): ClusterInit => ({ circuitBreakers: { thresholds: [thresholds] } })

/** TLS that checks nothing, unless `common` says more. */
export const tlsSocket = (common: MessageInitShape<typeof CommonTlsContextSchema>, sni = '') =>
  typed('envoy.transport_sockets.tls', UpstreamTlsContextSchema, { sni, commonTlsContext: common })

const noSecrets: Secrets = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

export interface UpstreamWorldOptions {
  readonly secrets?: Secrets
  readonly clock?: Clock
  readonly resolve?: ResolveName
  /** Always the same by default, so that balancers start at the first host. */
  readonly random?: () => number
  readonly dial?: (address: Address, tls: boolean) => Address
  /** As a proxy whose traffic the kernel captures. */
  readonly bindsSources?: boolean
}

export class UpstreamWorld implements Disposable {
  readonly clusters: Clusters

  constructor({ secrets = noSecrets, clock, resolve, random = () => 0, dial = (address) => address, bindsSources = false }: UpstreamWorldOptions = {}) {
    this.clusters = openClusters({
      secrets, random, dial, bindsSources, ...(clock === undefined ? {} : { clock }), ...(resolve === undefined ? {} : { resolve }),
    })
  }

  /** The cluster that the message makes, alone. */
  serve(message: ClusterMessage): Cluster {
    this.clusters.update([message])
    return this.clusters.lookup(message.name)!
  }

  stat(name: string): number {
    const found = this.clusters.stats().find((line) => line.name === name)
    if (found === undefined) throw new Error(`no counter ${name}`)
    return found.value
  }

  [Symbol.dispose](): void {
    this.clusters.close()
  }
}

export interface AskOptions {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  /** Sent with its length; undefined: none. */
  readonly body?: string
  readonly host?: Host
  readonly originalDestination?: Address
  readonly caution?: Caution
  readonly client?: ClientAddresses
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly host: string
  readonly reused: boolean
  readonly localPort: number
}

/** What a request that failed says of itself. */
export class Failed extends Error {
  readonly reason: ResetReason | 'no-host'
  readonly detail: string
  readonly begun: boolean

  constructor(reason: ResetReason | 'no-host', detail: string, begun: boolean) {
    super(`${reason}: ${detail}`)
    this.reason = reason
    this.detail = detail
    this.begun = begun
  }
}

export function choose(cluster: Cluster, originalDestination?: Address): Host {
  const host = cluster.chooseHost({ hash: undefined, originalDestination, tried: [] })
  if (host === undefined) throw new Failed('no-host', '', false)
  return host
}

/** One request from beginning to end; rejects with `Failed`. */
export async function ask(cluster: Cluster, options: AskOptions = {}): Promise<Answer> {
  const asked = new Asked(cluster, options)
  return await asked.answer
}

/** The same, with its stream and its cancellation in the test's hands. */
export class Asked implements ResponseReader {
  readonly answer: Promise<Answer>
  readonly cancel: () => void
  stream: UpstreamStream | undefined
  writable = 0
  heads: number[] = []
  #status = 0
  #body = ''
  readonly #done = Promise.withResolvers<Answer>()
  readonly #started = Promise.withResolvers<UpstreamStream>()

  constructor(cluster: Cluster, { method = 'GET', path = '/', authority = 'a.test', body, host, originalDestination, caution = 'any', client }: AskOptions & { readonly silent?: boolean } = {}, sends = true) {
    this.answer = this.#done.promise
    this.answer.catch(() => {})
    this.#started.promise.catch(() => {})
    const head: RequestHead = { method, path, authority, headers: new HeaderList(), bodyLength: body === undefined ? 0 : Buffer.byteLength(body), sendZeroLength: false }
    let chosen: Host
    try {
      chosen = host ?? choose(cluster, originalDestination)
    } catch (error) {
      this.#done.reject(error)
      this.cancel = () => {}
      return
    }
    this.cancel = cluster.request(chosen, this, {
      caution,
      onStream: (stream) => {
        this.stream = stream
        this.#started.resolve(stream)
        if (!sends) return
        stream.sendHead(head)
        if (body !== undefined) stream.sendBody(Buffer.from(body), 0, Buffer.byteLength(body))
        stream.sendEnd(undefined)
      },
      onFailure: (reason, detail) => this.#fail(new Failed(reason, detail, false)),
    }, authority, client)
  }

  get started(): Promise<UpstreamStream> {
    return this.#started.promise
  }

  onInformational(status: number): void {
    this.heads.push(status)
  }

  onHead(status: number): void {
    this.heads.push(status)
    this.#status = status
  }

  onData(bytes: Buffer, at: number, end: number): void {
    this.#body += bytes.toString('latin1', at, end)
  }

  onEnd(): void {
    const stream = this.stream!
    this.#done.resolve({ status: this.#status, body: this.#body, host: stream.host.name, reused: stream.reused, localPort: stream.localAddress.port })
  }

  onWritable(): void {
    this.writable++
  }

  onReset(reason: ResetReason, detail: string, begun: boolean): void {
    this.#fail(new Failed(reason, detail, begun))
  }

  #fail(failed: Failed): void {
    this.#done.reject(failed)
    this.#started.reject(failed)
  }
}

/** A connection of its own; rejects with `Failed`. */
export function connectThrough(cluster: Cluster, host = choose(cluster)): Promise<Transport> {
  return new Promise((resolve, reject) => {
    cluster.connect(host, { onTransport: resolve, onFailure: (reason, detail) => reject(new Failed(reason, detail, false)) })
  })
}

/** The failure of what must fail. */
export async function failureOf(work: Promise<unknown>): Promise<Failed> {
  try {
    await work
  } catch (error) {
    if (error instanceof Failed) return error
    throw error
  }
  throw new Error('it did not fail')
}
