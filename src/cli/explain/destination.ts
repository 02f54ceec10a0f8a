// Where a client's connection goes: what DNS says of the host to a Pod of its namespace, and at a gateway the port that
// really listens behind the one in the URL.
import { covers, mostSpecific } from '../../control/hosts.ts'
import type { Snapshot } from '../../control/snapshot.ts'
import { gatewayServers, terminatesHttps } from '../../control/translate/gateway-servers.ts'
import type { PlacedServer } from '../../control/translate/gateway-servers.ts'
import type { ProxyNode } from '../../control/translate/proxy-node.ts'
import { isIP } from '../../kinds/fields/host.ts'
import type { Address } from '../../model/address.ts'
import type { Service } from '../../model/service.ts'
import type { AskedRequest } from '../request-line.ts'

/** Stands for every address outside of the mesh (RFC 5737). */
export const outside = '192.0.2.1'

/** A bare connection always names its port. */
const defaultPorts = { http: 80, https: 443, tcp: 0, tls: 443 } as const

export function destinationOf(request: AskedRequest, proxy: ProxyNode, snapshot: Snapshot): Address {
  if (proxy.type === 'router') return { host: proxy.addresses[0] ?? outside, port: gatewayPort(request, proxy, snapshot) }
  return { host: resolve(request.host, proxy, snapshot), port: request.port ?? defaultPorts[request.scheme] }
}

/** The first server for the port, else whatever is at the port itself. A URL without one means the only server of its scheme. */
function gatewayPort({ scheme, port }: AskedRequest, proxy: ProxyNode, snapshot: Snapshot): number {
  const wanted = port ?? defaultPorts[scheme]
  const servers = gatewayServers(proxy, snapshot)
  const named = servers.find((one) => one.server.port.number === wanted)
  if (named !== undefined) return named.port
  const ports = new Set(servers.filter((one) => speaks(one, scheme)).map((one) => one.port))
  const [only] = ports
  return port === undefined && only !== undefined && ports.size === 1 ? only : wanted
}

const speaks = (one: PlacedServer, scheme: AskedRequest['scheme']): boolean => (scheme === 'http' ? one.family === 'http' : terminatesHttps(one))

function resolve(host: string, proxy: ProxyNode, snapshot: Snapshot): string {
  if (isIP(host)) return host
  const service = serviceNamed(namesOf(host, proxy.namespace, snapshot.mesh.domain), proxy, snapshot)
  return service === undefined ? outside : (addressOf(service, snapshot) ?? outside)
}

/** The names that a resolver tries, by the search list of a Pod: `ns.svc.domain svc.domain domain`. */
export function namesOf(host: string, namespace: string, domain: string): readonly string[] {
  const bare = host.replace(/\.$/, '')
  return [bare, `${bare}.${namespace}.svc.${domain}`, `${bare}.svc.${domain}`, `${bare}.${domain}`]
}

function serviceNamed(names: readonly string[], { namespace }: ProxyNode, snapshot: Snapshot): Service | undefined {
  const seen = snapshot.services.all.filter((service) => service.registry === 'Kubernetes' || snapshot.services.sees(namespace, service))
  for (const name of names) {
    const target = snapshot.services.target(name)
    const exact = seen.find((service) => service.hostname === target)
    if (exact !== undefined) return exact
  }
  const wildcards = seen.filter((service) => covers(service.hostname, names[0]!))
  const best = mostSpecific(wildcards.map((service) => service.hostname), names[0]!)
  return wildcards.find((service) => service.hostname === best)
}

/** Its virtual IP; the hosts of a headless service are its endpoints. */
function addressOf(service: Service, snapshot: Snapshot): string | undefined {
  return service.addresses.find((one) => !one.includes('/'))
    ?? service.ports.flatMap((port) => snapshot.endpoints.of(service, port)).map((one) => one.address).find(isIP)
}
