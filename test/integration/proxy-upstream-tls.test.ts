// TLS from clusters to hosts: who is talked to, who is refused and with what words, and certificates that change.
import assert from 'node:assert/strict'
import type { ServerOptions } from 'node:https'
import { after, before, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { chooseTransports } from '../../src/net/transports.ts'
import type { CertificateSecret } from '../../src/proxy/identity/secrets.ts'
import { TlsContexts } from '../../src/proxy/upstream/tls-contexts.ts'
import { Recorder } from '../support/connection-pair.ts'
import { httpPeer } from '../support/http-peers.ts'
import { HeldSecrets, automatic, inMesh, meshServer, mutual, spiffe } from '../support/mesh-tls.ts'
import { OpensslCa } from '../support/openssl-ca.ts'
import { until } from '../support/until.ts'
import { UpstreamWorld, ask, assignment, choose, connectThrough, edsCluster, failureOf, httpOptions, lbEndpoint, staticCluster, tlsSocket } from '../support/upstream-world.ts'

const ca = new OpensslCa()
const otherCa = new OpensslCa('another root')
after(() => {
  ca[Symbol.dispose]()
  otherCa[Symbol.dispose]()
})

const client = ca.issue(`URI:${spiffe('client')}`)
const reviews = ca.issue(`URI:${spiffe('reviews')}`)

class TestSecrets extends HeldSecrets {
  constructor() {
    super(client, ca.roots)
  }
}

const server = (certificate: CertificateSecret, more: ServerOptions = {}): ServerOptions => meshServer(certificate, ca.roots, more)

const sessionOf = (peer: { readonly connections: readonly unknown[] }, i = 0) => peer.connections[i] as TLSSocket

for (const rawHandles of [true, false]) describe(rawHandles ? 'over raw handles' : 'over node sockets', () => {
  before(() => chooseTransports({ rawHandles }))

  test('both sides show who they are, and the server name and protocol are the mesh\'s', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('other'), spiffe('reviews')) }))
    assert.equal((await ask(cluster)).body, 'ok')
    const socket = sessionOf(peer)
    assert.match(socket.getPeerX509Certificate()!.subjectAltName!, /sa\/client/)
    assert.equal(socket.alpnProtocol, 'istio-http/1.1')
    assert.equal((socket as { servername?: string }).servername, 'outbound_.9080_._.reviews.default.svc.cluster.local')
  })

  test('a request knows whom it talks to', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    const transport = await connectThrough(cluster)
    assert.deepEqual(transport.tls?.peerUris, [spiffe('reviews')])
    assert.deepEqual(transport.tls?.localUris, [spiffe('client')])
    transport.destroy()
  })

  const refusals: [string, () => CertificateSecret, RegExp][] = [
    ['another identity', () => ca.issue(`URI:${spiffe('ratings')}`), /^TLS_error: .*verify SAN list: spiffe:\/\/cluster.local\/ns\/default\/sa\/ratings is not accepted here/],
    ['the right name from another root', () => otherCa.issue(`URI:${spiffe('reviews')}`), /^TLS_error: .*certificate/],
    ['an expired certificate', () => ca.issue(`URI:${spiffe('reviews')}`, -1), /^TLS_error: .*expired/],
    ['no identity at all', () => ca.issue('DNS:reviews'), /^TLS_error: .*verify SAN list: reviews is not accepted here/],
    ['the identity as a DNS name', () => ca.issue(`DNS:${spiffe('reviews')}`), /^TLS_error: .*verify SAN list/],
  ]
  for (const [title, certificate, words] of refusals) {
    test(`a server that shows ${title} gets no byte, over HTTP and over TCP`, async () => {
      await using peer = await httpPeer('secret', server(certificate()))
      using world = new UpstreamWorld({ secrets: new TestSecrets() })
      const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
      for (const failure of [await failureOf(ask(cluster)), await failureOf(connectThrough(cluster))]) {
        assert.deepEqual([failure.reason, failure.begun], ['connection-failure', false])
        assert.match(failure.detail, words)
      }
      assert.equal(peer.requests, 0)
    })
  }

  test('a server that is not talked to in TLS is refused', async () => {
    await using peer = await httpPeer('plain')
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    assert.match((await failureOf(ask(cluster))).detail, /^TLS_error: /)
    assert.equal(peer.requests, 0)
  })

  test('a server that refuses our own certificate fails the request, and never gets it twice', async () => {
    await using peer = await httpPeer('x', server(reviews, { ca: otherCa.roots }))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    const failure = await failureOf(ask(cluster))
    // In TLS 1.3 the client's handshake is over before the server has looked at its certificate.
    assert.ok(['connection-failure', 'connection-termination'].includes(failure.reason), failure.reason)
    assert.equal(peer.requests, 0)
  })

  test('while a secret is missing nothing is sent, and nothing is sent in plaintext', async () => {
    await using peer = await httpPeer('ok')
    await using secure = await httpPeer('ok', server(reviews))
    const secrets = new TestSecrets()
    secrets.own = undefined
    using world = new UpstreamWorld({ secrets })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    const failure = await failureOf(ask(cluster))
    assert.deepEqual([failure.reason, failure.detail], ['connection-failure', 'TLS error: Secret is not supplied by SDS'])
    assert.deepEqual([peer.connections.length, world.stat('cluster.c.membership_suspect')], [0, 0])
    for (let i = 0; i < 5; i++) await failureOf(ask(cluster))
    secrets.own = client
    const again = world.serve(staticCluster('c', [secure.address], { transportSocket: mutual(spiffe('reviews')) }))
    assert.equal((await ask(again)).body, 'ok')
  })

  test('a certificate and key that do not fit are named, and the cluster recovers with the next ones', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    const secrets = new TestSecrets()
    secrets.own = { chain: client.chain, key: reviews.key }
    using world = new UpstreamWorld({ secrets })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    assert.match((await failureOf(ask(cluster))).detail, /^TLS error: .*cannot be used/)
    secrets.own = client
    assert.equal((await ask(cluster)).body, 'ok')
  })

  test('after a rotation new connections show the new certificate, and open ones go on', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    const secrets = new TestSecrets()
    using world = new UpstreamWorld({ secrets })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    await ask(cluster)
    secrets.own = ca.issue(`URI:${spiffe('renewed')}`)
    assert.equal((await ask(cluster)).reused, true)
    const transport = await connectThrough(cluster)
    assert.deepEqual(transport.tls?.localUris, [spiffe('renewed')])
    await until(() => peer.connections.length === 2)
    assert.match(sessionOf(peer, 1).getPeerX509Certificate()!.subjectAltName!, /sa\/renewed/)
    assert.equal((await ask(cluster)).reused, true)
    transport.destroy()
  })

  test('certificates that are renewed under load cost no request', async () => {
    const renewed = [1, 2, 3, 4].map((i) => ca.issue(`URI:${spiffe(`client-${i}`)}`))
    const shown = new Set<string>()
    await using peer = await httpPeer((request, response) => {
      shown.add((request.socket as TLSSocket).getPeerX509Certificate()!.subjectAltName!)
      response.end('ok')
    }, server(reviews))
    const secrets = new TestSecrets()
    using world = new UpstreamWorld({ secrets })
    const limit = httpOptions({ commonHttpProtocolOptions: { maxRequestsPerConnection: 20 } })
    const cluster = world.serve(staticCluster('c', [peer.address], { ...limit, transportSocket: mutual(spiffe('reviews')) }))
    let going = true
    const client = async () => {
      while (going) assert.equal((await ask(cluster)).body, 'ok')
    }
    const clients = Promise.all(Array.from({ length: 4 }, client))
    for (const certificate of renewed) {
      secrets.own = certificate
      const before = shown.size
      await Promise.race([until(() => shown.size > before), clients])
    }
    going = false
    await clients
  })

  test('a root that is no longer trusted is not trusted by new connections', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    const secrets = new TestSecrets()
    using world = new UpstreamWorld({ secrets })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    await ask(cluster)
    secrets.roots = { roots: otherCa.roots, crl: '' }
    assert.equal((await failureOf(connectThrough(cluster))).reason, 'connection-failure')
  })

  test('sessions are never resumed: each connection checks the identity again', async () => {
    const resumed: boolean[] = []
    await using peer = await httpPeer((request, response) => {
      resumed.push((request.socket as TLSSocket).isSessionReused())
      response.end('ok')
    }, server(reviews))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    for (let i = 0; i < 4; i++) {
      const transport = await connectThrough(cluster)
      const recorder = new Recorder(transport)
      transport.resume()
      transport.writeLatin1('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
      await recorder.until(() => recorder.received > 0)
      assert.deepEqual(transport.tls?.peerUris, [spiffe('reviews')])
      transport.destroy()
    }
    assert.deepEqual(resumed, [false, false, false, false])
  })

  test('one identity makes one context for all clusters and connections', async () => {
    const secrets = new TestSecrets()
    const contexts = new TlsContexts(secrets)
    const options = { certificate: client, trust: { roots: ca.roots, crl: '' }, minVersion: 'TLSv1.2' as const, maxVersion: 'TLSv1.3' as const, ciphers: '', curves: '' }
    const first = contexts.get(options)
    assert.equal(contexts.get({ ...options, certificate: { ...client }, trust: { roots: ca.roots, crl: '' } }), first)
    assert.notEqual(contexts.get({ ...options, certificate: reviews }), first)
    assert.notEqual(contexts.get({ ...options, trust: 'system' }), first)
    assert.notEqual(contexts.get({ ...options, minVersion: 'TLSv1.3' }), first)
    assert.equal(contexts.get(options), first)
  })

  test('with automatic mutual TLS each endpoint gets what it takes, and a change of that makes new connections', async () => {
    await using secure = await httpPeer('secure', server(reviews))
    await using open = await httpPeer('open')
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(edsCluster('c', automatic(spiffe('reviews'))))
    world.clusters.updateEndpoints(assignment('c', [lbEndpoint(secure.address, inMesh()), lbEndpoint(open.address)]))
    const [first, second] = world.clusters.statuses()[0]!.hosts
    assert.deepEqual([first!.mutualTls, second!.mutualTls], [true, false])
    assert.equal((await ask(cluster, { host: first! })).body, 'secure')
    assert.equal((await ask(cluster, { host: second! })).body, 'open')
    world.clusters.updateEndpoints(assignment('c', [lbEndpoint(open.address, inMesh())]))
    assert.match((await failureOf(ask(cluster))).detail, /^TLS_error/)
    world.clusters.updateEndpoints(assignment('c', [lbEndpoint(open.address)]))
    assert.equal((await ask(cluster)).reused, false)
  })

  const autoNames = httpOptions({ upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } })
  const originated = tlsSocket({ validationContextType: { case: 'combinedValidationContext', value: { validationContextSdsSecretConfig: { name: 'ROOTCA' } } } })

  test('TLS to a host outside of the mesh asks for the name in the request, and checks that the certificate is for it', async () => {
    const web = ca.issue('DNS:api.example.test,DNS:*.wild.test')
    await using peer = await httpPeer('ok', server(web, { requestCert: false, rejectUnauthorized: false }))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { ...autoNames, transportSocket: originated }))
    assert.equal((await ask(cluster, { authority: 'API.example.test:443' })).body, 'ok')
    assert.equal((sessionOf(peer) as { servername?: string }).servername, 'api.example.test')
    assert.equal((await ask(cluster, { authority: 'a.wild.test' })).body, 'ok')
    for (const authority of ['b.example.test', 'wild.test', 'a.b.wild.test', 'api.example.test.evil.test']) {
      assert.match((await failureOf(ask(cluster, { authority }))).detail, /the certificate is for api\.example\.test, \*\.wild\.test, not for/)
    }
  })

  test('an address in the request has to stand in the certificate as an address', async () => {
    const web = ca.issue('DNS:127.0.0.1,IP:10.0.0.1,IP:fe80::1')
    await using peer = await httpPeer('ok', server(web, { requestCert: false, rejectUnauthorized: false }))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { ...autoNames, transportSocket: originated }))
    for (const authority of ['10.0.0.1', '10.0.0.1:443', '[fe80::1]:443']) assert.equal((await ask(cluster, { authority })).body, 'ok')
    for (const authority of ['127.0.0.1', '[fe80::2]:443']) assert.match((await failureOf(ask(cluster, { authority }))).detail, /not for the address/)
  })

  test('a name that has to be checked, but is not there, is refused', async () => {
    const web = ca.issue('DNS:api.example.test')
    await using peer = await httpPeer('ok', server(web, { requestCert: false, rejectUnauthorized: false }))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { ...autoNames, transportSocket: originated }))
    assert.equal((await failureOf(ask(cluster, { authority: '127.0.0.1:443' }))).reason, 'connection-failure')
    assert.equal(peer.requests, 0)
  })

  test('a hundred requests at once over mutual TLS are all answered', async () => {
    await using peer = await httpPeer('ok', server(reviews))
    using world = new UpstreamWorld({ secrets: new TestSecrets() })
    const cluster = world.serve(staticCluster('c', [peer.address], { transportSocket: mutual(spiffe('reviews')) }))
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(cluster, { host: choose(cluster) })))
    assert.equal(answers.filter(({ status }) => status === 200).length, 100)
  })
})
