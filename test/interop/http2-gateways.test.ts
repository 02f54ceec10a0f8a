// Which protocol a gateway speaks to servers, by what the port is declared to be and what rules ask for: ours, and a real
// Envoy of the same mesh where there is one, for clients of HTTP/1.1 and HTTP/2.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { requestThrough } from '../support/http-load.ts'
import { Http2Client } from '../support/http2-peers.ts'
import { startGateways } from './gateway-pair.ts'

/** Takes both on one port, as a client begins, and answers with which it was. */
async function startServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const http1 = createHttp1((_, response) => response.end('HTTP/1.1'))
  const http2 = createHttp2((incoming, response) => {
    const grpc = String(incoming.headers['content-type'] ?? '').startsWith('application/grpc')
    if (grpc) response.setHeader('content-type', 'application/grpc')
    response.write('HTTP/2')
    if (grpc) response.addTrailers({ 'grpc-status': '0' })
    response.end()
  })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.once('readable', () => {
      const bytes = socket.read() as Buffer | null
      if (bytes === null) return void socket.destroy()
      socket.unshift(bytes)
      const taker = bytes.toString('latin1').startsWith('PRI ') ? http2 : http1
      taker.emit('connection', socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What the server hears of a client of HTTP/1.1, and of HTTP/2. */
const rows: readonly (readonly [host: string, port: string, http: string, heard: readonly [string, string]])[] = [
  ['plain', 'name: http, protocol: HTTP', '', ['HTTP/1.1', 'HTTP/1.1']],
  ['two', 'name: http2, protocol: HTTP2', '', ['HTTP/2', 'HTTP/2']],
  ['calls', 'name: grpc, protocol: GRPC', '{ maxConcurrentStreams: 10, http2KeepAlive: { interval: 30s, timeout: 5s } }', ['HTTP/2', 'HTTP/2']],
  ['web', 'name: grpc-web, protocol: GRPC-WEB', '', ['HTTP/2', 'HTTP/2']],
  ['up', 'name: http, protocol: HTTP', '{ h2UpgradePolicy: UPGRADE }', ['HTTP/2', 'HTTP/2']],
  ['down', 'name: http2, protocol: HTTP2', '{ h2UpgradePolicy: DO_NOT_UPGRADE }', ['HTTP/2', 'HTTP/2']],
  ['client', 'name: http2, protocol: HTTP2', '{ useClientProtocol: true }', ['HTTP/1.1', 'HTTP/2']],
]

const documents = (port: number): string => rows.map(([host, declared, http]) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host}, namespace: default }
spec: { hosts: [${host}.test], ports: [{ number: 80, ${declared}, targetPort: ${port} }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host}, namespace: default }
spec: { hosts: [${host}.test], gateways: [ours, theirs], http: [{ route: [{ destination: { host: ${host}.test } }] }] }
---${http === '' ? '' : `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec: { host: ${host}.test, trafficPolicy: { connectionPool: { http: ${http} } } }
---`}`).join('')

test('a gateway speaks to a server what its port and its rule say', { timeout: 90_000 }, async (context) => {
  await using server = await startServer()
  await using pair = await startGateways(documents(server.port), context)
  for (const [whose, port] of pair.gateways) {
    await using client = await Http2Client.connect({ host: '127.0.0.1', port })
    for (const [host, , , heard] of rows) {
      const first = await requestThrough({ host: '127.0.0.1', port }, `http://${host}.test/`)
      const second = await client.ask({ ':authority': `${host}.test` })
      assert.deepEqual([first.status, first.body, second.status, second.body], [200, heard[0], 200, heard[1]], `${host}: ${whose}`)
    }
    const call = await client.ask({ ':authority': 'calls.test', ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', te: 'trailers' }, Buffer.alloc(5))
    assert.deepEqual([call.status, call.trailers['grpc-status']], [200, '0'], `a call: ${whose}`)
  }
})
