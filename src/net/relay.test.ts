// What a relay carries, and what becomes of it when one side ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import type { Address } from '../model/address.ts'
import { startRelay } from './relay.ts'
import { reservePort } from './reserve-port.ts'
import { handleOf } from './socket-options.ts'

async function served(onConnection: (socket: Socket) => void): Promise<{ server: Server; at: Address }> {
  const server = createServer({ allowHalfOpen: true }, onConnection)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, at: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } }
}

/** A relay on a port of its own, by the handle of whoever bound it. */
async function relayTo(target: () => Address | undefined, maxConnections?: number) {
  const { server, address } = await reservePort()
  const relay = await startRelay({ on: { handle: handleOf(server)! }, target, ...(maxConnections === undefined ? {} : { maxConnections }) })
  return { relay, dial: () => connect({ host: address.host, port: address.port, allowHalfOpen: true }) }
}

const resetBy = async (socket: Socket): Promise<string> => {
  const failed = new Promise<string>((resolve) => socket.once('error', (error) => resolve('code' in error ? String(error.code) : error.message)))
  return await Promise.race([failed, once(socket, 'close').then(() => 'closed')])
}

test('bytes pass both ways, and each half ends by itself', async () => {
  const { server, at } = await served((socket) => {
    let heard = 0
    // Not by text(): from Node 26 on an iterated stream is destroyed at its end, its other half too.
    socket.on('data', (bytes) => (heard += bytes.length)).on('end', () => socket.end(`heard ${heard}`))
  })
  const { relay, dial } = await relayTo(() => at)
  const socket = dial()
  socket.end('x'.repeat(300_000))
  assert.equal(await text(socket), 'heard 300000')
  relay.close()
  server.close()
})

test('where nobody listens, and where nothing leads, the client is reset', async () => {
  const { server, at } = await served(() => {})
  server.close()
  await once(server, 'close')
  for (const target of [at, undefined]) {
    const { relay, dial } = await relayTo(() => target)
    assert.match(await resetBy(dial()), /ECONNRESET|closed/)
    relay.close()
  }
})

test('a reset of one side is a reset of the other', async () => {
  const reset = Promise.withResolvers<string>()
  const { server, at } = await served((socket) => {
    socket.write('hello')
    socket.once('error', (error) => reset.resolve('code' in error ? String(error.code) : ''))
  })
  const { relay, dial } = await relayTo(() => at)
  const socket = dial()
  await once(socket, 'data')
  socket.resetAndDestroy()
  assert.equal(await reset.promise, 'ECONNRESET')
  relay.close()
  server.close()
})

test('more connections than the limit are reset at once, and closing ends what is open', async () => {
  const { server, at } = await served((socket) => socket.on('error', () => {}).on('end', () => socket.end()).resume().write('hello'))
  const { relay, dial } = await relayTo(() => at, 1)
  const first = dial().on('error', () => {})
  await once(first, 'data')
  assert.match(await resetBy(dial()), /ECONNRESET|closed/)
  assert.equal(relay.connections, 1)
  relay.close()
  await once(first, 'end')
  first.destroy()
  server.close()
})
