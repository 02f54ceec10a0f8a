import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderList } from '../header-list.ts'
import { isFieldName, isFieldValue } from './characters.ts'
import { chunkStart, chunkedBody, lastChunk, noBody, requestHead, responseHead, stripHopByHop } from './writer.ts'

test('a request head carries Host first, then the fields, then framing', () => {
  const head = requestHead('POST', '/a?b', 'svc:80', HeaderList.of('x', '1', 'y', '2'), 12)
  assert.equal(head, 'POST /a?b HTTP/1.1\r\nhost: svc:80\r\nx: 1\r\ny: 2\r\ncontent-length: 12\r\n\r\n')
})

test('a body of unknown length is chunked, and no body says nothing', () => {
  assert.match(requestHead('POST', '/', 'a', HeaderList.of(), chunkedBody), /transfer-encoding: chunked\r\n\r\n$/)
  assert.equal(requestHead('GET', '/', 'a', HeaderList.of(), noBody), 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
})

test('a response head takes the usual reason when it has none', () => {
  assert.equal(responseHead(503, '', HeaderList.of('a', 'b'), 0, 'close'), 'HTTP/1.1 503 Service Unavailable\r\na: b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  assert.equal(responseHead(299, '', HeaderList.of(), noBody), 'HTTP/1.1 299 Unknown\r\n\r\n')
  assert.equal(responseHead(200, 'Fine', HeaderList.of(), noBody, 'keep-alive'), 'HTTP/1.1 200 Fine\r\nconnection: keep-alive\r\n\r\n')
})

test('chunks are framed in hex and the last one may carry trailers', () => {
  assert.equal(chunkStart(65536), '10000\r\n')
  assert.equal(lastChunk(undefined), '0\r\n\r\n')
  assert.equal(lastChunk(HeaderList.of('x-sum', '1')), '0\r\nx-sum: 1\r\n\r\n')
})

const stripped: readonly [title: string, before: string[], after: string[]][] = [
  ['nothing when there is nothing', ['a', '1'], ['a', '1']],
  ['the fixed set', ['connection', 'keep-alive', 'keep-alive', 't=5', 'proxy-connection', 'x', 'transfer-encoding', 'chunked', 'upgrade', 'h2c', 'te', 'gzip', 'a', '1'], ['a', '1']],
  ['what Connection names, in any case', ['connection', 'X-One, close', 'x-one', '1', 'x-two', '2'], ['x-two', '2']],
  ['what several Connection fields name', ['connection', 'x-one', 'connection', 'x-two', 'x-one', '1', 'x-two', '2', 'a', '3'], ['a', '3']],
  ['but te: trailers stays', ['te', 'trailers'], ['te', 'trailers']],
  ['but not what routing and identity rest on', ['connection', 'x-forwarded-for, host, x-envoy-internal', 'x-forwarded-for', '1', 'host', 'a', 'x-envoy-internal', 'true'], ['x-forwarded-for', '1', 'host', 'a', 'x-envoy-internal', 'true']],
]
for (const [title, before, after] of stripped) {
  test(`hop-by-hop removal takes ${title}`, () => {
    const headers = HeaderList.of(...before)
    stripHopByHop(headers)
    assert.deepEqual(headers.flat, after)
  })
}

test('text that would break a head is known as such', () => {
  for (const bad of ['a\r\nb', 'a\nb', 'a\0', '\u0100', 'a\x7f']) assert.equal(isFieldValue(bad), false, JSON.stringify(bad))
  for (const good of ['', 'a b\tc', '\xff']) assert.equal(isFieldValue(good), true, JSON.stringify(good))
  for (const bad of ['', 'A', 'a b', 'a:', 'é']) assert.equal(isFieldName(bad), false, JSON.stringify(bad))
  assert.equal(isFieldName('x-a_1'), true)
})
