// Clients and upstreams that break off wherever they like: the proxy lives, every exchange ends exactly once, and nothing
// stays behind. One seed for each round: SEED=n repeats one.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { loadHandleTransports } from '../../src/net/handles.ts'
import { socketTransports } from '../../src/net/socket-transport.ts'
import type { Transports } from '../../src/net/transport-options.ts'
import type { Exchange } from '../../src/proxy/http/exchange.ts'
import type { RouteTable } from '../../src/proxy/http/connection-manager.ts'
import { HTTPFaultSchema } from '../../src/proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { rawClient } from '../support/raw-peer.ts'
import { seededRandom } from '../support/routed-request.ts'
import { pack } from '../support/xds-messages.ts'

const rounds = 60
const clients = 12
const ms = (value: number) => ({ seconds: 0n, nanos: value * 1_000_000 })

type Random = () => number
const pick = <Item>(random: Random, items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Bytes in pieces, now and then with a turn between them, cut at a random point or not at all. */
async function trickle(socket: Socket, text: string, random: Random): Promise<void> {
  const end = random() < 0.3 ? Math.floor(random() * text.length) : text.length
  for (let at = 0; at < end && !socket.destroyed; ) {
    const next = Math.min(end, at + 1 + Math.floor(random() ** 3 * text.length))
    socket.write(text.slice(at, next), 'latin1')
    at = next
    if (random() < 0.5) await turn()
  }
}

function leave(socket: Socket, random: Random): void {
  const how = random()
  if (how < 0.35) socket.resetAndDestroy()
  else if (how < 0.6) socket.destroy()
  else if (how < 0.8) socket.end()
}

const body = (random: Random) => 'b'.repeat(Math.floor(random() ** 4 * 300_000))

function requestText(random: Random): string {
  const path = pick(random, ['/', '/retry', '/short', '/fault', '/none'])
  const payload = body(random)
  switch (pick(random, ['get', 'get', 'head', 'length', 'chunks'])) {
    case 'length': return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${payload.length}\r\n\r\n${payload}`
    case 'chunks': return `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${payload === '' ? '' : `${payload.length.toString(16)}\r\n${payload}\r\n`}0\r\n\r\n`
    case 'head': return `HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    default: return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  }
}

function answerText(random: Random): string {
  const payload = body(random)
  return pick(random, [
    `HTTP/1.1 200 OK\r\ncontent-length: ${payload.length}\r\n\r\n${payload}`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${payload === '' ? '' : `${payload.length.toString(16)}\r\n${payload}\r\n`}0\r\nx-t: 1\r\n\r\n`,
    'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${payload}`,
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 unasked\r\n\r\n',
    'HTTP/1.1 2xx\r\n\r\n',
    '',
  ])
}

/** Answers anything to whatever comes, when it likes. */
async function wildUpstream(random: Random) {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).on('end', () => socket.end())
    if (random() < 0.1) return leave(socket, random)
    if (random() < 0.1) setTimeout(() => socket.resume(), 20)
    else socket.resume()
    socket.on('data', (bytes: Buffer) => {
      if (!bytes.includes('HTTP/1.1\r\n')) return
      void trickle(socket, answerText(random), random).then(() => {
        if (random() < 0.3) leave(socket, random)
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function wildClient(world: HttpWorld, random: Random): Promise<void> {
  const client = await rawClient(world.address)
  if (random() < 0.1) client.socket.pause()
  const requests = 1 + Math.floor(random() * 3)
  for (let i = 0; i < requests && client.state === 'open'; i++) {
    await trickle(client.socket, requestText(random), random)
    for (let waits = Math.floor(random() * 6); waits > 0; waits--) await turn()
  }
  leave(client.socket, random)
  await new Promise((resolve) => setTimeout(resolve, random() * 30))
  client.socket.destroy()
}

/** What was not malformed: it has a route. */
const begunOf = (seen: ReadonlySet<Exchange>) => [...seen].filter(({ route }) => route !== undefined)

async function round(seed: number, transports: Transports | undefined): Promise<void> {
  const random = seededRandom(seed)
  await using upstream = await wildUpstream(random)
  const seen = new Set<Exchange>()
  let begun = 0
  let twice = 0
  const route = (path: string, action = {}, more = {}) => routeTo('up', path, action, more)
  const fault = pack(HTTPFaultSchema, { delay: { faultDelaySecifier: { case: 'fixedDelay', value: ms(5) }, percentage: { numerator: 50 } }, abort: { errorType: { case: 'httpStatus', value: 500 }, percentage: { numerator: 50 } } })
  const started = await HttpWorld.start({
    clusters: { up: [upstream.address, upstream.address] },
    routes: [
      route('/retry', { timeout: ms(500), retryPolicy: { retryOn: '5xx', numRetries: 2, perTryTimeout: ms(30), retryBackOff: { baseInterval: ms(1) } } }),
      route('/short', { timeout: ms(15) }),
      route('/fault', { timeout: ms(50) }, { typedPerFilterConfig: { 'envoy.filters.http.fault': fault } }),
      routeTo('nowhere', '/none'),
      route('/', { timeout: ms(200) }),
    ],
    ...(transports === undefined ? {} : { transports }),
    deps: {
      random,
      routes: (): RouteTable => ({
        get current() {
          begun++
          return started.table.current
        },
      }),
      onExchangeEnd(exchange) {
        if (seen.has(exchange)) twice++
        seen.add(exchange)
      },
    },
  })
  await using world = started
  const all = Array.from({ length: clients }, () => wildClient(world, random))
  if (seed % 5 === 0) setTimeout(() => world.service.drain(), random() * 20)
  await Promise.all(all)
  if (seed % 3 === 0) world.service.close()
  const deadline = Date.now() + 10_000
  while ((world.service.active > 0 || begunOf(seen).length < begun) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  const where = `seed ${seed}`
  assert.equal(twice, 0, `${where}: an exchange ended twice`)
  assert.equal(world.service.active, 0, `${where}: connections are left`)
  assert.equal(begunOf(seen).length, begun, `${where}: exchanges that began and those that ended`)
  const running = world.upstream.stats().filter(({ name }) => /upstream_rq_active|pending_active/.test(name))
  assert.deepEqual(running.filter(({ value }) => value !== 0), [], `${where}: upstream requests are left`)
  for (const exchange of seen) {
    assert.ok(exchange.endTime >= exchange.startTime, where)
    assert.ok(exchange.responseCode > 0 || exchange.flags !== 0, `${where}: no status and no flag: ${exchange.responseCodeDetails}`)
    assert.notEqual(exchange.responseCodeDetails, '', where)
  }
}

const only = process.env['SEED']

for (const [name, transports] of [['raw handles', loadHandleTransports()], ['node sockets', socketTransports]] as const) {
  test(`over ${name}: whoever breaks off when, each exchange ends once and nothing is left`, async () => {
    if (only !== undefined) return await round(Number(only), transports)
    for (let seed = 1; seed <= rounds; seed++) await round(seed, transports)
  })
}
