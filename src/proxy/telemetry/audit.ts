// What of a proxy's traffic belongs in the audit log: requests and connections that a policy refused, handshakes that
// failed, and requests that an AUDIT policy marked. What the log looks like is in telemetry/audit.
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import type { AuditPeer, ConnectionEvent, RequestEvent, WriteAudit } from '../../telemetry/audit/events.ts'
import type { Exchange } from '../http/exchange.ts'
import { whyNamespace } from '../http/filters/rbac.ts'

/** Envoy's response code details of those who refuse by policy. */
const denials: readonly string[] = ['rbac_access_denied', 'jwt_authn_access_denied', 'ext_authz_denied', 'ext_authz_error']
/** Of the proxy's own words for connections that it turned away (listen/connection-entry.ts), those that are about security. */
const refusals: ReadonlySet<string> = new Set(['filter_chain_not_found', 'no_certificate', 'tls_handshake_failed'])

const isDenial = (details: string): boolean => denials.some((one) => details.startsWith(one))

/** Envoy's name for what the LOG action of a policy decides. */
const auditNamespace = 'envoy.common'
const auditHint = 'access_log_hint'

/** For HttpDeps.onExchangeEnd. What the upstream answered is its own business: that costs one comparison. */
export function auditExchanges(write: WriteAudit): (exchange: Exchange) => void {
  const why = explainer()
  return (exchange) => {
    const { responseCodeDetails: details, dynamicMetadata } = exchange
    if (details !== 'via_upstream' && isDenial(details)) write({ ...requestEvent('request-denied', exchange), ...why(exchange) })
    else if (dynamicMetadata !== undefined && dynamicMetadata.get(auditNamespace)?.[auditHint] === true) write({ ...requestEvent('request-audited', exchange), ...whyOf(exchange) })
  }
}

/** Every TCP session that has ended, and every connection that was refused. */
export function auditConnections(write: WriteAudit): (entry: AccessLogEntry) => void {
  return (entry) => {
    const { responseCodeDetails: details, connectionTerminationDetails: end } = entry
    if (refusals.has(details)) return write(connectionEvent('handshake-refused', entry, details, end))
    const reason = [details, end].find(isDenial)
    if (reason !== undefined) write(connectionEvent('connection-denied', entry, reason, ''))
    else if (entry.auditPolicy !== undefined) write({ ...connectionEvent('connection-audited', entry, end, ''), policy: entry.auditPolicy })
  }
}

function requestEvent(event: RequestEvent['event'], exchange: Exchange): RequestEvent {
  const { method, authority, pathname, responseCode, responseCodeDetails } = exchange
  return {
    event,
    client: peerOf(exchange),
    destination: exchange.downstreamLocalAddress,
    method, authority,
    path: pathname,
    requestId: exchange.requestHeader('x-request-id') ?? '',
    status: responseCode,
    reason: responseCodeDetails,
    ...policyOf(responseCodeDetails),
  }
}

/** To find out why costs more than to deny: whoever is denied a thousand times a second is told about so often. */
const maxExplainedPerSecond = 50

function explainer(): typeof whyOf {
  let second = 0
  let left = 0
  return (exchange) => {
    const now = Math.floor(exchange.endTime / 1000)
    if (now !== second) [second, left] = [now, maxExplainedPerSecond]
    return left-- > 0 ? whyOf(exchange) : {}
  }
}

/** What the filter that denied it, or marked it, found out, now that somebody asks. */
function whyOf({ dynamicMetadata }: Exchange): { readonly policy?: string; readonly detail?: string } {
  const why = dynamicMetadata?.get(whyNamespace)
  const { policy, reason } = why ?? {}
  return { ...(typeof policy === 'string' && policy !== '' && { policy }), ...(typeof reason === 'string' && { detail: reason }) }
}

function connectionEvent(event: ConnectionEvent['event'], entry: AccessLogEntry, reason: string, detail: string): ConnectionEvent {
  return {
    event,
    client: peerOf(entry),
    destination: entry.downstreamLocalAddress,
    serverName: entry.requestedServerName,
    reason,
    ...(detail === '' ? {} : { detail }),
    ...policyOf(reason),
  }
}

function peerOf({ downstreamRemoteAddress, downstreamPeerUri }: AccessLogEntry): AuditPeer {
  return { address: downstreamRemoteAddress, identity: downstreamPeerUri }
}

/** `rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]`: what is in the outer brackets. */
function policyOf(reason: string): { readonly policy?: string } {
  const at = reason.indexOf('matched_policy[')
  const policy = at === -1 ? '' : reason.slice(at + 'matched_policy['.length, -1)
  return policy === '' || policy === 'none' ? {} : { policy }
}
