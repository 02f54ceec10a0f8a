// Which listener and filter chain a connection meets, found as the acceptor finds them: by where it goes, then by the
// same compiled matcher, with what the inspectors would see of an HTTP/1.1 client.
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { atDestination } from '../listen/accept.ts'
import { compileChainMatcher } from '../listen/chain-match.ts'
import type { ChainMatcher, ConnectionFacts } from '../listen/chain-match.ts'
import { decodeInspectors } from '../listen/inspectors.ts'
import type { Inspectors } from '../listen/inspectors.ts'
import { decodeChains, listenerAddresses } from '../xds/listener.ts'
import type { DecodedChain } from '../xds/listener.ts'

/** A connection, as its first bytes show it. */
export interface ExplainedConnection {
  /** Where the client connects: what a kernel's redirect would report as the original destination. */
  readonly destination: Address
  readonly source: Address
  /** `tls` is a ClientHello, with its server name and ALPN. */
  readonly transport: 'tls' | 'raw_buffer'
  readonly serverName: string
  /** Of the ClientHello; for plain bytes what the HTTP inspector says of them. */
  readonly applicationProtocols: readonly string[]
}

interface OfflineListener {
  readonly message: Listener
  readonly choose: ChainMatcher<DecodedChain>
  readonly fallback: DecodedChain | undefined
  readonly inspectors: Inspectors
}

export interface FoundChain {
  readonly listener: Listener
  /** Undefined: the listener closes such a connection. */
  readonly chain: DecodedChain | undefined
}

/** Undefined where nothing listens. Throws `proxy/bad-config` for listeners that the proxy would refuse. */
export type FindChain = (connection: ExplainedConnection) => FoundChain | undefined

export function compileListeners(messages: readonly Listener[]): FindChain {
  const handsOver = messages.find((one) => one.useOriginalDst === true)
  const takers = messages.filter((one) => one.useOriginalDst !== true)
  const byAddress = new Map(takers.flatMap((one) => listenerAddresses(one).map((address) => [formatAddress(address), one])))
  const compiled = new Map<Listener, OfflineListener>()
  return (connection) => {
    const message = atDestination(byAddress, connection.destination) ?? handsOver
    if (message === undefined) return undefined
    const listener = compiled.get(message) ?? compile(message)
    compiled.set(message, listener)
    return { listener: message, chain: chainFor(listener, connection) }
  }
}

/** As `compileListeners`, for connections that one listener takes whatever their destination: virtualInbound. */
export function compileOneListener(message: Listener): FindChain {
  const listener = compile(message)
  return (connection) => ({ listener: message, chain: chainFor(listener, connection) })
}

function compile(message: Listener): OfflineListener {
  const { chains, fallback } = decodeChains(message)
  const rows = chains.map((chain) => ({ name: chain.name, chain, match: chain.message.filterChainMatch }))
  return { message, fallback, choose: compileChainMatcher(rows), inspectors: decodeInspectors(message) }
}

/** Without an inspector, a connection counts as plain bytes of no known protocol. */
function chainFor({ choose, fallback, inspectors }: OfflineListener, connection: ExplainedConnection): DecodedChain | undefined {
  const { destination, source, transport } = connection
  const seen = transport === 'raw_buffer' || inspectors.tls(destination.port)
  const readable = transport === 'tls' ? seen : inspectors.http(destination.port)
  const facts: ConnectionFacts = {
    destination,
    source,
    transport: seen ? transport : 'raw_buffer',
    serverName: seen ? connection.serverName : '',
    applicationProtocols: readable ? connection.applicationProtocols : [],
  }
  const choice = choose(facts)
  return typeof choice === 'symbol' ? fallback : (choice ?? fallback)
}
