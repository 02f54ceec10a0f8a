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
import { RBAC_Action } from '../../src/proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { RBACSchema } from '../../src/proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { RbacCounters } from '../../src/proxy/rbac/counters.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { ConnectionGuard } from '../../src/proxy/tcp/filters/rbac.ts'
import { greetingMs } from '../../src/proxy/tcp/greeting.ts'
import { converse, freePort, namedServer } from '../support/hosts.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { until } from '../support/until.ts'
import { inspectors, tcpChain, tcpListener } from '../support/xds-messages.ts'

interface CountingServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  /** So far. */
  readonly connections: () => number
  /** Now. */
  readonly open: () => number
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
    open: () => open.size,
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

/** A proxy with such a port: HTTP goes to a server of its own, everything else to `bytes`. */
async function serveUndeclared(bytes: { readonly host: string; readonly port: number }, guard?: ConnectionGuard) {
  await using resources = new AsyncDisposableStack()
  const http = resources.use(await namedServer('http'))
  const world = resources.use(new ListenerWorld({ clusters: { http: http.address, bytes }, ...(guard !== undefined && { guard }) }))
  const port = await freePort()
  await world.serve(undeclared(port))
  const owned = resources.move()
  return { world, port, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function silentClientAt(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function greetingAt(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return bytes.toString()
}

test('a server that speaks first is heard by a client that waits for it; it is asked once, and the next client waits no more', async () => {
  await using mail = await greeter()
  await using proxy = await serveUndeclared(mail.address)
  assert.equal(await greetingAt(proxy.port), '220 mail.test ESMTP\r\n')
  assert.equal(mail.connections(), 2, 'one to ask, one for the client')
  assert.equal(await greetingAt(proxy.port), '220 mail.test ESMTP\r\n')
  assert.equal(mail.connections(), 3)
  assert.deepEqual(proxy.world.serverFirst, [`127.0.0.1:${proxy.port}`], 'said once')
})

test('a client that speaks late, to a server that is silent, still gets the chain of its protocol', async () => {
  await using silent = await listening(() => undefined)
  await using proxy = await serveUndeclared(silent.address)
  const socket = await silentClientAt(proxy.port)
  await until(() => silent.connections() === 1, 'the server is asked')
  assert.equal(await converse(socket, 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  assert.deepEqual(proxy.world.serverFirst, [])
})

test('a client that leaves while its server is asked ends the asking', async () => {
  await using silent = await listening(() => undefined)
  await using proxy = await serveUndeclared(silent.address)
  const impatient = await silentClientAt(proxy.port)
  await until(() => silent.open() === 1, 'the server is asked')
  impatient.resetAndDestroy()
  await until(() => silent.open() === 0, 'the asking is over', greetingMs / 2)
})

test('HTTP to a port whose server was found to speak first is HTTP', async () => {
  await using mail = await greeter()
  await using proxy = await serveUndeclared(mail.address)
  assert.equal(await greetingAt(proxy.port), '220 mail.test ESMTP\r\n')
  assert.equal(await converse(connect(proxy.port, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  assert.equal(await greetingAt(proxy.port), '220 mail.test ESMTP\r\n')
})

test('a server that is not there does not decide what its port speaks', async () => {
  await using proxy = await serveUndeclared({ host: '127.0.0.1', port: await freePort() })
  const socket = await silentClientAt(proxy.port)
  await sleep(300) // refused by then
  assert.equal(await converse(socket, 'GET / HTTP/1.1\r\n\r\n'), 'http:GET / HTTP/1.1\r\n\r\n')
  assert.deepEqual(proxy.world.serverFirst, [])
})

test('a server is not asked for a client that no policy lets in', async () => {
  const nobody = create(RBACSchema, { rules: { action: RBAC_Action.ALLOW } })
  await using mail = await greeter()
  await using proxy = await serveUndeclared(mail.address, new ConnectionGuard([{ kind: 'rbac', config: nobody }], { counters: new RbacCounters(), clusters: () => undefined, clock: systemClock }))
  const socket = await silentClientAt(proxy.port)
  await sleep(300) // it would have been asked by then
  assert.equal(await converse(socket, 'HELO me\r\n'), '')
  assert.equal(mail.connections(), 0)
})
