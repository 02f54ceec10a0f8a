import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { HttpProtocolOptionsSchema } from '../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { MatchPredicateSchema } from '../../../proto/gen/envoy/config/common/matcher/v3/matcher_pb.ts'
import { errorCodesOf } from './error-codes.ts'

type Predicate = MessageInitShape<typeof MatchPredicateSchema>

const codesOf = (errorMatcher: Predicate) => {
  const found = errorCodesOf('c', create(HttpProtocolOptionsSchema, { outlierDetection: { errorMatcher } }))
  return found === undefined ? undefined : [...found]
}
const header = (value: string, more: { readonly name?: string; readonly invertMatch?: boolean } = {}): Predicate => ({
  rule: { case: 'httpResponseHeadersMatch', value: { headers: [{ name: ':status', headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value } } }, ...more }] } },
})
const either = (...rules: Predicate[]): Predicate => ({ rule: { case: 'orMatch', value: { rules } } })

test('exact statuses are read, alone and as a choice; without them errors are the usual ones', () => {
  assert.equal(errorCodesOf('c', undefined), undefined)
  assert.equal(errorCodesOf('c', create(HttpProtocolOptionsSchema, {})), undefined)
  assert.deepEqual(codesOf(header('429')), [429])
  assert.deepEqual(codesOf(either(header('429'), either(header('503'), header('500')))), [429, 503, 500])
})

const refused: [title: string, predicate: Predicate][] = [
  ['another header', header('429', { name: 'x' })],
  ['all statuses but one', header('429', { invertMatch: true })],
  ['a text that is no status', header('4xx')],
  ['anything', { rule: { case: 'anyMatch', value: true } }],
  ['a choice of which one cannot be read', either(header('429'), header('x'))],
]
for (const [title, predicate] of refused) {
  test(`a cluster is refused whose errors are ${title}`, () => {
    assert.throws(() => codesOf(predicate), { code: 'proxy/bad-config', message: 'cluster c: outlier detection by anything but exact statuses is not supported' })
  })
}
