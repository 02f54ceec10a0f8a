import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource } from '../../../../test/support/bookinfo-world.ts'
import { createAuthority } from '../../../../test/support/certificates.ts'
import { createSnapshot } from '../../snapshot.ts'
import { readProxyNode } from '../proxy-node.ts'
import { BuildCache } from '../translator.ts'
import { secrets } from './kubernetes.ts'

const authority = createAuthority()
const { chain, key } = authority.issue('DNS:a.test')
const secret = (name: string, data: Record<string, string>, namespace = 'default') => resource('Secret', name, { stringData: data }, { namespace })
const whole = { 'tls.crt': chain, 'tls.key': key, 'ca.crt': authority.roots }
const rule = (name: string, more: object) => resource('DestinationRule', name, { host: 'a.test', trafficPolicy: { tls: { mode: 'MUTUAL', credentialName: name } }, ...more })
const world = createSnapshot(bookinfo(
  secret('gw', whole), secret('far', whole, 'other'), secret('picked', whole), secret('open', whole), secret('deep', whole), secret('halves', { 'tls.crt': chain }),
  rule('picked', { workloadSelector: { matchLabels: { app: 'productpage' } } }), rule('open', {}),
  resource('DestinationRule', 'deep', {
    host: 'b.test', workloadSelector: { matchLabels: { app: 'reviews' } },
    subsets: [{ name: 'x', trafficPolicy: { portLevelSettings: [{ port: { number: 1 }, tls: { mode: 'SIMPLE', credentialName: 'deep' } }] } }],
  }),
))
const nodes = {
  router: readProxyNode({ id: 'router~127.1.0.5~ingress.default~x' }),
  productpage: readProxyNode({ id: 'sidecar~127.1.0.1~productpage.default~x', metadata: { LABELS: { app: 'reviews' } } }),
  reviews: readProxyNode({ id: 'sidecar~127.1.0.2~reviews-v1.default~x' }),
}

const cases: readonly [who: keyof typeof nodes, name: string, gets: boolean, why: string][] = [
  ['router', 'kubernetes://gw', true, 'a gateway gets secrets of its namespace'],
  ['router', 'kubernetes://gw-cacert', true, 'and the roots in them'],
  ['router', 'kubernetes://default/gw', true, 'by namespace too'],
  ['router', 'kubernetes://other/far', false, 'but not of another'],
  ['router', 'kubernetes://halves', false, 'nor half of one'],
  ['router', 'gw', false, 'nor by another scheme'],
  ['productpage', 'kubernetes://gw', false, 'a sidecar gets no secret of a gateway'],
  ['productpage', 'kubernetes://picked', true, 'but the one that a DestinationRule picks it for'],
  ['productpage', 'kubernetes://picked-cacert', true, 'with its roots'],
  ['reviews', 'kubernetes://picked', false, 'which others do not get'],
  ['productpage', 'kubernetes://open', false, 'a rule for everybody gives nobody a secret'],
  ['reviews', 'kubernetes://deep', true, 'a port of a subset counts'],
  ['productpage', 'kubernetes://deep', false, 'labels are those of the workload, not what the proxy says of itself'],
]
for (const [who, name, gets, why] of cases) {
  test(`${name} for ${who}: ${why}`, () => {
    assert.equal(secrets.translate(nodes[who], world, name, new BuildCache()) !== undefined, gets)
  })
}

test('a secret that cannot be used is an error that says which, and shows nothing of it', () => {
  const bad = createSnapshot(bookinfo(secret('bad', { 'tls.crt': authority.issue('DNS:b.test').chain, 'tls.key': key })))
  assert.throws(() => secrets.translate(nodes.router, bad, 'kubernetes://bad', new BuildCache()), (error: Error) =>
    /Secret default\/bad \(mesh\.yaml:1\): the key does not belong/.test(error.message) && !error.message.includes(key.split('\n')[1]!))
})
