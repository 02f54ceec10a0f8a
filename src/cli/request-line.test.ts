import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRequest } from './request-line.ts'
import { UsageError } from './usage-error.ts'

function mistakesOf(line: string, ...headers: string[]): readonly string[] {
  try {
    parseRequest(line, headers)
  } catch (error) {
    if (error instanceof UsageError) return error.mistakes
    throw error
  }
  return []
}

test('method, host, port, path and query are read as written', () => {
  assert.deepEqual(parseRequest('post http://Reviews:9080/a/../b?x=1&y', []), {
    method: 'POST', scheme: 'http', host: 'reviews', port: 9080, authority: 'Reviews:9080', path: '/a/../b?x=1&y', headers: [], sni: undefined,
  })
  const short = parseRequest('GET reviews', [])
  assert.deepEqual([short.scheme, short.host, short.port, short.path], ['http', 'reviews', undefined, '/'])
  const query = parseRequest('GET https://a.example?x#part', [])
  assert.deepEqual([query.scheme, query.path], ['https', '/?x'])
  const v6 = parseRequest('GET http://[::1]:80/', [])
  assert.deepEqual([v6.host, v6.port, v6.authority], ['::1', 80, '[::1]:80'])
})

test('connections are asked for by host and port, with a server name of their own', () => {
  const { method, scheme, host, port, path } = parseRequest('TCP Db:5432', [])
  assert.deepEqual([method, scheme, host, port, path], ['TCP', 'tcp', 'db', 5432, ''])
  const tls = parseRequest('tls://db.example:443', [], 'Other.Example')
  assert.deepEqual([tls.method, tls.scheme, tls.sni], ['TLS', 'tls', 'other.example'])
  assert.match(mistakesOf('TCP db').join(), /^--request: a connection goes to a host and a port, such as 'TCP db:5432', not "TCP db"$/)
  assert.match(mistakesOf('TCP db:5432/x').join(), /goes to a host and a port/)
  assert.deepEqual(mistakesOf('TCP db:5432', 'a: b'), ['--header: a connection has no headers'])
})

test('headers have lower-case names; Host is the authority', () => {
  const { headers, authority, host } = parseRequest('GET http://10.0.0.1/', ['End-User: jason: x', 'empty:', 'Host: other.example'])
  assert.deepEqual(headers, [['end-user', 'jason: x'], ['empty', '']])
  assert.deepEqual([authority, host], ['other.example', '10.0.0.1'])
})

test('what is no request is said, with what one looks like', () => {
  for (const line of ['', 'GET', 'GET /path', 'GET http://', 'GET http://a:0/', 'GET http://a:99999/', 'GET http://u@a/', 'GET http://a/ b']) {
    assert.match(mistakesOf(line).join(), /^--request must be 'METHOD URL' such as 'GET http:\/\/reviews:9080\/reviews\/1', not /, line)
  }
  assert.deepEqual(mistakesOf('G(T http://a/'), ['--request: "G(T" is no method'])
  assert.deepEqual(mistakesOf('GET ftp://a/', 'bad name: x'), ['--request: only http and https are served, and connections by tcp and tls, not ftp', '--header must be NAME:VALUE such as \'end-user: jason\', not "bad name: x"'])
})
