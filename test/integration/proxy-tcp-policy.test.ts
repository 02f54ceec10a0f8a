// What a DestinationRule says of opaque connections, on real sockets: tunnels through an HTTP proxy, a longest life, one host for
// one client address.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { systemClock } from '../../src/lib/clock.ts'
import type { Address } from '../../src/model/address.ts'
import { listen } from '../../src/net/listen.ts'
import { Cluster_LbPolicy as LbPolicy } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { TcpProxySchema } from '../../src/proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { compileTcpProxy } from '../../src/proxy/tcp/tcp-proxy.ts'
import type { TcpSession } from '../../src/proxy/tcp/tcp-proxy.ts'
import { scriptedPeer } from '../support/http-peers.ts'
import { rawClient } from '../support/raw-peer.ts'
import { until } from '../support/until.ts'
import { UpstreamWorld, staticCluster } from '../support/upstream-world.ts'

type ProxyInit = Omit<Exclude<MessageInitShape<typeof TcpProxySchema>, { $typeName: string }>, 'clusterSpecifier'>

/** A listener that does nothing but send bytes on to cluster `up`. */
async function tcpWorld(hosts: readonly Address[], config: ProxyInit, lbPolicy: LbPolicy = LbPolicy.ROUND_ROBIN) {
  const upstream = new UpstreamWorld()
  upstream.serve(staticCluster('up', hosts, { lbPolicy }))
  const ended: TcpSession[] = []
  const message = create(TcpProxySchema, { ...config, clusterSpecifier: { case: 'cluster', value: 'up' } })
  const service = compileTcpProxy(message, { clusters: upstream.clusters.lookup, clock: systemClock, random: Math.random, onEnd: (session) => void ended.push(session) })
  const listening = await listen({
    address: { host: '127.0.0.1', port: 0 },
    onConnection: (inbound) => service.serve({ arrival: { originalDestination: inbound.localAddress, authority: undefined } } as Parameters<typeof service.serve>[0], inbound.plain()),
  })
  return {
    ended,
    client: () => rawClient(listening.address),
    async [Symbol.asyncDispose]() {
      service.close()
      await listening.close()
      upstream[Symbol.dispose]()
    },
  }
}

/** An HTTP proxy that knows CONNECT, and what it was asked for. */
async function httpProxy(answer = '') {
  const targets: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connect', (request, socket: Socket, head: Buffer) => {
    targets.push(request.url!)
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    if (answer !== '') return void socket.end(answer)
    const [host = '', port] = request.url!.split(':')
    const to = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      to.write(head)
      socket.pipe(to).pipe(socket)
    })
    sockets.add(to)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    targets,
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a tunnel is asked for before any byte of the client is sent, and then carries all of them both ways', async () => {
  await using server = await scriptedPeer((socket) => {
    socket.write('welcome\n')
    socket.on('data', (bytes: Buffer) => socket.write(bytes.toString('latin1').toUpperCase()))
  })
  await using proxy = await httpProxy()
  const target = `127.0.0.1:${server.address.port}`
  await using world = await tcpWorld([proxy.address], { tunnelingConfig: { hostname: target } })
  await using client = await world.client()
  client.send('hello')
  await client.until(() => client.text === 'welcome\nHELLO')
  assert.deepEqual(proxy.targets, [target])
})

test('a tunnel by POST carries bytes both ways, and the end of each side', async () => {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.headers.host}`)
    response.write('welcome\n')
    request.on('data', (bytes: Buffer) => response.write(bytes.toString('latin1').toUpperCase()))
    request.on('end', () => response.end('\nbye'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  await using world = await tcpWorld([{ host: '127.0.0.1', port: (server.address() as AddressInfo).port }], { tunnelingConfig: { hostname: 'db.test:5432', usePost: true } })
  await using client = await world.client()
  client.send('hello')
  await client.until(() => client.text === 'welcome\nHELLO')
  client.send(' again')
  await client.until(() => client.text.endsWith(' AGAIN'))
  client.socket.end()
  await client.until(() => client.state === 'end')
  assert.ok(client.text.endsWith('\nbye'), client.text)
  await until(() => world.ended.length === 1)
  assert.deepEqual([world.ended[0]!.flags, world.ended[0]!.result?.end, seen], ['', 'finished', ['POST db.test:5432']])
  server.closeAllConnections()
  server.close()
})

test('a POST that is refused, or whose answer is no HTTP, ends the connection with UF', async () => {
  for (const [answer, failure] of [['HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n', /answered with 405 No/], ['nonsense\r\n\r\n', /is no HTTP/]] as const) {
    await using proxy = await scriptedPeer((socket) => void socket.once('data', () => socket.write(answer)))
    await using world = await tcpWorld([proxy.address], { tunnelingConfig: { hostname: 'a.test:443', usePost: true } })
    await using client = await world.client()
    await client.until(() => client.state !== 'open')
    await until(() => world.ended.length === 1)
    assert.equal(world.ended[0]!.flags, 'UF,URX')
    assert.match(world.ended[0]!.failure, failure)
  }
})

test('what a server says right behind the answer to CONNECT reaches the client', async () => {
  await using proxy = await scriptedPeer((socket) => void socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\nfirst words')))
  await using world = await tcpWorld([proxy.address], { tunnelingConfig: { hostname: 'db.test:5432' } })
  await using client = await world.client()
  await client.until(() => client.text === 'first words')
})

test('a tunnel that is refused ends the connection with UF, and says by what answer', async () => {
  await using proxy = await httpProxy('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')
  await using world = await tcpWorld([proxy.address], { tunnelingConfig: { hostname: 'a.test:443' } })
  await using client = await world.client()
  await client.until(() => client.state !== 'open')
  await until(() => world.ended.length === 1)
  assert.deepEqual([world.ended[0]!.flags, world.ended[0]!.failure], ['UF,URX', 'CONNECT was answered with HTTP/1.1 403 Forbidden'])
})

test('tunnels that cannot be are refused with their listener', async () => {
  const make = (config: ProxyInit) => compileTcpProxy(create(TcpProxySchema, { ...config, clusterSpecifier: { case: 'cluster', value: 'up' } }), { clusters: () => undefined, clock: systemClock, random: Math.random, onEnd() {} })
  assert.throws(() => make({ tunnelingConfig: { hostname: '%REQUESTED_SERVER_NAME%:443' } }), /is no plain host and port/)
  assert.throws(() => make({ hashPolicy: [{ policySpecifier: { case: 'filterState', value: {} } }] }), /the source address only/)
})

test('a connection is ended when it has lived long enough, however busy it is', async () => {
  await using server = await scriptedPeer((socket) => void socket.pipe(socket))
  await using world = await tcpWorld([server.address], { maxDownstreamConnectionDuration: { nanos: 200_000_000 } })
  await using client = await world.client()
  client.send('x')
  await client.until(() => client.text === 'x')
  await client.until(() => client.state !== 'open')
  await until(() => world.ended.length === 1)
  assert.deepEqual([world.ended[0]!.flags, world.ended[0]!.result?.received], ['DT', 1])
})

test('connections of one address go to one host', async () => {
  const servers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => scriptedPeer((socket) => void socket.end(name))))
  await using world = await tcpWorld(servers.map(({ address }) => address), { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] }, LbPolicy.MAGLEV)
  const answers = new Set<string>()
  for (let i = 0; i < 8; i++) {
    await using client = await world.client()
    await client.until(() => client.state === 'end')
    answers.add(client.text)
  }
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
  assert.equal(answers.size, 1)
})
