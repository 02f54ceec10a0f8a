import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { RouteSchema } from '../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../proto/gen/envoy/config/route/v3/route_pb.ts'
import { HTTPFaultSchema } from '../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { HeaderList } from '../../codec/header-list.ts'
import { destinationOf, durationText, explainRoute } from './route.ts'
import { compileRoutes } from '../http/router/compile.ts'

function explain(route: MessageInitShape<typeof RouteSchema>, path: string) {
  const table = compileRoutes(create(RouteConfigurationSchema, { virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }] }))
  const [pathname = '', query = ''] = path.split('?')
  const request = { method: 'GET', scheme: 'http', authority: 'example.org', pathname, query, requestHeaders: new HeaderList() }
  return explainRoute(table.virtualHosts[0]!.routes[0]!, request)
}

const to = (cluster: string, over: object = {}) => ({ case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: cluster }, ...over } })
const prefix = (value: string) => ({ pathSpecifier: { case: 'prefix' as const, value } })

test('a weighted route lists its destinations with host, subset, port and weight', () => {
  const explained = explain({
    match: prefix('/'),
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'weightedClusters', value: { clusters: [
          { name: 'outbound|9080|v1|reviews.default.svc.cluster.local', weight: 90 },
          { name: 'outbound|9080|v2|reviews.default.svc.cluster.local', weight: 10 },
        ] } },
        timeout: { seconds: 2n },
        retryPolicy: { numRetries: 3, retryOn: '5xx,reset', perTryTimeout: { nanos: 500_000_000 } },
        requestMirrorPolicies: [{ cluster: 'outbound|9080|v3|reviews.default.svc.cluster.local', runtimeFraction: { defaultValue: { numerator: 250_000, denominator: 2 } } }],
      },
    },
  }, '/reviews/1')
  assert.deepEqual(explained.destinations.map(({ subset, port, weight }) => [subset, port, weight]), [['v1', 9080, 90], ['v2', 9080, 10]])
  assert.equal(explained.timeout, '2s')
  assert.deepEqual(explained.retries, { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx,reset' })
  assert.deepEqual(explained.mirrors, [{ host: 'reviews.default.svc.cluster.local', subset: 'v3', percentage: 25 }])
})

test('faults are shown as written', () => {
  const fault = create(HTTPFaultSchema, {
    delay: { faultDelaySecifier: { case: 'fixedDelay', value: { seconds: 2n } }, percentage: { numerator: 100 } },
    abort: { errorType: { case: 'httpStatus', value: 500 }, percentage: { numerator: 5000, denominator: 2 } },
  })
  const { faults } = explain({ match: prefix('/'), action: to('c'), typedPerFilterConfig: { 'envoy.filters.http.fault': anyPack(HTTPFaultSchema, fault) } }, '/')
  assert.deepEqual(faults, { delay: { fixedDelay: '2s', percentage: 100 }, abort: { httpStatus: 500, grpcStatus: null, percentage: 0.5 } })
})

test('rewrites show the path that the destination gets', () => {
  const route = (over: object) => to('c', over)
  const byPrefix = explain({ match: prefix('/api'), action: route({ prefixRewrite: '/v2', hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'new.example' } }) }, '/api/x?y=1')
  assert.deepEqual(byPrefix.rewrite, { path: '/v2/x?y=1', authority: 'new.example' })
  const byRegex = explain({ match: prefix('/'), action: route({ regexRewrite: { pattern: { regex: '^/old/(.*)$' }, substitution: '/new/\\1' } }) }, '/old/a?b')
  assert.deepEqual(byRegex.rewrite, { path: '/new/a?b', authority: null })
})

test('a redirect shows code, target and path', () => {
  const { redirect } = explain({
    match: prefix('/old'),
    action: { case: 'redirect', value: { hostRedirect: 'example.com', schemeRewriteSpecifier: { case: 'httpsRedirect', value: true }, pathRewriteSpecifier: { case: 'prefixRewrite', value: '/new' }, responseCode: 4 } },
  }, '/old/x?q')
  assert.deepEqual(redirect, { code: 308, scheme: 'https', authority: 'example.com', port: null, path: '/new/x?q' })
})

test('header operations tell set from add', () => {
  const { headers } = explain({
    match: prefix('/'),
    action: to('c'),
    requestHeadersToAdd: [
      { header: { key: 'x-set', value: '1' }, appendAction: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD },
      { header: { key: 'x-add', value: '2' }, appendAction: AppendAction.APPEND_IF_EXISTS_OR_ADD },
    ],
    responseHeadersToRemove: ['server'],
  }, '/')
  assert.deepEqual(headers, { request: { set: { 'x-set': '1' }, add: { 'x-add': '2' }, remove: [] }, response: { set: {}, add: {}, remove: ['server'] } })
})

test('clusters of no service are destinations by their own name', () => {
  assert.deepEqual(destinationOf('PassthroughCluster', 100), { host: 'PassthroughCluster', subset: null, port: null, weight: 100, cluster: 'PassthroughCluster' })
})

test('durations are written as in YAML, and 0 is none', () => {
  const text = (seconds: bigint, nanos = 0) => durationText({ $typeName: 'google.protobuf.Duration', seconds, nanos })
  assert.deepEqual([text(2n), text(1n, 500_000_000), text(0n, 25_000_000), text(0n)], ['2s', '1.5s', '25ms', null])
})
