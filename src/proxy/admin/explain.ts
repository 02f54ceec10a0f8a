// GET /explain: what this proxy would do with a request now, by the configuration that it has accepted and what it knows of
// its endpoints. The same code answers offline; nothing is sent.
import { parseAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { KnownCluster } from '../explain/endpoints.ts'
import { compileExplainer } from '../explain.ts'
import type { ExplainableRequest } from '../explain.ts'
import type { ClusterLookup } from '../upstream/types.ts'
import type { AcceptedByType, AcceptedResources } from '../xds/accepted.ts'
import type { ClusterStatus } from './clusters.ts'
import { json, plainText } from './server.ts'
import type { AdminPath, AdminResponse } from './server.ts'

export interface ExplainSource {
  readonly accepted: AcceptedByType
  clusters(): readonly ClusterStatus[]
  readonly lookup: ClusterLookup
}

export function explainPath(source: ExplainSource): AdminPath {
  return {
    method: 'GET',
    path: '/explain',
    sentence: 'what a request would meet (?authority=host:port, ?path=, ?method=, ?header=name:value, ?scheme=http, https, tcp or tls, ?sni=, ?source=, ?destination=)',
    answer: ({ query }) => explain(source, query),
  }
}

function explain(source: ExplainSource, query: URLSearchParams): AdminResponse {
  const request = requestOf(query)
  if (typeof request === 'string') return plainText(`${request}\n`, 400)
  const { listeners, routes, clusters, endpoints } = source.accepted
  const asked = compileExplainer({ listeners: sent(listeners), routes: sent(routes), clusters: sent(clusters), endpoints: sent(endpoints) }, findIn(source))
  return json(asked(request))
}

const sent = ({ accepted }: AcceptedResources): readonly Uint8Array[] => [...accepted.values()].map(({ any }) => any.value)

function findIn({ clusters, lookup }: ExplainSource): (name: string) => KnownCluster | undefined {
  const statuses = new Map(clusters().map((one) => [one.name, one]))
  return (name) => {
    const status = statuses.get(name)
    if (status === undefined) return undefined
    return { hosts: status.hosts, choose: (hash) => lookup(name)?.chooseHost({ hash, originalDestination: undefined, tried: [] }) }
  }
}

/** Stands for every address outside of the mesh (RFC 5737): most listeners are for all addresses of their port. */
const outside = '192.0.2.1'
const schemes = { http: 80, https: 443, tcp: 0, tls: 443 } as const

const isScheme = (text: string): text is keyof typeof schemes => Object.hasOwn(schemes, text)

/** A text says what is wrong. */
function requestOf(query: URLSearchParams): ExplainableRequest | string {
  const authority = query.get('authority') ?? ''
  const scheme = query.get('scheme') ?? 'http'
  const path = query.get('path') ?? '/'
  if (authority === '') return 'authority is needed: ?authority=reviews:9080&path=/reviews/1'
  if (!isScheme(scheme)) return `scheme must be one of ${Object.keys(schemes).join(', ')}, not ${JSON.stringify(scheme)}`
  if (!path.startsWith('/')) return 'path must begin with /'
  const source = addressIn(query.get('source') ?? `${outside}:0`)
  const destination = query.has('destination') ? addressIn(query.get('destination')!) : destinationOf(authority, scheme)
  if (source === undefined || destination === undefined) return 'source and destination must be IP:PORT'
  const headers = query.getAll('header').map((text): [string, string] => {
    const colon = text.indexOf(':')
    return colon < 0 ? [text.trim().toLowerCase(), ''] : [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()]
  })
  return { method: query.get('method') ?? 'GET', scheme, authority, path, headers, sni: query.get('sni') ?? undefined, source, destination }
}

const isAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':')

function addressIn(text: string): Address | undefined {
  const address = parseAddress(text)
  return address === undefined || !isAddress(address.host) ? undefined : address
}

/** A name has no address here: which one it stands for, the client asks its own resolver. */
function destinationOf(authority: string, scheme: keyof typeof schemes): Address {
  const named = parseAddress(authority)
  const host = named?.host ?? authority
  return { host: isAddress(host) ? host : outside, port: named?.port ?? schemes[scheme] }
}
