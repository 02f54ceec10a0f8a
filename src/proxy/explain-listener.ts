// Which listener and filter chain a request meets, found as the proxy finds them: by where the client connects. A request
// names a host and a port; the address behind the host is the one whose listener carries that host, else any.
import type { Listener } from '../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { MeshError } from '../lib/errors.ts'
import { chainClusterNames, decodeChains, listenerAddress, routeNameOf } from './xds/listener.ts'
import type { DecodedChain } from './xds/listener.ts'

export interface RequestTarget {
  /** As the client wrote it: `reviews`, `reviews.default.svc.cluster.local`, `10.0.0.1`. */
  readonly host: string
  readonly port: number
  readonly scheme: 'http' | 'https'
  /** Namespace and DNS domain of the client, by which short names are completed. */
  readonly namespace: string
  readonly domain: string
}

export interface FoundChain {
  readonly listener: Listener
  readonly chain: DecodedChain
}

export function findChain(listeners: readonly Listener[], target: RequestTarget): FoundChain | undefined {
  const wanted = hostNames(target)
  const here = listeners.filter((listener) => isBoundAt(listener, target.port))
  const own = here.find((listener) => carries(listener, wanted, target))
  const listener = own ?? here.find(isWildcard) ?? listeners.find((one) => one.useOriginalDst === true)
  const chain = listener === undefined ? undefined : chainFor(listener, target, wanted)
  return listener === undefined || chain === undefined ? undefined : { listener, chain }
}

/** The names under which a Pod of that namespace may know the host. */
export function hostNames({ host, namespace, domain }: RequestTarget): readonly string[] {
  const bare = host.toLowerCase().replace(/\.$/, '')
  const labels = bare.split('.').length
  const completed = labels === 1 ? [`${bare}.${namespace}.svc.${domain}`] : labels === 2 ? [`${bare}.svc.${domain}`] : []
  return [bare, ...completed, ...(bare.endsWith('.svc') ? [`${bare}.${domain}`] : [])]
}

function isBoundAt(listener: Listener, port: number): boolean {
  return listener.useOriginalDst !== true && listenerAddress(listener).port === port
}

function isWildcard(listener: Listener): boolean {
  const { host } = listenerAddress(listener)
  return host === '0.0.0.0' || host === '::'
}

/** A listener on a virtual IP is for one service; its route table, or its cluster, says which. */
function carries(listener: Listener, wanted: readonly string[], { port }: RequestTarget): boolean {
  if (isWildcard(listener)) return false
  const { host } = listenerAddress(listener)
  if (wanted.includes(host)) return true
  const { chains, fallback } = decodeChains(listener)
  return [...chains, ...(fallback === undefined ? [] : [fallback])].some((chain) => {
    const route = routeNameOf(chain)
    if (route !== undefined && wanted.some((name) => route === `${name}:${port}`)) return true
    return chainClusterNames(chain).some((cluster) => wanted.includes(cluster.split('|')[3] ?? ''))
  })
}

/** Of the chains that the request's protocol and server name admit, the one that speaks HTTP, else the first. */
function chainFor(listener: Listener, { scheme }: RequestTarget, wanted: readonly string[]): DecodedChain | undefined {
  const { chains, fallback } = decodeChains(listener)
  const all = [...chains, ...(fallback === undefined ? [] : [fallback])]
  const fitting = all.filter((chain) => admits(chain, scheme, wanted))
  return fitting.find(({ terminal }) => terminal.kind === 'http') ?? fitting[0]
}

function admits({ tls, message }: DecodedChain, scheme: 'http' | 'https', wanted: readonly string[]): boolean {
  const names = message.filterChainMatch?.serverNames ?? []
  const transport = message.filterChainMatch?.transportProtocol ?? ''
  if (scheme === 'http') return tls === undefined && transport !== 'tls'
  const named = names.length === 0 || names.some((name) => wanted.some((host) => matchesServerName(name, host)))
  return named && transport !== 'raw_buffer'
}

function matchesServerName(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : pattern === '*' || pattern.toLowerCase() === host
}

/** `http://reviews:9080/path?query`: what a person types. */
export function parseRequestUrl(url: string): { readonly target: Pick<RequestTarget, 'host' | 'port' | 'scheme'>; readonly authority: string; readonly path: string } {
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`)
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new MeshError('proxy/bad-request', `${url} is no http or https URL`)
  }
  const scheme = parsed.protocol === 'https:' ? 'https' : 'http'
  const port = parsed.port === '' ? (scheme === 'https' ? 443 : 80) : Number(parsed.port)
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  return { target: { host, port, scheme }, authority: parsed.host, path: parsed.pathname + parsed.search }
}
