// Redirects, direct responses and rewrites.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { DirectResponseActionSchema, RedirectActionSchema, RouteActionSchema, RouteMatchSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { routedRequest } from '../../../../test/support/routed-request.ts'
import type { RequestInit } from '../../../../test/support/routed-request.ts'
import { compileDirectResponse, compileRedirect } from './redirect.ts'
import { compileHostRewrite, compilePathRewrite } from './rewrite.ts'

const prefix = (value: string) => create(RouteMatchSchema, { pathSpecifier: { case: 'prefix', value } })

type Redirect = MessageInitShape<typeof RedirectActionSchema>
const request: RequestInit = { authority: 'a.example:8080', path: '/old/x?q=1' }
const redirects: [string, Redirect, string, RequestInit?][] = [
  ['host', { hostRedirect: 'b.example' }, 'http://b.example/old/x?q=1'],
  ['path', { pathRewriteSpecifier: { case: 'pathRedirect', value: '/new' } }, 'http://a.example:8080/new?q=1'],
  ['path with its own query', { pathRewriteSpecifier: { case: 'pathRedirect', value: '/new?z' } }, 'http://a.example:8080/new?z'],
  ['path without the query', { pathRewriteSpecifier: { case: 'pathRedirect', value: '/new' }, stripQuery: true }, 'http://a.example:8080/new'],
  ['prefix', { pathRewriteSpecifier: { case: 'prefixRewrite', value: '/n' } }, 'http://a.example:8080/n/x?q=1'],
  ['regex', { pathRewriteSpecifier: { case: 'regexRewrite', value: { pattern: { regex: '/old/(.*)' }, substitution: '/\\1/new' } } }, 'http://a.example:8080/x/new?q=1'],
  ['https keeps a port that was written', { schemeRewriteSpecifier: { case: 'httpsRedirect', value: true } }, 'https://a.example:8080/old/x?q=1'],
  ['https drops the port that http implied', { schemeRewriteSpecifier: { case: 'httpsRedirect', value: true } }, 'https://a/', { authority: 'a:80' }],
  ['scheme and port', { schemeRewriteSpecifier: { case: 'schemeRedirect', value: 'HTTPS' }, portRedirect: 8443 }, 'https://a.example:8443/old/x?q=1'],
  ['a port that the scheme implies is not written', { portRedirect: 80 }, 'http://a.example/old/x?q=1'],
]

for (const [title, action, location, over] of redirects) {
  test(`redirect: ${title}`, () => {
    const reply = compileRedirect(create(RedirectActionSchema, action), prefix('/old'))(routedRequest(over ?? request))
    assert.deepEqual(reply.headers, ['location', location])
    assert.equal(reply.status, 301)
  })
}

test('redirects have the status that they name', () => {
  for (const [responseCode, status] of [[0, 301], [1, 302], [2, 303], [3, 307], [4, 308]] as const) {
    assert.equal(compileRedirect(create(RedirectActionSchema, { responseCode }), undefined)(routedRequest()).status, status)
  }
})

test('a direct response is built once, and has a status that ends a request', () => {
  const direct = (status: number) => compileDirectResponse(create(DirectResponseActionSchema, { status, body: { specifier: { case: 'inlineString', value: 'hi' } } }), 100)
  assert.deepEqual({ status: direct(418).status, body: direct(418).body, details: direct(418).details }, { status: 418, body: 'hi', details: 'direct_response' })
  assert.throws(() => direct(100), /not between/)
})

const action = (init: MessageInitShape<typeof RouteActionSchema>) => create(RouteActionSchema, init)

test('paths are rewritten by what the match took of them', () => {
  const rewritten = (value: string, match: ReturnType<typeof prefix>, path: string) => compilePathRewrite(action({ prefixRewrite: value }), match)!(path)
  assert.equal(rewritten('/', prefix('/api/'), '/api/x'), '/x')
  assert.equal(rewritten('/v2', prefix('/api'), '/api/x'), '/v2/x')
  assert.equal(rewritten('/v2', create(RouteMatchSchema, { pathSpecifier: { case: 'path', value: '/api' } }), '/api'), '/v2')
  assert.equal(rewritten('/v2', create(RouteMatchSchema, { pathSpecifier: { case: 'pathSeparatedPrefix', value: '/api' } }), '/api'), '/v2')
  const regex = compilePathRewrite(action({ regexRewrite: { pattern: { regex: '^/(\\w+)/(\\w+)' }, substitution: '/\\2/\\1\\\\' } }), prefix('/'))!
  assert.equal(regex('/a/b/c'), '/b/a\\/c')
  assert.equal(regex('/a'), '/a')
  assert.equal(compilePathRewrite(action({}), prefix('/')), undefined)
  assert.throws(() => compilePathRewrite(action({ regexRewrite: { pattern: { regex: 'a' }, substitution: '\\1' } }), prefix('/')), /group 1/)
})

test('hosts are rewritten to a name, a header or a part of the path', () => {
  const rewrite = (init: MessageInitShape<typeof RouteActionSchema>) => {
    const compiled = compileHostRewrite(action(init))
    return typeof compiled === 'function' ? compiled(routedRequest({ path: '/h.example/x', headers: { 'x-to': 'b' } })) : compiled
  }
  assert.equal(rewrite({ hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'c' } }), 'c')
  assert.equal(rewrite({ hostRewriteSpecifier: { case: 'hostRewriteHeader', value: 'X-To' } }), 'b')
  assert.equal(rewrite({ hostRewriteSpecifier: { case: 'hostRewritePathRegex', value: { pattern: { regex: '^/([^/]+)/.*$' }, substitution: '\\1' } } }), 'h.example')
  assert.equal(rewrite({}), undefined)
})
