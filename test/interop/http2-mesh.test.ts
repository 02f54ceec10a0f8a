// HTTP/2 through a whole mesh: gRPC between two programs whose sidecars speak mutual TLS to each other, and clients that no
// one here wrote (curl, nghttp, h2load, node, grpc-js) at a gateway, in plain and over TLS.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { credentials } from '@grpc/grpc-js'
import { createAuthority } from '../support/certificates.ts'
import { EchoClient } from '../support/grpc-echo.ts'
import { interopCases } from '../support/grpc-interop.ts'
import { Http2Client } from '../support/http2-peers.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const run = promisify(execFile)
const authority = createAuthority()
const { chain, key } = authority.issue('DNS:web.test,DNS:grpc.test')
const program = (name: string): string => new URL(`../support/mesh-programs/${name}.ts`, import.meta.url).pathname
const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined

const process_ = (name: string, port: string): string => `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, namespace: default, labels: { app: ${name} } }
spec: { command: ${JSON.stringify([process.execPath, program(name)])}, ports: [{ name: ${port}, containerPort: 9080 }], terminationGracePeriodSeconds: 5 }
---`

const files = {
  'mesh.yaml': `${process_('grpc-echo', 'grpc')}${service('grpc-echo', 'default', '{ name: grpc, port: 80, targetPort: 9080 }')}
${process_('grpc-caller', 'http')}${service('grpc-caller')}
${process_('websocket-echo', 'http')}${service('websocket-echo')}
${echo('web')}${service('web')}
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: v1
kind: Secret
metadata: { name: edge, namespace: istio-system }
type: kubernetes.io/tls
stringData: ${JSON.stringify({ 'tls.crt': chain, 'tls.key': key })}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: edge } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: default }
spec: { hosts: [web.test], gateways: [edge], http: [{ route: [{ destination: { host: web } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: caller, namespace: default }
spec: { hosts: [caller.test], gateways: [edge], http: [{ route: [{ destination: { host: grpc-caller } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: grpc, namespace: default }
spec: { hosts: [grpc.test], gateways: [edge], http: [{ route: [{ destination: { host: grpc-echo } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: websocket, namespace: default }
spec: { hosts: ["*"], gateways: [edge], http: [{ match: [{ uri: { prefix: /chat } }], route: [{ destination: { host: websocket-echo } }] }] }
`,
}

let mesh: LocalMesh
before(async () => {
  mesh = await startLocalMesh(files)
  await writeFile(mesh.folder.at('roots.pem'), authority.roots)
})
after(() => mesh[Symbol.asyncDispose]())

const lineOf = (wanted: RegExp): string | undefined => mesh.accessLog.findLast((line) => wanted.test(line))

describe('gRPC between two sidecars, by mutual TLS', () => {
  test('every case of the interop suite of gRPC', { timeout: 60_000 }, async () => {
    assert.deepEqual(await mesh.json('/', { host: 'caller.test' }), Object.fromEntries(Object.entries(interopCases).map(([name, { expected }]) => [name, expected])))
    await mesh.until('both sidecars have written down a call', () => mesh.accessLog.filter((line) => line.includes('/test.Echo/Say')).length >= 2)
    assert.match(lineOf(/test\.Echo\/Say/) ?? '', /"POST \/test\.Echo\/Say HTTP\/2" 200 /)
  })
})

describe('at a gateway', () => {
  test('WebSocket of node, through the gateway and a sidecar', async () => {
    const { host, port } = mesh.gatewayAt(80)
    const socket = new WebSocket(`ws://${host}:${port}/chat`)
    await once(socket, 'open')
    for (const text of ['one', 'two']) {
      socket.send(text)
      const [message] = (await once(socket, 'message')) as [MessageEvent]
      assert.equal(message.data, text)
    }
    socket.close(1000)
    const [{ code, wasClean }] = (await once(socket, 'close')) as [CloseEvent]
    assert.deepEqual([code, wasClean], [1000, true])
    await mesh.until('both have written it down', () => mesh.accessLog.filter((line) => /"GET \/chat HTTP\/1\.1" 101 /.test(line)).length === 2)
  })

  test('grpc-js, in plain and over TLS', { timeout: 60_000 }, async () => {
    using plain = new EchoClient(mesh.gatewayAt(80), credentials.createInsecure(), { 'grpc.default_authority': 'grpc.test' })
    assert.equal(String((await plain.say('hello')).message), 'hello')
    const tls = credentials.createSsl(Buffer.from(authority.roots))
    using secure = new EchoClient(mesh.gatewayAt(443), tls, { 'grpc.default_authority': 'grpc.test', 'grpc.ssl_target_name_override': 'grpc.test' })
    assert.equal((await secure.say(Buffer.alloc(1_000_000))).message.length, 1_000_000)
    assert.equal((await secure.count(100)).length, 100)
  })

  test('node, many at once over one connection', async () => {
    await using client = await Http2Client.connect(mesh.gatewayAt(80))
    const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => client.ask({ ':authority': 'web.test', ':path': `/${i}` })))
    for (const { status } of replies) assert.equal(status, 200)
  })

  test('curl, by prior knowledge and by ALPN, and by the upgrade that is not taken', async () => {
    const [plain, secure] = [mesh.gatewayAt(80), mesh.gatewayAt(443)]
    const write = ['-s', '-o', '/dev/null', '--max-time', '20', '-w', '%{http_version} %{http_code}']
    const curl = async (...args: string[]): Promise<string> => (await run('curl', [...write, ...args])).stdout
    const at80 = ['--connect-to', `web.test:80:${plain.host}:${plain.port}`, 'http://web.test/']
    const at443 = ['--cacert', mesh.folder.at('roots.pem'), '--connect-to', `web.test:443:${secure.host}:${secure.port}`, 'https://web.test/']
    assert.equal(await curl('--http2-prior-knowledge', ...at80), '2 200')
    assert.equal(await curl('--http2', ...at80), '1.1 200')
    assert.equal(await curl('--http1.1', ...at80), '1.1 200')
    assert.equal(await curl('--http2', ...at443), '2 200')
    assert.equal(await curl('--http1.1', ...at443), '1.1 200')
  })

  test('nghttp', { skip: has('nghttp') ? false : 'nghttp is not installed' }, async () => {
    const { host, port } = mesh.gatewayAt(80)
    const { stdout } = await run('nghttp', ['-nv', '-H', ':authority: web.test', `http://${host}:${port}/`])
    assert.match(stdout, /:status: 200/)
    assert.doesNotMatch(stdout, /RST_STREAM|error_code=(?!NO_ERROR)/)
  })

  test('h2load', { skip: has('h2load') ? false : 'h2load is not installed', timeout: 60_000 }, async () => {
    const { host, port } = mesh.gatewayAt(80)
    const { stdout } = await run('h2load', ['-n', '2000', '-c', '4', '-m', '20', '-H', ':authority: web.test', `http://${host}:${port}/`])
    assert.match(stdout, /2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/)
    assert.match(stdout, /status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx/)
  })
})
