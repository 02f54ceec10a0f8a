// Retries beyond the plain ones: to other priorities, when the server says, only for requests that say they may be repeated.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { RetryPolicy_ResetHeaderFormat as ResetFormat } from '../../src/proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../src/proto/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../src/proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../src/model/address.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit } from '../support/http-world.ts'
import { RawPeer, ok, response } from '../support/raw-peer.ts'
import { pack, socketAddress } from '../support/xds-messages.ts'

type Policy = NonNullable<ActionInit['retryPolicy']>
const ms = (value: number) => ({ seconds: 0n, nanos: value * 1_000_000 })
const retrying = (more: Policy): ActionInit => ({ retryPolicy: { numRetries: 3, retryBackOff: { baseInterval: ms(1) }, ...more } as Policy })

/** A level for each list, the first is used first. */
function levels(...priorities: readonly Address[][]): MessageInitShape<typeof ClusterLoadAssignmentSchema> {
  return {
    clusterName: 'up',
    endpoints: priorities.map((hosts, priority) => ({ priority, lbEndpoints: hosts.map(({ host, port }) => ({ hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(host, port) } } })) })),
  }
}

test('retries leave the priorities that were tried, every second one, and come back when there is no other', async () => {
  await using near = await RawPeer.start(() => response(503, 'near'))
  await using far = await RawPeer.start(({ number }) => (number === 1 ? ok('far') : response(503, 'far')))
  const previous = pack(PreviousPrioritiesConfigSchema, create(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }))
  const action = retrying({ retryOn: '5xx', numRetries: 5, retryPriority: { name: 'envoy.retry_priorities.previous_priorities', configType: { case: 'typedConfig', value: previous } } })
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: { loadAssignment: levels([near.address], [far.address]) }, routes: [routeTo('up', '/', action)] })
  const answer = await fetch(world.url)
  assert.deepEqual([answer.status, await answer.text()], [200, 'far'])
  assert.deepEqual([near.requests.length, far.requests.length], [2, 1])
  assert.equal((await fetch(world.url)).status, 503)
  assert.deepEqual([near.requests.length, far.requests.length], [6, 3], 'two near, two far, then near again: both are spent')
})

test('without the plug-in a retry stays in the priority that has the load', async () => {
  await using near = await RawPeer.start(() => response(503, 'near'))
  await using far = await RawPeer.start(() => ok('far'))
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: { loadAssignment: levels([near.address], [far.address]) }, routes: [routeTo('up', '/', retrying({ retryOn: '5xx' }))] })
  assert.equal((await fetch(world.url)).status, 503)
  assert.deepEqual([near.requests.length, far.requests.length], [4, 0])
})

test('a server that asks for time gets it; for more than is believed the usual wait holds', async () => {
  await using peer = await RawPeer.start(({ number }) => (number % 2 === 0 ? ok('yes') : response(429, 'later', `retry-after: ${number === 1 ? 1 : 100}`)))
  const action = retrying({ retryOn: 'retriable-status-codes', retriableStatusCodes: [429], rateLimitedRetryBackOff: { resetHeaders: [{ name: 'Retry-After', format: ResetFormat.SECONDS }], maxInterval: { seconds: 30n } } })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', action)] })
  const began = Date.now()
  assert.equal(await (await fetch(world.url)).text(), 'yes')
  assert.ok(Date.now() - began >= 990, `${Date.now() - began} ms`)
  assert.equal(await (await fetch(world.url)).text(), 'yes')
  assert.ok(Date.now() - began < 20_000, 'a hundred seconds were not waited for')
})

test('only requests that match retriable_request_headers are tried again', async () => {
  await using peer = await RawPeer.start(() => response(503, 'no'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', retrying({ retryOn: '5xx', retriableRequestHeaders: [{ name: 'idempotency-key' }] }))] })
  await fetch(world.url, { method: 'POST' })
  assert.equal(peer.requests.length, 1)
  await fetch(world.url, { method: 'POST', headers: { 'idempotency-key': '1' } })
  assert.equal(peer.requests.length, 5)
})

test('a client of the mesh may name statuses and headers to retry on; the names end here', async () => {
  await using peer = await RawPeer.start(({ number }) => (number % 2 === 0 ? ok('yes') : response(418, 'tea', 'x-try-again: 1')))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up')] })
  for (const headers of [
    { 'x-envoy-retry-on': 'retriable-status-codes', 'x-envoy-retriable-status-codes': '417,418' },
    { 'x-envoy-retry-on': 'retriable-headers', 'x-envoy-retriable-header-names': 'x-try-again' },
  ]) assert.equal(await (await fetch(world.url, { headers })).text(), 'yes')
  assert.ok(peer.requests.every(({ head }) => !head.includes('x-envoy-ret')))
})
