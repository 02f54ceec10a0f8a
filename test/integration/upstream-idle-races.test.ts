// Servers that close idle connections just when the next request is due, thousands of times: no client sees a failure, and
// no request is processed twice. The real hosts, clocks and sockets; many connections at once make it short.
import assert from 'node:assert/strict'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { before, test } from 'node:test'
import { chooseTransports } from '../../src/net/transports.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'

/** Its connections are closed by an exact clock, and it counts what it has processed by who asked. */
async function impatientServer({ keepAliveMs, says }: { readonly keepAliveMs: () => number; readonly says: boolean }) {
  const processed = new Map<string, number>()
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, response) => {
    incoming.resume().on('end', () => {
      const key = incoming.url!
      processed.set(key, (processed.get(key) ?? 0) + 1)
      if (says) response.setHeader('Keep-Alive', `timeout=${keepAliveMs() / 1_000}`)
      const { socket } = incoming
      response.end('ok', () => closeAt.set(socket, setTimeout(() => socket.destroy(), keepAliveMs())))
    })
    clearTimeout(closeAt.get(incoming.socket))
  })
  const closeAt = new Map<Socket, NodeJS.Timeout>()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    processed,
    async [Symbol.asyncDispose]() {
      for (const timer of closeAt.values()) clearTimeout(timer)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The status, or why there is none. */
function ask(world: HttpWorld, agent: Agent, method: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = request(`${world.url}${path}`, { agent, method }, (response) => {
      response.resume().on('end', () => resolve(String(response.statusCode)))
    })
    asked.on('error', (error) => resolve(error.message))
    asked.end(method === 'POST' ? 'a body' : undefined)
  })
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A client with a connection of its own that asks now and then: GET and POST in turns, on routes that try nothing again. */
async function askOnAndOn(world: HttpWorld, { clients, rounds, pauseMs }: { readonly clients: number; readonly rounds: number; readonly pauseMs: (client: number, round: number) => number }) {
  const agent = new Agent({ keepAlive: true })
  const answers = { GET: new Map<string, number>(), POST: new Map<string, number>() }
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    const method = client % 2 === 0 ? 'POST' : 'GET'
    for (let round = 0; round < rounds; round++) {
      await pause(pauseMs(client, round))
      const answer = await ask(world, agent, method, `/${client}/${round}`)
      answers[method].set(answer, (answers[method].get(answer) ?? 0) + 1)
    }
  }))
  agent.destroy()
  return answers
}

before(() => chooseTransports({ rawHandles: true }))

test('servers that close idle connections after 5 s, whether they say so or not, asked every 4.99 to 5.01 s: nothing fails, nothing comes twice', async () => {
  const keepAliveMs = 5_000
  const plan = { clients: 500, rounds: 4, pauseMs: (client: number, round: number) => (round === 0 ? (client * 37) % 400 : keepAliveMs - 10 + ((client * 7 + round * 3) % 21)) }
  await Promise.all([true, false].map(async (says) => {
    await using server = await impatientServer({ keepAliveMs: () => keepAliveMs, says })
    await using world = await HttpWorld.start({ clusters: { up: [server.address] }, routes: [routeTo('up')] })
    const answers = await askOnAndOn(world, plan)
    const each = plan.clients / 2 * plan.rounds
    assert.deepEqual([...answers.GET, ...answers.POST], [['200', each], ['200', each]])
    assert.deepEqual([...server.processed.values()].filter((times) => times !== 1), [])
    assert.equal(server.processed.size, 2 * each)
  }))
})

test('a server that closes connections whenever it likes: what may be asked twice never fails, what may not never comes twice', async () => {
  await using server = await impatientServer({ keepAliveMs: () => Math.random() * 20, says: false })
  await using world = await HttpWorld.start({ clusters: { up: [server.address] }, routes: [routeTo('up')] })
  const answers = await askOnAndOn(world, { clients: 50, rounds: 60, pauseMs: () => Math.random() * 20 })
  assert.deepEqual([...answers.GET], [['200', 25 * 60]])
  const { '200': good = 0, '503': cut = 0, ...others } = Object.fromEntries(answers.POST)
  assert.deepEqual(others, {})
  assert.equal(good + cut, 25 * 60)
  // Of those that were cut, it can hardly be known whether they came: the server closed with the request unread.
  assert.ok(cut < good, `${cut} of ${good + cut} were cut`)
  assert.deepEqual([...server.processed.values()].filter((times) => times !== 1), [])
})
