// Listeners over real sockets: chains chosen by what the client sends, mutual TLS that fails closed, taps, taken ports.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { EnvCapture } from '../../src/agent/env-capture.ts'
import { create } from '@bufbuild/protobuf'
import { MetadataSchema } from '../../src/proto/gen/envoy/config/core/v3/base_pb.ts'
import { reservePort } from '../../src/net/reserve-port.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { OpensslCa } from '../support/openssl-ca.ts'
import type { Certified } from '../support/openssl-ca.ts'
import { inspectors, mutualTls, originalDst, tcpChain, tcpListener } from '../support/xds-messages.ts'

/** Secrets whose certificate can be swapped. */
function secretsOf(ca: OpensslCa, first: Certified | undefined): Secrets & { certified: Certified | undefined } {
  const secrets = {
    certified: first,
    certificate: (name: string) => (name === 'default' ? secrets.certified : undefined),
    trust: (name: string) => (name === 'ROOTCA' ? { roots: ca.roots, crl: '' } : undefined),
    onChange: () => () => {},
  }
  return secrets
}

const permissive = (port: number) => tcpListener('virtualInbound', '127.0.0.1', port, {
  listenerFilters: inspectors,
  filterChains: [
    tcpChain('mtls', 'mutual', { transportProtocol: 'tls', applicationProtocols: ['istio', 'istio-http/1.1', 'istio-peer-exchange'] }, mutualTls()),
    tcpChain('plain-http', 'http', { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'] }),
    tcpChain('plain', 'bytes', { transportProtocol: 'raw_buffer' }),
    tcpChain('own-tls', 'tls', { transportProtocol: 'tls' }),
  ],
})

test('a PERMISSIVE listener sends each connection to the chain that its first bytes ask for', async () => {
  await using mutual = await namedServer('mutual')
  await using http = await namedServer('http')
  await using bytes = await namedServer('bytes')
  using ca = new OpensslCa()
  const server = ca.issue('URI:spiffe://cluster.local/ns/default/sa/server')
  const client = ca.issue('URI:spiffe://cluster.local/ns/default/sa/client')
  await using world = new ListenerWorld({ secrets: secretsOf(ca, server), clusters: { mutual: mutual.address, http: http.address, bytes: bytes.address } })
  const port = await freePort()
  await world.serve(permissive(port))

  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), '\x00\x01binary'), 'bytes:\x00\x01binary')
  const tls = connectTls({ port, host: '127.0.0.1', cert: client.chain, key: client.key, ca: ca.roots, ALPNProtocols: ['istio'], checkServerIdentity: () => undefined })
  assert.equal(await converse(tls, 'secret'), 'mutual:secret')
})

test('one byte at a time is enough to choose a chain', async () => {
  await using http = await namedServer('http')
  await using world = new ListenerWorld({ clusters: { http: http.address } })
  const port = await freePort()
  await world.serve(permissive(port))
  const socket = connectTcp(port, '127.0.0.1').setNoDelay(true)
  let got = ''
  socket.on('data', (bytes: Buffer) => (got += bytes.toString()))
  for (const letter of 'GET / HTTP/1.1\r\n') {
    socket.write(letter)
    await new Promise(setImmediate)
  }
  socket.end()
  await once(socket, 'close')
  assert.equal(got, 'http:GET / HTTP/1.1\r\n')
})

test('mutual TLS lets in whom the trust bundle and trust domain vouch for, and nobody else', async () => {
  await using mutual = await namedServer('mutual')
  using ca = new OpensslCa()
  using stranger = new OpensslCa('another root')
  const secrets = secretsOf(ca, ca.issue('URI:spiffe://cluster.local/ns/default/sa/server'))
  await using world = new ListenerWorld({ secrets, clusters: { mutual: mutual.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'mutual', {}, mutualTls())] }))
  const ask = (certified: Certified | undefined) => converse(connectTls({
    port, host: '127.0.0.1', ca: ca.roots, checkServerIdentity: () => undefined, ALPNProtocols: ['istio-peer-exchange'],
    ...(certified === undefined ? {} : { cert: certified.chain, key: certified.key }),
  }), 'hello')
  const good = 'URI:spiffe://cluster.local/ns/default/sa/client'
  const cases: [string, Certified | undefined, string][] = [
    ['a client of the mesh', ca.issue(good), 'mutual:hello'],
    ['no certificate', undefined, ''],
    ['an expired certificate', ca.issue(good, -1), ''],
    ['another trust domain', ca.issue('URI:spiffe://evil.example/ns/default/sa/client'), ''],
    ['a certificate of another root', stranger.issue(good), ''],
    ['a certificate without a SPIFFE name', ca.issue('DNS:client.example'), ''],
  ]
  for (const [title, certified, expected] of cases) assert.equal(await ask(certified), expected, title)
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'plaintext'), '', 'plaintext')
  await world.until(() => world.refused.length === 6)
  assert.deepEqual(new Set(world.refused.map(({ refusal }) => refusal)), new Set(['handshake-failed']))
})

test('without a certificate of its own a listener refuses everybody', async () => {
  using ca = new OpensslCa()
  const secrets = secretsOf(ca, undefined)
  await using world = new ListenerWorld({ secrets, clusters: {} })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'mutual', {}, mutualTls())] }))
  assert.equal(await converse(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), 'hello'), '')
  await world.until(() => world.refused.length === 1)
  assert.equal(world.refused[0]!.refusal, 'no-certificate')
  assert.match(world.refused[0]!.detail, /default, ROOTCA/)
})

test('a rotated certificate is shown to new connections while old ones live on', async () => {
  await using mutual = await namedServer('mutual')
  using ca = new OpensslCa()
  const client = ca.issue('URI:spiffe://cluster.local/ns/default/sa/client')
  const secrets = secretsOf(ca, ca.issue('URI:spiffe://cluster.local/ns/default/sa/first'))
  await using world = new ListenerWorld({ secrets, clusters: { mutual: mutual.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'mutual', {}, mutualTls())] }))
  const dial = async () => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: ca.roots, cert: client.chain, key: client.key, checkServerIdentity: () => undefined })
    await once(socket, 'secureConnect')
    return { socket, name: socket.getPeerX509Certificate()!.subjectAltName }
  }
  const before = await dial()
  secrets.certified = ca.issue('URI:spiffe://cluster.local/ns/default/sa/second')
  const after = await dial()
  assert.match(before.name!, /sa\/first/)
  assert.match(after.name!, /sa\/second/)
  assert.equal(await converse(before.socket, 'still here'), 'mutual:still here')
  after.socket.destroy()
})

test('clients that begin a handshake and never finish it keep others out only up to the limit, and no longer than they stay', async () => {
  await using mutual = await namedServer('mutual')
  using ca = new OpensslCa()
  const secrets = secretsOf(ca, ca.issue('URI:spiffe://cluster.local/ns/default/sa/server'))
  await using world = new ListenerWorld({ secrets, maxHandshakes: 2, clusters: { mutual: mutual.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'mutual', {}, mutualTls())] }))
  const client = ca.issue('URI:spiffe://cluster.local/ns/default/sa/client')
  const ask = () => converse(connectTls({ port, host: '127.0.0.1', ca: ca.roots, checkServerIdentity: () => undefined, ALPNProtocols: ['istio-peer-exchange'], cert: client.chain, key: client.key }), 'hello')
  const idle = [connectTcp(port, '127.0.0.1'), connectTcp(port, '127.0.0.1')]
  await Promise.all(idle.map((socket) => once(socket, 'connect')))
  assert.equal(await ask(), '')
  await world.until(() => world.refused.length === 1)
  assert.equal(world.refused[0]!.refusal, 'too-many-handshakes')
  for (const socket of idle) socket.destroy()
  await world.until(() => world.refused.length === 3) // theirs have failed
  assert.equal(await ask(), 'mutual:hello')
})

test('a connection that no chain takes is closed and reported', async () => {
  await using world = new ListenerWorld({ clusters: {} })
  const port = await freePort()
  await world.serve(tcpListener('l', '127.0.0.1', port, { listenerFilters: inspectors, filterChains: [tcpChain('tls only', 'x', { transportProtocol: 'tls' })] }))
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'), '')
  await world.until(() => world.refused.length === 1)
  assert.equal(world.refused[0]!.refusal, 'no-filter-chain')
})

test('a server that speaks first is not held up where no chain asks for the first bytes', async () => {
  await using first = await namedServer('welcome')
  await using world = new ListenerWorld({ clusters: { first: first.address } })
  const port = await freePort()
  await world.serve(tcpListener('l', '127.0.0.1', port, { listenerFilters: inspectors, filterChains: [tcpChain('tcp', 'first')] }))
  const socket = connectTcp(port, '127.0.0.1')
  const [greeting] = (await once(socket, 'data')) as [Buffer]
  assert.equal(greeting.toString(), 'welcome:')
  socket.destroy()
})

test('a client that stays silent gets the chain without conditions after the timeout, where the listener says so', async () => {
  await using first = await namedServer('welcome')
  await using world = new ListenerWorld({ clusters: { first: first.address } })
  const port = await freePort()
  const chains = [tcpChain('http', 'none', { applicationProtocols: ['http/1.1'] }), tcpChain('tcp', 'first')]
  await world.serve(tcpListener('l', '127.0.0.1', port, {
    listenerFilters: inspectors, filterChains: chains, continueOnListenerFiltersTimeout: true, listenerFiltersTimeout: { nanos: 20_000_000 },
  }))
  const socket = connectTcp(port, '127.0.0.1')
  const [greeting] = (await once(socket, 'data')) as [Buffer]
  assert.equal(greeting.toString(), 'welcome:')
  socket.destroy()
})

test('a tap stands for an address of the mesh: exact listener, then wildcard, then the capture listener itself', async () => {
  await using exact = await namedServer('exact')
  await using wildcard = await namedServer('wildcard')
  await using passed = await namedServer('passed')
  const reserved = await Promise.all([reservePort(), reservePort(), reservePort()])
  const taps = [['240.240.0.1', 9080], ['240.240.0.2', 9080], ['127.0.0.1', passed.address.port]].map(([host, port], i) => ({
    listen: { server: reserved[i]!.server }, direction: 'outbound' as const, originalDestination: { host: host as string, port: port as number },
  }))
  await using world = new ListenerWorld({
    capture: new EnvCapture(taps, new Map()),
    clusters: { exact: exact.address, wildcard: wildcard.address, PassthroughCluster: 'original' },
  })
  await world.serve(
    tcpListener('virtualOutbound', '0.0.0.0', 15001, { useOriginalDst: true, filterChains: [tcpChain('all', 'PassthroughCluster')] }),
    tcpListener('240.240.0.1_9080', '240.240.0.1', 9080, { bindToPort: false, filterChains: [tcpChain('tcp', 'exact')] }),
    tcpListener('0.0.0.0_9080', '0.0.0.0', 9080, { bindToPort: false, filterChains: [tcpChain('tcp', 'wildcard')] }),
  )
  await world.startCapture()
  const ask = (i: number) => converse(connectTcp(reserved[i]!.address.port, '127.0.0.1'), 'x')
  assert.deepEqual([await ask(0), await ask(1), await ask(2)], ['exact:x', 'wildcard:x', 'passed:x'])
  assert.deepEqual(world.problems, [], 'a capture listener is not bound: taps take its place')
})

test('an inbound tap chooses the chain of its port, and the dial map finds where the workload listens', async () => {
  await using app = await namedServer('app')
  const reserved = await reservePort()
  const own = { host: '10.0.0.1', port: 9080 }
  const tap = { listen: { server: reserved.server }, direction: 'inbound' as const, originalDestination: own }
  await using world = new ListenerWorld({
    capture: new EnvCapture([tap], new Map([['10.0.0.1:9080', app.address]])),
    clusters: { 'inbound|9080||': 'original' },
  })
  await world.serve(tcpListener('virtualInbound', '0.0.0.0', 15006, {
    listenerFilters: [originalDst, ...inspectors],
    filterChains: [tcpChain('9080', 'inbound|9080||', { destinationPort: 9080 }), tcpChain('else', 'InboundPassthroughCluster')],
  }))
  await world.startCapture()
  assert.equal(await converse(connectTcp(reserved.address.port, '127.0.0.1'), 'hi'), 'app:hi')
})

test('a taken port is reported with the resource that wanted it, the others are served, and it is bound once it is free', async () => {
  await using backend = await namedServer('backend')
  const taken = await reservePort()
  const port = await freePort()
  await using world = new ListenerWorld({ clusters: { backend: backend.address } })
  const metadata = create(MetadataSchema, { filterMetadata: { trysail: { resource: 'Gateway/default/bookinfo-gateway', file: 'gateway.yaml', line: 3 } } })
  const chains = { filterChains: [tcpChain('tcp', 'backend')] }
  await world.serve(tcpListener('a', '127.0.0.1', taken.address.port, { ...chains, metadata }), tcpListener('b', '127.0.0.1', port, chains))
  assert.deepEqual(world.problems, [`port already taken: 127.0.0.1:${taken.address.port} wanted by Gateway default/bookinfo-gateway (gateway.yaml:3)`])
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'x'), 'backend:x')
  taken.release()
  for (;;) {
    const socket = connectTcp(taken.address.port, '127.0.0.1')
    const got = await converse(socket, 'x')
    if (got === 'backend:x') break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('an open connection outlives the change of its listener, and new ones get the new chain', async () => {
  await using one = await namedServer('one')
  await using two = await namedServer('two')
  await using world = new ListenerWorld({ clusters: { one: one.address, two: two.address } })
  const port = await freePort()
  await world.serve(tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'one')] }))
  const old = connectTcp(port, '127.0.0.1')
  await once(old, 'data')
  await world.serve(tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'two')] }))
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'x'), 'two:x')
  assert.equal(await converse(old, 'still'), 'still')
})

test('more connections than the limit are closed at once', async () => {
  await using backend = await namedServer('backend')
  await using world = new ListenerWorld({ clusters: { backend: backend.address }, maxConnections: 1 })
  const port = await freePort()
  await world.serve(tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'backend')] }))
  const first = connectTcp(port, '127.0.0.1')
  await once(first, 'data')
  assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'x'), '')
  assert.equal(world.refused[0]!.refusal, 'too-many-connections')
  assert.equal(await converse(first, 'x'), 'x')
})

const flagCases: [string, 'empty' | { host: string; port: number } | undefined, string][] = [
  ['no such cluster', undefined, 'NC'],
  ['a cluster without hosts', 'empty', 'UH'],
  ['a host that refuses', { host: '127.0.0.1', port: 1 }, 'UF,URX'],
]
for (const [title, target, flags] of flagCases) {
  test(`a TCP connection to ${title} is closed with ${flags}`, async () => {
    await using world = new ListenerWorld({ clusters: target === undefined ? {} : { c: target } })
    const port = await freePort()
    await world.serve(tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'c')] }))
    assert.equal(await converse(connectTcp(port, '127.0.0.1'), 'x'), '')
    await world.until(() => world.sessions.length === 1)
    assert.equal(world.sessions[0]!.flags, flags)
  })
}

test('a large stream passes whole in both directions with half-close', async () => {
  await using echo = await namedServer('')
  await using world = new ListenerWorld({ clusters: { echo: echo.address } })
  const port = await freePort()
  await world.serve(tcpListener('l', '127.0.0.1', port, { filterChains: [tcpChain('tcp', 'echo')] }))
  const sent = 'abcdefgh'.repeat(1 << 20)
  const got = await converse(connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true }), sent)
  assert.equal(got.length, sent.length + 1)
  assert.ok(got.endsWith(sent))
})
