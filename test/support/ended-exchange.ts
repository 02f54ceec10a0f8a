// An exchange that has ended, as far as telemetry asks: made by hand, without a socket.
import { HeaderList } from '../../src/codec/header-list.ts'
import type { TlsInfo, Transport } from '../../src/net/transport.ts'
import { ConnectionFacts } from '../../src/proxy/http/connection-facts.ts'
import { Exchange } from '../../src/proxy/http/exchange.ts'
import type { Cluster, Host } from '../../src/proxy/upstream/types.ts'
import { hostAt } from './hosts.ts'

export interface ExchangeInit extends Partial<Pick<Exchange,
  'method' | 'authority' | 'responseCode' | 'flags' | 'isGrpc' | 'grpcStatus' | 'downstreamMetadata' | 'upstreamMetadata' | 'bytesReceived' | 'bytesSent' | 'upstreamTls' | 'cluster' | 'host' | 'clusterName'>> {
  readonly downstreamTls?: TlsInfo
  readonly routeName?: string
  readonly duration?: number
}

export function tlsOf(localUri: string, peerUri: string): TlsInfo {
  return { alpn: '', serverName: '', protocol: 'TLSv1.3', peerUris: [peerUri], peerDnsNames: [], peerSubject: '', peerDigest: '', localUris: [localUri] }
}

export function clusterOf(name: string, service?: Cluster['service']): Cluster {
  const unused = (): never => { throw new Error('telemetry only looks') }
  return { name, service, chooseHost: unused, request: unused, tryRetry: unused, retryDone: unused, connectTimeoutMs: 1, connect: unused }
}

export const hostWith = (workload: string): Host => ({ ...hostAt({ host: '10.0.0.7', port: 9080 }), workload })

const transport = (tls: TlsInfo | undefined) => ({ tls, localAddress: { host: '10.0.0.1', port: 1 }, remoteAddress: { host: '10.0.0.2', port: 2 } }) as Transport

export function endedExchange({ downstreamTls, routeName, duration = 7, ...fields }: ExchangeInit = {}): Exchange {
  const facts = new ConnectionFacts(transport(downstreamTls), { originalDestination: { host: '10.0.0.1', port: 80 }, authority: undefined })
  const exchange = new Exchange(facts, 1_000, HeaderList.of('user-agent', 'curl/8.5.0', 'accept', '*/*', 'x-request-id', '3f7d0c54'), [])
  exchange.setPath('/reviews/1')
  Object.assign(exchange, { method: 'GET', authority: 'reviews:9080', responseCode: 200, endTime: 1_000 + duration, responseHeaders: HeaderList.of('content-type', 'text/plain', 'x-envoy-upstream-service-time', '6') }, fields)
  exchange.clusterName = fields.clusterName ?? fields.cluster?.name ?? ''
  if (routeName !== undefined) exchange.route = { name: routeName } as NonNullable<Exchange['route']>
  return exchange
}
