// Gateways behind other proxies: ours, and a real Envoy of the same mesh where there is one, tell the backend the same of a
// client, whom PROXY protocol and x-forwarded-for name.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { startGateways } from './gateway-pair.ts'

const told = ['x-forwarded-for', 'x-envoy-external-address', 'x-forwarded-proto']

/** Answers with what it was told of the client. */
async function startBackend(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(({ headers }, response) => response.end(told.map((name) => String(headers[name] ?? '-')).join('|')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const documents = (backend: number): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "defaultConfig: { gatewayTopology: { numTrustedProxies: 2, proxyProtocol: {} } }" }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend, namespace: default }
spec: { hosts: [backend.test], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1, ports: { http: ${backend} } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend, namespace: default }
spec: { hosts: [backend.test], gateways: [ours, theirs], http: [{ route: [{ destination: { host: backend.test } }] }] }
`

const v1 = 'PROXY TCP4 203.0.113.9 203.0.113.1 4711 80\r\n'
const v2 = Buffer.from(`0d0a0d0a000d0a515549540a2111000c${'cb007109cb007101126f0050'}`, 'hex').toString('latin1')

/** What stands in front of the request, its headers, and what the backend is told; undefined: no answer. */
const rows: [string, string, string, string | undefined][] = [
  ['two hops before the client', v1, 'x-forwarded-for: 6.6.6.6, 7.7.7.7, 8.8.8.8\r\n', '6.6.6.6, 7.7.7.7, 8.8.8.8,203.0.113.9|7.7.7.7|http'],
  ['version 2', v2, 'x-forwarded-for: 7.7.7.7,8.8.8.8\r\nx-forwarded-proto: https\r\n', '7.7.7.7,8.8.8.8,203.0.113.9|7.7.7.7|https'],
  ['two headers', v1, 'x-forwarded-for: 7.7.7.7\r\nx-forwarded-for: 8.8.8.8\r\n', '7.7.7.7,8.8.8.8,203.0.113.9|7.7.7.7|http'],
  ['fewer hops than are trusted', v1, 'x-forwarded-for: 8.8.8.8\r\n', '8.8.8.8,203.0.113.9|203.0.113.9|http'],
  ['a hop that is no address', v1, 'x-forwarded-for: me, 8.8.8.8\r\n', 'me, 8.8.8.8,203.0.113.9|203.0.113.9|http'],
  ['nothing said but in front', v1, '', '203.0.113.9|203.0.113.9|http'],
  ['a client that does not say who it is', '', '', undefined],
  ['an address that is none', 'PROXY TCP4 203.0.113.999 203.0.113.1 4711 80\r\n', '', undefined],
]

async function ask(port: number, front: string, headers: string): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.from(`${front}GET / HTTP/1.1\r\nhost: backend.test\r\nconnection: close\r\n${headers}\r\n`, 'latin1'))
  const answer = await text(socket).catch(() => '')
  if (answer === '') return undefined
  assert.match(answer, /^HTTP\/1.1 200/, answer)
  return answer.slice(answer.indexOf('\r\n\r\n') + 4).replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, '')
}

test('behind proxies that are trusted the backend is told of the client, not of them', { timeout: 90_000 }, async (context) => {
  await using backend = await startBackend()
  await using pair = await startGateways(documents(backend.port), context)
  for (const [title, front, headers, expected] of rows) {
    for (const [whose, port] of pair.gateways) assert.equal(await ask(port, front, headers), expected, `${title}: ${whose}`)
  }
})
