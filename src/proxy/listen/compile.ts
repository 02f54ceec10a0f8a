// Compiles a listener into what the acceptor needs: where it stands, what to look at, which chain a connection belongs
// to, and the services that the chains end in. A chain that did not change is taken over from the version before, with
// its connections.
import { createHash } from 'node:crypto'
import { toBinary } from '@bufbuild/protobuf'
import type { Address } from '../../model/address.ts'
import { TrafficDirection } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { FilterChainSchema } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { chainClusterNames, decodeChains, listenerAddress, listenerAddresses, routeNameOf } from '../xds/listener.ts'
import type { DecodedChain, TerminalFilter } from '../xds/listener.ts'
import { MeshError } from '../../lib/errors.ts'
import { compileChainMatcher } from './chain-match.ts'
import type { ChainMatcher } from './chain-match.ts'
import type { ChainService } from './connection.ts'
import type { DownstreamTls } from './downstream-tls.ts'
import { decodeInspectors } from './inspectors.ts'
import type { Inspectors } from './inspectors.ts'

export type Direction = 'inbound' | 'outbound' | 'unspecified'

export interface CompiledChain {
  readonly name: string
  /** Equal keys are equal chains. */
  readonly key: string
  readonly decoded: DecodedChain
  /** Undefined: plaintext. */
  readonly tls: DownstreamTls | undefined
  readonly service: ChainService
}

export interface CompiledListener {
  readonly name: string
  readonly message: Listener
  readonly address: Address
  /** All that destinations find it by; it stands at the first, and at the others where a capture brings what is meant for them. */
  readonly addresses: readonly Address[]
  /** False for listeners that only get connections handed over by `use_original_dst`. */
  readonly binds: boolean
  readonly handsOver: boolean
  /** Its socket takes connections to any address (TPROXY). */
  readonly transparent: boolean
  readonly direction: Direction
  readonly inspectors: Inspectors
  readonly choose: ChainMatcher<CompiledChain>
  readonly fallback: CompiledChain | undefined
  readonly chains: readonly CompiledChain[]
  /** What it waits for before it serves. */
  readonly routeNames: readonly string[]
  readonly secretNames: readonly string[]
  readonly clusterNames: readonly string[]
}

export interface ListenerParts {
  compileTls(chain: DecodedChain): DownstreamTls | undefined
  compileService(terminal: TerminalFilter, listener: Listener, direction: Direction): ChainService
}

export function compileListener(message: Listener, previous: CompiledListener | undefined, parts: ListenerParts): CompiledListener {
  if (message.name === '') throw new MeshError('proxy/bad-config', 'a listener without a name')
  const address = listenerAddress(message)
  const direction = directionOf(message)
  const decoded = decodeChains(message)
  const compile = chainCompiler(message, direction, previous, parts)
  const chains = decoded.chains.map(compile)
  const fallback = decoded.fallback === undefined ? undefined : compile(decoded.fallback)
  const all = fallback === undefined ? chains : [...chains, fallback]
  return {
    name: message.name,
    message,
    address,
    addresses: listenerAddresses(message),
    binds: message.bindToPort ?? true,
    handsOver: message.useOriginalDst ?? false,
    transparent: message.transparent ?? false,
    direction,
    inspectors: decodeInspectors(message),
    choose: compileChainMatcher(chains.map((chain) => ({ name: chain.name, chain, match: chain.decoded.message.filterChainMatch }))),
    fallback,
    chains: all,
    routeNames: unique(all.map(({ decoded: chain }) => routeNameOf(chain) ?? '')),
    secretNames: unique(all.flatMap(({ tls }) => tls?.secretNames ?? [])),
    clusterNames: unique(all.flatMap(({ decoded: chain }) => chainClusterNames(chain))),
  }
}

function chainCompiler(message: Listener, direction: Direction, previous: CompiledListener | undefined, parts: ListenerParts) {
  const known = new Map(previous?.chains.map((chain) => [chain.key, chain]))
  return (decoded: DecodedChain): CompiledChain => {
    const key = keyOf(message, decoded)
    return known.get(key) ?? {
      name: decoded.name,
      key,
      decoded,
      tls: parts.compileTls(decoded),
      service: parts.compileService(decoded.terminal, message, direction),
    }
  }
}

/** Content of the chain, and of what it takes from its listener. */
function keyOf({ name, trafficDirection }: Listener, { message }: DecodedChain): string {
  return createHash('sha256').update(`${name} ${trafficDirection} `).update(toBinary(FilterChainSchema, message)).digest('base64url')
}

function directionOf({ trafficDirection }: Listener): Direction {
  if (trafficDirection === TrafficDirection.INBOUND) return 'inbound'
  return trafficDirection === TrafficDirection.OUTBOUND ? 'outbound' : 'unspecified'
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)].filter((name) => name !== '')
}
