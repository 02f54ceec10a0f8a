import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderList } from '../../../codec/header-list.ts'
import { acceptFor, giveAccept, giveKey, keyOf } from './websocket-key.ts'

test('the answer to a key is the one of RFC 6455', () => {
  assert.equal(acceptFor('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

test('a key is given to WebSocket alone, and only where there is none', () => {
  const [without, other, own] = [new HeaderList(), new HeaderList(), HeaderList.of('sec-websocket-key', 'mine')]
  giveKey(without, 'WebSocket')
  giveKey(other, 'tls/1.0')
  giveKey(own, 'websocket')
  assert.match(keyOf(without, 'websocket') ?? '', /^[A-Za-z0-9+/]{22}==$/)
  assert.equal(other.size, 0)
  assert.deepEqual(own.flat, ['sec-websocket-key', 'mine'])
})

test('an answer that proves something itself keeps its proof', () => {
  const headers = HeaderList.of('sec-websocket-accept', 'theirs')
  giveAccept(headers, 'key')
  assert.equal(headers.get('sec-websocket-accept'), 'theirs')
  const nothing = new HeaderList()
  giveAccept(nothing, undefined)
  assert.equal(nothing.size, 0)
})
