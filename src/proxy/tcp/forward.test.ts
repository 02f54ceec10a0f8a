import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import type { Transport, TransportHandler } from '../../net/transport.ts'
import { Forward } from './forward.ts'
import type { ForwardResult } from './forward.ts'

/** Keeps what was written; full when told so. */
class FakeTransport implements Transport {
  readonly localAddress = { host: '127.0.0.1', port: 1 }
  readonly remoteAddress = { host: '127.0.0.1', port: 2 }
  readonly tls = undefined
  writableLength = 0
  destroyed = false
  handler: TransportHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
  written = ''
  reading = false
  ended = false
  full = false
  writeLatin1(text: string): boolean {
    this.written += text
    return !this.full
  }
  write(bytes: Uint8Array, at: number, end: number): boolean {
    return this.writeLatin1(Buffer.from(bytes.subarray(at, end)).toString('latin1'))
  }
  untaken(): number {
    return 0
  }

  resume(): void {
    this.reading = true
  }
  pause(): void {
    this.reading = false
  }
  end(): void {
    this.ended = true
  }
  destroy(): void {
    this.destroyed = true
  }
  gets(text: string): void {
    assert.ok(this.reading, 'nobody reads')
    this.handler.onData(Buffer.from(text), text.length)
  }
}

function setUp(idleMs = 1000) {
  const clock = manualClock(0)
  const client = new FakeTransport()
  const server = new FakeTransport()
  const results: ForwardResult[] = []
  const forward = new Forward(client, server, clock, idleMs, (result) => results.push(result))
  return { client, server, results, forward, clock }
}

test('bytes go both ways and are counted', () => {
  const { client, server, results } = setUp()
  client.gets('ping')
  server.gets('pong!')
  assert.equal(server.written, 'ping')
  assert.equal(client.written, 'pong!')
  client.handler.onEnd()
  assert.ok(server.ended)
  assert.ok(!client.ended, 'the other direction is still open')
  server.gets(' more')
  server.handler.onEnd()
  client.handler.onClose(undefined)
  assert.equal(results.length, 0, 'the server may still be writing')
  server.handler.onClose(undefined)
  assert.deepEqual(results, [{ end: 'finished', error: undefined, received: 4, sent: 10 }])
})

test('a receiver that is full stops the sender until it has drained', () => {
  const { client, server } = setUp()
  server.full = true
  client.gets('x')
  assert.equal(client.reading, false)
  assert.equal(server.reading, true, 'the other direction goes on')
  server.full = false
  server.handler.onDrain()
  assert.equal(client.reading, true)
})

test('an abrupt end of one side ends the other and says which one it was', () => {
  const { client, server, results } = setUp()
  const error = new Error('reset')
  server.handler.onClose(error)
  assert.ok(client.destroyed)
  assert.equal(results[0]!.end, 'upstream-closed')
  assert.equal(results[0]!.error, error)
  client.handler.onClose(undefined)
  assert.equal(results.length, 1, 'told once')
})

test('a connection without a byte for the idle time is ended, a busy one is not', () => {
  const { client, results, clock } = setUp(1000)
  clock.pass(900)
  client.gets('x')
  clock.pass(900)
  assert.equal(results.length, 0)
  clock.pass(100)
  assert.equal(results[0]!.end, 'idle')
  assert.equal(clock.waiting, 0)
})

test('ending a connection from our side closes both', () => {
  const { client, server, results, forward } = setUp()
  forward.close()
  assert.ok(client.destroyed && server.destroyed)
  assert.equal(results[0]!.end, 'ended-by-proxy')
})
