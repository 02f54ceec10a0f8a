// `trysail run` at the edges of the mesh: gateways with several servers, HTTPS, routers that users name, what leaves the
// mesh, what a Sidecar resource hides, and TCP through two sidecars.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createAuthority } from '../support/certificates.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('a Gateway with several servers: each port and each host has routes of its own, HTTPS from a Secret', async () => {
  const authority = createAuthority()
  const { chain, key } = authority.issue('DNS:secure.example.com')
  await using mesh = await startLocalMesh({
    'apps.yaml': echo('web') + service('web') + echo('admin') + service('admin'),
    'edge.yaml': `
apiVersion: v1
kind: Secret
metadata: { name: secure-cert, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${base64(chain)}, tls.key: ${base64(key)} }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: [web.example.com] }
  - { port: { number: 8080, name: http-admin, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [secure.example.com], tls: { mode: SIMPLE, credentialName: secure-cert } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web.example.com, secure.example.com], gateways: [edge], http: [{ route: [{ destination: { host: web } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: admin }
spec: { hosts: [admin.example.com], gateways: [edge], http: [{ match: [{ port: 8080 }], route: [{ destination: { host: admin } }] }] }
`,
  })
  assert.equal((await mesh.json('/', { host: 'web.example.com' }))['name'], 'web')
  assert.equal((await mesh.json('/', { host: 'admin.example.com', port: 8080 }))['name'], 'admin')
  assert.equal((await mesh.get('/', { host: 'admin.example.com', port: 80 })).status, 404)
  await mesh.folder.write('ca.pem', authority.roots)
  const { port } = mesh.gatewayAt(443)
  const { stdout } = await promisify(execFile)('curl', [
    '--silent', '--show-error', '--cacert', mesh.folder.at('ca.pem'), '--resolve', `secure.example.com:${port}:127.0.0.1`, `https://secure.example.com:${port}/tls`,
  ])
  const { name, path } = JSON.parse(stdout) as Record<string, unknown>
  assert.deepEqual([name, path], ['web', '/tls'])
})

test('a router Process is the gateway of the Gateways that select it, under its own identity', async () => {
  await using mesh = await startLocalMesh({
    'all.yaml': echo('web') + service('web') + `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: my-edge, labels: { app: my-edge } }
spec: { proxyType: router, serviceAccount: edge-account }
---` + gatewayTo('web').replace('istio: ingressgateway', 'app: my-edge'),
  })
  assert.deepEqual(mesh.mesh.gateways.map(({ name, port }) => [name, port]), [['my-edge', 80]])
  const { headers } = await mesh.json('/')
  assert.match(String((headers as Record<string, unknown>)['x-forwarded-client-cert']), /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/edge-account/)
})

async function outside() {
  const server = createServer((_, response) => response.end('outside'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: async () => void (server.closeAllConnections(), await new Promise((resolve) => server.close(resolve))) }
}

const meshConfig = (mode: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: ${mode} }" }
---`

const sidecarMode = (mode: string): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { outboundTrafficPolicy: { mode: ${mode} } }
---`

/** Resolution NONE: the program's own address is taken, as long as the host is written down. */
const external = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside }
spec: { hosts: [localhost], location: MESH_EXTERNAL, resolution: NONE, ports: [{ number: ${port}, name: http, protocol: HTTP }] }
---`

test('REGISTRY_ONLY answers 502 for hosts that nobody wrote down, ALLOW_ANY lets them through, by mesh and by Sidecar', async () => {
  await using there = await outside()
  const app = echo('web') + service('web') + gatewayTo('web')
  await using mesh = await startLocalMesh({ 'web.yaml': app, 'policy.yaml': meshConfig('REGISTRY_ONLY') }, { watch: true })
  const asked = async () => mesh.json(`/proxied?url=http://localhost:${there.port}/`)
  assert.equal((await asked())['status'], 502)
  await mesh.edit(() => mesh.folder.write('mesh/policy.yaml', meshConfig('ALLOW_ANY')))
  assert.deepEqual(await asked(), { status: 200, body: 'outside' })
  await mesh.edit(() => mesh.folder.write('mesh/sidecar.yaml', sidecarMode('REGISTRY_ONLY')))
  assert.equal((await asked())['status'], 502)
  await mesh.edit(() => mesh.folder.write('mesh/external.yaml', external(there.port)))
  assert.deepEqual(await asked(), { status: 200, body: 'outside' })
})

test('a Sidecar resource hides what it does not import', async () => {
  await using mesh = await startLocalMesh({
    'all.yaml': echo('web') + service('web') + gatewayTo('web') + echo('near') + service('near') + echo('far', { namespace: 'far' }) + service('far', 'far'),
    'sidecar.yaml': `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { egress: [{ hosts: ["./*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
---`,
  }, { watch: true })
  const asked = async (host: string) => (await mesh.json(`/proxied?url=http://${host}.svc.cluster.local/`))['status']
  assert.deepEqual([await asked('near.default'), await asked('far.far')], [200, 502])
  await mesh.edit(() => mesh.folder.remove('mesh/sidecar.yaml'))
  assert.deepEqual([await asked('near.default'), await asked('far.far')], [200, 200])
})

test('TCP in which the server speaks first passes through two sidecars, and both ends close as they would alone', async () => {
  await using mesh = await startLocalMesh({
    'greeter.ts': `
import { createServer } from 'node:net'
createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {})
  socket.write('hello\\n')
  socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()))
  socket.on('end', () => socket.end('bye\\n'))
}).listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`,
    'client.ts': `
import { createServer, connect } from 'node:net'
const { GREETER_SERVICE_HOST: host, GREETER_SERVICE_PORT: port } = process.env
createServer({ allowHalfOpen: true }, (socket) => {
  const onward = connect({ host, port: Number(port), allowHalfOpen: true })
  socket.on('error', () => {})
  onward.on('error', () => socket.destroy())
  socket.pipe(onward).pipe(socket)
}).listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`,
    'all.yaml': ['greeter', 'client'].map((name) => `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { command: ["${process.execPath}", ${name}.ts], ports: [{ name: tcp, containerPort: 6379 }], terminationGracePeriodSeconds: 1 }
---${service(name, 'default', '{ name: tcp, port: 6379 }')}`).join('') + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 8080, name: tcp, protocol: TCP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], tcp: [{ route: [{ destination: { host: client, port: { number: 6379 } } }] }] }
`,
  })
  const socket = connect({ ...mesh.gatewayAt(8080), allowHalfOpen: true })
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes.toString()
    if (text === 'hello\n') socket.write('shout\n')
    if (text === 'hello\nSHOUT\n') socket.end()
  })
  await new Promise((resolve, reject) => socket.on('end', resolve).on('error', reject))
  assert.equal(text, 'hello\nSHOUT\nbye\n')
  await mesh.until('the access log has the sessions', () => mesh.accessLog.some((line) => line.includes('outbound|6379||greeter.default.svc.cluster.local')))
})
