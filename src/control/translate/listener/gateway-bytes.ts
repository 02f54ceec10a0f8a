// Where the bytes go that a gateway's server takes without reading HTTP: plain TCP, TLS that it ends, TLS that it passes on
// by server name (traffic spec 4.1, 4.3).
import type { Snapshot } from '../../snapshot.ts'
import { boundGateways } from '../../snapshot/virtual-services.ts'
import { gatewayKey, passesTlsOn } from '../gateway-servers.ts'
import type { PlacedServer } from '../gateway-servers.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { dnatNamesOf, isAutoPassthrough } from '../sni-dnat.ts'
import { gatewayTcpChain, hasByteRules, passthroughChains } from './l4-routes.ts'
import type { ByteChain, ByteClient } from './l4-routes.ts'

/** Plain data: views carry it as text. */
export interface ServerBytes {
  readonly chains: readonly ByteChain[]
  /** The server ends TLS before them. */
  readonly ends: boolean
  /** Names of an east-west gateway. */
  readonly dnat: readonly string[]
}

const nothing: ServerBytes = { chains: [], ends: false, dnat: [] }

export function serverBytes(one: PlacedServer, proxy: ProxyNode, snapshot: Snapshot): ServerBytes {
  if (one.route !== '') return nothing
  if (isAutoPassthrough(one)) return { ...nothing, dnat: dnatNamesOf(one, proxy, snapshot) }
  const name = gatewayKey(one.gateway)
  const owners = snapshot.virtualServices.all.filter((owner) =>
    hasByteRules(owner) && snapshot.virtualServices.sees(proxy.namespace, owner) && boundGateways(owner).has(name))
  const client = clientOf(one, proxy, snapshot)
  if (passesTlsOn(one)) return { ...nothing, chains: passthroughChains(owners, one, client) }
  const chain = gatewayTcpChain(owners, one, client)
  return { chains: chain === undefined ? [] : [chain], ends: one.family === 'tls', dnat: [] }
}

function clientOf(one: PlacedServer, proxy: ProxyNode, snapshot: Snapshot): ByteClient {
  return {
    mesh: snapshot.mesh, namespace: proxy.namespace, labels: proxy.labels, gateway: gatewayKey(one.gateway), port: one.server.port.number,
    serviceAt: snapshot.scopeOf(proxy, proxy.type).serviceAt,
    ruleOf: (service) => snapshot.destinationRules.lookup(proxy, service),
  }
}
