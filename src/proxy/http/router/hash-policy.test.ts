import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { HeaderList } from '../../../codec/header-list.ts'
import { xxHash64 } from '../../../lib/xxhash64.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import { RouteAction_HashPolicySchema as HashPolicySchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { compileHashPolicies, cookieValue, hashOf } from './hash-policy.ts'

type PolicyInit = MessageInitShape<typeof HashPolicySchema>
type Specifier = NonNullable<PolicyInit['policySpecifier']>

interface Asked {
  readonly headers?: readonly string[]
  readonly query?: string
  readonly port?: number
}

function evaluate(policies: readonly PolicyInit[], { headers = [], query = '', port = 50_000 }: Asked = {}) {
  const cookies: string[] = []
  const request = {
    requestHeaders: HeaderList.of(...headers), query,
    connection: { remoteAddress: { host: '10.1.1.1', port }, remoteAddressText: `10.1.1.1:${port}`, originalDestinationText: '10.2.2.2:80' },
    addCookie: (value: string) => void cookies.push(value),
  }
  const hash = hashOf(compileHashPolicies(policies.map((policy) => create(HashPolicySchema, policy)))!, request)
  return { hash, cookies }
}

const by = (policySpecifier: Specifier, terminal = false): PolicyInit => ({ policySpecifier, terminal })
const header = (headerName: string, terminal = false) => by({ case: 'header', value: { headerName } }, terminal)
const cookie = (value: Extract<Specifier, { case: 'cookie' }>['value']) => by({ case: 'cookie', value })
const big = (hash: Hash64 | undefined) => (hash === undefined ? undefined : (BigInt(hash.high) << 32n) | BigInt(hash.low))

test('a route without policies has no hash', () => assert.equal(compileHashPolicies([]), undefined))

test('by header: the value, whatever its case of name was in the policy; absent is no hash', () => {
  assert.deepEqual(evaluate([header('X-User')], { headers: ['x-user', 'ann'] }).hash, xxHash64('ann'))
  assert.equal(evaluate([header('x-user')]).hash, undefined)
})

test('by header with several values: in order of the values, however they came', () => {
  const one = evaluate([header('x')], { headers: ['x', 'b', 'y', '1', 'x', 'a'] }).hash
  assert.deepEqual(one, evaluate([header('x')], { headers: ['x', 'a', 'x', 'b'] }).hash)
  assert.deepEqual(one, xxHash64('b', xxHash64('a')))
})

test('by query parameter: the first value, names are case-sensitive', () => {
  const policy = by({ case: 'queryParameter', value: { name: 'user' } })
  assert.deepEqual(evaluate([policy], { query: 'a=1&user=ann&user=bob' }).hash, xxHash64('ann'))
  assert.equal(evaluate([policy], { query: 'User=ann' }).hash, undefined)
})

test('by source: the address without its port', () => {
  const policy = by({ case: 'connectionProperties', value: { sourceIp: true } })
  assert.deepEqual(evaluate([policy], { port: 1 }).hash, xxHash64('10.1.1.1'))
  assert.deepEqual(evaluate([policy], { port: 2 }).hash, xxHash64('10.1.1.1'))
  assert.equal(evaluate([by({ case: 'connectionProperties', value: { sourceIp: false } })]).hash, undefined)
})

test('by cookie: its value; without a time to live none is made', () => {
  const { hash, cookies } = evaluate([cookie({ name: 'sid' })], { headers: ['cookie', 'a=b; sid="x"; c=d'] })
  assert.deepEqual([hash, cookies], [xxHash64('x'), []])
  assert.deepEqual(evaluate([cookie({ name: 'sid' })]), { hash: undefined, cookies: [] })
})

const made: [title: string, policy: Parameters<typeof cookie>[0], attributes: string][] = [
  ['a ttl of 0 lasts for the session', { name: 'sid', ttl: {} }, '; HttpOnly'],
  ['a ttl is its age', { name: 'sid', ttl: { seconds: 60n } }, '; Max-Age=60; HttpOnly'],
  ['path and attributes stand in Envoy\'s order', { name: 'sid', ttl: { seconds: 1n }, path: '/p', attributes: [{ name: 'Secure' }, { name: 'SameSite', value: 'Lax' }] },
    '; Max-Age=1; Path=/p; Secure; SameSite=Lax; HttpOnly'],
]
for (const [title, policy, attributes] of made) {
  test(`a cookie is made where there is none: ${title}`, () => {
    const { hash, cookies } = evaluate([cookie(policy)])
    const value = big(xxHash64('10.1.1.1:5000010.2.2.2:80'))!.toString(16).padStart(16, '0')
    assert.deepEqual(cookies, [`sid="${value}"${attributes}`])
    assert.deepEqual(hash, xxHash64(value), 'the request itself goes where those with the cookie will')
    assert.deepEqual(evaluate([cookie(policy)], { headers: ['cookie', cookies[0]!] }), { hash, cookies: [] })
  })
}

test('several are combined: equal ones do not cancel out, absent ones do not count, a terminal one ends it', () => {
  const asked = { headers: ['a', '1', 'b', '2'] }
  const [one, two] = [big(xxHash64('1'))!, big(xxHash64('2'))!]
  const turned = ((one << 1n) | (one >> 63n)) & ((1n << 64n) - 1n)
  assert.equal(big(evaluate([header('a'), header('b')], asked).hash), turned ^ two)
  assert.equal(big(evaluate([header('a'), header('a')], asked).hash), turned ^ one)
  assert.equal(big(evaluate([header('none'), header('b')], asked).hash), two)
  assert.equal(big(evaluate([header('a', true), header('b')], asked).hash), one)
  assert.equal(big(evaluate([header('none', true), header('b')], asked).hash), two)
})

test('what cannot be honoured is refused', () => {
  assert.throws(() => evaluate([{}]), /of no kind/)
  assert.throws(() => evaluate([by({ case: 'header', value: { headerName: 'a', regexRewrite: {} } })]), /regex_rewrite/)
})

const cookies: [string, string][] = [['sid=1', '1'], [' sid=1 ;x=2', '1'], ['xsid=1; sid=2', '2'], ['sid', ''], ['sid=', ''], ['SID=1', ''], ['sid=a=b', 'a=b']]
for (const [text, value] of cookies) test(`the cookie sid of ${JSON.stringify(text)} is ${JSON.stringify(value)}`, () => assert.equal(cookieValue(HeaderList.of('cookie', text), 'sid'), value))
