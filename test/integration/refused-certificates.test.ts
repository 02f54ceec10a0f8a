// Client certificates with every fault that a certificate can have: the handshake is refused, the refusal is counted where
// all refusals are, and it says what is wrong. Made by openssl, shown over real sockets to the inbound side of a proxy.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createClientTls } from '../../src/net/tls.ts'
import { givenIdentity } from '../../src/proxy/identity/given.ts'
import { createAuthority, leafBelow } from '../support/certificates.ts'
import type { TestCertificate } from '../support/certificates.ts'
import { freePort } from '../support/hosts.ts'
import { scriptedPeer } from '../support/http-peers.ts'
import type { Peer } from '../support/http-peers.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { shake } from '../support/shake.ts'
import { mutualTls, tcpChain, tcpListener } from '../support/xds-messages.ts'

const id = (trustDomain: string): string => `URI:spiffe://${trustDomain}/ns/default/sa/client`
const authority = createAuthority()
const stranger = createAuthority('test root')
const constrained = authority.subordinate('constrained', 'nameConstraints=critical,permitted;URI:.elsewhere.test')
const fitting = authority.subordinate('fitting', 'nameConstraints=critical,permitted;DNS:elsewhere.test')
const notACa = authority.issue(id('cluster.local'))

/** A leaf signed by a CA below the root, with that CA behind it. */
function below(ca: TestCertificate, san: string): TestCertificate {
  const leaf = leafBelow(ca, san)
  return { chain: `${leaf.chain}${ca.chain}`, key: leaf.key }
}

const server = authority.issue(id('cluster.local'))
const revoked = authority.issue(id('cluster.local'))

interface Fault {
  readonly title: string
  readonly certificate: () => TestCertificate
  /** What the proxy says; undefined: it takes the certificate. */
  readonly says?: RegExp
  readonly crl?: string
}

const faults: readonly Fault[] = [
  { title: 'a good certificate', certificate: () => authority.issue(id('cluster.local')) },
  { title: 'one that has expired', certificate: () => authority.issue(id('cluster.local'), { from: -3, to: -1 }), says: /expired/ },
  { title: 'one that is not valid yet', certificate: () => authority.issue(id('cluster.local'), { from: 1, to: 3 }), says: /not yet valid/ },
  { title: 'one of a stranger whose CA has the same name', certificate: () => stranger.issue(id('cluster.local')), says: /certificate|signature/ },
  { title: 'one of another trust domain', certificate: () => authority.issue(id('elsewhere.test')), says: /spiffe:\/\/elsewhere\.test/ },
  { title: 'one of a trust domain that only begins the same', certificate: () => authority.issue(id('cluster.local.evil')), says: /cluster\.local\.evil/ },
  { title: 'one with a wrong name', certificate: () => authority.issue('URI:https://cluster.local/ns/default/sa/client'), says: /https:\/\/cluster\.local/ },
  { title: 'one with the right name of the wrong kind', certificate: () => authority.issue('DNS:cluster.local'), says: /cluster\.local is not accepted/ },
  { title: 'one without any name', certificate: () => authority.issue('email:a@cluster.local'), says: /without names/ },
  { title: 'one that breaks the name constraints of its CA', certificate: () => below(constrained, id('cluster.local')), says: /subtree|permitted|constraint/ },
  { title: 'one below a CA', certificate: () => below(fitting, id('cluster.local')) },
  { title: 'one that is signed by a certificate of no CA', certificate: () => below(notACa, id('cluster.local')), says: /CA|issuer|certificate/ },
  { title: 'one without the CA between it and the root', certificate: () => leafBelow(fitting, id('cluster.local')), says: /issuer|first certificate/ },
  { title: 'one that was revoked', certificate: () => revoked, crl: authority.revoke(revoked), says: /revoked/ },
  { title: 'a good one beside a revoked one', certificate: () => authority.issue(id('cluster.local')), crl: authority.revoke(authority.issue(id('cluster.local'))) },
]

let greeter: Peer
before(async () => { greeter = await scriptedPeer((socket) => socket.end('.')) })
after(() => greeter[Symbol.asyncDispose]())

for (const { title, certificate, says, crl = '' } of faults) {
  test(`of client certificates, ${title} is ${says === undefined ? 'taken' : 'refused, counted and explained'}`, { timeout: 20_000 }, async () => {
    await using world = new ListenerWorld({ secrets: givenIdentity({ ...server, roots: authority.roots, crl }), clusters: { greeter: greeter.address } })
    const port = await freePort()
    await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'greeter', {}, mutualTls())] }))
    const failure = await shake(port, createClientTls({ certificate: certificate(), trust: { roots: authority.roots, crl: '' } }))
    if (says === undefined) return assert.equal(failure, undefined)
    assert.notEqual(failure, undefined)
    await world.until(() => world.refused.length > 0)
    assert.deepEqual(world.refused.map(({ refusal }) => refusal), ['handshake-failed'])
    assert.match(world.refused[0]!.detail, says)
    assert.equal(world.sessions.length, 0)
  })
}

test('of server certificates, each of these is refused by the client before it sends anything', { timeout: 20_000 }, async () => {
  const bad = [authority.issue(id('cluster.local'), { from: -3, to: -1 }), authority.issue(id('cluster.local'), { from: 1, to: 3 }), stranger.issue(id('cluster.local')), below(constrained, id('cluster.local'))]
  for (const shown of bad) {
    await using world = new ListenerWorld({ secrets: givenIdentity({ ...shown, roots: authority.roots }), clusters: { greeter: greeter.address } })
    const port = await freePort()
    await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'greeter', {}, mutualTls())] }))
    assert.match((await shake(port, createClientTls({ certificate: authority.issue(id('cluster.local')), trust: { roots: authority.roots, crl: '' } }))) ?? 'taken', /net\/tls|certificate|handshake|permitted/)
    assert.equal(world.sessions.length, 0)
  }
})
