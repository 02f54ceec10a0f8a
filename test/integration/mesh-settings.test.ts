// Settings of the mesh, and of one gateway by its annotation, that change how requests are treated: seen by programs behind
// real proxies.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const mesh = `
inboundTrafficPolicy: { mode: LOCALHOST }
outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS }
defaultConfig: { proxyMetadata: { ISTIO_META_HTTP10: "1" } }
accessLogFile: /dev/stdout
accessLogFormat: "%REQ(:AUTHORITY)% %UPSTREAM_CLUSTER%"
`

/** One proxy in front of it is trusted. */
const gateway = `
apiVersion: trysail.dev/v1
kind: Process
metadata:
  name: edge
  namespace: istio-system
  labels: { istio: ingressgateway }
  annotations: { proxy.istio.io/config: "gatewayTopology: { numTrustedProxies: 1, forwardClientCertDetails: ALWAYS_FORWARD_ONLY }" }
spec: { proxyType: router }
---`

let local: LocalMesh
before(async () => {
  local = await startLocalMesh({
    'mesh.yaml': echo('a') + service('a') + gatewayTo('a') + gateway,
    'settings.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: ${JSON.stringify(mesh)} }\n`,
  })
})
after(() => local[Symbol.asyncDispose]())

interface Seen {
  readonly headers: Readonly<Record<string, string>>
}

test('a gateway trusts as many proxies as its annotation says, and what they say of certificates', async () => {
  const sent = { 'x-forwarded-for': '203.0.113.7, 198.51.100.2', 'x-forwarded-client-cert': 'Hash=ab;URI=spiffe://elsewhere/x' }
  const { headers } = (await local.json('/', { headers: sent })) as unknown as Seen
  assert.equal(headers['x-forwarded-for'], '203.0.113.7, 198.51.100.2,127.0.0.1')
  assert.equal(headers['x-envoy-external-address'], '198.51.100.2')
  assert.match(headers['x-forwarded-client-cert']!, /^Hash=ab;URI=spiffe:\/\/elsewhere\/x,By=/)
})

test('a client of HTTP/1.0 is served where the mesh says so', async () => {
  const { host, port } = local.gatewayAt()
  const socket = connect(port, host)
  socket.write('GET / HTTP/1.0\r\nhost: a\r\n\r\n')
  assert.match(await text(socket), /^HTTP\/1\.[01] 200 /)
})

test('a host that nobody knows is looked up by the name that a request has for it', async () => {
  const server = createServer((_, response) => response.end('from outside')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using _ = { [Symbol.asyncDispose]: async () => void server.close() }
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`
  const answer = (await local.json(`/proxied?url=${encodeURIComponent(url)}`)) as unknown as { readonly status: number; readonly body: string }
  assert.deepEqual([answer.status, answer.body], [200, 'from outside'])
  const line = (): boolean => local.accessLog.some((one) => one.startsWith('localhost:') && one.includes('AllowAnyDynamicDNSCluster'))
  await local.until('a line about the host', line)
})
