import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NameAddresses } from '../../proxy/main.ts'
import { MeshNames } from './names.ts'
import { parseResolvConf } from './resolv-conf.ts'
import { resolversOf, dnsAddresses } from './settings.ts'
import { manualClock } from '../../../test/support/manual-clock.ts'

const host = (ip: string, more: Partial<NameAddresses> = {}): NameAddresses => ({ ips: [ip], registry: 'External', shortname: '', namespace: '', aliases: [], ...more })
const kubernetes = (ip: string, shortname: string, namespace: string): NameAddresses => host(ip, { registry: 'Kubernetes', shortname, namespace })
const context = { namespace: 'default', domain: 'cluster.local', search: 'default.svc.cluster.local' }

/** What is found: the address, and behind `=` the name that it is found by. */
function found(entries: Readonly<Record<string, NameAddresses>>, ...names: readonly string[]): readonly string[] {
  const all = new MeshNames(new Map(Object.entries(entries)), context)
  return names.map((name) => {
    const one = all.find(name)
    if (one === undefined) return '-'
    return [...one.addresses.v4.map((bytes) => [...bytes].join('.')), ...one.addresses.v6.map((bytes) => Buffer.from(bytes).toString('hex'))].join() + (one.alias === undefined ? '' : `=${one.alias}`)
  })
}

test('a name that somebody has written wins over one that is made from another', () => {
  const entries = { 'reviews.default.svc.cluster.local': kubernetes('10.0.0.1', 'reviews', 'default'), 'reviews.default': host('10.0.0.9') }
  assert.deepEqual(found(entries, 'reviews', 'reviews.default', 'reviews.default.svc'), ['10.0.0.1', '10.0.0.9', '10.0.0.1'])
})

test('a Service of another domain has no short names, and none is made of what is no Service', () => {
  const entries = { 'a.default.svc.other.zone': kubernetes('10.0.0.1', 'a', 'default'), 'b.example': host('10.0.0.2', { aliases: ['B2.example.'] }) }
  assert.deepEqual(found(entries, 'a', 'a.default', 'a.default.svc.other.zone', 'b', 'b2.example'), ['-', '-', '10.0.0.1', '-', '10.0.0.2'])
})

test('the first search domain is taken off once, where the name without it is known, wildcards last', () => {
  const entries = { 'a.example': host('10.0.0.1'), '*.example': host('10.0.0.2'), '*.cluster.local': host('10.0.0.3') }
  const search = context.search
  assert.deepEqual(found(entries, `a.example.${search}`, `b.example.${search}`, `a.example.${search}.${search}`, search, 'b.example'), [
    '10.0.0.1=a.example', '10.0.0.3', '10.0.0.3', '10.0.0.3', '10.0.0.2',
  ])
  assert.deepEqual(found({ '*.example': host('10.0.0.2') }, `b.example.${search}`), ['10.0.0.2=b.example'])
})

test('addresses of both families are told apart, and what is none is left out', () => {
  assert.deepEqual(found({ a: host('', { ips: ['10.0.0.1', 'fd00::1', 'nothing', '::ffff:10.0.0.2'] }) }, 'a'), ['10.0.0.1,10.0.0.2,fd000000000000000000000000000001'])
  assert.deepEqual(found({ a: host('nothing') }, 'a'), [''])
})

test('resolv.conf is read as resolvers read it', () => {
  assert.deepEqual(parseResolvConf('# a comment\nnameserver 10.0.0.1 # first\nnameserver not-an-ip\nnameserver fd00::1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nsearch A.example. b.example\ndomain last.example\noptions ndots:5\n'), {
    servers: [{ host: '10.0.0.1', port: 53 }, { host: 'fd00::1', port: 53 }, { host: '10.0.0.2', port: 53 }], search: ['last.example'],
  })
  assert.deepEqual(parseResolvConf(''), { servers: [], search: [] })
})

const settings = { dnsProxyAddr: 'localhost:15053', dnsResolvers: '', resolvConf: '/nowhere', dnsForwardTimeout: 5000, dnsForwardParallel: false }

test('resolvers are those that are given, or those of a file, which may be away', () => {
  const mistakes: string[] = []
  const of = (dnsResolvers: string) => resolversOf({ ...settings, dnsResolvers }, manualClock(), mistakes)()
  assert.deepEqual(of('10.0.0.1, [fd00::1]:5353,fd00::2'), { servers: [{ host: '10.0.0.1', port: 53 }, { host: 'fd00::1', port: 5353 }, { host: 'fd00::2', port: 53 }], search: [] })
  assert.deepEqual(of('none'), { servers: [], search: [] })
  assert.equal(of(''), undefined)
  of('dns.example:53')
  assert.deepEqual(dnsAddresses(settings, mistakes), [{ host: '127.0.0.1', port: 15053 }, { host: '::1', port: 15053 }])
  dnsAddresses({ ...settings, dnsProxyAddr: 'all:53' }, mistakes)
  assert.deepEqual(mistakes, ['--dns-resolvers: "dns.example:53" is not ADDRESS or ADDRESS:PORT; say none for no resolvers', '--dns-proxy-addr must be ADDRESS:PORT or localhost:PORT, not "all:53"'])
})
