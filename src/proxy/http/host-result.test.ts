import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderList } from '../../codec/header-list.ts'
import { resultOf } from './host-result.ts'

const none = new HeaderList()

test('a request is judged by its status, which may be none that is known', () => {
  for (const status of [200, 404, 503, 599, 799]) assert.deepEqual(resultOf(status, none, false), { kind: 'response', status })
  assert.deepEqual(resultOf(200, HeaderList.of('grpc-status', '14'), false), { kind: 'response', status: 200 })
})

test('a call is judged by its own status where its head has one, or else by that of HTTP, and as a call', () => {
  assert.deepEqual(resultOf(200, HeaderList.of('grpc-status', '14'), true), { kind: 'response', status: 200, judgedAs: 503 })
  assert.deepEqual(resultOf(200, HeaderList.of('grpc-status', '0'), true), { kind: 'response', status: 200, judgedAs: 200 })
  for (const status of [200, 429, 503, 799]) assert.deepEqual(resultOf(status, none, true), { kind: 'response', status, judgedAs: status })
  assert.deepEqual(resultOf(503, HeaderList.of('grpc-status', '0'), true), { kind: 'response', status: 503, judgedAs: 503 })
})
