// Calls to a workload's own address, of which no service is known: an endpoint that takes mutual TLS gets it, with the checks
// of its service, where the control plane wants that; whoever else is there is reached as before.
import assert from 'node:assert/strict'
import type { TLSSocket } from 'node:tls'
import { after, test } from 'node:test'
import type { Address } from '../../src/model/address.ts'
import { Cluster_DiscoveryType as DiscoveryType, Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../../src/proxy/upstream/types.ts'
import { httpPeer } from '../support/http-peers.ts'
import type { Handler } from '../support/http-peers.ts'
import { Http2Peer } from '../support/http2-peers.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { HeldSecrets, automatic, inMesh, meshServer, mutual, spiffe } from '../support/mesh-tls.ts'
import { OpensslCa } from '../support/openssl-ca.ts'
import { until } from '../support/until.ts'
import type { UpstreamWorldOptions } from '../support/upstream-world.ts'
import { UpstreamWorld, ask, assignment, choose, connectThrough, edsCluster, failureOf, httpOptions, lbEndpoint, staticCluster, tlsSocket } from '../support/upstream-world.ts'

const ca = new OpensslCa()
after(() => ca[Symbol.dispose]())

const client = ca.issue(`URI:${spiffe('client')}`)
const reviews = ca.issue(`URI:${spiffe('reviews')}`)
const workload = 'reviews-1;default;reviews;v1;k'
const known = inMesh(workload)

const asClientSpeaks = httpOptions({ upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: {} } })
const original = { clusterDiscoveryType: { case: 'type' as const, value: DiscoveryType.ORIGINAL_DST }, lbPolicy: LbPolicy.CLUSTER_PROVIDED, ...asClientSpeaks }
const wish = { metadata: { filterMetadata: { trysail: { known_endpoints: 'mutual_tls' } } } }
const passthrough = staticCluster('PassthroughCluster', [], { ...original, ...wish, loadAssignment: undefined })

class World extends UpstreamWorld {
  /** A way on to where clients meant to go, beside these services. */
  constructor(services: readonly ReturnType<typeof edsCluster>[], on = passthrough, more: UpstreamWorldOptions = {}) {
    super({ secrets: new HeldSecrets(client, ca.roots), ...more })
    this.clusters.update([on, ...services])
  }

  get passthrough(): Cluster {
    return this.clusters.lookup('PassthroughCluster')!
  }

  endpoints(cluster: string, ...addresses: readonly Address[]): void {
    this.clusters.updateEndpoints(assignment(cluster, addresses.map((address) => lbEndpoint(address, known))))
  }
}

const service = (name: string, ...identities: readonly string[]) => edsCluster(name, automatic(...identities))

test('a known endpoint is spoken to in mutual TLS, over HTTP and over TCP, by the protocol that the client speaks', async () => {
  await using peer = await httpPeer('ok', meshServer(reviews, ca.roots))
  await using second = await Http2Peer.start(undefined, { tls: meshServer(reviews, ca.roots, { ALPNProtocols: ['istio-h2'] }) })
  using world = new World([service('reviews', spiffe('reviews'))])
  world.endpoints('reviews', peer.address, second.address)
  const to = { originalDestination: peer.address }
  assert.equal((await ask(world.passthrough, to)).body, 'ok')
  assert.equal((await ask(world.passthrough, to)).reused, true)
  const socket = peer.connections[0] as TLSSocket
  assert.match(socket.getPeerX509Certificate()!.subjectAltName!, /sa\/client/)
  assert.equal(socket.alpnProtocol, 'istio-http/1.1')
  const host = choose(world.passthrough, peer.address)
  assert.equal(host.workload, workload, 'telemetry knows who it is')
  assert.deepEqual([peer.address, { host: '127.0.0.1', port: 1 }].map((at) => world.passthrough.knows?.(at)), [true, false], 'and tells it who calls')
  const transport = await connectThrough(world.passthrough, host)
  assert.deepEqual(transport.tls?.peerUris, [spiffe('reviews')])
  await until(() => peer.connections.length === 2)
  assert.equal((peer.connections[1] as TLSSocket).alpnProtocol, 'istio')
  transport.destroy()
  const http2 = { remoteAddress: { host: '127.0.0.1', port: 1 }, originalDestination: second.address, http2: true }
  assert.equal((await ask(world.passthrough, { originalDestination: second.address, client: http2 })).body, 'peer')
})

const identities: readonly [title: string, services: readonly ReturnType<typeof edsCluster>[], words: RegExp | undefined][] = [
  ['has another identity than its service', [service('reviews', spiffe('ratings'))], /verify SAN list: .*reviews is not accepted here/],
  ['is of two services, one of which has more identities', [service('a', spiffe('ratings'), spiffe('reviews')), service('b', spiffe('reviews'))], undefined],
  ['has the identity of another workload of one of its services only', [service('a', spiffe('ratings'), spiffe('reviews')), service('b', spiffe('ratings'))], /verify SAN list/],
  ['is of two services, one of which its clients call in plaintext', [edsCluster('a'), service('b', spiffe('reviews'))], undefined],
]
for (const [title, services, words] of identities) {
  test(`an endpoint that ${title} is ${words === undefined ? 'reached' : 'refused, and never called in plaintext'}`, async () => {
    await using peer = await httpPeer('ok', meshServer(reviews, ca.roots))
    using world = new World(services)
    for (const { name } of services) world.endpoints(name, peer.address)
    const to = { originalDestination: peer.address }
    if (words === undefined) return assert.equal((await ask(world.passthrough, to)).body, 'ok')
    for (const failed of [failureOf(ask(world.passthrough, to)), failureOf(connectThrough(world.passthrough, choose(world.passthrough, peer.address)))]) {
      assert.match((await failed).detail, words)
    }
    assert.equal(peer.requests, 0)
  })
}

const plaintext: readonly [title: string, services: readonly ReturnType<typeof edsCluster>[], endpoint: object, on?: typeof passthrough][] = [
  ['nobody knows', [], known],
  ['is not in the mesh', [service('reviews', spiffe('reviews'))], {}],
  ['its clients call in plaintext', [edsCluster('reviews')], known],
  ['its clients call by TLS of an operator\'s', [edsCluster('reviews', { transportSocket: tlsSocket({}) })], known],
  ['is the gateway of another network', [service('reviews', spiffe('reviews'))], inMesh(';default;reviews;v1;k')],
  ['another control plane sent', [service('reviews', spiffe('reviews'))], known, staticCluster('PassthroughCluster', [], { ...original, loadAssignment: undefined })],
]
for (const [title, services, metadata, on] of plaintext) {
  test(`an address that ${title} is called as it is`, async () => {
    await using peer = await httpPeer('plain')
    using world = new World(services, on)
    for (const { name } of services) world.clusters.updateEndpoints(assignment(name, [lbEndpoint(peer.address, metadata)]))
    assert.equal((await ask(world.passthrough, { originalDestination: peer.address })).body, 'plain')
  })
}

test('a cluster with TLS of its own keeps to that, whoever is there', async () => {
  await using peer = await httpPeer('ok', meshServer(reviews, ca.roots))
  using world = new World([service('reviews', spiffe('reviews'))], staticCluster('PassthroughCluster', [], { ...original, ...wish, loadAssignment: undefined, transportSocket: mutual(spiffe('ratings')) }))
  world.endpoints('reviews', peer.address)
  assert.match((await failureOf(ask(world.passthrough, { originalDestination: peer.address }))).detail, /verify SAN list/)
})

test('whoever is known is told who calls, as by its service; a stranger is not', async () => {
  const told: (string | string[] | undefined)[] = []
  const hears: Handler = (request, response) => response.end(String(told.push(request.headers['x-envoy-peer-metadata-id'])))
  await using inside = await httpPeer(hears, meshServer(reviews, ca.roots))
  await using outside = await httpPeer(hears)
  using world = new World([service('reviews', spiffe('reviews'))], passthrough, { dial: (_, tls) => (tls ? inside : outside).address })
  await using proxy = await HttpWorld.start({ routes: [routeTo('PassthroughCluster')], deps: { clusters: world.clusters.lookup, node: { id: 'sidecar~me', metadata: 'bWU=' } } })
  assert.match(await proxy.curl('/'), /\r\n\r\n1$/)
  world.endpoints('reviews', proxy.address)
  assert.match(await proxy.curl('/'), /\r\n\r\n2$/)
  assert.deepEqual(told, [undefined, 'sidecar~me'])
})

const tellsMembers = { metadata: { filterMetadata: { trysail: { known_endpoints: 'eds' } } } }
const headless = staticCluster('headless', [], { ...original, ...tellsMembers, ...automatic(spiffe('reviews')), loadAssignment: undefined })

test('of a service that is called by its members\' addresses each is spoken to as it takes it, by whatever way', async () => {
  await using inside = await httpPeer('mesh', meshServer(reviews, ca.roots))
  await using outside = await httpPeer('plain')
  await using stranger = await httpPeer('stranger')
  using world = new World([headless])
  world.clusters.updateEndpoints(assignment('headless', [lbEndpoint(inside.address, known), lbEndpoint(outside.address)]))
  for (const cluster of [world.clusters.lookup('headless')!, world.passthrough]) {
    for (const [peer, body] of [[inside, 'mesh'], [outside, 'plain'], [stranger, 'stranger']] as const) {
      assert.equal((await ask(cluster, { originalDestination: peer.address })).body, body, cluster.name)
    }
  }
  assert.equal(choose(world.clusters.lookup('headless')!, inside.address).workload, workload)
})

test('what is known changes with the endpoints and the clusters: the next connection is made so, and what is open goes on', async () => {
  await using peer = await httpPeer('mesh', meshServer(reviews, ca.roots))
  using world = new World([service('reviews', spiffe('reviews'))])
  const to = { originalDestination: peer.address }
  const failed = async (): Promise<string> => (await failureOf(ask(world.passthrough, to))).reason
  assert.equal(await failed(), 'connection-termination', 'in plaintext')
  world.endpoints('reviews', peer.address)
  assert.equal((await ask(world.passthrough, to)).body, 'mesh')
  const open = await connectThrough(world.passthrough, choose(world.passthrough, peer.address))
  world.endpoints('reviews')
  assert.equal(await failed(), 'connection-termination', 'it is not known any more')
  await until(() => peer.open === 1, 'idle connections are closed, others are not')
  world.endpoints('reviews', peer.address)
  assert.equal((await ask(world.passthrough, to)).reused, false)
  world.clusters.update([passthrough, service('reviews', spiffe('ratings'))])
  assert.equal(await failed(), 'connection-failure', 'its service has other identities now')
  world.clusters.update([passthrough])
  assert.equal(await failed(), 'connection-termination', 'its service is gone')
  open.destroy()
})
