import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HeaderList } from '../../../codec/header-list.ts'
import { RetryPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { PreviousPrioritiesConfigSchema } from '../../../proto/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import { routedRequest } from '../../../../test/support/routed-request.ts'
import type { ResetReason } from '../../upstream/types.ts'
import { backOffMs, compileRetry, coversRequest, noRetry, retriesReset, retriesResponse, retriesTimeout, saidWaitMs, withRequested } from './retry-policy.ts'

const policy = (retryOn: string, retriableStatusCodes: number[] = []) => compileRetry(create(RetryPolicySchema, { retryOn, retriableStatusCodes, numRetries: 2 }))

/** What Istio asks for where nobody says anything. */
const istio = policy('connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes')
const reasons: readonly ResetReason[] = ['connection-failure', 'connection-timeout', 'connection-termination', 'remote-reset', 'remote-refused', 'local-reset', 'protocol-error', 'overflow']

/** Reasons that are tried again, by whether a byte of the request may have arrived. */
const again = (on: string, begun: boolean) => reasons.filter((reason) => retriesReset(policy(on), reason, begun))

test('the default never delivers again what may have been processed', () => {
  const safe = ['connection-failure', 'connection-timeout', 'remote-refused']
  assert.deepEqual(reasons.filter((reason) => retriesReset(istio, reason, true)), safe)
  assert.deepEqual(reasons.filter((reason) => retriesReset(istio, reason, false)), safe)
  assert.equal(retriesTimeout(istio), false)
  assert.equal(retriesResponse(istio, 503, new HeaderList()), false)
  assert.equal(retriesResponse(istio, 200, HeaderList.of('grpc-status', '14')), true)
  assert.equal(retriesResponse(istio, 200, HeaderList.of('grpc-status', '13')), false)
})

test('reset, 5xx and gateway-error cover every reset but overflow, and timeouts', () => {
  for (const on of ['reset', '5xx', 'gateway-error']) {
    assert.deepEqual(again(on, true), reasons.filter((reason) => reason !== 'overflow'), on)
    assert.equal(retriesTimeout(policy(on)), true, on)
  }
  assert.deepEqual(again('reset-before-request', true), [])
  assert.equal(again('reset-before-request', false).length, reasons.length - 1)
  assert.deepEqual(again('connect-failure', false), ['connection-failure', 'connection-timeout'])
  assert.deepEqual(again('retriable-4xx,nonsense', false), [])
})

const responses: [string, number, string[], boolean][] = [
  ['5xx', 500, [], true], ['5xx', 499, [], false], ['gateway-error', 500, [], false], ['gateway-error', 502, [], true], ['gateway-error', 504, [], true],
  ['gateway-error', 505, [], false], ['retriable-4xx', 409, [], true], ['retriable-4xx', 404, [], false], ['retriable-status-codes', 418, [], true],
  ['retriable-status-codes', 419, [], false], ['5xx', 503, ['x-envoy-ratelimited', 'true'], false], ['envoy-ratelimited', 429, ['x-envoy-ratelimited', 'true'], true],
  ['deadline-exceeded', 200, ['grpc-status', '4'], true], ['resource-exhausted', 200, ['grpc-status', '8'], true], ['internal', 200, ['grpc-status', '13'], true],
  ['cancelled', 200, ['grpc-status', '1'], true], ['unavailable', 200, ['grpc-status', '0'], false],
]

test('responses are tried again by status, header and gRPC status', () => {
  for (const [on, status, headers, expected] of responses) {
    assert.equal(retriesResponse(policy(on, [418]), status, HeaderList.of(...headers)), expected, `${on} ${status} ${headers.join()}`)
  }
  const byHeader = compileRetry(create(RetryPolicySchema, { retryOn: 'retriable-headers', retriableHeaders: [{ name: 'x-again' }] }))
  assert.equal(retriesResponse(byHeader, 200, HeaderList.of('x-again', '')), true)
  assert.equal(retriesResponse(byHeader, 200, new HeaderList()), false)
})

test('what a client asks for adds to what the route says', () => {
  const both = withRequested(istio, { retryOn: '5xx', maxRetries: '7', statusCodes: '418, 42', headerNames: 'x-again,' })
  assert.equal(both.maxRetries, 7)
  assert.equal(retriesResponse(both, 500, new HeaderList()), true)
  assert.equal(retriesReset(both, 'remote-refused', false), true)
  assert.equal(retriesResponse(both, 418, new HeaderList()), true)
  assert.equal(retriesResponse(withRequested(noRetry, { retryOn: 'retriable-headers', maxRetries: undefined, statusCodes: undefined, headerNames: 'x-again' }), 200, HeaderList.of('x-again', '1')), true)
  assert.equal(withRequested(noRetry, { retryOn: 'reset', maxRetries: 'many', statusCodes: undefined, headerNames: undefined }).maxRetries, 1)
})

test('waits are drawn from a window that doubles up to ten times the base', () => {
  const almostOne = () => 0.9999
  assert.deepEqual([1, 2, 3, 4, 5, 50].map((retry) => backOffMs(istio, retry, almostOne)), [24, 49, 99, 199, 249, 249])
  assert.equal(backOffMs(istio, 1, () => 0), 0)
  const own = compileRetry(create(RetryPolicySchema, { retryBackOff: { baseInterval: { seconds: 1n }, maxInterval: { seconds: 2n } } }))
  assert.deepEqual([1, 2, 3].map((retry) => backOffMs(own, retry, almostOne)), [999, 1999, 1999])
})

test('retriable_request_headers: only requests that have one of them are tried again', () => {
  const some = compileRetry(create(RetryPolicySchema, { retryOn: '5xx', retriableRequestHeaders: [{ name: 'x-idempotent' }, { name: ':method', headerMatchSpecifier: { case: 'exactMatch', value: 'GET' } }] }))
  assert.equal(coversRequest(some, routedRequest({ method: 'POST' })), false)
  assert.equal(coversRequest(some, routedRequest({ method: 'GET' })), true)
  assert.equal(coversRequest(some, routedRequest({ method: 'POST', headers: { 'x-idempotent': '1' } })), true)
  assert.equal(coversRequest(istio, routedRequest({ method: 'POST' })), true)
})

test('a server that says when to come back is believed, up to a limit, and half as long again at most', () => {
  const now = 1_700_000_000_000
  const polite = compileRetry(create(RetryPolicySchema, { rateLimitedRetryBackOff: { maxInterval: { seconds: 30n }, resetHeaders: [{ name: 'Retry-After' }, { name: 'x-reset', format: 1 }] } }))
  const wait = (...headers: string[]) => [0, 0.9999].map((draw) => saidWaitMs(polite, HeaderList.of(...headers), now, () => draw))
  assert.deepEqual(wait('retry-after', '2'), [2000, 2999])
  assert.deepEqual(wait('x-reset', '1700000003'), [3000, 4499])
  assert.deepEqual(wait('retry-after', 'soon', 'x-reset', '1700000001'), [1000, 1499])
  for (const headers of [[], ['retry-after', '31'], ['retry-after', '0'], ['retry-after', '-1'], ['x-reset', '1699999999'], ['retry-after', '9'.repeat(400)]]) {
    assert.deepEqual(wait(...headers), [undefined, undefined], headers.join())
  }
  assert.equal(saidWaitMs(istio, HeaderList.of('retry-after', '2'), now, () => 0), undefined)
})

test('priorities are left after so many tries; other plug-ins are refused', () => {
  const typedConfig = anyPack(PreviousPrioritiesConfigSchema, create(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }))
  assert.equal(compileRetry(create(RetryPolicySchema, { retryPriority: { name: 'any', configType: { case: 'typedConfig', value: typedConfig } } })).leavePrioritiesAfter, 2)
  assert.equal(istio.leavePrioritiesAfter, 0)
  assert.throws(() => compileRetry(create(RetryPolicySchema, { retryPriority: { name: 'own' } })), /retry_priority: own is not supported/)
})
