// Every rule of a RouteTest: what is refused, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const reviews = {
  apiVersion: 'trysail.dev/v1',
  kind: 'RouteTest',
  spec: {
    tests: [{ name: 'a', from: 'web', request: { url: 'http://reviews:9080/' }, expect: { destination: { host: 'reviews', subset: 'v1' } } }],
  },
}

testKind(reviews, [
  { title: 'no test', change: ['tests', []], message: 'must have a test', twin: ['defaults', {}] },
  { title: 'an unknown expectation', change: ['tests[0].expect', { destinaton: { host: 'a' } }], path: 'tests[0].expect.destinaton', message: 'unknown field "destinaton"; did you mean destination?', twin: ['tests[0].expect', { destination: {} }] },
  { title: 'an unknown part of an expectation', change: ['tests[0].expect.retries', { atempts: 3 }], path: 'tests[0].expect.retries.atempts', message: 'unknown field "atempts"; did you mean attempts?', twin: ['tests[0].expect.retries', { attempts: 3 }] },
  { title: 'a test from nobody', change: ['tests[0].from', undefined], path: 'tests[0]', message: 'needs from: who sends the request, such as productpage-v1 or default/bookinfo-gateway', twin: [['tests[0].from', undefined], ['defaults', { from: 'web' }]] },
  { title: 'a test without a URL', change: ['tests[0].request', { path: '/a' }], path: 'tests[0]', message: 'needs the URL of a request, such as request: { url: http://reviews:9080/ }', twin: [['tests[0].request', undefined], ['tests[0].requests', [{ url: 'http://a/' }]]] },
  { title: 'a row without a URL', change: [['tests[0].request', undefined], ['tests[0].requests', [{ url: 'http://a/' }, { path: '/' }]]], path: 'tests[0].requests[1]', message: 'needs the URL of a request, such as request: { url: http://reviews:9080/ }', twin: [['tests[0].request', undefined], ['defaults', { request: { url: 'http://a/' } }]] },
  { title: 'a test that nothing can fail', change: ['tests[0].expect', {}], path: 'tests[0]', message: 'expects nothing: give it expect or not', twin: [['tests[0].expect', {}], ['tests[0].not', { rewrite: {} }]] },
  { title: 'a URL that is none', change: ['tests[0].request.url', 'reviews:9080/'], message: 'must be a URL such as http://reviews:9080/reviews/1 (http, https, tcp or tls)', twin: ['tests[0].request.url', 'tls://[::1]:443'] },
  { title: 'a path that is none', change: ['tests[0].request.path', 'reviews'], message: 'must be a path that begins with /', twin: ['tests[0].request.path', '/reviews?a=b'] },
  { title: 'a header that is none', change: ['tests[0].request.headers', { 'a b': 'c' }], path: 'tests[0].request.headers.a b', message: 'is not the name of a header', twin: ['tests[0].request.headers', { a: 'b c' }] },
  { title: 'a client address that is none', change: ['tests[0].request.sourceIP', '10.0.0'], message: 'must be an IP address', twin: ['tests[0].request.sourceIP', '10.0.0.1'] },
  { title: 'one destination and a list', change: ['tests[0].expect.destinations', [{ subset: 'v1' }]], message: 'destination says already where everything goes: keep one of them', twin: [['tests[0].expect.destination', undefined], ['tests[0].expect.destinations', []]] },
  { title: 'a timeout without unit', change: ['tests[0].expect.timeout', '5'], message: 'must be a duration such as 1s, 500ms or 1m30s, not "5"', twin: ['tests[0].expect.timeout', '0s'] },
  { title: 'a name twice', severity: 'warning', change: ['tests[1]', { name: 'a', from: 'web', request: { url: 'http://a/' }, not: { rewrite: {} } }], path: 'tests[1].name', message: 'tests[0] has the name "a" already', twin: ['tests[1]', { name: 'b', from: 'web', request: { url: 'http://a/' }, not: { rewrite: {} } }] },
])
