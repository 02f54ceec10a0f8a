// Which filter chain a connection belongs to, with Envoy's precedence (listener_components.proto, FilterChainMatch):
// destination port, destination address, server name, transport, application protocol, direct source address, source
// type, source address, source port. Each step picks the most specific entry and never comes back for a lesser one.
import type { FilterChainMatch } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { FilterChainMatch_ConnectionSourceType as SourceType } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import type { CidrRange } from '../../proto/gen/envoy/config/core/v3/address_pb.ts'
import { contains, isLoopback, parseCidr, parseIp, plainIp } from './cidr.ts'
import type { Cidr } from './cidr.ts'

/** What is known of a connection. `undefined` means: not looked at yet. */
export interface ConnectionFacts {
  readonly destination: Address
  readonly source: Address
  /** `tls` or `raw_buffer`. */
  readonly transport: string | undefined
  /** Server name of the ClientHello, or empty. */
  readonly serverName: string | undefined
  /** ALPN of the ClientHello, or what the HTTP inspector made of plain bytes. */
  readonly applicationProtocols: readonly string[] | undefined
}

/** The bytes must be looked at before the choice can be made. */
export const needsTlsInspection = Symbol('needs TLS inspection')
export const needsHttpInspection = Symbol('needs HTTP inspection')

export type Choice<Chain> = Chain | undefined | typeof needsTlsInspection | typeof needsHttpInspection

export type ChainMatcher<Chain> = (facts: ConnectionFacts) => Choice<Chain>

export interface MatchRow<Chain> {
  readonly match: FilterChainMatch | undefined
  readonly chain: Chain
  readonly name: string
}

/** One criterion: its keys in a match (empty key: does not care), and how a connection picks among them. */
interface Criterion {
  keysOf(match: FilterChainMatch): readonly string[]
  pick<Next>(byKey: ReadonlyMap<string, Next>): (facts: ConnectionFacts) => Next | undefined | typeof needsTlsInspection | typeof needsHttpInspection
}

/** Chains are tried in no order: two chains that would match the same connections are an error, as in Envoy. */
export function compileChainMatcher<Chain extends object>(rows: readonly MatchRow<Chain>[]): ChainMatcher<Chain> {
  for (const row of rows) checkSupported(row)
  return compileFrom(0, rows)
}

function checkSupported<Chain>({ match, name }: MatchRow<Chain>): void {
  if (match === undefined) return
  if (match.addressSuffix !== '' || match.suffixLen !== undefined) {
    throw badMatch(name, 'address_suffix and suffix_len are not served: use prefix ranges')
  }
  const partial = match.serverNames.find((host) => host.replace(/^\*\./, '').includes('*'))
  if (partial !== undefined) throw badMatch(name, `server name ${partial}: a wildcard must be the whole first label`)
}

function badMatch(name: string, what: string): MeshError {
  return new MeshError('proxy/bad-config', `filter chain ${name === '' ? '(unnamed)' : name}: ${what}`)
}

function compileFrom<Chain extends object>(at: number, rows: readonly MatchRow<Chain>[]): ChainMatcher<Chain> {
  const criterion = criteria[at]
  if (criterion === undefined) return compileLeaf(rows)
  const groups = new Map<string, MatchRow<Chain>[]>()
  for (const row of rows) {
    const keys = row.match === undefined ? [] : criterion.keysOf(row.match)
    for (const key of keys.length === 0 ? [''] : new Set(keys)) groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const byKey = new Map([...groups].map(([key, group]) => [key, compileFrom(at + 1, group)]))
  const pick = criterion.pick(byKey)
  return (facts) => {
    const next = pick(facts)
    return typeof next === 'function' ? next(facts) : next
  }
}

function compileLeaf<Chain extends object>(rows: readonly MatchRow<Chain>[]): ChainMatcher<Chain> {
  const [first, second] = rows
  if (second !== undefined) {
    throw badMatch(second.name, `matches the same connections as ${first!.name === '' ? '(unnamed)' : first!.name}`)
  }
  return () => first?.chain
}

const onlyAny = (byKey: ReadonlyMap<string, unknown>): boolean => byKey.size === 1 && byKey.has('')

const destinationPort: Criterion = {
  keysOf: (match) => (match.destinationPort === undefined ? [] : [String(match.destinationPort)]),
  pick: (byKey) => (facts) => byKey.get(String(facts.destination.port)) ?? byKey.get(''),
}

const serverName: Criterion = {
  keysOf: (match) => match.serverNames.map((name) => name.toLowerCase().replace(/^\*\./, '.')),
  pick: (byKey) => {
    const any = byKey.get('')
    if (onlyAny(byKey)) return () => any
    return ({ serverName: name }) => {
      if (name === undefined) return needsTlsInspection
      return byServerName(byKey, name.toLowerCase()) ?? any
    }
  },
}

/** The exact name, then `.example.com`, then `.com`: the longest suffix first. */
function byServerName<Next>(byKey: ReadonlyMap<string, Next>, name: string): Next | undefined {
  if (name === '') return undefined
  const exact = byKey.get(name)
  if (exact !== undefined) return exact
  for (let dot = name.indexOf('.', 1); dot !== -1 && dot < name.length - 1; dot = name.indexOf('.', dot + 1)) {
    const suffix = byKey.get(name.slice(dot))
    if (suffix !== undefined) return suffix
  }
  return undefined
}

const transportProtocol: Criterion = {
  keysOf: (match) => (match.transportProtocol === '' ? [] : [match.transportProtocol]),
  pick: (byKey) => {
    const any = byKey.get('')
    if (onlyAny(byKey)) return () => any
    return ({ transport }) => (transport === undefined ? needsTlsInspection : (byKey.get(transport) ?? any))
  },
}

const applicationProtocol: Criterion = {
  keysOf: (match) => match.applicationProtocols,
  pick: (byKey) => {
    const any = byKey.get('')
    if (onlyAny(byKey)) return () => any
    return ({ transport, applicationProtocols }) => {
      if (applicationProtocols !== undefined) return firstOf(byKey, applicationProtocols) ?? any
      return transport === undefined ? needsTlsInspection : needsHttpInspection
    }
  },
}

function firstOf<Next>(byKey: ReadonlyMap<string, Next>, keys: readonly string[]): Next | undefined {
  for (const key of keys) {
    const found = key === '' ? undefined : byKey.get(key)
    if (found !== undefined) return found
  }
  return undefined
}

const localSource = 'local'
const externalSource = 'external'

const sourceType: Criterion = {
  keysOf(match) {
    if (match.sourceType === SourceType.SAME_IP_OR_LOOPBACK) return [localSource]
    return match.sourceType === SourceType.EXTERNAL ? [externalSource] : []
  },
  pick: (byKey) => {
    const any = byKey.get('')
    if (onlyAny(byKey)) return () => any
    return (facts) => byKey.get(isLocal(facts) ? localSource : externalSource) ?? any
  },
}

function isLocal({ source, destination }: ConnectionFacts): boolean {
  return isLoopback(source.host) || plainIp(source.host) === plainIp(destination.host)
}

const sourcePort: Criterion = {
  keysOf: (match) => match.sourcePorts.map(String),
  pick: (byKey) => (facts) => byKey.get(String(facts.source.port)) ?? byKey.get(''),
}

const criteria: readonly Criterion[] = [
  destinationPort,
  prefixes((match) => match.prefixRanges, (facts) => facts.destination.host),
  serverName,
  transportProtocol,
  applicationProtocol,
  prefixes((match) => match.directSourcePrefixRanges, (facts) => facts.source.host),
  sourceType,
  prefixes((match) => match.sourcePrefixRanges, (facts) => facts.source.host),
  sourcePort,
]

function prefixes(ranges: (match: FilterChainMatch) => readonly CidrRange[], host: (facts: ConnectionFacts) => string): Criterion {
  return {
    keysOf: (match) => ranges(match).map(rangeKey),
    pick: (byKey) => {
      const any = byKey.get('')
      if (onlyAny(byKey)) return () => any
      const sorted = byLength(byKey)
      return (facts) => {
        const ip = parseIp(host(facts))
        const found = ip === undefined ? undefined : sorted.find(({ range }) => contains(range, ip))
        return found === undefined ? any : found.next
      }
    },
  }
}

/** The same text for the same range, so that 10.1.2.3/8 and 10.0.0.0/8 are one key. */
function rangeKey({ addressPrefix, prefixLen = 0 }: CidrRange): string {
  const range = parseCidr(addressPrefix, prefixLen)
  if (range === undefined) throw new MeshError('proxy/bad-config', `${addressPrefix}/${prefixLen} is no address range`)
  return `${range.family}/${range.bits}/${range.length}`
}

function byLength<Next>(byKey: ReadonlyMap<string, Next>): { range: Cidr; next: Next }[] {
  const entries = [...byKey].filter(([key]) => key !== '').map(([key, next]) => ({ range: rangeOf(key), next }))
  return entries.sort((a, b) => b.range.length - a.range.length)
}

function rangeOf(key: string): Cidr {
  const [family, bits, length] = key.split('/')
  return { family: family === '4' ? 4 : 6, bits: BigInt(bits!), length: Number(length) }
}
