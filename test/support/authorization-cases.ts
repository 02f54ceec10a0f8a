// Random policies and requests of a world so small that they meet.
import fc from 'fast-check'
import type { AskedRequest, WrittenPolicy, WrittenRule } from './authorization-oracle.ts'

export const trustDomains = ['new-td', 'old-td', 'td.example']

const some = (...values: string[]) => fc.subarray(values, { minLength: 1, maxLength: Math.min(3, values.length) })
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })

const principals = some('new-td/ns/a/sa/x', 'old-td/ns/a/sa/y', 'cluster.local/ns/b/sa/x', 'foreign/ns/a/sa/x', '*', '*/sa/x', '*/ns/b/sa/y', 'old-td/ns/a*', '*-td/ns/a/sa/x', 'td*/ns/b/sa/x', 'new-td/ns/b/sa/x')
const namespaces = some('a', 'b', '*', 'a*', '*b', 'ab')
const accounts = some('x', 'y', 'a/x', 'b/y', 'ab/x')
const domains = some('new-td', 'cluster.local', 'foreign', '*-td', '*', 'fore*')
const blocks = some('10.0.0.1', '10.0.0.0/8', '10.0.1.0/24', '0.0.0.0/0', 'fd00::/16', 'fd00::1', '::/0')
const requestPrincipals = some('issuer/sub', '*', '*', 'issuer/*', '*/sub', '*suer/su*', 'https://a/b/sub', 'issuer', 'other/sub')
const hosts = some('a.com', 'A.com', 'a.com:8080', '*.com', 'a.*', '*', 'a.com:*')
const methods = some('GET', 'POST', 'P*', '*')
const paths = some('/', '/a', '/a/*', '*/b', '*', '/a/{*}', '/a/{*}/b', '/{**}', '/a/{**}/', '/{*}/{**}', '/a/b', '/admin*')
const ports = some('80', '8080', '443')
const snis = some('a.sni', '*.sni', '*', 'a*')

const pair = <Name extends string>(name: Name, values: fc.Arbitrary<string[]>) => ({ [name]: maybe(values), [`not${name[0]!.toUpperCase()}${name.slice(1)}`]: maybe(values) })

const written = (fields: Record<string, unknown>): Record<string, string[]> => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<string, string[]>
const few = (fields: Record<string, fc.Arbitrary<string[] | undefined>>) => fc.subarray(Object.keys(fields), { minLength: 1, maxLength: Math.min(3, Object.keys(fields).length) })
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, fields[name]!.map((value) => value ?? [])])))).map(written)
  .filter((one) => Object.values(one).some((values) => values.length > 0))

const source = fc.oneof(
  few({ ...pair('principals', principals), ...pair('namespaces', namespaces), ...pair('trustDomains', domains), ...pair('ipBlocks', blocks), ...pair('remoteIpBlocks', blocks), ...pair('requestPrincipals', requestPrincipals) }),
  few({ ...pair('serviceAccounts', accounts), ...pair('ipBlocks', blocks) }),
)
const operation = few({ ...pair('hosts', hosts), ...pair('methods', methods), ...pair('paths', paths), ...pair('ports', ports) })

const condition = fc.oneof(...([
  ['request.headers[X-User]', some('anna', 'an*', '*na', '*', 'bert')], ['source.ip', blocks], ['remote.ip', blocks], ['destination.ip', blocks],
  ['source.namespace', namespaces], ['source.principal', principals], ['source.serviceAccount', accounts], ['source.trustDomain', domains],
  ['request.auth.principal', requestPrincipals], ['request.auth.audiences', some('me', 'you', 'm*', '*')], ['request.auth.presenter', some('app', '*p')],
  ['request.auth.claims[groups]', some('admins', 'a*', '*')], ['request.auth.claims[realm][roles]', some('reader', 'writer', '*er')],
  ['destination.port', ports], ['connection.sni', snis],
] as const).map(([key, values]) => fc.record({ key: fc.constant(key as string), values: maybe(values), notValues: maybe(values) }).filter((one) => one.values !== undefined || one.notValues !== undefined)))

const rule: fc.Arbitrary<WrittenRule> = fc.record({
  from: maybe(fc.array(source.map((one) => ({ source: one })), { minLength: 1, maxLength: 2 })),
  to: maybe(fc.array(operation.map((one) => ({ operation: one })), { minLength: 1, maxLength: 2 })),
  when: maybe(fc.array(condition, { minLength: 1, maxLength: 2 })),
}).map((one) => JSON.parse(JSON.stringify(one)) as WrittenRule)

const policy = fc.record({
  namespace: fc.constantFrom('a', 'istio-system'),
  action: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const, 'AUDIT' as const),
  dryRun: fc.constantFrom(false, false, false, true),
  rules: fc.array(rule, { maxLength: 3 }),
}).filter(({ action, rules }) => action !== 'DENY' || rules.length > 0)

export const policies: fc.Arbitrary<readonly WrittenPolicy[]> = fc.array(policy, { minLength: 1, maxLength: 8 }).map((list) => list.map((one, index) => ({ ...one, name: `p${index}` })))

const ip = fc.constantFrom('10.0.0.1', '10.0.1.7', '192.168.0.1', 'fd00::1', '2001:db8::2')
const claims = fc.record({
  iss: fc.constantFrom('issuer', 'https://a/b', 'other'), sub: fc.constantFrom('sub', 'subject'), aud: fc.constantFrom('me', ['you', 'me'], []), azp: maybe(fc.constant('app')),
  groups: fc.constantFrom('admins', ['users', 'admins'], 7, undefined), realm: fc.constantFrom({ roles: ['reader'] }, { roles: 'writer' }, 'realm', undefined),
})

export const request: fc.Arbitrary<AskedRequest> = fc.record({
  peer: maybe(fc.record({ domain: fc.constantFrom('new-td', 'old-td', 'foreign'), namespace: fc.constantFrom('a', 'b', 'ab'), account: fc.constantFrom('x', 'y') })),
  sourceIp: ip, remoteIp: ip, destinationIp: ip, port: fc.constantFrom(80, 8080), sni: fc.constantFrom('', 'a.sni', 'b.sni'),
  http: fc.option(fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'), host: fc.constantFrom('a.com', 'A.COM', 'a.com:8080', 'b.org'),
    path: fc.constantFrom('/', '/a', '/a/b', '/a//', '/a/x/b', '/a/x/y/b', '/admin', '/b?q=/a', '/a/b?c'), headers: fc.constantFrom({}, { 'x-user': 'anna' }, { 'x-user': '' }, { 'x-user': 'bert' }),
    claims: maybe(claims),
  }), { nil: undefined, freq: 4 }),
})
