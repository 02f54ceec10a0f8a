// UNIX sockets in the place of addresses: listened on and connected to, in a folder and without one, and over what a dead
// process has left.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { connect } from '../../src/net/connect.ts'
import { listen } from '../../src/net/listen.ts'
import type { Transport } from '../../src/net/transport.ts'
import { Recorder } from '../support/connection-pair.ts'
import { startLocalMesh, echo, gatewayTo } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

const open = (host: string): Promise<Transport> => new Promise((resolve, reject) => {
  connect({ address: { host, port: 0 }, timeoutMs: 2_000 }, (error, transport) => (transport === undefined ? reject(error!) : resolve(transport)))
})

/** What a server that says hello to everybody is heard to say. */
async function heard(host: string): Promise<string> {
  const listening = await listen({ address: { host, port: 0 }, onConnection: (inbound) => void inbound.plain().writeLatin1('hello') })
  try {
    assert.deepEqual(listening.address, { host, port: 0 })
    const transport = await open(host)
    const recorder = new Recorder(transport)
    transport.resume()
    await recorder.until(() => recorder.bytes.toString() === 'hello')
    transport.destroy()
    return recorder.bytes.toString()
  } finally {
    listening.destroyConnections()
    await listening.close()
  }
}

test('a socket in a folder and one without are listened on, connected to and gone at the end', async () => {
  await using folder = await TempFolder.create()
  const path = folder.at('a.sock')
  assert.equal(await heard(`unix://${path}`), 'hello')
  assert.equal(existsSync(path), false)
  assert.equal(await heard(`unix://@trysail-test-${process.pid}`), 'hello')
})

test('the socket of a process that was killed is taken over; one in use and a file are not', async () => {
  await using folder = await TempFolder.create()
  const path = folder.at('a.sock')
  spawnSync(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`])
  assert.equal(existsSync(path), true)
  assert.equal(await heard(`unix://${path}`), 'hello')

  const listening = await listen({ address: { host: `unix://${path}`, port: 0 }, onConnection: (inbound) => inbound.destroy() })
  await assert.rejects(heard(`unix://${path}`), { code: 'net/in-use', message: `unix://${path} is taken by another process` })
  await listening.close()

  writeFileSync(folder.at('file'), 'precious')
  await assert.rejects(heard(`unix://${folder.at('file')}`), { code: 'net/in-use' })
  assert.equal(existsSync(folder.at('file')), true)
})

test('an endpoint of a ServiceEntry may be a UNIX socket, and so may the application of a Sidecar', { timeout: 60_000 }, async () => {
  await using folder = await TempFolder.create()
  const server = (name: string) => {
    const one = createServer((request, response) => void response.end(`${name} ${request.headers.host}`))
    one.listen(folder.at(`${name}.sock`))
    return { [Symbol.dispose]: () => (one.closeAllConnections(), one.close()) }
  }
  using _external = server('external')
  using _application = server('application')
  await using mesh = await startLocalMesh({
    'all.yaml': `${echo('a')}
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { selector: { app: a }, ports: [{ name: http, port: 80, targetPort: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: socket }
spec:
  hosts: [socket.test]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 'unix://${folder.at('external.sock')}' }]
---${gatewayTo('a')}`,
  }, { watch: true })
  const asked = await mesh.json(`/proxied?url=${encodeURIComponent('http://socket.test/')}`)
  assert.deepEqual(asked, { status: 200, body: 'external socket.test' })

  await mesh.edit(() => mesh.folder.write('mesh/sidecar.yaml', `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { ingress: [{ port: { number: 9080, protocol: HTTP, name: http }, defaultEndpoint: 'unix://${folder.at('application.sock')}' }] }
`))
  await mesh.until('the application by its socket', async () => (await mesh.get('/')).body.startsWith('application'))
})
