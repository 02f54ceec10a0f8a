// Several sockets for one address: whoever comes is served, whoever else wants the address is told, and closing closes all.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { hasCode } from '../../src/lib/errors.ts'
import { ListenSet } from '../../src/net/listen-set.ts'
import type { Inbound } from '../../src/net/listen.ts'
import { freePort } from '../../src/net/reserve-port.ts'

const onLinux = process.platform === 'linux' ? false : 'skipped: only Linux spreads connections over sockets of one address'

async function clientsOf(port: number, count: number): Promise<Socket[]> {
  const clients = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
  await Promise.all(clients.map((client) => once(client, 'connect')))
  return clients
}

test('connections to one address are accepted from several sockets, each by someone, and all end with it', { skip: onLinux }, async () => {
  const set = new ListenSet({ sharing: 'alone' })
  const address = { host: '127.0.0.1', port: await freePort() }
  const inbounds: Inbound[] = []
  const all = Promise.withResolvers<void>()
  const listening = await set.listen({ address, onConnection: (inbound) => inbounds.push(inbound) === 40 && all.resolve() })
  assert.ok(set.sockets.length > 1)
  assert.deepEqual(new Set(set.sockets.map((socket) => socket.address.port)), new Set([address.port]))
  const clients = await clientsOf(address.port, 40)
  await all.promise
  assert.equal(listening.connections, 40)
  assert.deepEqual(new Set(inbounds.map(({ remoteAddress }) => remoteAddress.port)), new Set(clients.map(({ localPort }) => localPort)))
  listening.destroyConnections()
  await Promise.all(clients.map((client) => once(client.resume(), 'close')))
  assert.equal(listening.connections, 0)
  await listening.close()
  assert.equal(set.sockets.length, 0)
  const [error] = (await once(connect(address.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
})

test('two of us do not share an address without knowing, nor with a program that has it', async () => {
  const port = await freePort()
  const address = { host: '127.0.0.1', port }
  const listening = await new ListenSet({ sharing: 'alone' }).listen({ address, onConnection: (inbound) => inbound.destroy() })
  await assert.rejects(new ListenSet({ sharing: 'alone' }).listen({ address, onConnection() {} }), (error) => hasCode(error, 'net/in-use'))
  const other = createServer().listen(port, '127.0.0.1')
  const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'EADDRINUSE')
  await listening.close()
  const program = createServer().listen(port, '127.0.0.1')
  await once(program, 'listening')
  await assert.rejects(new ListenSet({ sharing: 'alone' }).listen({ address, onConnection() {} }), (refused) => hasCode(refused, 'net/in-use'))
  program.close()
})
