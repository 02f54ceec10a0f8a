// Bodies through the proxy as they come: large ones with little memory, slow readers that stop their senders, and what is
// written is seen at once, as server-sent events and long polls need it. Over HTTP/1.1 and HTTP/2 on either side.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { HttpWorld } from '../support/http-world.ts'
import { Http2Client } from '../support/http2-peers.ts'
import { speaksHttp2 } from '../support/upstream-world.ts'

type Protocol = 'HTTP/1.1' | 'HTTP/2'
/** Reads a request, writes its answer. */
type Serve = (input: Readable, output: Writable) => void

const MiB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What all buffers between the two ends may hold: kernels, windows, and ours, on two connections. */
const onTheWay = 24 * MiB

async function start(upstream: Protocol, serve: Serve) {
  const sockets = new Set<Socket>()
  const server = upstream === 'HTTP/1.1'
    ? createServer((input: IncomingMessage, output: ServerResponse) => (output.flushHeaders(), serve(input, output)))
    : createHttp2Server().on('stream', (stream: ServerHttp2Stream) => (stream.respond({ ':status': 200 }), stream.on('error', () => undefined), serve(stream, stream)))
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const world = await HttpWorld.start({ clusters: { up: [{ host: '127.0.0.1', port: (server.address() as AddressInfo).port }] }, ...(upstream === 'HTTP/2' ? { cluster: speaksHttp2() } : {}) })
  return { world, async [Symbol.asyncDispose]() {
    await world[Symbol.asyncDispose]()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  } }
}

interface Exchange extends AsyncDisposable {
  readonly output: Writable
  readonly input: Promise<Readable>
}

async function send(world: HttpWorld, downstream: Protocol): Promise<Exchange> {
  if (downstream === 'HTTP/1.1') {
    const sent = request({ ...world.address, method: 'POST', headers: { 'transfer-encoding': 'chunked' } })
    sent.on('error', () => undefined)
    sent.flushHeaders()
    return { output: sent, input: once(sent, 'response').then(([response]) => response as Readable), [Symbol.asyncDispose]: async () => void sent.destroy() }
  }
  const client = await Http2Client.connect(world.address)
  const stream = client.open({ ':method': 'POST' })
  return { output: stream, input: once(stream, 'response').then(() => stream as Readable), [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}

/** In buffers that something still holds: what only waits for the collector does not count. */
function heldBytes(): number {
  // Twice: the first finds what may go, its memory is given back behind our back.
  collect()
  collect()
  return process.memoryUsage().arrayBuffers
}

async function sizeOf(input: Readable, mark = Infinity, onMark: () => void = () => undefined): Promise<number> {
  let bytes = 0
  for await (const piece of input) {
    if (bytes < mark && bytes + (piece as Buffer).length >= mark) onMark()
    bytes += (piece as Buffer).length
  }
  return bytes
}

const piece = Buffer.alloc(64 * 1024, 'x')
const bodyOf = (bytes: number): Readable => Readable.from((function* () {
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece
})())

for (const downstream of ['HTTP/1.1', 'HTTP/2'] as const) {
  for (const upstream of ['HTTP/1.1', 'HTTP/2'] as const) {
    describe(`from ${downstream} to ${upstream}`, () => {
      test('a body of 128 MiB comes back whole, and memory stays flat', async () => {
        await using at = await start(upstream, (input, output) => void pipeline(input, output).catch(() => undefined))
        await using exchange = await send(at.world, downstream)
        const before = heldBytes()
        const sending = pipeline(bodyOf(128 * MiB), exchange.output)
        let early = 0
        assert.equal(await sizeOf(await exchange.input, 32 * MiB, () => (early = heldBytes())), 128 * MiB)
        await sending
        // Buffers of two clients and two servers of node count, too. Without limits the 96 MiB that are still to come would be there.
        assert.ok(early - before < 2 * onTheWay, `${Math.round((early - before) / MiB)} MiB more, after a quarter`)
      })

      test('a client that does not read stops the server', async () => {
        let written = 0
        await using at = await start(upstream, (_input, output) => void pipeline(bodyOf(256 * MiB), async function* (pieces: AsyncIterable<Buffer>) {
          for await (const one of pieces) {
            written += one.length
            yield one
          }
        }, output).catch(() => undefined))
        await using exchange = await send(at.world, downstream)
        exchange.output.end()
        await exchange.input
        await settled(() => written)
        assert.ok(written < onTheWay, `${Math.round(written / MiB)} MiB were written`)
      })

      test('a server that does not read stops the client', async () => {
        await using at = await start(upstream, () => undefined)
        await using exchange = await send(at.world, downstream)
        let written = 0
        const sending = pipeline(bodyOf(256 * MiB), async function* (pieces: AsyncIterable<Buffer>) {
          for await (const one of pieces) {
            written += one.length
            yield one
          }
        }, exchange.output).catch(() => undefined)
        await settled(() => written)
        assert.ok(written < onTheWay, `${Math.round(written / MiB)} MiB were written`)
        exchange.output.destroy()
        await sending
      })

      test('server-sent events are seen one by one', async () => {
        let next: (() => void) | undefined
        await using at = await start(upstream, (_input, output) => {
          let event = 0
          next = () => void output.write(`data: ${event++}\n\n`)
        })
        await using exchange = await send(at.world, downstream)
        exchange.output.end()
        const input = await exchange.input
        for (let event = 0; event < 10; event++) {
          next!()
          assert.equal(String((await once(input, 'data'))[0]), `data: ${event}\n\n`)
        }
      })

      test('a request is seen piece by piece, before it is complete', async () => {
        const seen: string[] = []
        let wake: (() => void) | undefined
        await using at = await start(upstream, (input) => void input.on('data', (bytes: Buffer) => (seen.push(String(bytes)), wake?.())))
        await using exchange = await send(at.world, downstream)
        await exchange.input
        for (const text of ['one', 'two', 'three']) {
          const came = new Promise<void>((resolve) => (wake = resolve))
          exchange.output.write(text)
          await came
        }
        assert.deepEqual(seen, ['one', 'two', 'three'])
      })
    })
  }
}

/** Until it has not grown for a while. */
async function settled(value: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 5; await new Promise((resolve) => setTimeout(resolve, 100))) {
    same = value() === before ? same + 1 : 0
    before = value()
  }
}
