import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shadowAuthority } from './mirror-policy.ts'

test('the suffix of a copy stands before the port', () => {
  const cases: Readonly<Record<string, string>> = {
    'reviews': 'reviews-shadow', 'reviews:9080': 'reviews-shadow:9080', '[::1]:80': '[::1]-shadow:80', '[::1]': '[::1]-shadow', 'a:b': 'a:b-shadow',
  }
  for (const [authority, copy] of Object.entries(cases)) assert.equal(shadowAuthority(authority), copy)
})
