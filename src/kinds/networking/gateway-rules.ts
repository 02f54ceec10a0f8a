// What spans several fields of a Gateway (traffic spec 1.4).
import { isIP, isLabel, isPartialWildcard, isWildcardName, wildcardProblem } from '../fields/host.ts'
import { isHttpProtocol, isTlsProtocol, protocolProblem } from '../fields/protocol.ts'
import { each, error, warning, within } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { bindProblem } from './bind.ts'
import type { Gateway, GatewayServer } from './gateway.ts'
import type { ServerTls } from './server-tls.ts'
import { modeOf, serverTlsRules } from './server-tls-rules.ts'

type Server = Frozen<GatewayServer>

const serverRules: readonly Rule<GatewayServer>[] = [
  error(function* ({ hosts }) {
    for (const [index, host] of hosts.entries()) {
      const message = serverHostProblem(host)
      if (message !== undefined) yield [['hosts', index], message]
    }
  }),
  error(function* ({ port, bind }) {
    const protocol = port.protocol === '' ? 'is required: HTTP, HTTPS, TLS, TCP...' : protocolProblem(port.protocol)
    if (protocol !== undefined) yield [['port', 'protocol'], protocol]
    if (port.number === 0 && !bind.startsWith('unix://')) yield [['port', 'number'], 'must be 1 to 65535; 0 is for a bind to a unix:// socket']
    if (port.number !== 0 && bind.startsWith('unix://')) yield [['port', 'number'], 'must be 0, since bind is a unix:// socket']
    const wrong = bindProblem(bind)
    if (wrong !== undefined) yield [['bind'], wrong]
  }),
  error(tlsMisfit),
  warning(function* ({ port, tls }) {
    if (tls?.httpsRedirect === true && !isHttpProtocol(port.protocol)) yield [['tls', 'httpsRedirect'], `has an effect at a server of protocol HTTP only, not at ${port.protocol}`]
  }),
  ...within<GatewayServer, ServerTls>(({ tls }) => tls, ['tls'], serverTlsRules),
]

/** HTTPS and TLS need settings; plain HTTP may redirect to them and no more. */
function* tlsMisfit({ port, tls }: Server): Iterable<Finding> {
  if (protocolProblem(port.protocol) !== undefined) return
  if (isTlsProtocol(port.protocol)) {
    if (tls === undefined) yield [['tls'], `is required for a server of protocol ${port.protocol}`]
  } else if (tls !== undefined) {
    const redirects = modeOf(tls) === 'PASSTHROUGH' && tls.serverCertificate === '' && tls.privateKey === '' && tls.caCertificates === ''
    if (!isHttpProtocol(port.protocol)) yield [['tls'], `cannot be at a server of protocol ${port.protocol}: use TLS, or HTTPS for HTTP in it`]
    else if (!redirects) yield [['tls'], `cannot be at a server of protocol ${port.protocol}, but for httpsRedirect: use HTTPS`]
  }
}

/** `[namespace/]host`. */
function serverHostProblem(text: string): string | undefined {
  const slash = text.indexOf('/')
  const namespace = slash < 0 ? '*' : text.slice(0, slash)
  const host = text.slice(slash + 1)
  if (namespace !== '*' && namespace !== '.' && !isLabel(namespace)) return `${JSON.stringify(namespace)} is neither "*", "." nor the name of a namespace: write NAMESPACE/HOST`
  if (isIP(host)) return undefined
  if (!isWildcardName(host)) return wildcardProblem(host)
  if (host !== '*' && !host.includes('.')) return `${JSON.stringify(host)} is a short name: a Gateway needs the full name of the host`
  return isPartialWildcard(host) ? `${JSON.stringify(host)}: a wildcard must be a whole label, such as *.example.com` : undefined
}

export const gatewayRules: readonly Rule<Gateway>[] = [
  error(function* ({ servers }) {
    const seen = new Set<string>()
    for (const [index, { port }] of servers.entries()) {
      if (seen.has(port.name)) yield [['servers', index, 'port', 'name'], `port name ${port.name} is there twice: names are unique in a Gateway`]
      seen.add(port.name)
    }
  }),
  ...each<Gateway, GatewayServer>(({ servers }) => servers, ['servers'], serverRules),
]
