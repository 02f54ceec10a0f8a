// The shape of what explain says of one request, and the parts of it that HTTP and TCP share.
import type { Address } from '../../model/address.ts'
import type { Denial } from './authorization.ts'
import type { ExplainedTls } from './chain.ts'
import type { ExplainedPolicy } from './cluster.ts'
import type { ExplainedEndpoint } from './endpoints.ts'
import { noRoute } from './route.ts'
import type { Destination, ExplainedRoute } from './route.ts'
import type { ExplainedSession } from './session.ts'
import type { Presented } from './tokens.ts'
import type { Provenance } from '../xds/provenance.ts'

export interface ExplainableRequest {
  readonly method: string
  /** `tcp` and `tls` are connections whose bytes are nobody's business. */
  readonly scheme: 'http' | 'https' | 'tcp' | 'tls'
  /** As it stands in Host. */
  readonly authority: string
  /** Of the ClientHello, where it is not the host. */
  readonly sni?: string | undefined
  /** With its query, as sent. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Where the client connects. */
  readonly destination: Address
  readonly source: Address
  /** What has become of its tokens, where they were looked into. */
  readonly presented?: Presented | undefined
}

export interface ConsideredRoute {
  readonly route: string
  readonly whyNot: string
}

export interface Explanation extends ExplainedRoute {
  readonly listener: string | null
  /** What the filter chain serves: requests, bytes, or TLS by its server name. */
  readonly protocol: 'http' | 'tcp' | 'tls' | null
  /** Of the connection to this proxy. */
  readonly tls: ExplainedTls | null
  readonly virtualHost: string | null
  /** `namespace/name`. */
  readonly matchedVirtualService: string | null
  readonly routeIndex: number | null
  readonly routeName: string | null
  readonly matchIndex: number | null
  /** Of the first destination that exists. */
  readonly policy: ExplainedPolicy | null
  /** What keeps requests together; null where nothing does. */
  readonly session: ExplainedSession | null
  /** Where this very request goes, as far as no draw decides it. */
  readonly chosen: Omit<Destination, 'weight'> & { readonly endpoint: string | null } | null
  /** Of the destinations; empty where the proxy finds them itself (DNS, original destination). */
  readonly endpoints: readonly ExplainedEndpoint[]
  /** Of an answer that the mesh certainly gives itself. */
  readonly status: number | null
  /** By a policy of this proxy. */
  readonly denied: Denial | null
  readonly passthrough: boolean
  readonly blocked: boolean
  readonly considered: readonly ConsideredRoute[]
  readonly origin: { readonly file: string; readonly line: number } | null
}

export const nothing: Explanation = {
  ...noRoute, listener: null, protocol: null, tls: null, virtualHost: null, matchedVirtualService: null, routeIndex: null, routeName: null, matchIndex: null,
  policy: null, session: null, chosen: null, endpoints: [], status: null, denied: null, passthrough: false, blocked: false, considered: [], origin: null,
}

export function sourceOf({ resource, rule, match, file, line }: Provenance): Pick<Explanation, 'matchedVirtualService' | 'routeIndex' | 'matchIndex' | 'origin'> {
  const [kind, namespace, name] = resource.split('/')
  const fromRule = kind === 'VirtualService'
  return {
    matchedVirtualService: fromRule ? `${namespace}/${name}` : null,
    routeIndex: fromRule ? (rule ?? null) : null,
    matchIndex: fromRule ? (match ?? null) : null,
    origin: file === '' ? null : { file, line },
  }
}

/** Clusters that send on to wherever the client was going. */
export const passthroughClusters: ReadonlySet<string> = new Set(['PassthroughCluster', 'InboundPassthroughCluster'])
export const blockedCluster = 'BlackHoleCluster'

/** A list is to be read by a person. */
export const maxNamed = 10
