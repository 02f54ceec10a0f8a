import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { HeaderList } from '../../../codec/header-list.ts'
import { HeaderValueOption_HeaderAppendAction as Action } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { RouteConfigurationSchema } from '../../../proto/gen/envoy/config/route/v3/route_pb.ts'
import type { WeightedCluster_ClusterWeightSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { logEntry } from '../../../../test/support/log-entry.ts'
import { compileRoutes } from './compile.ts'
import { applyHeaderEdits, compileHeaderEdits } from './header-edits.ts'

const add = (key: string, value: string, appendAction: Action = Action.APPEND_IF_EXISTS_OR_ADD, keepEmptyValue = false) =>
  ({ header: { key, value }, appendAction, keepEmptyValue })

function edited(before: string[], level: Pick<MessageInitShape<typeof RouteSchema>, 'requestHeadersToAdd' | 'requestHeadersToRemove'>, entry = logEntry()): string[] {
  const headers = HeaderList.of(...before)
  applyHeaderEdits(compileHeaderEdits([create(RouteSchema, level)]).request, headers, entry)
  return headers.flat
}

const rows: [string, string[], Parameters<typeof edited>[1], string[]][] = [
  ['append keeps what is there', ['x', '1'], { requestHeadersToAdd: [add('X', '2')] }, ['x', '1', 'x', '2']],
  ['overwrite replaces all of it', ['x', '1', 'y', '0', 'x', '2'], { requestHeadersToAdd: [add('x', '3', Action.OVERWRITE_IF_EXISTS_OR_ADD)] }, ['x', '3', 'y', '0']],
  ['overwrite adds what is not there', [], { requestHeadersToAdd: [add('x', '3', Action.OVERWRITE_IF_EXISTS_OR_ADD)] }, ['x', '3']],
  ['add if absent leaves what is there', ['x', '1'], { requestHeadersToAdd: [add('x', '2', Action.ADD_IF_ABSENT)] }, ['x', '1']],
  ['overwrite if it exists adds nothing', [], { requestHeadersToAdd: [add('x', '2', Action.OVERWRITE_IF_EXISTS)] }, []],
  ['the older append: false replaces', ['x', '1'], { requestHeadersToAdd: [{ header: { key: 'x', value: '2' }, append: false }] }, ['x', '2']],
  ['removal comes before addition', ['x', '1'], { requestHeadersToAdd: [add('x', '2')], requestHeadersToRemove: ['X'] }, ['x', '2']],
  ['an empty value adds nothing', [], { requestHeadersToAdd: [add('x', '')] }, []],
  ['unless it is to be kept', [], { requestHeadersToAdd: [add('x', '', undefined, true)] }, ['x', '']],
  ['two percent signs are one', [], { requestHeadersToAdd: [add('x', '100%%')] }, ['x', '100%']],
]

for (const [title, before, level, after] of rows) test(`header operation: ${title}`, () => assert.deepEqual(edited(before, level), after))

test('values can name what is known of the request', () => {
  const entry = logEntry({ path: '/p', authority: 'a', request: { 'x-in': 'v' }, downstreamRemoteAddress: '10.0.0.1:5', routeName: 'r' })
  const value = (text: string) => edited([], { requestHeadersToAdd: [add('x', text)] }, entry)[1]
  assert.equal(value('%REQ(X-In)%'), 'v')
  assert.equal(value('%REQ(X-None?:PATH)%'), '/p')
  assert.equal(value('%REQ(:authority):1%/%REQ(none)%'), 'a/', 'what is absent is empty')
  assert.equal(value('%REQ(none)%'), undefined, 'a header of nothing is none')
  assert.equal(value('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%ROUTE_NAME%'), '10.0.0.1|r')
})

test('a value from a client cannot end the header that it is put into', () => {
  const entry = logEntry({ request: { evil: 'a\r\nset-cookie: x' } })
  assert.deepEqual(edited([], { requestHeadersToAdd: [add('x', '%REQ(evil)%')] }, entry), [])
})

const wrong: [string, Parameters<typeof edited>[1], RegExp][] = [
  ['an expression that is not known', { requestHeadersToAdd: [add('x', '%NOPE%')] }, /%NOPE% is not known/],
  ['an expression without an end', { requestHeadersToAdd: [add('x', '50%')] }, /nothing closes/],
  ['a line break', { requestHeadersToAdd: [add('x', 'a\r\nb: c')] }, /cannot carry/],
  ['a bad name', { requestHeadersToAdd: [add('x y', 'a')] }, /header x y cannot be added/],
  ['Host', { requestHeadersToRemove: ['Host'] }, /header Host cannot be/],
  ['a pseudo header', { requestHeadersToRemove: [':path'] }, /header :path cannot be/],
]

for (const [title, level, message] of wrong) test(`header operations with ${title} are rejected`, () => assert.throws(() => edited([], level), message))

function order(mostSpecificHeaderMutationsWins: boolean): { request: string[]; response: string[] } {
  const level = (name: string) => ({ requestHeadersToAdd: [add('order', name)], responseHeadersToAdd: [add('order', name)] })
  const cluster: MessageInitShape<typeof WeightedCluster_ClusterWeightSchema> = { name: 'c', weight: 1, ...level('cluster') }
  const table = compileRoutes(create(RouteConfigurationSchema, {
    mostSpecificHeaderMutationsWins, ...level('table'),
    virtualHosts: [{ name: 'h', domains: ['*'], ...level('host'), routes: [{
      match: { pathSpecifier: { case: 'prefix', value: '/' } }, ...level('route'),
      action: { case: 'route', value: { clusterSpecifier: { case: 'weightedClusters', value: { clusters: [cluster] } } } },
    }] }],
  }))
  const { action } = table.virtualHosts[0]!.routes[0]!
  assert.ok(action.kind === 'forward')
  const { request, response } = action.targets[0]!.edits
  return { request: request.map(({ value }) => String(value)), response: response.map(({ value }) => String(value)) }
}

test('levels run from the cluster to the table, so that outer ones win, or the other way round where the table says so', () => {
  const inner = ['cluster', 'route', 'host', 'table']
  assert.deepEqual(order(false), { request: inner, response: inner })
  assert.deepEqual(order(true), { request: inner.toReversed(), response: inner.toReversed() })
})
