import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteMatchSchema, RouteSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { routedRequest, seededRandom } from '../../../../test/support/routed-request.ts'
import type { RequestInit } from '../../../../test/support/routed-request.ts'
import { compileRoutes, findRoute } from './compile.ts'
import { explainRouting } from './explain.ts'
import { chooseTarget, clusterNameOf } from './forward.ts'

type MatchInit = MessageInitShape<typeof RouteMatchSchema>
type RouteInit = MessageInitShape<typeof RouteSchema>

const toCluster = (value: string): NonNullable<RouteInit['action']> => ({ case: 'route', value: { clusterSpecifier: { case: 'cluster', value } } })
const prefix = (value: string) => ({ pathSpecifier: { case: 'prefix' as const, value } })
const anyPath = prefix('/')
const regex = (value: string) => ({ case: 'safeRegex' as const, value: { regex: value } })
const text = (kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string, ignoreCase = false) =>
  ({ case: 'stringMatch' as const, value: { matchPattern: { case: kind, value }, ignoreCase } })

function tableOf(routes: RouteInit[], domains = ['*']) {
  return compileRoutes(create(RouteConfigurationSchema, { name: 't', virtualHosts: [{ name: 'all', domains, routes }] }))
}

/** The cluster that a request goes to. */
function clusterOf(table: ReturnType<typeof tableOf>, request: RequestInit, random = () => 0): string | undefined {
  const routed = routedRequest(request)
  const host = table.findVirtualHost(routed.authority)
  const action = host === undefined ? undefined : findRoute(host, routed, random)?.action
  return action?.kind === 'forward' ? clusterNameOf(chooseTarget(action, random), routed) : action?.kind
}

const matches = (match: MatchInit, request: RequestInit): boolean =>
  clusterOf(tableOf([{ match, action: toCluster('c') }]), request) === 'c'

const header = (over: Record<string, unknown>): MatchInit => ({ ...anyPath, headers: [{ name: 'X-H', ...over }] })
const query = (over: Record<string, unknown>): MatchInit => ({ ...anyPath, queryParameters: [{ name: 'q', ...over }] })

const cases: { title: string; match: MatchInit; yes: RequestInit[]; no: RequestInit[] }[] = [
  { title: 'an exact path is the whole path, without the query', match: { pathSpecifier: { case: 'path', value: '/a' } }, yes: [{ path: '/a' }, { path: '/a?x' }], no: [{ path: '/a/' }, { path: '/A' }] },
  { title: 'a prefix is a prefix of characters', match: prefix('/ab'), yes: [{ path: '/ab' }, { path: '/abc' }], no: [{ path: '/a' }] },
  { title: 'case can be ignored', match: { ...prefix('/Ab'), caseSensitive: false }, yes: [{ path: '/aBc' }], no: [{ path: '/b' }] },
  { title: 'a separated prefix ends at a segment', match: { pathSpecifier: { case: 'pathSeparatedPrefix', value: '/ab' } }, yes: [{ path: '/ab' }, { path: '/ab/c' }, { path: '/ab?c' }], no: [{ path: '/abc' }] },
  { title: 'a regex has to match the whole path, not the query', match: { pathSpecifier: regex('/v[0-9]+/.*') }, yes: [{ path: '/v12/x?y' }], no: [{ path: '/v/x' }, { path: '/a/v1/x' }] },
  { title: 'a header that is equal', match: header({ headerMatchSpecifier: text('exact', 'v') }), yes: [{ headers: { 'x-h': 'v' } }], no: [{ headers: { 'x-h': 'V' } }, { headers: { 'x-h': 'vv' } }, {}] },
  { title: 'a header in any case', match: header({ headerMatchSpecifier: text('exact', 'v', true) }), yes: [{ headers: { 'x-h': 'V' } }], no: [{ headers: { 'x-h': 'w' } }] },
  { title: 'a header that begins', match: header({ headerMatchSpecifier: text('prefix', 'a') }), yes: [{ headers: { 'x-h': 'ab' } }], no: [{ headers: { 'x-h': 'ba' } }] },
  { title: 'a header that ends', match: header({ headerMatchSpecifier: text('suffix', 'a') }), yes: [{ headers: { 'x-h': 'ba' } }], no: [{ headers: { 'x-h': 'ab' } }] },
  { title: 'a header that contains', match: header({ headerMatchSpecifier: text('contains', 'a') }), yes: [{ headers: { 'x-h': 'bab' } }], no: [{ headers: { 'x-h': 'b' } }] },
  { title: 'a header that matches a regex as a whole', match: header({ headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: regex('a+') } } }), yes: [{ headers: { 'x-h': 'aa' } }], no: [{ headers: { 'x-h': 'ab' } }] },
  { title: 'a header that is there', match: header({ headerMatchSpecifier: { case: 'presentMatch', value: true } }), yes: [{ headers: { 'x-h': '' } }], no: [{}] },
  { title: 'a header that is absent', match: header({ headerMatchSpecifier: { case: 'presentMatch', value: true }, invertMatch: true }), yes: [{}], no: [{ headers: { 'x-h': '' } }] },
  { title: 'a header that is not equal has to be there', match: header({ headerMatchSpecifier: text('exact', 'v'), invertMatch: true }), yes: [{ headers: { 'x-h': 'w' } }], no: [{ headers: { 'x-h': 'v' } }, {}] },
  { title: 'unless a missing one counts as empty', match: header({ headerMatchSpecifier: text('exact', 'v'), invertMatch: true, treatMissingHeaderAsEmpty: true }), yes: [{ headers: { 'x-h': 'w' } }, {}], no: [{ headers: { 'x-h': 'v' } }] },
  { title: 'a number in a range', match: header({ headerMatchSpecifier: { case: 'rangeMatch', value: { start: -5n, end: 10n } } }), yes: [{ headers: { 'x-h': '-5' } }, { headers: { 'x-h': '9' } }], no: [{ headers: { 'x-h': '10' } }, { headers: { 'x-h': 'x' } }] },
  { title: 'a method', match: { ...anyPath, headers: [{ name: ':method', headerMatchSpecifier: text('exact', 'POST') }] }, yes: [{ method: 'POST' }], no: [{ method: 'GET' }] },
  { title: 'an authority', match: { ...anyPath, headers: [{ name: ':authority', headerMatchSpecifier: text('prefix', 'b.') }] }, yes: [{ authority: 'b.example' }], no: [{}] },
  { title: 'a scheme', match: { ...anyPath, headers: [{ name: ':scheme', headerMatchSpecifier: text('exact', 'https') }] }, yes: [{ scheme: 'https' }], no: [{}] },
  { title: 'the path with its query', match: { ...anyPath, headers: [{ name: ':path', headerMatchSpecifier: text('suffix', '?x') }] }, yes: [{ path: '/a?x' }], no: [{ path: '/a' }] },
  { title: 'a query parameter that is equal: the first of its name', match: query({ queryParameterMatchSpecifier: text('exact', '1') }), yes: [{ path: '/?q=1' }, { path: '/?a&q=1&q=2' }], no: [{ path: '/?q=2&q=1' }, { path: '/?qq=1' }, {}] },
  { title: 'a query parameter that is there', match: query({ queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }), yes: [{ path: '/?q' }, { path: '/?q=' }], no: [{ path: '/?p=q' }] },
  { title: 'a query parameter that matches a regex', match: query({ queryParameterMatchSpecifier: { case: 'stringMatch', value: { matchPattern: regex('\\d+') } } }), yes: [{ path: '/?q=12' }], no: [{ path: '/?q=1a' }] },
  { title: 'gRPC', match: { ...anyPath, grpc: {} }, yes: [{ headers: { 'content-type': 'application/grpc+proto' } }, { headers: { 'content-type': 'application/grpc' } }], no: [{ headers: { 'content-type': 'application/grpc-web' } }, {}] },
  { title: 'all conditions together', match: { ...prefix('/a'), headers: [{ name: 'x', headerMatchSpecifier: text('exact', '1') }], queryParameters: [{ name: 'q', queryParameterMatchSpecifier: text('exact', '2') }] }, yes: [{ path: '/a?q=2', headers: { x: '1' } }], no: [{ path: '/a?q=2' }, { path: '/a', headers: { x: '1' } }] },
]

for (const { title, match, yes, no } of cases) {
  test(`match: ${title}`, () => {
    for (const request of yes) assert.equal(matches(match, request), true, JSON.stringify(request))
    for (const request of no) assert.equal(matches(match, request), false, JSON.stringify(request))
  })
}

test('the first route that matches wins', () => {
  const table = tableOf([{ match: prefix('/a'), action: toCluster('one') }, { match: prefix('/a/b'), action: toCluster('never') }, { match: anyPath, action: toCluster('rest') }])
  assert.equal(clusterOf(table, { path: '/a/b' }), 'one')
  assert.equal(clusterOf(table, { path: '/' }), 'rest')
})

test('regular expressions take linear time', () => {
  const table = tableOf([{ match: { pathSpecifier: regex('/(a+)+$') }, action: toCluster('c') }])
  const start = process.cpuUsage().user
  assert.equal(clusterOf(table, { path: `/${'a'.repeat(20_000)}!` }), undefined)
  assert.ok(process.cpuUsage().user - start < 5_000_000)
})

test('domains: exact before suffix before prefix before any, the longest first, whatever the case', () => {
  const domains = ['a.example', '*.example', '*.b.example', '*-x.example', 'a.*', 'a.b.*', '*', 'with.port:80', '[::1]:80']
  const table = compileRoutes(create(RouteConfigurationSchema, {
    virtualHosts: domains.map((domain) => ({ name: domain, domains: [domain], routes: [] })),
  }))
  const rows: [string, string][] = [
    ['a.example', 'a.example'], ['A.EXAMPLE', 'a.example'], ['c.example', '*.example'], ['c.b.example', '*.b.example'], ['.b.example', '*.example'],
    ['y-x.example', '*-x.example'], ['a.org', 'a.*'], ['a.b.org', 'a.b.*'], ['a.', '*'], ['other', '*'], ['with.port:80', 'with.port:80'], ['with.port', '*'],
    ['a.example:80', 'a.*'], ['[::1]:80', '[::1]:80'],
  ]
  for (const [authority, name] of rows) assert.equal(table.findVirtualHost(authority)?.name, name, authority)
})

test('ports of authorities can be ignored', () => {
  const table = compileRoutes(create(RouteConfigurationSchema, { ignorePortInHostMatching: true, virtualHosts: [{ name: 'a', domains: ['a', '[::1]'] }] }))
  for (const authority of ['a', 'a:80', 'a:8080', '[::1]', '[::1]:80']) assert.equal(table.findVirtualHost(authority)?.name, 'a', authority)
  assert.equal(table.findVirtualHost('b:80'), undefined)
})

test('weights are shares of the requests, and none for zero', () => {
  const weighted = (weights: Record<string, number>): NonNullable<RouteInit['action']> =>
    ({ case: 'route', value: { clusterSpecifier: { case: 'weightedClusters', value: { clusters: Object.entries(weights).map(([name, weight]) => ({ name, weight })) } } } })
  const table = tableOf([{ match: anyPath, action: weighted({ a: 90, b: 10, c: 0 }) }])
  const random = seededRandom(7)
  const counts: Record<string, number> = {}
  for (let i = 0; i < 20_000; i++) {
    const name = clusterOf(table, {}, random)!
    counts[name] = (counts[name] ?? 0) + 1
  }
  assert.deepEqual(Object.keys(counts).sort(), ['a', 'b'])
  assert.ok(Math.abs(counts['b']! - 2_000) < 150, `b got ${counts['b']} of 20,000`)
  assert.throws(() => tableOf([{ match: anyPath, action: weighted({ a: 0 }) }]), /no cluster has a weight/)
})

test('a runtime fraction draws among the requests that match otherwise', () => {
  const table = tableOf([{ match: { ...prefix('/a'), runtimeFraction: { defaultValue: { numerator: 25 } } }, action: toCluster('some') }, { match: anyPath, action: toCluster('rest') }])
  const random = seededRandom(3)
  let some = 0
  for (let i = 0; i < 10_000; i++) if (clusterOf(table, { path: '/a' }, random) === 'some') some++
  assert.ok(Math.abs(some - 2_500) < 150, `${some} of 10,000`)
  assert.equal(clusterOf(table, { path: '/b' }, () => assert.fail('drawn for nothing')), 'rest')
})

test('the cluster can stand in a header', () => {
  const table = tableOf([{ match: anyPath, action: { case: 'route', value: { clusterSpecifier: { case: 'clusterHeader', value: 'X-To' } } } }])
  assert.equal(clusterOf(table, { headers: { 'x-to': 'there' } }), 'there')
  assert.equal(clusterOf(table, {}), '')
})

const wrong: [string, RouteInit, RegExp][] = [
  ['no match', { action: toCluster('c') }, /route table t: virtual host all: route 0: match: a route needs a match/],
  ['no action', { match: anyPath }, /action of kind none/],
  ['a bad regex', { name: 'r', match: { pathSpecifier: regex('(') }, action: toCluster('c') }, /route 0 \(r\): .*not an RE2 expression: \(/],
  ['a look-ahead, which RE2 has not', { match: { pathSpecifier: regex('(?=a)') }, action: toCluster('c') }, /not an RE2 expression/],
  ['a header without a name', { match: { ...anyPath, headers: [{ name: '' }] }, action: toCluster('c') }, /without a name/],
  ['a matcher of CONNECT', { match: { pathSpecifier: { case: 'connectMatcher', value: {} } }, action: toCluster('a') }, /route 0.*match.*connect_matcher is not served: CONNECT finds no route/],
  ['a long direct response', { match: anyPath, action: { case: 'directResponse', value: { status: 200, body: { specifier: { case: 'inlineString', value: 'x'.repeat(5_000) } } } } }, /longer than 4096/],
]

for (const [what, route, message] of wrong) {
  test(`a table with ${what} is rejected, and it is said where`, () => assert.throws(() => tableOf([route]), message))
}

test('a domain cannot stand twice, and a virtual host needs one', () => {
  const of = (...hosts: string[][]) => compileRoutes(create(RouteConfigurationSchema, { virtualHosts: hosts.map((domains, i) => ({ name: `h${i}`, domains })) }))
  for (const domain of ['a', '*.a', 'a.*', '*']) assert.throws(() => of([domain], [domain]), /twice|only one/, domain)
  assert.throws(() => of([]), /h0: no domains/)
})

test('explain says of every route before the one that matched why it did not', () => {
  const table = tableOf([
    { match: { ...prefix('/a'), headers: [{ name: 'end-user', headerMatchSpecifier: text('exact', 'jason') }] }, action: toCluster('v2') },
    { match: prefix('/b'), action: toCluster('b') },
    { match: anyPath, action: toCluster('v1') },
  ])
  const { route, considered } = explainRouting(table, routedRequest({ path: '/a' }))
  assert.equal(route?.index, 2)
  assert.deepEqual(considered.map(({ whyNot, held }) => [whyNot, held]), [
    ['needs: header end-user is "jason"; but it is absent', 1],
    ['needs: path starts with "/b"; but it is /a', 0],
  ])
})

test('a virtual host that requires TLS sends everything else to the same place over TLS, before any route', () => {
  const table = compileRoutes(create(RouteConfigurationSchema, {
    virtualHosts: [{ name: 'v', domains: ['*'], requireTls: 2, routes: [{ match: anyPath, action: toCluster('c') }] }],
  }))
  const plain = routedRequest({ authority: 'shop.example:80', path: '/a?b' })
  const route = findRoute(table.virtualHosts[0]!, plain, () => 0)!
  assert.equal(explainRouting(table, plain).route, route)
  assert.deepEqual(route.action.kind === 'reply' && route.action.replyTo(plain).headers, ['location', 'https://shop.example/a?b'])
  assert.equal(route.action.kind === 'reply' && route.action.replyTo(plain).status, 301)
  assert.equal(clusterOf(table, { scheme: 'https' }), 'c')
})
