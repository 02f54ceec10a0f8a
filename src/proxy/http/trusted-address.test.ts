// The address of a client behind trusted proxies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressBeforeHops } from './trusted-address.ts'

for (const [written, hops, expected] of [
  ['1.1.1.1', 1, '1.1.1.1'],
  ['9.9.9.9, 1.1.1.1', 1, '1.1.1.1'],
  ['9.9.9.9, 1.1.1.1 ,2.2.2.2', 2, '1.1.1.1'],
  ['9.9.9.9,1.1.1.1,2.2.2.2', 3, '9.9.9.9'],
  ['1.1.1.1,2.2.2.2', 3, undefined],
  ['::1,2001:db8::2', 2, '::1'],
  ['evil, 1.1.1.1', 2, undefined],
  ['', 1, undefined],
  [',', 1, undefined],
  [',1.1.1.1', 2, undefined],
  ['1.1.1.1,', 1, undefined],
  [',,,,', 9, undefined],
] as const) {
  test(`of ${JSON.stringify(written)} behind ${hops} proxies it is ${expected ?? 'not known'}`, () => assert.equal(addressBeforeHops(written, hops), expected))
}
