import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { routedRequest } from '../../../../test/support/routed-request.ts'
import { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import { compileRoutes, findRoute } from './compile.ts'
import { matchesAll } from './match.ts'

const segment = fc.constantFrom('/', '/a', '/A', '/a/', '/a/b', '/ab', '/abc/d', '/b', '')
const path = fc.tuple(segment, segment).map(([one, other]) => `/${one}${other}`.replaceAll(/\/+/g, '/'))
const pathSpecifier = fc.oneof(
  path.map((value) => ({ case: 'path' as const, value })), path.map((value) => ({ case: 'prefix' as const, value })),
  path.filter((value) => !value.endsWith('/')).map((value) => ({ case: 'pathSeparatedPrefix' as const, value })),
  fc.constantFrom('/a.*', '/[ab]', '.*').map((regex) => ({ case: 'safeRegex' as const, value: { regex } })),
)
const route = fc.record({
  match: fc.record({
    pathSpecifier, caseSensitive: fc.constantFrom(undefined, true, false),
    headers: fc.constantFrom([], [{ name: 'x', headerMatchSpecifier: { case: 'exactMatch' as const, value: '1' } }], [{ name: ':method', headerMatchSpecifier: { case: 'exactMatch' as const, value: 'POST' } }]),
  }),
})
const requests = fc.array(fc.record({ path: fc.oneof(path, fc.constant('*')), method: fc.constantFrom('GET', 'POST'), headers: fc.constantFrom({}, { x: '1' }) }), { minLength: 10, maxLength: 30 })

test('the index finds the route that trying them in order finds', () => {
  fc.assert(fc.property(fc.array(route, { minLength: 24, maxLength: 80 }), requests, (routes, asked) => {
    const table = compileRoutes(create(RouteConfigurationSchema, { virtualHosts: [{ name: 'all', domains: ['*'], routes: routes.map(({ match: { caseSensitive, headers, pathSpecifier: specifier } }) => ({
      match: { pathSpecifier: specifier, headers: [...headers], ...(caseSensitive !== undefined && { caseSensitive }) }, action: { case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: 'c' } } },
    })) }] }))
    const host = table.findVirtualHost('a')!
    assert.ok(host.index !== undefined)
    for (const one of asked) {
      const request = routedRequest(one)
      const naive = host.routes.find(({ conditions }) => matchesAll(conditions, request, () => 0))
      assert.equal(findRoute(host, request, () => 0)?.index, naive?.index, JSON.stringify(one))
    }
  }), { numRuns: 200 })
})

test('few routes need no index', () => {
  const table = compileRoutes(create(RouteConfigurationSchema, { virtualHosts: [{ name: 'all', domains: ['*'], routes: [] }] }))
  assert.equal(table.findVirtualHost('a')!.index, undefined)
})
