import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { FilterChainMatchSchema, FilterChainMatch_ConnectionSourceType as SourceType } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { compileChainMatcher, needsHttpInspection, needsTlsInspection } from './chain-match.ts'
import type { ConnectionFacts } from './chain-match.ts'

type Match = MessageInitShape<typeof FilterChainMatchSchema>

const chains = (matches: Record<string, Match>) =>
  compileChainMatcher(
    Object.entries(matches).map(([name, match]) => ({ name, chain: { name }, match: create(FilterChainMatchSchema, match) })),
  )

const facts = (over: Partial<ConnectionFacts> & { port?: number; host?: string; from?: string }): ConnectionFacts => ({
  destination: { host: over.host ?? '10.0.0.1', port: over.port ?? 9080 },
  source: { host: over.from ?? '10.0.0.9', port: 40000 },
  transport: 'raw_buffer',
  serverName: '',
  applicationProtocols: [],
  ...over,
})

function chosen(matches: Record<string, Match>, over: Parameters<typeof facts>[0]): string | symbol | undefined {
  const found = chains(matches)(facts(over))
  return typeof found === 'symbol' ? found : found?.name
}

const httpMesh = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2']
/** The chains of a PERMISSIVE port whose protocol is sniffed (security spec 2.2). */
const permissiveAuto: Record<string, Match> = {
  'mtls-http': { destinationPort: 9080, transportProtocol: 'tls', applicationProtocols: httpMesh },
  'plain-http': { destinationPort: 9080, transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'] },
  'mtls-tcp': { destinationPort: 9080, transportProtocol: 'tls', applicationProtocols: ['istio-peer-exchange', 'istio'] },
  'plain-tcp': { destinationPort: 9080, transportProtocol: 'raw_buffer' },
  'own-tls': { destinationPort: 9080, transportProtocol: 'tls' },
}
const hosts: Record<string, Match> = {
  exact: { serverNames: ['www.example.com'] },
  narrow: { serverNames: ['*.example.com'] },
  wide: { serverNames: ['*.com'] },
  any: {},
}

const cases: readonly [string, Record<string, Match>, Parameters<typeof facts>[0], string | symbol | undefined][] = [
  ['the port decides before all else', { port: { destinationPort: 80 }, name: { serverNames: ['a'] } }, { port: 80, serverName: 'a' }, 'port'],
  ['a port that has chains does not fall back to chains of any port', { a: { destinationPort: 80, transportProtocol: 'tls' }, b: {} }, { port: 80 }, undefined],
  ['the longest prefix wins', { wide: { prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] }, narrow: { prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 24 }] } }, {}, 'narrow'],
  ['an address outside all prefixes takes the chain without one', { near: { prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] }, any: {} }, { host: '192.168.0.1' }, 'any'],
  ['an exact server name wins over wildcards', hosts, { serverName: 'www.example.com' }, 'exact'],
  ['the longest wildcard wins', hosts, { serverName: 'api.v1.example.com' }, 'narrow'],
  ['a wildcard does not match its own bare domain', hosts, { serverName: 'example.com' }, 'wide'],
  ['server names are compared without case', hosts, { serverName: 'WWW.Example.COM' }, 'exact'],
  ['no server name takes the chain without one', hosts, { serverName: '' }, 'any'],
  ['mesh HTTP over mTLS', permissiveAuto, { transport: 'tls', applicationProtocols: ['istio-http/1.1', 'istio'] }, 'mtls-http'],
  ['mesh TCP over mTLS', permissiveAuto, { transport: 'tls', applicationProtocols: ['istio-peer-exchange', 'istio'] }, 'mtls-tcp'],
  ['TLS of the application itself', permissiveAuto, { transport: 'tls', applicationProtocols: ['h2', 'http/1.1'] }, 'own-tls'],
  ['plain HTTP', permissiveAuto, { applicationProtocols: ['http/1.1'] }, 'plain-http'],
  ['plain bytes of another protocol', permissiveAuto, { applicationProtocols: [] }, 'plain-tcp'],
  ['a port without chains', permissiveAuto, { port: 1234 }, undefined],
  ['the bytes are asked for only where a chain depends on them', permissiveAuto, { transport: undefined, applicationProtocols: undefined }, needsTlsInspection],
  ['plain bytes are looked at when HTTP and TCP differ', permissiveAuto, { applicationProtocols: undefined }, needsHttpInspection],
  ['one chain for the port needs no look', { only: { destinationPort: 9080 } }, { transport: undefined, serverName: undefined, applicationProtocols: undefined }, 'only'],
  ['the source prefix is looked at after the protocols', { inside: { directSourcePrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] }, any: {} }, { from: '10.7.7.7' }, 'inside'],
  ['a loopback source is local', { local: { sourceType: SourceType.SAME_IP_OR_LOOPBACK }, any: {} }, { from: '127.0.0.1' }, 'local'],
  ['a source with the destination address is local', { local: { sourceType: SourceType.SAME_IP_OR_LOOPBACK }, out: { sourceType: SourceType.EXTERNAL } }, { from: '10.0.0.1' }, 'local'],
  ['another source is external', { local: { sourceType: SourceType.SAME_IP_OR_LOOPBACK }, out: { sourceType: SourceType.EXTERNAL } }, { from: '10.0.0.2' }, 'out'],
  ['the source port is last', { port: { sourcePorts: [40000] }, any: {} }, {}, 'port'],
]

for (const [title, matches, over, expected] of cases) {
  test(`filter chains: ${title}`, () => assert.equal(chosen(matches, over), expected))
}

test('two chains for the same connections are refused, by name', () => {
  const same: Match = { destinationPort: 80, prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] }
  const written: Match = { destinationPort: 80, prefixRanges: [{ addressPrefix: '10.1.2.3', prefixLen: 8 }] }
  assert.throws(() => chains({ first: same, second: written }), /filter chain second: matches the same connections as first/)
})

test('what Envoy does not implement is refused instead of ignored', () => {
  assert.throws(() => chains({ a: { addressSuffix: '.1' } }), /address_suffix/)
  assert.throws(() => chains({ a: { serverNames: ['w*.example.com'] } }), /wildcard/)
  assert.throws(() => chains({ a: { prefixRanges: [{ addressPrefix: 'localhost', prefixLen: 8 }] } }), /localhost\/8/)
})
