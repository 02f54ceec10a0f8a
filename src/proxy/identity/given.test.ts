import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthority } from '../../../test/support/certificates.ts'
import { givenIdentity } from './given.ts'

const authority = createAuthority()
const one = { ...authority.issue('URI:spiffe://cluster.local/ns/default/sa/a'), roots: authority.roots }
const two = { ...authority.issue('URI:spiffe://cluster.local/ns/default/sa/a'), roots: authority.roots, crl: 'revoked' }

test('a given identity serves as default and ROOTCA, and tells of its replacement', () => {
  const identity = givenIdentity(one)
  const told: string[] = []
  const end = identity.onChange((name) => told.push(name))
  assert.deepEqual(identity.certificate('default'), { chain: one.chain, key: one.key })
  assert.deepEqual(identity.trust('ROOTCA'), { roots: one.roots, crl: '' })
  assert.deepEqual([identity.certificate('ROOTCA'), identity.trust('default')], [undefined, undefined])
  identity.replace(two)
  assert.deepEqual([identity.certificate('default')?.key, identity.trust('ROOTCA')?.crl], [two.key, 'revoked'])
  assert.deepEqual(told.sort(), ['ROOTCA', 'default'])
  end()
  identity.replace(one)
  assert.equal(told.length, 2)
})

const broken = [
  { title: 'a key of another certificate', given: { ...one, key: two.key } },
  { title: 'a chain that is no PEM', given: { ...one, chain: 'hello' } },
  { title: 'a key that is none', given: { ...one, key: 'hello' } },
  { title: 'no roots', given: { ...one, roots: '' } },
]
for (const { title, given } of broken) {
  test(`${title} is refused, and what serves stays`, () => {
    assert.throws(() => givenIdentity(given), { code: 'identity/given' })
    const identity = givenIdentity(two)
    assert.throws(() => identity.replace(given), { code: 'identity/given' })
    assert.equal(identity.certificate('default')?.key, two.key)
  })
}
