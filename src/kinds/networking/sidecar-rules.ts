// What spans several fields of a Sidecar (traffic spec 1.6).
import { isFqdn, isIP } from '../fields/host.ts'
import { isHttpProtocol } from '../fields/protocol.ts'
import { each, error, warning, within } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { bindProblem, unixProblem } from './bind.ts'
import { connectionPoolRules } from './connection-pool-rules.ts'
import type { ServerTls } from './server-tls.ts'
import { modeOf, serverTlsRules } from './server-tls-rules.ts'
import { egressRules, portProblems } from './sidecar-egress-rules.ts'
import type { OutboundTrafficPolicy, Sidecar, SidecarIngress } from './sidecar.ts'
import type { ConnectionPool } from './traffic-policy.ts'

const loopbacks = ['127.0.0.1', '0.0.0.0', '::1', '::', '']

function defaultEndpointProblem(text: string): string | undefined {
  if (text === '') return undefined
  if (text.startsWith('unix://')) return unixProblem(text)
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  if (port === undefined || !loopbacks.includes(bracketed ?? plain ?? '')) {
    return `${JSON.stringify(text)} is not where an application can listen: write 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT (both: the Pod's own address) or unix:///path`
  }
  return Number(port) >= 1 && Number(port) <= 65535 ? undefined : `${JSON.stringify(text)}: the port must be 1 to 65535`
}

const anyAddresses = ['0.0.0.0', '::']

/** A listener that nothing captures for opens at `bind`, or at the Pod's own address; without an endpoint it sends to loopback. */
function callsItself(bind: string, port: number, endpoint: string): boolean {
  const [, bracketed, plain, number] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(endpoint) ?? []
  if (endpoint !== '' && Number(number) !== port) return false
  const host = endpoint === '' ? '127.0.0.1' : (bracketed ?? plain ?? '')
  if (anyAddresses.includes(bind)) return true
  return anyAddresses.includes(host) || host === '' ? bind === '' : bind === host
}

const ingressRules: readonly Rule<SidecarIngress>[] = [
  error(function* ({ port, bind, defaultEndpoint }) {
    for (const [path, message] of portProblems(port)) yield [['port', ...path], message]
    if (port.number === 0) yield [['port', 'number'], 'must be 1 to 65535']
    if (bind !== '' && !isIP(bind)) yield [['bind'], bindProblem(bind) ?? `${JSON.stringify(bind)} is a unix socket: what comes from others comes to an IP address`]
    const message = defaultEndpointProblem(defaultEndpoint)
    if (message !== undefined) yield [['defaultEndpoint'], message]
  }),
  error(function* ({ port, bind, captureMode, defaultEndpoint }) {
    if (captureMode !== 'NONE' || port.number === 0 || !callsItself(bind, port.number, defaultEndpoint)) return
    yield [['defaultEndpoint'], `must be another place than where the listener opens${bind === '' ? '' : ` (${bind})`}, or it would call itself: give the application another port or address`]
  }),
  error(function* ({ tls }) {
    if (tls === undefined) return
    if (['ISTIO_MUTUAL', 'AUTO_PASSTHROUGH'].includes(modeOf(tls))) yield [['tls', 'mode'], `${modeOf(tls)} is not supported at a Sidecar: use SIMPLE, MUTUAL or OPTIONAL_MUTUAL`]
  }),
  ...within<SidecarIngress, ServerTls>(({ tls }) => tls, ['tls'], serverTlsRules),
  ...within<SidecarIngress, ConnectionPool>(({ connectionPool }) => connectionPool, ['connectionPool'], connectionPoolRules),
  warning(function* ({ port, connectionPool }) {
    if (connectionPool?.http !== undefined && !isHttpProtocol(port.protocol)) yield [['connectionPool', 'http'], `has no effect at a port of protocol ${port.protocol || 'unset'}: only tcp counts there`]
  }),
]

const policyRules: readonly Rule<OutboundTrafficPolicy>[] = [
  error(function* ({ mode, egressProxy }) {
    if (egressProxy === undefined) return
    if (mode !== 'ALLOW_ANY') yield [['egressProxy'], 'needs mode ALLOW_ANY: it is where traffic to unknown hosts goes']
    if (!isFqdn(egressProxy.host)) yield [['egressProxy', 'host'], `${JSON.stringify(egressProxy.host)} must be the full name of a host`]
    if (egressProxy.port === undefined) yield [['egressProxy', 'port'], 'is required']
  }),
]

export const sidecarRules: readonly Rule<Sidecar>[] = [
  error(function* ({ ingress, egress, inboundConnectionPool, outboundTrafficPolicy }) {
    if (ingress.length + egress.length === 0 && inboundConnectionPool === undefined && outboundTrafficPolicy === undefined) {
      yield [[], 'a Sidecar needs at least one of egress, ingress, outboundTrafficPolicy and inboundConnectionPool']
    }
  }),
  error(function* ({ ingress }) {
    const seen = new Set<number>()
    for (const [index, { port }] of ingress.entries()) {
      if (seen.has(port.number)) yield [['ingress', index, 'port', 'number'], `the port ${port.number} is there twice: remove one`]
      seen.add(port.number)
    }
  }),
  warning(function* ({ workloadSelector }) {
    if (workloadSelector !== undefined && Object.keys(workloadSelector.labels).length === 0) {
      yield [['workloadSelector'], 'selects every workload of the namespace, since it has no labels']
    }
  }),
  ...each<Sidecar, SidecarIngress>(({ ingress }) => ingress, ['ingress'], ingressRules),
  ...egressRules,
  ...within<Sidecar, ConnectionPool>(({ inboundConnectionPool }) => inboundConnectionPool, ['inboundConnectionPool'], connectionPoolRules),
  ...within<Sidecar, OutboundTrafficPolicy>(({ outboundTrafficPolicy }) => outboundTrafficPolicy, ['outboundTrafficPolicy'], policyRules),
]
