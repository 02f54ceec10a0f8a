// Clusters of names, with a real DNS server: every address or the first, whoever a request is for, times to live, and bad
// days of DNS, on which what was known goes on.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { Cluster_DiscoveryType as DiscoveryType, Cluster_DnsLookupFamily as Family, Cluster_LbPolicy as LbPolicy, ClusterSchema } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema as DynamicForwardProxySchema } from '../../src/proto/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { FilterConfigSchema as ServerNameFilterSchema } from '../../src/proto/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts'
import { HttpProtocolOptionsSchema } from '../../src/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { createAuthority } from '../support/certificates.ts'
import { DnsServer } from '../support/dns-server.ts'
import { freePort } from '../support/hosts.ts'
import { HttpWorld } from '../support/http-world.ts'
import type { ClusterInit } from '../support/http-world.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { until } from '../support/until.ts'
import { UpstreamWorld } from '../support/upstream-world.ts'
import { inspectors, pack, socketAddress, tcpChain, tcpListener, typed } from '../support/xds-messages.ts'

/** Servers on the same port of two loopback addresses, each of which says which one it is. */
async function twoServers() {
  const serve = async (host: string, port = 0) => {
    const server = createServer((request, response) => response.end(`${host} for ${request.headers.host}`))
    await once(server.listen(port, host), 'listening')
    return server
  }
  const first = await serve('127.0.0.11')
  const { port } = first.address() as AddressInfo
  const second = await serve('127.0.0.12', port)
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const server of [first, second]) {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
    },
  }
}

/** A connection carries one request, so that each request shows where new connections go. */
const oneRequestEach: ClusterInit = {
  typedExtensionProtocolOptions: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(HttpProtocolOptionsSchema, create(HttpProtocolOptionsSchema, {
      commonHttpProtocolOptions: { maxRequestsPerConnection: 1 },
      upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } },
    })),
  },
}

const named = (type: DiscoveryType, name: string, port: number): ClusterInit => ({
  ...oneRequestEach,
  clusterDiscoveryType: { case: 'type', value: type }, lbPolicy: LbPolicy.ROUND_ROBIN, respectDnsTtl: true, dnsLookupFamily: Family.V4_ONLY,
  loadAssignment: { clusterName: 'up', endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: socketAddress(name, port) } } }] }] },
})

const byAuthority: ClusterInit = {
  ...oneRequestEach,
  clusterDiscoveryType: { case: 'clusterType', value: {
    name: 'envoy.clusters.dynamic_forward_proxy',
    typedConfig: pack(DynamicForwardProxySchema, create(DynamicForwardProxySchema, { clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: { name: 'names', dnsLookupFamily: Family.V4_ONLY } } })),
  } },
}

async function ask(world: HttpWorld, host: string): Promise<string> {
  const text = await world.exchange(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  return `${text.slice(9, 12)} ${text.slice(text.indexOf('\r\n\r\n') + 4).replaceAll(/^[0-9a-f]+\r\n|\r\n0?(\r\n)*$/g, '').replace(/\r\n0$/, '').trim()}`
}

async function served(world: HttpWorld, host: string, count = 8): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add((await ask(world, host)).slice(0, 14))
  return [...seen].sort()
}

test('STRICT_DNS makes a host of every address, follows a change after its time to live, and keeps the last answer while DNS fails', async () => {
  await using servers = await twoServers()
  await using dns = await DnsServer.start({ 'svc.test': { ttl: 1, addresses: ['127.0.0.11', '127.0.0.12'] } })
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: named(DiscoveryType.STRICT_DNS, 'svc.test', servers.port), resolve: dns.resolve })
  await until(() => world.upstream.statuses()[0]!.hosts.length === 2)
  assert.deepEqual(await served(world, 'a'), ['200 127.0.0.11', '200 127.0.0.12'])
  dns.records.set('svc.test', { ttl: 1, addresses: ['127.0.0.12'] })
  await until(() => world.upstream.statuses()[0]!.hosts.length === 1)
  assert.deepEqual(await served(world, 'a'), ['200 127.0.0.12'])
  for (const mood of ['server failure', 'silent'] as const) {
    dns.mood = mood
    const before = dns.asked.length
    await until(() => dns.asked.length > before)
    assert.deepEqual(await served(world, 'a', 3), ['200 127.0.0.12'], mood)
  }
  dns.mood = 'answer'
  dns.records.set('svc.test', { ttl: 60, addresses: ['127.0.0.11'] })
  await until(() => world.upstream.statuses()[0]!.hosts[0]?.address.host === '127.0.0.11')
  assert.deepEqual(await served(world, 'a', 3), ['200 127.0.0.11'], 'DNS is back')
})

test('LOGICAL_DNS sends new connections to the first address only', async () => {
  await using servers = await twoServers()
  await using dns = await DnsServer.start({ 'svc.test': { ttl: 60, addresses: ['127.0.0.12', '127.0.0.11'] } })
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: named(DiscoveryType.LOGICAL_DNS, 'svc.test', servers.port), resolve: dns.resolve })
  await until(() => dns.asked.length > 0)
  await until(() => world.upstream.statuses()[0]!.hosts.length === 1)
  await new Promise((resolve) => setImmediate(resolve))
  const seen = await served(world, 'a')
  assert.equal(seen.length, 1)
  assert.equal(dns.asked.length, 1, 'once, for as long as the answer holds')
})

test('a dynamic forward proxy sends each request to whom it is for; names are looked up once, and unknown ones are 503', async () => {
  await using servers = await twoServers()
  await using dns = await DnsServer.start({ 'a.test': { ttl: 60, addresses: ['127.0.0.11'] }, 'b.test': { ttl: 60, addresses: ['127.0.0.12'] } })
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: byAuthority, resolve: dns.resolve })
  const { port } = servers
  assert.deepEqual(await Promise.all(['a.test', 'b.test', 'a.test'].map((name) => ask(world, `${name}:${port}`))), [`200 127.0.0.11 for a.test:${port}`, `200 127.0.0.12 for b.test:${port}`, `200 127.0.0.11 for a.test:${port}`])
  for (let i = 0; i < 5; i++) await ask(world, `A.Test:${port}`)
  assert.deepEqual(dns.asked.toSorted(), ['a.test', 'b.test'])
  for (let i = 0; i < 2; i++) {
    assert.match(await ask(world, `c.test:${port}`), /^503 /)
    assert.deepEqual([world.last.responseFlags, world.last.upstreamTransportFailureReason], ['UF', 'DNS resolution failure'])
  }
  assert.match(await ask(world, `127.0.0.12:${port}`), /^200 127\.0\.0\.12/)
  assert.match(await ask(world, 'a.test:0'), /^503 no healthy upstream/)
})

test('a dynamic forward proxy follows changes, survives bad days of DNS, and takes a name up again that was unknown', async () => {
  await using servers = await twoServers()
  await using dns = await DnsServer.start({ 'a.test': { ttl: 1, addresses: ['127.0.0.11'] } })
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: byAuthority, resolve: dns.resolve })
  const host = `a.test:${servers.port}`
  assert.match(await ask(world, host), /^200 127\.0\.0\.11/)
  assert.match(await ask(world, `late.test:${servers.port}`), /^503/)
  dns.records.set('a.test', { ttl: 1, addresses: ['127.0.0.12'] })
  dns.records.set('late.test', { ttl: 60, addresses: ['127.0.0.11'] })
  await untilAsked(world, host, /^200 127\.0\.0\.12/)
  await untilAsked(world, `late.test:${servers.port}`, /^200 127\.0\.0\.11/)
  dns.mood = 'silent'
  const before = dns.asked.length
  await until(() => dns.asked.length >= before + 2)
  assert.match(await ask(world, host), /^200 127\.0\.0\.12/)
})

async function untilAsked(world: HttpWorld, host: string, answer: RegExp): Promise<void> {
  const end = Date.now() + 10_000
  for (let text = ''; !answer.test(text); text = await ask(world, host)) assert.ok(Date.now() < end, text)
}

test('names that nobody can keep apart have a limit: the one that was not asked for the longest makes room', async () => {
  await using servers = await twoServers()
  await using dns = await DnsServer.start(Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`n${i}.test`, { ttl: 60, addresses: ['127.0.0.11'] }])))
  await using world = await HttpWorld.start({ clusters: { up: [] }, cluster: byAuthority, resolve: dns.resolve })
  const names = Array.from({ length: 1100 }, (_, i) => `n${i}.test:${servers.port}`)
  for (let at = 0; at < names.length; at += 20) {
    const replies = await Promise.all(names.slice(at, at + 20).map((name) => ask(world, name)))
    assert.ok(replies.every((text) => text.startsWith('200')), replies.find((text) => !text.startsWith('200')))
  }
  assert.ok(world.upstream.statuses()[0]!.hosts.length <= 1024)
})

/** Ends TLS on one address, and says which one it is to whoever asked for it by name. */
async function tlsServers(...hosts: readonly string[]) {
  const { chain, key } = createAuthority().issue('DNS:*.example.test')
  const stack = new AsyncDisposableStack()
  let port = 0
  for (const host of hosts) {
    const server = createTlsServer({ cert: chain, key }, (socket) => socket.on('error', () => {}).end(`${host} for ${String(socket.servername)}`))
    await once(server.listen(port, host), 'listening')
    port = (server.address() as AddressInfo).port
    stack.defer(() => new Promise((resolve) => server.close(() => resolve())))
  }
  return { port, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('TLS that is passed on goes to whom its server name stands for, at the port that the filter says; nothing of an unknown name', async () => {
  await using servers = await tlsServers('127.0.0.11', '127.0.0.12')
  await using dns = await DnsServer.start({ 'a.example.test': { ttl: 60, addresses: ['127.0.0.11'] }, 'b.example.test': { ttl: 60, addresses: ['127.0.0.12'] } })
  using upstream = new UpstreamWorld({ resolve: dns.resolve })
  upstream.serve(create(ClusterSchema, { name: 'up', connectTimeout: { seconds: 2n }, ...byAuthority }))
  await using world = new ListenerWorld({ clusters: {}, lookup: upstream.clusters.lookup })
  const byName = typed('envoy.filters.network.sni_dynamic_forward_proxy', ServerNameFilterSchema, { dnsCacheConfig: { name: 'names' }, portSpecifier: { case: 'portValue', value: servers.port } })
  await world.serve(tcpListener('names', '127.0.0.1', await freePort(), { listenerFilters: inspectors, filterChains: [tcpChain('names', 'up', { serverNames: ['*.example.test'] }, undefined, [byName])] }))
  const at = world.listeners.get('names')!.address
  const ask = (servername: string): Promise<string> => new Promise((resolve) => {
    const socket = connectTls({ ...at, servername, rejectUnauthorized: false })
    socket.on('error', () => resolve('nothing'))
    text(socket).then((said) => resolve(said || 'nothing'), () => resolve('nothing'))
  })
  assert.deepEqual(await Promise.all(['a', 'b', 'a'].map((name) => ask(`${name}.example.test`))), ['127.0.0.11 for a.example.test', '127.0.0.12 for b.example.test', '127.0.0.11 for a.example.test'])
  assert.deepEqual(dns.asked.toSorted(), ['a.example.test', 'b.example.test'], 'names are looked up once')
  assert.equal(await ask('c.example.test'), 'nothing')
  await world.until(() => world.sessions.some(({ flags, failure }) => flags === 'UF,URX' && failure === 'DNS resolution failure'))
  assert.equal(await ask('a.other.test'), 'nothing')
})
