// A port of no declared protocol, where Envoy waits for the client's first bytes without a limit: servers that speak first
// are heard all the same, and clients that take their time keep the chain that they ask for.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { DurationSchema } from '@bufbuild/protobuf/wkt'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { inspectors, tcpChain, tcpListener } from '../support/xds-messages.ts'

interface CountingServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  readonly connections: () => number
}

const greeter = (): Promise<CountingServer> => listening((socket) => socket.write('220 mail.test ESMTP\r\n'))

async function listening(onConnection: (socket: Socket) => unknown): Promise<CountingServer> {
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    connections++
    open.add(socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket)))
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** As Istio makes it for a port without a protocol: no limit on the wait for the first bytes. */
const undeclared = (port: number) => tcpListener('undeclared', '127.0.0.1', port, {
  listenerFilters: inspectors,
  listenerFiltersTimeout: create(DurationSchema, {}),
  filterChains: [
    tcpChain('http', 'http', { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'] }),
    tcpChain('bytes', 'bytes', { transportProtocol: 'raw_buffer' }),
  ],
})

async function greetingAt(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return bytes.toString()
}

test('a server that speaks first is heard by a client that waits for it; it is asked once, and the next client waits no more', async () => {
  await using http = await namedServer('http')
  await using mail = await greeter()
  await using world = new ListenerWorld({ clusters: { http: http.address, bytes: mail.address } })
  const port = await freePort()
  await world.serve(undeclared(port))
  assert.equal(await greetingAt(port), '220 mail.test ESMTP\r\n')
  assert.equal(mail.connections(), 2, 'one to ask, one for the client')
  assert.equal(await greetingAt(port), '220 mail.test ESMTP\r\n')
  assert.equal(mail.connections(), 3)
  assert.deepEqual(world.serverFirst, [`127.0.0.1:${port}`], 'said once')
})

test('a client that speaks late, to a server that is silent, still gets the chain of its protocol', async () => {
  await using http = await namedServer('http')
  await using silent = await listening(() => undefined)
  await using world = new ListenerWorld({ clusters: { http: http.address, bytes: silent.address } })
  const port = await freePort()
  await world.serve(undeclared(port))
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await sleep(300) // past the time in which a client has most often spoken: the server is being asked by now
  assert.equal(await converse(socket, 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  assert.deepEqual(world.serverFirst, [])
  assert.equal(silent.connections(), 1, 'it was asked')
})

test('HTTP to a port whose server was found to speak first is HTTP, and a client that leaves while it is asked leaves nothing', async () => {
  await using http = await namedServer('http')
  await using mail = await greeter()
  await using world = new ListenerWorld({ clusters: { http: http.address, bytes: mail.address } })
  const port = await freePort()
  await world.serve(undeclared(port))
  assert.equal(await greetingAt(port), '220 mail.test ESMTP\r\n')
  assert.equal(await converse(connect(port, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  const impatient = connect(port, '127.0.0.1')
  await once(impatient, 'connect')
  impatient.resetAndDestroy()
  assert.equal(await greetingAt(port), '220 mail.test ESMTP\r\n')
})

test('a server that is not there does not decide what its port speaks', async () => {
  await using http = await namedServer('http')
  await using world = new ListenerWorld({ clusters: { http: http.address, bytes: { host: '127.0.0.1', port: await freePort() } } })
  const port = await freePort()
  await world.serve(undeclared(port))
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await sleep(300) // refused by then
  assert.equal(await converse(socket, 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
})
