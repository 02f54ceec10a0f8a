// What an east-west gateway offers (AUTO_PASSTHROUGH, traffic spec 4.1): each port and subset of the mesh's own services by
// the server name that mesh clients ask for, `outbound_.PORT_.SUBSET_.HOST`, which is the name of its cluster too.
import { covers } from '../hosts.ts'
import type { Snapshot } from '../snapshot.ts'
import { usablePorts } from './cluster/protocol.ts'
import { gatewayServers, serverHosts, tlsModeOf } from './gateway-servers.ts'
import type { PlacedServer } from './gateway-servers.ts'
import { dnatServerName } from './names.ts'
import type { ProxyNode } from './proxy-node.ts'

export interface DnatName {
  readonly port: number
  readonly subset: string
  readonly hostname: string
}

/** Of one server: services outside of the mesh have no proxy that would end the TLS. */
export function dnatNamesOf(one: PlacedServer, proxy: ProxyNode, snapshot: Snapshot): readonly string[] {
  const hosts = serverHosts(one)
  return snapshot.scopeOf(proxy, proxy.type).reachable
    .filter((service) => !service.meshExternal && hosts.some(({ namespace, host }) =>
      (namespace === '*' || namespace === service.namespace) && covers(host, service.hostname)))
    .flatMap((service) => {
      const subsets = snapshot.destinationRules.lookup(proxy, service)?.subsets ?? []
      return usablePorts(service.ports).flatMap(({ number }) =>
        ['', ...subsets.map(({ name }) => name)].map((subset) => dnatServerName(number, subset, service.hostname)))
    })
}

export const isAutoPassthrough = (one: PlacedServer): boolean => one.family === 'tls' && tlsModeOf(one.server) === 'AUTO_PASSTHROUGH'

const namesOf = new WeakMap<Snapshot, WeakMap<ProxyNode, ReadonlySet<string>>>()

/** Of all servers of a proxy. */
export function dnatNames(proxy: ProxyNode, snapshot: Snapshot): ReadonlySet<string> {
  const byProxy = namesOf.get(snapshot) ?? new WeakMap<ProxyNode, ReadonlySet<string>>()
  namesOf.set(snapshot, byProxy)
  const found = byProxy.get(proxy) ?? findNames(proxy, snapshot)
  byProxy.set(proxy, found)
  return found
}

function findNames(proxy: ProxyNode, snapshot: Snapshot): ReadonlySet<string> {
  if (proxy.type !== 'router') return new Set()
  const servers = gatewayServers(proxy, snapshot).filter(isAutoPassthrough)
  return new Set(servers.flatMap((one) => dnatNamesOf(one, proxy, snapshot)))
}

/** Undefined for anything else. */
export function parseDnatName(name: string): DnatName | undefined {
  const found = /^outbound_\.(\d{1,5})_\.([^_]*)_\.(.+)$/.exec(name)
  return found === null ? undefined : { port: Number(found[1]), subset: found[2]!, hostname: found[3]! }
}
