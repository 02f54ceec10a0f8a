// Which protocol each hop of a mesh speaks, as ports and rules declare it: from a client to a gateway, from there to a sidecar
// in mutual TLS, and to the program behind it. Clients are node's own.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Http2Client } from '../support/http2-peers.ts'
import { service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const program = new URL('../support/mesh-programs/protocols.ts', import.meta.url).pathname

const runs = (app: string): string => `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${app}, labels: { app: ${app} } }
spec: { command: ${JSON.stringify([process.execPath, program])}, ports: [{ name: any, containerPort: 9080 }], terminationGracePeriodSeconds: 2 }
---`

/** A Service of its own for a program, on port 80. */
const reaches = (name: string, app: string, port: string): string => service(name, 'default', `{ ${port}, port: 80, targetPort: 9080 }`).replace(`selector: { app: ${name} }`, `selector: { app: ${app} }`)

const rule = (host: string, http: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host} }
spec: { host: ${host}, trafficPolicy: { connectionPool: { http: ${http} } } }
---`

const routes = ['plain', 'up', 'client', 'two', 'h2c', 'narrow', 'calls', 'auto']

const files = {
  'programs.yaml': ['plain', 'client', 'two', 'calls', 'auto'].map(runs).join(''),
  'services.yaml': [
    reaches('plain', 'plain', 'name: http'), reaches('up', 'plain', 'name: http-up'), reaches('client', 'client', 'name: http-client'),
    reaches('two', 'two', 'name: http2'), reaches('h2c', 'two', 'name: any, appProtocol: kubernetes.io/h2c'), reaches('narrow', 'two', 'name: http2-narrow'),
    reaches('calls', 'calls', 'name: grpc'), reaches('auto', 'auto', 'name: any'),
    rule('up', '{ h2UpgradePolicy: UPGRADE }'), rule('client', '{ useClientProtocol: true }'), rule('narrow', '{ maxConcurrentStreams: 2 }'),
  ].join(''),
  'edge.yaml': `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "accessLogFile: /dev/stdout\\naccessLogFormat: \\"%REQ(:AUTHORITY)% %PROTOCOL% %UPSTREAM_CLUSTER%\\"" }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http2, protocol: HTTP2 }, hosts: ["*"] }] }
---
${routes.map((host) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec: { hosts: [${host}.test], gateways: [edge], http: [{ route: [{ destination: { host: ${host} } }] }] }
---`).join('')}`,
}

let mesh: LocalMesh
before(async () => {
  mesh = await startLocalMesh(files)
})
after(() => mesh[Symbol.asyncDispose]())

/** What the sidecar, and the program, had from the gateway. */
async function heard(authority: string, body: string): Promise<readonly [string, string]> {
  const line = (): string | undefined => mesh.accessLog.find((one) => one.startsWith(`${authority} `) && one.includes('inbound|9080||'))
  await mesh.until(`a line of the sidecar about ${authority}`, () => line() !== undefined)
  const said = JSON.parse(body) as { readonly protocol: string; readonly caller: string }
  assert.match(said.caller, /URI=spiffe:\/\/cluster\.local\//, 'it came in mutual TLS')
  return [line()!.split(' ')[1]!, said.protocol]
}

const expectations: readonly (readonly [host: string, client1: readonly [string, string], client2: readonly [string, string]])[] = [
  ['plain', ['HTTP/1.1', 'HTTP/1.1'], ['HTTP/1.1', 'HTTP/1.1']],
  ['up', ['HTTP/2', 'HTTP/1.1'], ['HTTP/2', 'HTTP/1.1']],
  // The pool of the rule is also that of the sidecar towards its program.
  ['client', ['HTTP/1.1', 'HTTP/1.1'], ['HTTP/2', 'HTTP/2']],
  ['two', ['HTTP/2', 'HTTP/2'], ['HTTP/2', 'HTTP/2']],
  ['h2c', ['HTTP/2', 'HTTP/2'], ['HTTP/2', 'HTTP/2']],
  ['calls', ['HTTP/2', 'HTTP/2'], ['HTTP/2', 'HTTP/2']],
  // Gateways speak HTTP/1.1 to what is not declared.
  ['auto', ['HTTP/1.1', 'HTTP/1.1'], ['HTTP/1.1', 'HTTP/1.1']],
]

for (const [host, first, second] of expectations) {
  test(`${host}: what sidecar and program hear of a client of HTTP/1.1`, async () => {
    const { status, body } = await mesh.get('/', { host: `${host}.test` })
    assert.equal(status, 200, body)
    assert.deepEqual(await heard(`${host}.test`, body), first)
  })
  test(`${host}: what sidecar and program hear of a client of HTTP/2`, async () => {
    await using client = await Http2Client.connect(mesh.gatewayAt())
    const { status, body } = await client.ask({ ':authority': `${host}.test:80` })
    assert.equal(status, 200, body)
    assert.deepEqual(await heard(`${host}.test:80`, body), second)
  })
}

test('a call of gRPC keeps its trailers through both proxies', async () => {
  await using client = await Http2Client.connect(mesh.gatewayAt())
  const { status, trailers } = await client.ask({ ':authority': 'calls.test', ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', te: 'trailers' }, Buffer.alloc(5))
  assert.deepEqual([status, trailers['grpc-status']], [200, '0'])
})

test('more requests than a connection may carry at once are all answered', async () => {
  await using client = await Http2Client.connect(mesh.gatewayAt())
  const answers = await Promise.all(Array.from({ length: 12 }, () => client.ask({ ':authority': 'narrow.test' })))
  assert.deepEqual(answers.map(({ status }) => status), Array(12).fill(200))
})
