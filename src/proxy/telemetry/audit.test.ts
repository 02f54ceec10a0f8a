// Which exchanges and connections are written down, and as what.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endedExchange, tlsOf } from '../../../test/support/ended-exchange.ts'
import { logEntry } from '../../../test/support/log-entry.ts'
import type { AuditEvent } from '../../telemetry/audit/events.ts'
import { setMetadata } from '../http/dynamic-metadata.ts'
import { auditConnections, auditExchanges } from './audit.ts'

const web = 'spiffe://cluster.local/ns/default/sa/web'

function exchanges() {
  const events: AuditEvent[] = []
  return { events, onEnd: auditExchanges((event) => events.push(event)) }
}

function denied(status: number, details: string) {
  const exchange = endedExchange({ responseCode: status, downstreamTls: tlsOf('spiffe://cluster.local/ns/default/sa/reviews', web) })
  exchange.responseCodeDetails = details
  exchange.setPath('/reviews/1?access_token=s3cret')
  return exchange
}

test('a request that a policy refused is written down with the policy, and without its query', () => {
  const { events, onEnd } = exchanges()
  onEnd(denied(403, 'rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]'))
  assert.deepEqual(events, [{
    event: 'request-denied', client: { address: '10.0.0.2:2', identity: web }, destination: '10.0.0.1:80',
    method: 'GET', authority: 'reviews:9080', path: '/reviews/1', requestId: '3f7d0c54', status: 403,
    reason: 'rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]', policy: 'ns[default]-policy[deny-all]-rule[0]',
  }])
})

for (const [status, details] of [
  [403, 'rbac_access_denied_matched_policy[none]'], [401, 'jwt_authn_access_denied{Jwt_is_expired}'],
  [302, 'ext_authz_denied'], [403, 'ext_authz_error'],
] as const) {
  test(`an answer with ${details} is a denial, and names no policy`, () => {
    const { events, onEnd } = exchanges()
    onEnd(denied(status, details))
    assert.deepEqual(events.map((one) => [one.event, 'policy' in one]), [['request-denied', false]])
  })
}

test('what the upstream answers, and what failed for other reasons, is not', () => {
  const { events, onEnd } = exchanges()
  for (const details of ['via_upstream', 'route_not_found', 'no_healthy_upstream', '']) onEnd(denied(403, details))
  assert.deepEqual(events, [])
})

test('a request that an AUDIT policy marked is written down although it passed', () => {
  const { events, onEnd } = exchanges()
  const exchange = denied(200, 'via_upstream')
  setMetadata(exchange, 'envoy.common', { access_log_hint: false })
  onEnd(exchange)
  setMetadata(exchange, 'envoy.common', { access_log_hint: true })
  onEnd(exchange)
  assert.deepEqual(events.map((one) => [one.event, 'status' in one && one.status]), [['request-audited', 200]])
})

test('a denial says why in words, but not every one of those that come all the time: to find out costs', () => {
  const { events, onEnd } = exchanges()
  let asked = 0
  const why = { policy: 'ns[default]-policy[deny]-rule[0]', get reason() { return `path is /admin ${++asked}` } }
  for (let i = 0; i < 200; i++) {
    const exchange = denied(403, 'rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]')
    setMetadata(exchange, 'trysail.authorization', why)
    exchange.endTime = 5_000 + Math.floor(i / 100) * 1000
    onEnd(exchange)
  }
  assert.equal(asked, 100)
  assert.equal(events.length, 200)
  assert.deepEqual([events[0], events[60]].map((one) => one !== undefined && 'detail' in one && one.detail), ['path is /admin 1', false])
})

test('connections: refused handshakes and denials by policy, nothing else', () => {
  const events: AuditEvent[] = []
  const onConnection = auditConnections((event) => events.push(event))
  const tcp = { responseCodeDetails: '', connectionTerminationDetails: '' }
  onConnection(logEntry({ ...tcp }))
  onConnection(logEntry({ ...tcp, responseCodeDetails: 'connection_limit' }))
  onConnection(logEntry({ ...tcp, responseCodeDetails: 'tls_handshake_failed', connectionTerminationDetails: 'client certificate: expired', requestedServerName: 'reviews' }))
  onConnection(logEntry({ ...tcp, responseCodeDetails: 'filter_chain_not_found' }))
  onConnection(logEntry({ ...tcp, connectionTerminationDetails: 'rbac_access_denied_matched_policy[ns[default]-policy[mongo]-rule[1]]', downstreamPeerUri: web }))
  const client = { address: '10.0.0.2:51004', identity: '' }
  const destination = '10.96.0.12:9080'
  assert.deepEqual(events, [
    { event: 'handshake-refused', client, destination, serverName: 'reviews', reason: 'tls_handshake_failed', detail: 'client certificate: expired' },
    { event: 'handshake-refused', client, destination, serverName: '', reason: 'filter_chain_not_found' },
    {
      event: 'connection-denied', client: { ...client, identity: web }, destination, serverName: '',
      reason: 'rbac_access_denied_matched_policy[ns[default]-policy[mongo]-rule[1]]', policy: 'ns[default]-policy[mongo]-rule[1]',
    },
  ])
})
