import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, resource } from '../../../test/support/bookinfo-world.ts'
import { createAuthority } from '../../../test/support/certificates.ts'
import { createSnapshot } from '../snapshot.ts'
import type { Resource } from '../../model/resource.ts'
import { readProxyNode } from '../translate/proxy-node.ts'
import { gatewayIssues } from './gateway-issues.ts'

const authority = createAuthority()
const router = readProxyNode({ id: 'router~127.0.0.1~gw.edge~edge.svc.cluster.local', metadata: { LABELS: { istio: 'ingressgateway' } } })
const server = (name: string, host: string, tls: object, protocol = 'HTTPS') => ({ port: { number: 443, name, protocol }, hosts: [host], tls })
const gateway = (name: string, created: number, ...servers: object[]) => resource('Gateway', name, { selector: { istio: 'ingressgateway' }, servers }, { created })
const secret = (name: string, data: Record<string, string>) => resource('Secret', name, { stringData: data }, { namespace: 'edge', created: 0 })

const problemsOf = (...resources: readonly Resource[]) =>
  gatewayIssues(createSnapshot(bookinfo(...resources)), [router]).map(({ resource: key, path, message }) => `${key} ${path.join('.')}: ${message}`)

test('a server that gives way to an older one is named, with the older one', () => {
  const problems = problemsOf(
    gateway('old', 1, server('a', 'a.com', { mode: 'PASSTHROUGH' }), server('b', 'b.com', { mode: 'ISTIO_MUTUAL' })),
    gateway('young', 2, server('a', 'b.com', { mode: 'ISTIO_MUTUAL' }), server('c', 'c.com', {}, 'HTTP'), server('d', 'd.com', { mode: 'ISTIO_MUTUAL' })),
  )
  assert.deepEqual(problems, [
    'Gateway/default/young spec.servers.0: does not open at port 443: server 1 of Gateway default/old has one of its hosts, or the port, already, and it is older',
    'Gateway/default/young spec.servers.1: does not open at port 443: server 0 of Gateway default/old makes the port one for tls, and it is older',
  ])
})

test('credentials that are missing, broken or in another namespace are told, the good one is not', () => {
  const good = authority.issue('DNS:a.com')
  const simple = (credentialName: string) => ({ mode: 'SIMPLE', credentialName })
  const problems = problemsOf(
    gateway('gw', 1, server('a', 'a.com', simple('good')), server('b', 'b.com', simple('missing')), server('c', 'c.com', simple('mismatch')),
      server('d', 'd.com', { mode: 'MUTUAL', credentialName: 'good' }), server('e', 'e.com', { ...simple('good'), verifyCertificateHash: ['ab'] })),
    secret('good', { 'tls.crt': good.chain, 'tls.key': good.key }),
    secret('mismatch', { 'tls.crt': authority.issue('DNS:c.com').chain, 'tls.key': good.key }),
  )
  assert.equal(problems.length, 4)
  assert.match(problems[0]!, /servers\.1\.tls\.credentialName: there is no Secret edge\/missing/)
  assert.match(problems[1]!, /servers\.2\.tls\.credentialName: Secret edge\/mismatch \(mesh.yaml:1\) cannot be used: the key does not belong to the certificate/)
  assert.match(problems[2]!, /servers\.3\.tls\.credentialName: Secret edge\/good .* to verify clients \(ca\.crt\): there is no certificate in PEM/)
  assert.match(problems[3]!, /servers\.4\.tls: the server does not open: verifyCertificateHash: "ab"/)
  assert.ok(!problems.join().includes(good.key.slice(40, 80)))
})
