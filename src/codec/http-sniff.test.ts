import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sniffHttp } from './http-sniff.ts'

const cases: readonly [bytes: string, found: string][] = [
  ['', 'incomplete'], ['G', 'incomplete'], ['GET', 'incomplete'], ['GET /a', 'incomplete'], ['GET /a HTTP/1.', 'incomplete'], ['P', 'incomplete'], ['PRI * HTTP/2.0\r\n', 'incomplete'],
  ['GET /a HTTP/1.1', 'http/1.1'], ['GET /a HTTP/1.0\r\n', 'http/1.0'], ['\r\nGET / HTTP/1.1', 'http/1.1'], ['PUT http://a/ HTTP/1.1\r\n', 'http/1.1'], ['PROPFIND / HTTP/1.1', 'http/1.1'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
  ['\x16\x03\x01', 'other'], ['GET /a HTTP/2', 'other'], ['GET  /', 'other'], [' GET', 'other'], ['*3\r\n$3\r\nSET\r\n', 'other'], ['SSH-2.0-OpenSSH_9\r\n', 'other'], ['A'.repeat(40), 'other'], ['GET /a\r\n', 'other'],
]
for (const [bytes, found] of cases) {
  test(`${JSON.stringify(bytes)} is ${found}`, () => {
    assert.equal(sniffHttp(Buffer.from(bytes, 'latin1')), found)
  })
}
