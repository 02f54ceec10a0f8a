import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HeaderList } from '../../../codec/header-list.ts'
import { RetryPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { ResetReason } from '../../upstream/types.ts'
import { backOffMs, compileRetry, noRetry, retriesReset, retriesResponse, retriesTimeout, withRequested } from './retry-policy.ts'

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
  const both = withRequested(istio, '5xx', '7')
  assert.equal(both.maxRetries, 7)
  assert.equal(retriesResponse(both, 500, new HeaderList()), true)
  assert.equal(retriesReset(both, 'remote-refused', false), true)
  assert.equal(withRequested(noRetry, 'reset', 'many').maxRetries, 1)
})

test('waits are drawn from a window that doubles up to ten times the base', () => {
  const almostOne = () => 0.9999
  assert.deepEqual([1, 2, 3, 4, 5, 50].map((retry) => backOffMs(istio, retry, almostOne)), [24, 49, 99, 199, 249, 249])
  assert.equal(backOffMs(istio, 1, () => 0), 0)
  const own = compileRetry(create(RetryPolicySchema, { retryBackOff: { baseInterval: { seconds: 1n }, maxInterval: { seconds: 2n } } }))
  assert.deepEqual([1, 2, 3].map((retry) => backOffMs(own, retry, almostOne)), [999, 1999, 1999])
})
