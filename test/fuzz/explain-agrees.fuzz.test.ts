// Explain and the router that serves must never differ: for any rules and any request, the route and cluster that explain
// names are those that the router takes, found here the way an exchange finds them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { HeaderList } from '../../src/codec/header-list.ts'
import { typeUrls } from '../../src/control/translate/table.ts'
import type { TypeName } from '../../src/control/translate/table.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { compileExplainer } from '../../src/proxy/explain.ts'
import { compileRoutes, findRoute } from '../../src/proxy/http/router/compile.ts'
import { chooseTarget } from '../../src/proxy/http/router/forward.ts'
import { bookinfo, resource } from '../support/bookinfo-world.ts'

const node = { id: 'sidecar~127.1.0.1~productpage.default~default.svc.cluster.local' }
const few = (values: readonly string[]) => fc.constantFrom(...values)

const text = few(['', 'a', 'b', 'ab', 'abc'])
const path = fc.array(few(['a', 'b', 'ab', 'A', '..', '.', '%61']), { maxLength: 3 }).map((parts) => `/${parts.join('/')}`)
const stringMatch = fc.oneof(
  text.map((exact) => ({ exact })),
  few(['a', 'b']).map((prefix) => ({ prefix })),
  few(['a.*', '[ab]+', '.*']).map((regex) => ({ regex })),
)
const uriMatch = fc.oneof(path.map((exact) => ({ exact })), path.map((prefix) => ({ prefix })), few(['/a.*', '/[ab]/?', '.*']).map((regex) => ({ regex })))
const conditions = fc.dictionary(few(['x', 'y']), fc.oneof(stringMatch, fc.constant({})), { maxKeys: 2 })

const match = fc.record({
  uri: uriMatch, ignoreUriCase: fc.boolean(), headers: conditions, withoutHeaders: conditions, queryParams: conditions,
  method: few(['GET', 'POST']).map((exact) => ({ exact })), authority: few(['reviews', 'reviews:9080']).map((prefix) => ({ prefix })),
  port: fc.constantFrom(9080, 80), sourceLabels: few(['productpage', 'details']).map((app) => ({ app })),
}, { requiredKeys: [] })

const destination = fc.record({ host: few(['reviews', 'details', 'nobody']), subset: few(['v1', 'v2', 'v9']) }, { requiredKeys: ['host'] })
const action = fc.oneof(
  fc.array(fc.record({ destination, weight: fc.integer({ min: 1, max: 100 }) }), { minLength: 1, maxLength: 3 }).map((route) => ({ route })),
  fc.record({ uri: path }).map((redirect) => ({ redirect })),
  fc.integer({ min: 200, max: 599 }).map((status) => ({ directResponse: { status } })),
)
const rule = fc.tuple(fc.array(match, { maxLength: 3 }), action).map(([matches, does]) => ({ ...(matches.length > 0 && { match: matches }), ...does }))

const request = fc.record({
  method: few(['GET', 'POST']),
  scheme: fc.constant('http' as const),
  authority: few(['reviews', 'reviews:9080', 'REVIEWS.default', 'details.default.svc.cluster.local:9080', 'nobody.example']),
  path: fc.tuple(path, few(['', '?x=a', '?x&y=b', '?y=ab&x=abc'])).map((parts) => parts.join('')),
  headers: fc.array(fc.tuple(few(['x', 'y', 'X']), text), { maxLength: 3 }),
  draw: fc.double({ min: 0, max: 0.999, noNaN: true }),
})

test('explain names the route and the cluster that the router takes', () => {
  fc.assert(fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), fc.array(rule, { maxLength: 2 }), fc.array(request, { minLength: 1, maxLength: 8 }), (reviews, details, requests) => {
    const state = new WorldState()
    state.update(bookinfo(
      resource('VirtualService', 'reviews', { hosts: ['reviews'], http: reviews }),
      ...(details.length === 0 ? [] : [resource('VirtualService', 'details', { hosts: ['details'], http: details })]),
      resource('DestinationRule', 'reviews', { host: 'reviews', subsets: [{ name: 'v1', labels: { version: 'v1' } }, { name: 'v2', labels: { version: 'v2' } }] }),
    ))
    const session = state.connect(node)
    const sent = (type: TypeName) => session.all(typeUrls[type]).map(({ bytes }) => bytes)
    const explain = compileExplainer({ listeners: sent('LDS'), routes: sent('RDS'), clusters: sent('CDS'), endpoints: sent('EDS') })
    const table = sent('RDS').map((bytes) => fromBinary(RouteConfigurationSchema, bytes)).find(({ name }) => name === '9080')!
    for (const one of requests) {
      const explained = explain({ ...one, destination: { host: '240.240.0.1', port: 9080 }, source: { host: '127.1.0.1', port: 1 } })
      const found = served(table, one)
      assert.equal(explained.virtualHost, found.virtualHost)
      if (found.cluster === undefined) assert.equal(explained.status, found.status)
      else assert.ok(explained.destinations.some(({ cluster, weight }) => cluster === found.cluster && weight > 0), found.cluster)
      assert.deepEqual([explained.routeIndex, explained.matchIndex], [found.rule ?? null, found.match ?? null])
    }
  }), { numRuns: 300 })
})

/** What an exchange does: path without dot segments, host, first route, one draw. */
function served(table: Parameters<typeof compileRoutes>[0], { method, scheme, authority, path: target, headers, draw }: { method: string; scheme: string; authority: string; path: string; headers: [string, string][]; draw: number }) {
  const [raw = '', query = ''] = target.split('?')
  const virtualHost = compileRoutes(table).findVirtualHost(authority)
  const requestHeaders = HeaderList.of(...headers.flatMap(([name, value]) => [name.toLowerCase(), value]))
  const asked = { method, scheme, authority, pathname: new URL(raw.replaceAll('%61', 'a'), 'http://x').pathname, query, requestHeaders }
  const route = virtualHost === undefined ? undefined : findRoute(virtualHost, asked, () => draw)
  const from = route?.message.metadata?.filterMetadata['trysail']
  const named = typeof from?.['resource'] === 'string' && from['resource'].startsWith('VirtualService/')
  return {
    virtualHost: virtualHost?.name ?? null,
    rule: named ? from?.['rule'] : undefined,
    match: named ? from?.['match'] : undefined,
    cluster: route?.action.kind === 'forward' ? chooseTarget(route.action, () => draw).clusterName : undefined,
    status: route === undefined ? 404 : route.action.kind === 'reply' ? route.action.replyTo(asked).status : undefined,
  }
}
