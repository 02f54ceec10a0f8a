// The decision structure: which policy is named, that few policies are looked at however many there are, and why something
// was denied.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decisions } from './decide.ts'
import type { Expression, RbacFacts, RbacPolicy, TextKey, TextTest } from './expression.ts'
import { whyDenied } from './why.ts'

const any: Expression = { kind: 'any' }
const all = (...of: Expression[]): Expression => ({ kind: 'all', of })
const some = (...of: Expression[]): Expression => ({ kind: 'some', of })
const not = (of: Expression): Expression => ({ kind: 'not', of })

function text(kind: TextKey['kind'], value: string): TextTest {
  const tests = {
    exact: (one: string) => one === value, prefix: (one: string) => one.startsWith(value), suffix: (one: string) => one.endsWith(value), namespace: (one: string) => one.includes(`/ns/${value}/`),
  }
  return { test: tests[kind], words: `${kind} ${value}`, key: { kind, value, folded: false } }
}

const path = (kind: TextKey['kind'], value: string): Expression => ({ kind: 'path', test: text(kind, value) })
const identity = (kind: TextKey['kind'], value: string): Expression => ({ kind: 'identity', test: text(kind, value) })
const port = (number: number): Expression => ({ kind: 'port', start: number, end: number + 1 })
const header = (name: string, value: string): Expression => ({ kind: 'header', name, test: text('exact', value), missingIsEmpty: false })
const network = (third: number): Expression => ({ kind: 'ip', of: 'source', range: { family: 4, bits: BigInt(third) << 8n, length: 24 }, words: `0.0.${third}.0/24` })
const claim = (value: string): Expression => ({ kind: 'metadata', namespace: 'jwt', path: ['sub'], test: { test: (one) => one === value, words: `is ${value}`, exact: value } })

const policy = (name: string, permission: Expression, principal: Expression = any): RbacPolicy => ({ name, permissions: [permission], principals: [principal] })

interface Given {
  readonly path?: string
  readonly identity?: string
  readonly port?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly ip?: bigint
  readonly sub?: string
}

const facts = (given: Given): RbacFacts => ({
  identities: given.identity === undefined ? undefined : [given.identity], serverName: '', destinationPort: given.port ?? 80, path: given.path ?? '/',
  ip: () => (given.ip === undefined ? undefined : { family: 4, bits: given.ip }), header: (name) => given.headers?.[name], metadata: () => ({ sub: given.sub }),
})

const named = (decisions: Decisions, given: Given): string | undefined => decisions.policies[decisions.match(facts(given))]?.name

void test('of several policies that match, the first by name is the one, wherever it was written and however it is found', () => {
  const decisions = new Decisions({ action: 'deny', policies: [policy('c', path('exact', '/a')), policy('b', path('prefix', '/')), policy('a', path('suffix', '/a'), not(identity('exact', 'me'))), policy('d', any)] })
  assert.equal(named(decisions, { path: '/a' }), 'a')
  assert.equal(named(decisions, { path: '/a', identity: 'me' }), 'b')
  assert.equal(named(decisions, { path: '' }), 'd')
})

/** A thousand policies, and a request that one of them is for. */
const families: readonly (readonly [title: string, policyOf: (i: number) => RbacPolicy, request: Given])[] = [
  ['paths', (i) => policy(`p${i}`, path('exact', `/${i}`)), { path: '/500' }],
  ['prefixes of paths', (i) => policy(`p${i}`, path('prefix', `/service-${i}/`)), { path: '/service-500/x' }],
  ['suffixes of paths', (i) => policy(`p${i}`, path('suffix', `/${i}.html`)), { path: '/a/500.html' }],
  ['principals, with one method for all', (i) => policy(`p${i}`, header(':method', 'GET'), identity('exact', `spiffe://td/ns/a/sa/${i}`)), { identity: 'spiffe://td/ns/a/sa/500', headers: { ':method': 'GET' } }],
  ['namespaces', (i) => policy(`p${i}`, any, identity('namespace', `n${i}`)), { identity: 'spiffe://td/ns/n500/sa/a' }],
  ['ports', (i) => policy(`p${i}`, port(1000 + i)), { port: 1500 }],
  ['headers, some with two values', (i) => policy(`p${i}`, header('x-tenant', `t${i}`)), { headers: { 'x-tenant': ['none', 't500'] } }],
  ['networks', (i) => policy(`p${i}`, any, network(i)), { ip: (500n << 8n) + 7n }],
  ['claims', (i) => policy(`p${i}`, any, claim(`u${i}`)), { sub: 'u500' }],
  ['one of several', (i) => policy(`p${i}`, some(path('exact', `/a${i}`), path('prefix', `/b${i}/`)), any), { path: '/b500/x' }],
  ['what all share together with what tells them apart', (i) => policy(`p${i}`, all(port(80), header(':method', 'GET'), path('prefix', `/${i}/`)), some(identity('exact', 'a'), identity('exact', 'b'))), { path: '/500/', identity: 'a', headers: { ':method': 'GET' } }],
]

for (const [title, policyOf, request] of families) {
  void test(`a thousand policies by ${title}: no more are looked at than of ten`, () => {
    const lookedOf = (count: number): number => {
      const decisions = new Decisions({ action: 'allow', policies: Array.from({ length: count }, (_, i) => policyOf(500 - Math.floor(count / 2) + i)) })
      assert.equal(named(decisions, request), 'p500')
      assert.equal(named(decisions, { path: '/nothing', port: 1 }), undefined)
      return decisions.looked
    }
    assert.equal(lookedOf(10), lookedOf(1000))
    assert.equal(lookedOf(1000), 1)
  })
}

void test('why: the nearest policy and the attribute that failed, or what made a policy deny', () => {
  const policies = [policy('a', all(header(':method', 'GET'), path('exact', '/a')), identity('exact', 'me')), policy('b', path('exact', '/b'))]
  const asked = facts({ path: '/a', identity: 'you', headers: { ':method': 'GET' } })
  assert.deepEqual(whyDenied({ action: 'allow', policies }, undefined, asked), { policy: 'a', reason: 'needs: source.principal exact me; but it is "you"' })
  assert.deepEqual(whyDenied({ action: 'allow', policies }, undefined, facts({ path: '/b' + 'x'.repeat(500) })).reason.length < 300, true)
  assert.deepEqual(whyDenied({ action: 'deny', policies }, policies[0], facts({ path: '/a', identity: 'me', headers: { ':method': 'GET' } })), { policy: 'a', reason: 'method exact GET and path exact /a and source.principal exact me' })
  assert.deepEqual(whyDenied({ action: 'allow', policies: [] }, undefined, asked), { policy: undefined, reason: 'no policy allows anything' })
  assert.deepEqual(whyDenied({ action: 'allow', policies: [policy('never', not(any), not(any))] }, undefined, asked), { policy: 'never', reason: 'it matches nothing' })
})
