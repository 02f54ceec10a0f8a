// The filter chain that a connection meets: what of TLS it ends, and why the chains beside it were not for it.
import { formatAddress } from '../../model/address.ts'
import type { CidrRange } from '../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { FilterChain } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { maxNamed } from './answer.ts'
import type { ConsideredRoute, Explanation } from './answer.ts'
import type { ExplainedConnection } from './listener.ts'
import { contains, parseCidr, parseIp } from '../listen/cidr.ts'
import type { DecodedChain } from '../xds/listener.ts'
import { describeProvenance, provenanceOf } from '../xds/provenance.ts'
import { decodeTlsContext, secretNamesOf } from '../xds/tls-context.ts'

export interface ExplainedTls {
  /** False: it is passed on as it is, unread. */
  readonly endsHere: boolean
  /** That the chain is for; empty: any. */
  readonly serverNames: readonly string[]
  readonly clientCertificate: 'required' | 'optional' | 'none'
  /** By their SDS names, as are the roots. */
  readonly secrets: readonly string[]
}

/** Null for connections that are not TLS. */
export function tlsOf({ tls, message, terminal }: DecodedChain, { transport }: ExplainedConnection): ExplainedTls | null {
  if (transport === 'raw_buffer' || (tls === undefined && terminal.kind === 'http')) return null
  const serverNames = [...(message.filterChainMatch?.serverNames ?? [])]
  const common = tls?.commonTlsContext
  if (tls === undefined || common === undefined) return { endsHere: tls !== undefined, serverNames, clientCertificate: 'none', secrets: [] }
  const asks = common.validationContextType.case !== undefined
  return {
    endsHere: true,
    serverNames,
    clientCertificate: tls.requireClientCertificate === true ? 'required' : asks ? 'optional' : 'none',
    secrets: secretNamesOf(decodeTlsContext(common)),
  }
}

/** What connection the chain serves; `tls` where it looks at the ClientHello without ending TLS. */
export function protocolOf({ terminal, message, tls }: DecodedChain): NonNullable<Explanation['protocol']> {
  if (terminal.kind === 'http') return 'http'
  return tls === undefined && (message.filterChainMatch?.serverNames.length ?? 0) > 0 ? 'tls' : 'tcp'
}

/** Chains of the listener for other server names or addresses than the connection has, the most of which near misses are. */
export function missedChains({ filterChains }: Listener, taken: FilterChain | undefined, connection: ExplainedConnection): readonly ConsideredRoute[] {
  return filterChains.flatMap((chain): ConsideredRoute[] => {
    const whyNot = chain === taken ? undefined : missOf(chain, connection)
    return whyNot === undefined ? [] : [{ route: nameOf(chain), whyNot }]
  }).slice(0, maxNamed)
}

/** Undefined where it differs in something else. */
function missOf({ filterChainMatch: match }: FilterChain, { destination, transport, serverName }: ExplainedConnection): string | undefined {
  if (match === undefined || (match.destinationPort !== undefined && match.destinationPort !== destination.port)) return undefined
  if (match.serverNames.length > 0 && !match.serverNames.some((name) => covers(name, serverName))) {
    const sends = transport === 'raw_buffer' ? 'the connection is not TLS' : serverName === '' ? 'the client sends none' : `the client sends ${serverName}`
    return `is for server name ${match.serverNames.slice(0, maxNamed).join(', ')}; but ${sends}`
  }
  if (match.prefixRanges.length > 0 && !match.prefixRanges.some((range) => isIn(range, destination.host))) {
    return `is for addresses ${match.prefixRanges.slice(0, maxNamed).map(rangeText).join(', ')}; but the connection goes to ${formatAddress(destination)}`
  }
  return undefined
}

const covers = (pattern: string, name: string): boolean => (pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : pattern === name || pattern === '*')

function isIn({ addressPrefix, prefixLen = 0 }: CidrRange, host: string): boolean {
  const range = parseCidr(addressPrefix, prefixLen)
  const ip = parseIp(host)
  return range !== undefined && ip !== undefined && contains(range, ip)
}

const rangeText = ({ addressPrefix, prefixLen }: CidrRange): string => (prefixLen === undefined ? addressPrefix : `${addressPrefix}/${prefixLen}`)

/** `filter chain of VirtualService default/db (db.yaml:9)`. */
function nameOf({ name, metadata }: FilterChain): string {
  const said = describeProvenance(provenanceOf(metadata))
  return said === '' ? `filter chain ${name === '' ? '(unnamed)' : name}` : `filter chain of ${said}`
}
