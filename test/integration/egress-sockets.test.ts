// Egress listeners of a Sidecar on unix sockets, and forward proxies of its own: who can open one reaches by it what the
// Sidecar imports, and nothing else.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

/** For the workload `client`, which reaches nothing else. */
const sidecar = (...egress: readonly string[]): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client }
spec:
  workloadSelector: { labels: { app: client } }
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
  egress:
${egress.map((listener) => `    - ${listener}`).join('\n')}
---`

function ask(at: { readonly socketPath: string } | { readonly port: number }, host: string, path = '/'): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    request({ ...at, path, headers: { host } }, (incoming) => {
      text(incoming).then((body) => resolve({ status: incoming.statusCode ?? 0, body }), reject)
    }).on('error', reject).end()
  })
}

test('requests and bytes go by the sockets that a Sidecar asks for', { timeout: 60_000 }, async () => {
  await using folder = await TempFolder.create()
  await using mesh = await startLocalMesh({
    'mesh.yaml': echo('a') + service('a') + echo('b') + service('b') + echo('bytes') + echo('client') + service('client') + gatewayTo('a')
      + service('bytes', 'default', '{ name: tcp-echo, port: 7000, targetPort: 9080 }') + sidecar(
        `{ port: { number: 0, protocol: HTTP, name: http }, bind: "unix://${folder.at('http.sock')}", hosts: ["./a.default.svc.cluster.local"] }`,
        `{ port: { number: 0, protocol: TCP, name: tcp }, bind: "unix://${folder.at('tcp.sock')}", hosts: ["./bytes.default.svc.cluster.local"] }`,
      ),
  })
  await mesh.until('both sockets', () => ['http', 'tcp'].every((name) => existsSync(folder.at(`${name}.sock`))))
  const found = await ask({ socketPath: folder.at('http.sock') }, 'a:80')
  assert.deepEqual([found.status, (JSON.parse(found.body) as { readonly name: string }).name], [200, 'a'])
  assert.equal((await ask({ socketPath: folder.at('http.sock') }, 'b:80')).status, 502, 'what is not imported is not known')
  const socket = connect(folder.at('tcp.sock'))
  socket.write('GET / HTTP/1.1\r\nhost: any\r\nconnection: close\r\n\r\n')
  assert.match(await text(socket), /"name":"bytes"/)
})

test('an egress listener of protocol HTTP_PROXY is a forward proxy to all ports of what it imports', { timeout: 60_000 }, async () => {
  const port = await freePort()
  const forward = sidecar(
    `{ port: { number: ${port}, protocol: HTTP_PROXY, name: forward }, captureMode: NONE, hosts: ["./a.default.svc.cluster.local"] }`,
    '{ hosts: ["./b.default.svc.cluster.local"] }',
  )
  await using mesh = await startLocalMesh({ 'mesh.yaml': echo('a') + service('a') + echo('b') + service('b') + echo('client') + service('client') + gatewayTo('a') + forward })
  const status = async (host: string, path?: string) => await ask({ port }, host, path).then((found) => found.status, () => 0)
  await mesh.until('the forward proxy', async () => await status('a') === 200)
  assert.equal(await status('other', 'http://a.default:80/x'), 200)
  assert.equal(await status('b:80'), 502, 'what this listener does not import is not known to it')
  assert.equal(await status('a:81'), 502)
})
