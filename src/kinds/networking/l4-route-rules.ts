// Rules of VirtualService.tcp and .tls (traffic spec 1.2.5, 1.2.6).
import { isIP, isSniName, isWildcardName, wildcardProblem } from '../fields/host.ts'
import { each, error, warning } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { gatewayNameRules } from './gateway-names.ts'
import type { TcpMatch, TcpRoute, TlsMatch, TlsRoute, VirtualService } from './virtual-service.ts'
import { weightRules } from './weight-rules.ts'

export const tcpRouteRules: readonly Rule<TcpRoute>[] = [
  ...weightRules<TcpRoute>(),
  ...each<TcpRoute, TcpMatch>(({ match }) => match, ['match'], gatewayNameRules<TcpMatch>()),
]

/** Of the whole VirtualService: server names must be among its hosts. */
export const tlsRouteRules: readonly Rule<VirtualService>[] = [
  ...each<VirtualService, TlsRoute>(({ tls }) => tls, ['tls'], [
    ...weightRules<TlsRoute>(),
    ...each<TlsRoute, TlsMatch>(({ match }) => match, ['match'], gatewayNameRules<TlsMatch>()),
  ]),
  error(function* (spec) {
    for (const [path, name] of serverNames(spec)) {
      const message = serverNameProblem(name, spec)
      if (message !== undefined) yield [path, message]
    }
  }),
  warning(function* (spec) {
    for (const [path, name] of serverNames(spec)) {
      if (isIP(name)) yield [path, `${name} is an address: clients send names only (RFC 6066)`]
    }
  }),
]

function* serverNames({ tls }: Frozen<VirtualService>): Iterable<Finding> {
  for (const [index, { match }] of tls.entries()) {
    for (const [at, { sniHosts }] of match.entries()) {
      for (const [of, name] of sniHosts.entries()) yield [['tls', index, 'match', at, 'sniHosts', of], name]
    }
  }
}

function serverNameProblem(name: string, { hosts, gateways }: Frozen<VirtualService>): string | undefined {
  if (isIP(name)) return undefined
  const meshName = !gateways.includes('mesh') && isSniName(name)
  if (!meshName && !isWildcardName(name)) return wildcardProblem(name)
  if (hosts.length === 0 || hosts.some((host) => covers(host.toLowerCase(), name.toLowerCase()))) return undefined
  return `${JSON.stringify(name)} is not among the hosts of the VirtualService: ${hosts.join(', ')}`
}

function covers(host: string, name: string): boolean {
  return host === '*' || host === name || (host.startsWith('*.') && name.endsWith(host.slice(1)))
}
