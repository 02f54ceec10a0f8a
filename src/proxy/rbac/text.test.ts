// Keys must be implied by what they are the key of: a policy that an index does not find is a policy that does not hold.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { StringMatcherSchema } from '../../proto/gen/envoy/type/matcher/v3/string_pb.ts'
import type { TextKey, TextTest } from '../../security/rbac/expression.ts'
import { literalKey, templateTest, textTest } from './text.ts'

const matcher = (init: MessageInitShape<typeof StringMatcherSchema>): TextTest => textTest(create(StringMatcherSchema, init))
const regex = (pattern: string): TextTest => matcher({ matchPattern: { case: 'safeRegex', value: { regex: pattern } } })

function meets({ kind, value, folded }: TextKey, written: string): boolean {
  const text = folded ? written.toLowerCase() : written
  switch (kind) {
    case 'exact': return text === value
    case 'prefix': return text.startsWith(value)
    case 'suffix': return text.endsWith(value)
    case 'namespace': return text.includes(`/ns/${value}/`)
  }
}

const token = fc.constantFrom('a', 'b', '/', 'ns', '\\.', '-', '.', '.*', '.+', 'a*', 'b+', 'a?', '[ab]', '[^/]*', '[^/]+', 'b{2}', 'a{0,1}', '(a)', '(?:b)*', '^', '$')
const pattern = fc.array(token, { minLength: 1, maxLength: 6 }).map((tokens) => tokens.join(''))
const text = fc.array(fc.constantFrom('a', 'b', '/', 'ns', '.', '-', 'aa', 'bb'), { maxLength: 6 }).map((parts) => parts.join(''))

void test('whatever an expression matches has its key', () => {
  fc.assert(fc.property(pattern, fc.array(text, { minLength: 5, maxLength: 5 }), (written, texts) => {
    const { test: fits, key } = regex(written)
    for (const one of texts) if (key !== undefined && fits(one)) assert.ok(meets(key, one), `${written} ${JSON.stringify(key)} ${one}`)
  }), { numRuns: 3000 })
})

void test('expressions that Istio writes have keys', () => {
  assert.deepEqual(regex('.*/ns/shop/.*').key, { kind: 'namespace', value: 'shop', folded: false })
  assert.deepEqual(regex('spiffe://[^/]+/ns/shop/sa/web').key, { kind: 'suffix', value: '/ns/shop/sa/web', folded: false })
  assert.deepEqual(regex('spiffe://.*/sa/web\\.x').key, { kind: 'prefix', value: 'spiffe://', folded: false })
  assert.deepEqual(literalKey('a\\.b'), { kind: 'exact', value: 'a.b', folded: false })
  for (const one of ['a|b', '(?i)a', '\\d', '.+', 'a*']) assert.equal(literalKey(one), undefined, one)
})

void test('namespaces are found in identities only where they stand', () => {
  const { test: fits } = regex('.*/ns/shop/.*')
  assert.deepEqual(['spiffe://td/ns/shop/sa/web', 'spiffe://td/ns/shopping/sa/web', 'spiffe://td/ns/a/sa/shop', '/ns/shop', 'a\n/ns/shop/'].map(fits), [true, false, false, false, false])
})

void test('case is folded in key and test alike', () => {
  const { test: fits, key } = matcher({ matchPattern: { case: 'prefix', value: 'A.Com' }, ignoreCase: true })
  assert.deepEqual(key, { kind: 'prefix', value: 'a.com', folded: true })
  assert.deepEqual([fits('a.COM:80'), meets(key!, 'a.COM:80'), fits('b')], [true, true, false])
})

void test('templates: a star is one segment that is not empty, two are the rest', () => {
  const fits = (template: string, ...paths: string[]): boolean[] => paths.map(templateTest(template).test)
  assert.deepEqual(fits('/a/*/b', '/a/x/b', '/a//b', '/a/x/y/b', '/a/x"<>*/b'), [true, false, false, true])
  assert.deepEqual(fits('/a/**', '/a/', '/a/x/y', '/a', '/a/x\ny'), [true, true, false, true])
  assert.deepEqual(fits('/foo/**/', '/foo/bar/', '/foo//', '/foo/bar'), [true, true, false])
  assert.deepEqual(fits('/a.b/*', '/a.b/c', '/aXb/c'), [true, false])
  assert.deepEqual(templateTest('/a/*/b').key, { kind: 'prefix', value: '/a/', folded: false })
  for (const bad of ['a/*', '/a*', '/{name}', '/{name=*}']) assert.throws(() => templateTest(bad), /not supported|not a whole segment/, bad)
})
