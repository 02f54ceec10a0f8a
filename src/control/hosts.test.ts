import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bySpecificity, covers, mostSpecific, overlaps, resolveHost, visible } from './hosts.ts'

test('only names without a dot are short', () => {
  assert.equal(resolveHost('reviews', 'x', 'cluster.local'), 'reviews.x.svc.cluster.local')
  assert.equal(resolveHost('reviews.prod', 'x', 'cluster.local'), 'reviews.prod')
  assert.equal(resolveHost('*', 'x', 'cluster.local'), '*')
  assert.equal(resolveHost('::1', 'x', 'cluster.local'), '::1')
})

test('a wildcard covers names below it at any depth, and not the name itself', () => {
  assert.ok(covers('*.foo.com', 'a.foo.com') && covers('*.foo.com', 'a.b.foo.com') && covers('*', 'x'))
  assert.ok(!covers('*.foo.com', 'foo.com') && !covers('*.foo.com', 'xfoo.com') && !covers('a.foo.com', '*.foo.com'))
  assert.ok(overlaps('a.foo.com', '*.foo.com') && overlaps('*.com', '*.foo.com'))
})

test('exact is more specific than a longer wildcard, that than a shorter one', () => {
  assert.deepEqual(['*', '*.com', 'z.a.com', '*.a.com', 'b.a.com'].sort(bySpecificity), ['b.a.com', 'z.a.com', '*.a.com', '*.com', '*'])
  assert.equal(mostSpecific(['*', '*.com'], 'a.com'), '*.com')
  assert.equal(mostSpecific(['b.com'], 'a.com'), undefined)
})

test('exportTo: everyone, the own namespace, or by name', () => {
  assert.ok(visible(['*'], 'a', 'b') && visible(['.'], 'a', 'a') && visible(['b'], 'a', 'b'))
  assert.ok(!visible(['.'], 'a', 'b') && !visible(['~'], 'a', 'a') && !visible([], 'a', 'a'))
})
