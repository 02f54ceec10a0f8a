// Questions that are led on, and answers that find who asked.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { startDatagramRelay } from './datagram-relay.ts'

async function bound(onMessage?: (bytes: Buffer, answer: (text: string) => void) => void): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => onMessage?.(bytes, (text) => socket.send(text, from.port, from.address)))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return socket
}

const addressOf = (socket: Socket) => ({ host: '127.0.0.1', port: socket.address().port })

test('each who asks gets the answer to its own question', async () => {
  const server = await bound((bytes, answer) => answer(`to ${bytes.toString()}`))
  const inner = await bound()
  const relay = startDatagramRelay({ socket: inner, servers: () => [addressOf(server)] })
  const clients = await Promise.all(['a', 'b', 'c'].map(() => bound()))
  const answers = await Promise.all(clients.map(async (client, i) => {
    const answered = once(client, 'message') as Promise<[Buffer]>
    client.send(`question ${i}`, addressOf(inner).port, '127.0.0.1')
    return (await answered)[0].toString()
  }))
  assert.deepEqual(answers, ['to question 0', 'to question 1', 'to question 2'])
  relay.close()
  for (const socket of [server, ...clients]) socket.close()
})

test('a server that is not there is followed by the next one when the client asks again', async () => {
  const gone = await bound()
  const nowhere = addressOf(gone)
  gone.close()
  const server = await bound((_, answer) => answer('here'))
  const inner = await bound()
  const relay = startDatagramRelay({ socket: inner, servers: () => [nowhere, addressOf(server)], timeoutMs: 200 })
  const client = await bound()
  const answered = once(client, 'message') as Promise<[Buffer]>
  const again = setInterval(() => client.send('question', addressOf(inner).port, '127.0.0.1'), 20)
  assert.equal((await answered)[0].toString(), 'here')
  clearInterval(again)
  relay.close()
  for (const socket of [server, client]) socket.close()
})

test('no more questions are open than the limit: the others are dropped, as by a full network', async () => {
  let asked = 0
  const server = await bound(() => asked++)
  const inner = await bound()
  const relay = startDatagramRelay({ socket: inner, servers: () => [addressOf(server)], maxOpen: 2 })
  const client = await bound()
  for (let i = 0; i < 10; i++) client.send(`question ${i}`, addressOf(inner).port, '127.0.0.1')
  const heard = once(server, 'message')
  await heard
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(asked <= 2, `${asked} questions`)
  relay.close()
  for (const socket of [server, client]) socket.close()
})
