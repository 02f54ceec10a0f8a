// What clients without a certificate say of themselves in their first request, as a hint for `trysail authn readiness`:
// the workload that a peer's proxy names, else the user-agent.
import type { Exchange } from '../http/exchange.ts'
import type { InboundPeers } from '../listen/inbound-peers.ts'
import type { PeerReader } from './peer.ts'

/** For HttpDeps.onExchangeEnd of inbound listeners. Once for each connection. */
export function nameClients(peers: InboundPeers, said: PeerReader): (exchange: Exchange) => void {
  const named = new WeakSet()
  return (exchange) => {
    const { connection } = exchange
    if (connection.tls !== undefined || named.has(connection)) return
    named.add(connection)
    const name = nameOf(exchange, said)
    if (name !== '') peers.named(connection.originalDestination, connection.remoteAddress, name)
  }
}

function nameOf(exchange: Exchange, said: PeerReader): string {
  const { workload, namespace } = said.of(exchange.downstreamMetadata).facts
  if (workload !== '') return `${workload}.${namespace}`
  const agent = exchange.requestHeader('user-agent') ?? ''
  return agent === '' ? '' : `user-agent ${agent}`
}
