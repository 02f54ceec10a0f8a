// What could fill the memory of a mesh on this machine, and does not: idle connections, a huge head, a huge body.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { echo, gatewayTo, service } from '../support/local-mesh.ts'
import { Run } from '../support/run-process.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const megabyte = 1024 * 1024
const connections = 10_000
/** A gigabyte, unless a slow machine asks for less: TRYSAIL_TEST_BODY_MB=192. */
const bodyBytes = Number(process.env['TRYSAIL_TEST_BODY_MB'] ?? 1024) * megabyte
/** One that is idle: a socket of Node, ours around it, and the kernel keeps its buffers elsewhere. */
const bytesPerConnection = 24 * 1024
/** Buffers of every hop, and a garbage collector that takes its time. */
const bodySlack = 96 * megabyte

let folder: TempFolder
let run: Run
let at: { readonly host: string; readonly port: number }

before(async () => {
  folder = await TempFolder.create()
  await folder.write('mesh/all.yaml', echo('web') + service('web') + echo('back') + service('back') + gatewayTo('web'))
  run = new Run('-f', folder.at('mesh'), '--state-dir', folder.at('state'), '--gateway-port', '80=0', '--quiet')
  const [, url] = await run.said(/up: 2 processes.*? on (http:\/\/127\.0\.0\.1:\d+)/)
  at = { host: '127.0.0.1', port: Number(new URL(url!).port) }
})

after(async () => {
  await run[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

function residentBytes(): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${run.child.pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

const openFiles = (): number => readdirSync(`/proc/${run.child.pid}/fd`).length

async function send(path: string, method: string, headers: Readonly<Record<string, string>>, body: Readable): Promise<{ status: number; body: string }> {
  const outgoing = request({ ...at, path, method, headers, agent: false })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  body.pipe(outgoing)
  const [incoming] = await answered
  return { status: incoming.statusCode ?? 0, body: await text(incoming) }
}

const get = async (): Promise<number> => (await fetch(`http://${at.host}:${at.port}/`)).status

async function open(count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(200, count - sockets.length) }, () => connect(at))
    await Promise.all(some.map((socket) => once(socket, 'connect')))
    sockets.push(...some)
  }
  return sockets
}

test('ten thousand idle connections cost little memory each, and requests are answered meanwhile', async (t) => {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim() || Infinity)
  if (limit < connections + 1000) return t.skip(`ulimit -n is ${limit}`)
  if (process.platform !== 'linux') return t.skip('memory is read from /proc')
  for (let i = 0; i < 200; i++) assert.equal(await get(), 200)
  const idle = residentBytes()
  const sockets = await open(connections)
  try {
    assert.equal(await get(), 200)
    await until(() => openFiles() > connections, 'all are accepted') // connected is not accepted: the kernel does the first by itself
    const each = (residentBytes() - idle) / connections
    t.diagnostic(`${Math.round(each)} bytes for each idle connection`)
    assert.ok(each < bytesPerConnection, `${Math.round(each)} bytes for each connection`)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
  assert.equal(await get(), 200)
})

test('a head of one megabyte is refused with 431 and the gateway goes on', async () => {
  const socket = connect(at)
  socket.on('error', () => {}) // refused while it still sends
  socket.write(`GET / HTTP/1.1\r\nhost: web\r\nx-huge: ${'h'.repeat(megabyte)}\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 431 /)
  socket.destroy()
  assert.equal(await get(), 200)
})

test('a body of one gigabyte passes the gateway and three sidecars with flat memory', async (t) => {
  if (process.platform !== 'linux') return t.skip('memory is read from /proc')
  const before = residentBytes()
  let most = before
  const piece = Buffer.alloc(64 * 1024, 'b')
  const body = Readable.from((function* () {
    for (let sent = 0; sent < bodyBytes; sent += piece.length) {
      if (sent % (8 * megabyte) === 0) most = Math.max(most, residentBytes())
      yield piece
    }
  })(), { objectMode: false })
  const { status, body: answer } = await send('/relay', 'POST', { 'content-length': String(bodyBytes) }, body)
  assert.equal(status, 200, answer)
  assert.equal((JSON.parse(answer) as { readonly bytes: number }).bytes, bodyBytes)
  t.diagnostic(`${bodyBytes / megabyte} MB, memory grew by ${Math.round((most - before) / megabyte)} MB`)
  assert.ok(most - before < bodySlack, `memory grew by ${Math.round((most - before) / megabyte)} MB`)
})
