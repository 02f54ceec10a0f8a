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

for (const how of ['that is not there', 'that is silent'] as const) {
  test(`a server ${how} is followed by the next one for the same question, which is the first to be asked from then on`, async () => {
    let asked = 0
    const silent = await bound(() => asked++)
    const away = addressOf(silent)
    if (how === 'that is not there') silent.close()
    const server = await bound((bytes, answer) => answer(`to ${bytes.toString()}`))
    const inner = await bound()
    const relay = startDatagramRelay({ socket: inner, servers: () => [away, addressOf(server)], patienceMs: 50 })
    const client = await bound()
    for (const question of ['one', 'other']) {
      const answered = once(client, 'message') as Promise<[Buffer]>
      client.send(question, addressOf(inner).port, '127.0.0.1')
      assert.equal((await answered)[0].toString(), `to ${question}`)
    }
    assert.deepEqual(relay.server, addressOf(server))
    assert.equal(asked, how === 'that is silent' ? 1 : 0)
    relay.close()
    for (const socket of [server, client, ...(how === 'that is silent' ? [silent] : [])]) socket.close()
  })
}

test('a server that refuses or fails is followed by the next; when none does better, the last refusal is the answer', async () => {
  const saying = (code: number) => bound((_, answer) => answer(`\0\0\0${String.fromCharCode(code)}12345678`))
  const [failing, refusing, good] = await Promise.all([saying(2), saying(5), saying(3)])
  const silent = await bound()
  for (const [servers, code] of [[[failing, refusing, good], 3], [[failing, refusing], 5], [[silent, refusing], 5]] as const) {
    const [inner, client] = await Promise.all([bound(), bound()])
    const relay = startDatagramRelay({ socket: inner, servers: () => servers.map(addressOf), patienceMs: 100 })
    const answered = once(client, 'message') as Promise<[Buffer]>
    client.send('question', addressOf(inner).port, '127.0.0.1')
    assert.equal((await answered)[0].at(-9), code)
    relay.close()
    client.close()
  }
  for (const socket of [failing, refusing, good, silent]) socket.close()
})

test('nobody is there: what is open is forgotten, and the next question is asked', async () => {
  const [gone, inner, client] = await Promise.all([bound(), bound(), bound()])
  let servers = [addressOf(gone)]
  gone.close()
  const relay = startDatagramRelay({ socket: inner, servers: () => servers, maxOpen: 1 })
  client.send('lost', addressOf(inner).port, '127.0.0.1')
  await once(inner, 'message')
  const server = await bound((_, answer) => answer('here'))
  servers = [addressOf(server)]
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
