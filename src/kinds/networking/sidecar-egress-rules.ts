// Sidecar.egress: which hosts a workload sees, on which listeners (traffic spec 1.6). What both directions ask of a port.
import { isIP, isLabel, isPartialWildcard, isWildcardName, wildcardProblem } from '../fields/host.ts'
import { protocolProblem } from '../fields/protocol.ts'
import { each, error, warning } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { bindProblem, unixProblem } from './bind.ts'
import type { Sidecar, SidecarEgress, SidecarPort } from './sidecar.ts'

const listenerRules: readonly Rule<SidecarEgress>[] = [
  error(function* ({ port, bind, captureMode }) {
    if (port === undefined) return
    for (const [path, message] of portProblems(port)) yield [['port', ...path], message]
    if (port.number === 0) {
      const message = bind.startsWith('unix://') ? unixProblem(bind) : 'must be unix:///path, since the port is 0'
      if (message !== undefined) yield [['bind'], message]
      if (captureMode === 'IPTABLES') yield [['captureMode'], 'must be DEFAULT or NONE for a unix socket']
    } else if (bind !== '' && !isIP(bind)) {
      yield [['bind'], bindProblem(bind) ?? `${JSON.stringify(bind)} is a unix socket, whose port is 0`]
    }
  }),
  error(function* ({ hosts }) {
    for (const [index, host] of hosts.entries()) {
      const message = importedHostProblem(host)
      if (message !== undefined) yield [['hosts', index], message]
    }
  }),
  warning(function* ({ hosts }, { namespace }) {
    const seen = new Set<string>()
    for (const [index, host] of hosts.entries()) {
      const full = host.startsWith('./') ? `${namespace}${host.slice(1)}` : host
      const whole = `${full.slice(0, full.indexOf('/'))}/*`
      if (seen.has(full)) yield [['hosts', index], `${host} is there twice: remove one`]
      else if (seen.has(whole) || seen.has('*/*')) yield [['hosts', index], `${host} is part of ${seen.has(whole) ? whole : '*/*'}, which is there too: remove it`]
      seen.add(full)
    }
  }),
]

export const egressRules: readonly Rule<Sidecar>[] = [
  error(function* ({ egress }) {
    for (const [index, { port }] of egress.entries()) {
      if (port === undefined && index < egress.length - 1) {
        yield [['egress', index], 'has no port, so it takes all that is left: there can be one such listener, and it must be the last']
      }
    }
  }),
  error(function* ({ egress }) {
    const seen = new Set<string>()
    for (const [index, { port, bind }] of egress.entries()) {
      if (port === undefined) continue
      const key = port.number === 0 ? bind : String(port.number)
      if (seen.has(key)) yield [['egress', index, 'port'], `the listener ${key} is there twice: ports and unix sockets are unique`]
      seen.add(key)
    }
  }),
  ...each<Sidecar, SidecarEgress>(({ egress }) => egress, ['egress'], listenerRules),
]

/** Of ports in both directions; paths are relative to the port. */
export function* portProblems({ name, protocol }: Frozen<SidecarPort>): Iterable<Finding> {
  if (name !== '' && !isLabel(name)) yield [['name'], `${JSON.stringify(name)} is not the name of a port: letters, digits and '-', at most 63`]
  const message = protocolProblem(protocol)
  if (message !== undefined) yield [['protocol'], message]
}

/** `NAMESPACE/HOST`, `~/*`, `~NAMESPACE/HOST`. */
function importedHostProblem(text: string): string | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return `${JSON.stringify(text)} must be NAMESPACE/HOST: */HOST for any namespace, ./HOST for this one`
  const [written, host] = [text.slice(0, slash), text.slice(slash + 1)]
  const namespace = written.length > 1 && written.startsWith('~') ? written.slice(1) : written
  if (!['*', '.', '~'].includes(namespace) && !isLabel(namespace)) return `${JSON.stringify(text)}: ${JSON.stringify(namespace)} is neither "*", ".", "~" nor the name of a namespace`
  if (host === '*') return undefined
  if (!isWildcardName(host)) return wildcardProblem(host)
  if (!host.includes('.')) return `${JSON.stringify(text)}: ${JSON.stringify(host)} is a short name; a Sidecar needs the full name of the host`
  return isPartialWildcard(host) ? `${JSON.stringify(text)}: a wildcard must be a whole label, such as *.example.com` : undefined
}
