// Servers that want to know the client: the PROXY protocol head comes first, before TLS too, and no connection of one client
// carries a request of another.
import assert from 'node:assert/strict'
import { createServer } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createPlainServer } from 'node:net'
import { before, describe, test } from 'node:test'
import { chooseTransports } from '../../src/net/transports.ts'
import { ProxyProtocolConfig_Version as Version } from '../../src/proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import type { TransportSocket } from '../../src/proto/gen/envoy/config/core/v3/base_pb.ts'
import { ProxyProtocolUpstreamTransportSchema as SocketSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { RawBufferSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { createAuthority } from '../support/certificates.ts'
import { onHeads, scriptedPeer } from '../support/http-peers.ts'
import { HttpWorld } from '../support/http-world.ts'
import { UpstreamWorld, choose, staticCluster, tlsSocket } from '../support/upstream-world.ts'
import { typed } from '../support/xds-messages.ts'

const wrapped = (version: Version, transportSocket: Partial<TransportSocket> = typed('envoy.transport_sockets.raw_buffer', RawBufferSchema, {})) =>
  typed('envoy.transport_sockets.upstream_proxy_protocol', SocketSchema, { config: { version }, transportSocket: transportSocket as TransportSocket })

for (const rawHandles of [true, false]) describe(rawHandles ? 'over raw handles' : 'over node sockets', () => {
  before(() => chooseTransports({ rawHandles }))

  test('HTTP: each client has connections of its own, whose first line names it', async () => {
    const heads: string[] = []
    await using peer = await scriptedPeer((socket) => onHeads(socket, (head) => {
      heads.push(head.slice(0, head.indexOf('GET ')))
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    }))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: { transportSocket: wrapped(Version.V1) } })
    const ask = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
    await using one = await world.client()
    await using other = await world.client()
    for (const client of [one, other, one, other]) {
      client.send(ask)
      await client.until(() => client.text.endsWith('ok'))
      client.take()
    }
    assert.equal(peer.connections.length, 2)
    const named = heads.filter((head) => head !== '')
    assert.deepEqual(named, [one, other].map(({ socket }) => `PROXY TCP4 127.0.0.1 127.0.0.1 ${socket.localPort} ${world.address.port}\r\n`))
  })

  test('TLS: the head comes before the handshake, in plain bytes', async () => {
    const certificate = createAuthority().issue('DNS:a.test')
    const secure = createServer({ cert: certificate.chain, key: certificate.key }, (socket) => socket.end('secret'))
    const seen: string[] = []
    const server = createPlainServer((raw: Socket) => {
      raw.once('readable', () => {
        const head = raw.read(28) as Buffer
        seen.push(head.toString('hex'))
        secure.emit('connection', raw)
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    using world = new UpstreamWorld()
    const cluster = world.serve(staticCluster('c', [{ host: '127.0.0.1', port }], { transportSocket: wrapped(Version.V2, tlsSocket({})) }))
    const client = { remoteAddress: { host: '10.0.0.1', port: 7 }, originalDestination: { host: '10.0.0.2', port: 8 } }
    const text = await new Promise<string>((resolve, reject) => {
      cluster.connect(choose(cluster), {
        onTransport(transport) {
          let all = ''
          transport.handler = {
            onData: (bytes, length) => void (all += bytes.toString('latin1', 0, length)), onDrain() {}, onEnd: () => transport.destroy(), onClose: () => resolve(all),
          }
          transport.resume()
        },
        onFailure: (reason, detail) => reject(new Error(`${reason} ${detail}`)),
      }, client)
    })
    server.close()
    assert.equal(text, 'secret')
    assert.deepEqual(seen, ['0d0a0d0a000d0a515549540a2111000c0a0000010a00000200070008'])
  })
})
