// What a match of a VirtualService means, from the document to the decision: translated by the control plane, compiled by the
// proxy, and equal to the plainest reading of Istio's words (traffic spec 1.2.3).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import type { HttpMatch, StringMatch } from '../../src/control/virtual-service-spec.ts'
import { routeMatch } from '../../src/control/translate/route/match.ts'
import { RouteConfigurationSchema } from '../../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import { compileRoutes, findRoute } from '../../src/proxy/http/router/compile.ts'
import { routedRequest } from '../support/routed-request.ts'

interface Asked {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Few texts, so that they meet; the empty one is no prefix that a document may have. */
const text = fc.constantFrom('a', 'A', 'ab', 'b', 'ba')
const pattern = fc.constantFrom('a', 'a+', '.*a', '[ab]{2}', 'A|b')
const valueMatch = fc.oneof(text.map((exact) => ({ exact })), text.map((prefix) => ({ prefix })), pattern.map((regex) => ({ regex })))
const orPresence = fc.oneof({ weight: 3, arbitrary: valueMatch }, { weight: 1, arbitrary: fc.constantFrom<StringMatch>({}, { regex: '*' }) })
const path = fc.constantFrom('/', '/a', '/A', '/ab', '/a/', '/a/b', '/b')
const uri = fc.oneof(path.map((exact) => ({ exact })), path.map((prefix) => ({ prefix })), fc.constantFrom('/a.*', '/[ab]', '.*', '/A').map((regex) => ({ regex })))
const maps = (value: fc.Arbitrary<StringMatch>) => fc.dictionary(fc.constantFrom('x', 'y'), value, { maxKeys: 2 })

const match: fc.Arbitrary<HttpMatch> = fc.record({
  uri, ignoreUriCase: fc.boolean(), method: valueMatch, authority: valueMatch, scheme: fc.constantFrom({ exact: 'https' }, { prefix: 'http' }),
  headers: maps(orPresence), withoutHeaders: maps(orPresence), queryParams: maps(orPresence),
}, { requiredKeys: [] })

const asked: fc.Arbitrary<Asked> = fc.record({
  method: text, scheme: fc.constantFrom('http', 'https'), authority: text,
  path: fc.tuple(path, fc.constantFrom('', '?', '?x', '?x=a', '?x=a&x=b', '?y=ab&x=A', '?x=ba&y')).map((parts) => parts.join('')),
  headers: fc.dictionary(fc.constantFrom('x', 'y'), fc.oneof(text, fc.constant('')), { maxKeys: 2 }),
})

const holds = ({ exact, prefix, regex }: StringMatch, value: string): boolean =>
  exact !== undefined ? value === exact : prefix !== undefined ? value.startsWith(prefix) : regex === undefined || regex === '*' || new RegExp(`^(?:${regex})$`).test(value)

const isPresence = ({ exact, prefix, regex }: StringMatch): boolean => regex === '*' || [exact, prefix, regex].every((one) => one === undefined)

/** The plainest reading: every condition by itself. */
function naive(wanted: HttpMatch, { method, scheme, authority, path: whole, headers }: Asked): boolean {
  const [plain = '', query] = whole.split('?')
  const params = (query ?? '').split('&').map((pair) => pair.split('='))
  const param = (name: string): string | undefined => {
    const found = params.find(([key]) => key === name)
    return found === undefined ? undefined : found[1] ?? ''
  }
  const fold = (value: string): string => (wanted.ignoreUriCase === true && wanted.uri?.regex === undefined ? value.toLowerCase() : value)
  const folded = wanted.uri === undefined ? {} : Object.fromEntries(Object.entries(wanted.uri).map(([kind, value]) => [kind, fold(value as string)]))
  return holds(folded, fold(plain))
    && [[wanted.method, method], [wanted.scheme, scheme], [wanted.authority, authority]].every(([one, value]) => one === undefined || holds(one as StringMatch, value as string))
    && Object.entries(wanted.headers ?? {}).every(([name, one]) => headers[name] !== undefined && holds(one, headers[name]))
    && Object.entries(wanted.withoutHeaders ?? {}).every(([name, one]) => (isPresence(one) ? headers[name] === undefined : !holds(one, headers[name] ?? '')))
    && Object.entries(wanted.queryParams ?? {}).every(([name, one]) => param(name) !== undefined && holds(one, param(name)!))
}

function decided(wanted: HttpMatch, request: Asked): boolean {
  const table = compileRoutes(create(RouteConfigurationSchema, { virtualHosts: [{ name: 'all', domains: ['*'], routes: [
    { match: routeMatch(wanted), action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'c' } } } },
  ] }] }))
  return findRoute(table.findVirtualHost('a')!, routedRequest(request), () => 0) !== undefined
}

test('a match holds exactly when each of its conditions does, read plainly', () => {
  let held = 0
  fc.assert(fc.property(match, fc.array(asked, { minLength: 20, maxLength: 20 }), (wanted, requests) => {
    for (const request of requests) {
      const expected = naive(wanted, request)
      if (expected) held++
      assert.equal(decided(wanted, request), expected, JSON.stringify({ wanted, request }))
    }
  }), { numRuns: 400 })
  assert.ok(held > 100, `only ${held} of the requests were matched at all`)
})
