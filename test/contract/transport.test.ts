// What every Transport must do, run over both implementations, plain and with TLS on real loopback connections.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { loadHandleTransports } from '../../src/net/handles.ts'
import { socketTransports } from '../../src/net/socket-transport.ts'
import { createClientTls, createServerTls } from '../../src/net/tls.ts'
import { maxQueuedBytes } from '../../src/net/transport-options.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectPair, settle } from '../support/connection-pair.ts'
import type { PairOptions } from '../support/connection-pair.ts'

const authority = createAuthority()
const trust = { roots: authority.roots, crl: '' }
const tls = {
  server: createServerTls({ certificate: authority.issue('URI:spiffe://cluster.local/ns/default/sa/server'), trust, clientCertificate: 'require' }),
  client: createClientTls({ certificate: authority.issue('URI:spiffe://cluster.local/ns/default/sa/client'), trust }),
}

const handles = loadHandleTransports()
const kinds: readonly (PairOptions & { readonly title: string })[] = [
  { title: 'sockets, plain', transports: socketTransports },
  { title: 'sockets, TLS', transports: socketTransports, tls },
  ...(handles === undefined ? [] : [
    { title: 'raw handles, plain', transports: handles },
    { title: 'raw handles, TLS', transports: handles, tls },
    { title: "raw handles of node's sockets, plain", transports: { name: handles.name, wrap: handles.wrap } },
    { title: "raw handles of node's sockets, TLS", transports: { name: handles.name, wrap: handles.wrap }, tls },
  ]),
]

test('this node gives out raw handles, so that both implementations are tested', () => {
  assert.notEqual(handles, undefined)
})

for (const kind of kinds) describe(`transport on ${kind.title}`, { timeout: 20_000 }, () => suite(kind))

function suite(kind: PairOptions): void {
  const open = () => connectPair(kind)

  test('bytes arrive complete and in order, whatever the sizes of the writes', async () => {
    await using pair = await open()
    const message = randomBytes(1_500_000)
    pair.server.transport.resume()
    const sizes = [1, 2, 100, 16 * 1024, 65_535, 65_536, 65_537, 200_000]
    let at = 0
    const writeOn = (): void => {
      for (let n = 0; at < message.length; n++) {
        const end = Math.min(message.length, at + sizes[n % sizes.length]!)
        const more = pair.client.transport.write(message, at, end)
        at = end
        if (!more) return
      }
    }
    pair.client.react = (event) => event === 'drain' && writeOn()
    writeOn()
    await pair.server.until(() => pair.server.received === message.length)
    assert.ok(pair.server.bytes.equals(message))
  })

  test('both ends may send at once', async () => {
    await using pair = await open()
    const message = randomBytes(60_000)
    for (const side of [pair.client, pair.server]) side.transport.resume()
    for (const side of [pair.client, pair.server]) side.transport.write(message, 0, message.length)
    await pair.client.until(() => pair.client.received === message.length)
    await pair.server.until(() => pair.server.received === message.length)
    assert.ok(pair.client.bytes.equals(message) && pair.server.bytes.equals(message))
  })

  test('latin1 text goes out byte for byte, also when it is long', async () => {
    await using pair = await open()
    const text = `\x00\x7f\x80\xff${'\xe9'.repeat(150_000)}end`
    pair.server.transport.resume()
    pair.client.transport.writeLatin1('GET / HTTP/1.1\r\n')
    pair.client.transport.writeLatin1(text)
    await pair.server.until(() => pair.server.received === text.length + 16)
    assert.equal(pair.server.bytes.toString('latin1'), `GET / HTTP/1.1\r\n${text}`)
  })

  test('bytes may be overwritten as soon as write has returned', async () => {
    await using pair = await open()
    const buffer = Buffer.alloc(50_000)
    const count = 100 // 5 MB: more than the kernel takes while nobody reads
    for (let n = 0; n < count; n++) {
      buffer.fill(n)
      pair.client.transport.write(buffer, 0, buffer.length)
      buffer.fill(255)
    }
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.received === count * buffer.length)
    const received = pair.server.bytes
    for (let n = 0; n < count; n++) assert.ok(received.subarray(n * 50_000, (n + 1) * 50_000).every((byte) => byte === n), `piece ${n}`)
  })

  test('ten thousand small writes in one turn arrive', async () => {
    await using pair = await open()
    pair.server.transport.resume()
    for (let n = 0; n < 10_000; n++) pair.client.transport.writeLatin1(`${n},`)
    await pair.server.until(() => pair.server.received >= 48_890)
    assert.equal(pair.server.bytes.toString(), Array.from({ length: 10_000 }, (_, n) => `${n},`).join(''))
  })

  test('a byte that has not gone yet may still be changed, where writes are gathered', async () => {
    await using pair = await open()
    const { transport } = pair.client
    pair.server.transport.resume()
    transport.writeLatin1('abc')
    const changed = transport.amend?.(2, 0x58) ?? false
    assert.equal(changed, transport.amend !== undefined)
    assert.equal(transport.amend?.(4, 0x58) ?? false, false)
    await pair.server.until(() => pair.server.received === 3)
    assert.equal(pair.server.bytes.toString(), changed ? 'aXc' : 'abc')
    assert.equal(transport.amend?.(1, 0x58) ?? false, false)
  })

  test('nothing is read before the first resume, nor while paused', async () => {
    await using pair = await open()
    pair.client.transport.writeLatin1('one')
    await settle()
    assert.equal(pair.server.received, 0)
    pair.server.react = () => pair.server.transport.pause()
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.received === 3)
    pair.client.transport.writeLatin1('two')
    await settle()
    assert.equal(pair.server.bytes.toString(), 'one')
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.received === 6)
    assert.equal(pair.server.bytes.toString(), 'onetwo')
  })

  test('a pause within a burst loses nothing', async () => {
    await using pair = await open()
    const message = randomBytes(600_000)
    pair.server.react = (event) => {
      if (event !== 'data') return
      pair.server.transport.pause()
      setImmediate(() => pair.server.transport.resume())
    }
    pair.server.transport.resume()
    pair.client.transport.write(message, 0, message.length)
    await pair.server.until(() => pair.server.received === message.length)
    assert.ok(pair.server.bytes.equals(message))
  })

  test('a writer is told to stop, what waits is counted, and it is told when all is written', async () => {
    await using pair = await open()
    const block = Buffer.alloc(64 * 1024, 1)
    let written = 0
    while (pair.client.transport.write(block, 0, block.length) || pair.client.transport.writableLength === 0) {
      written += block.length
      await settle(1)
      assert.ok(written < 64 * 1024 * 1024, 'the kernel took 64 MB')
    }
    written += block.length
    assert.ok(pair.client.transport.writableLength > 0)
    assert.equal(pair.client.drains, 0)
    pair.server.transport.resume()
    await pair.client.until(() => pair.client.drains === 1)
    assert.equal(pair.client.transport.writableLength, 0)
    await pair.server.until(() => pair.server.received === written)
  })

  test('what has been answered is not counted as waiting to be written', async () => {
    await using pair = await open()
    const { client, server } = pair
    const counted: number[] = []
    server.react = (event) => event === 'data' && server.transport.writeLatin1('pong')
    client.react = (event) => {
      if (event !== 'data') return
      counted.push(client.transport.writableLength)
      client.transport.writeLatin1('ping')
    }
    server.transport.resume()
    client.transport.resume()
    client.transport.writeLatin1('ping')
    await client.until(() => counted.length === 100)
    assert.deepEqual(new Set(counted), new Set([0]))
  })

  test('a writer that does not stop is cut off', async () => {
    await using pair = await open()
    const block = Buffer.alloc(1024 * 1024)
    for (let sent = 0; sent < 8 * maxQueuedBytes && !pair.client.transport.destroyed; sent += block.length) {
      pair.client.transport.write(block, 0, block.length)
    }
    await pair.client.until(() => pair.client.closes === 1)
    assert.match(String(pair.client.error), /bytes wait to be written/)
  })

  test('no callback runs inside a call', async () => {
    await using pair = await open()
    let inside = false
    const wrong: string[] = []
    for (const side of [pair.client, pair.server]) side.react = (event) => inside && wrong.push(event)
    const call = (run: () => void): void => {
      inside = true
      run()
      inside = false
    }
    const block = Buffer.alloc(300_000)
    call(() => pair.server.transport.resume())
    call(() => pair.client.transport.write(block, 0, block.length))
    call(() => pair.client.transport.writeLatin1('x'))
    await pair.server.until(() => pair.server.received === block.length + 1)
    call(() => pair.client.transport.resume())
    call(() => pair.server.transport.end())
    await pair.client.until(() => pair.client.ended)
    call(() => pair.client.transport.destroy())
    await pair.client.until(() => pair.client.closes === 1)
    await pair.server.until(() => pair.server.closes === 1)
    assert.deepEqual(wrong, [])
  })

  test('end is half a close: the other direction goes on, and both halves make a close without error', async () => {
    await using pair = await open()
    for (const side of [pair.client, pair.server]) side.transport.resume()
    pair.client.transport.writeLatin1('question')
    pair.client.transport.end()
    await pair.server.until(() => pair.server.ended)
    assert.equal(pair.server.bytes.toString(), 'question')
    assert.equal(pair.server.closes, 0)
    pair.server.transport.writeLatin1('answer')
    await pair.client.until(() => pair.client.received === 6)
    pair.server.transport.end()
    await Promise.all([pair.client, pair.server].map((side) => side.until(() => side.closes === 1)))
    await settle()
    assert.deepEqual([pair.client.closes, pair.server.closes, pair.client.error, pair.server.error], [1, 1, undefined, undefined])
    assert.ok(pair.client.ended)
  })

  test('end sends what is queued first', async () => {
    await using pair = await open()
    const message = randomBytes(4_000_000)
    pair.client.transport.write(message, 0, message.length)
    pair.client.transport.end()
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.ended)
    assert.ok(pair.server.bytes.equals(message))
  })

  test('writes after end or destroy are refused and harmless', async () => {
    await using pair = await open()
    pair.client.transport.end()
    assert.equal(pair.client.transport.writeLatin1('late'), false)
    pair.client.transport.destroy()
    assert.equal(pair.client.transport.writeLatin1('later'), false)
    assert.equal(pair.client.transport.write(Buffer.from('x'), 0, 1), false)
    pair.client.transport.end()
    pair.client.transport.resume()
    pair.client.transport.pause()
    pair.client.transport.destroy()
    await pair.client.until(() => pair.client.closes === 1)
    await settle()
    assert.equal(pair.client.closes, 1)
    assert.equal(pair.client.received, 0)
  })

  test('destroy closes at once and says so exactly once; the peer learns of it', async () => {
    await using pair = await open()
    pair.server.transport.resume()
    pair.client.transport.destroy()
    assert.equal(pair.client.transport.destroyed, true)
    pair.client.transport.destroy()
    await pair.client.until(() => pair.client.closes === 1)
    assert.equal(pair.client.error, undefined)
    await pair.server.until(() => pair.server.ended || pair.server.closes === 1)
  })

  test('what was written before a destroy still leaves, when it can leave at once', async () => {
    await using pair = await open()
    pair.server.react = (event) => {
      if (event !== 'data') return
      pair.server.transport.writeLatin1('last words')
      pair.server.transport.destroy()
    }
    pair.server.transport.resume()
    pair.client.transport.resume()
    pair.client.transport.writeLatin1('x')
    await pair.client.until(() => pair.client.ended || pair.client.closes === 1)
    assert.equal(pair.client.bytes.toString(), 'last words')
  })

  test('destroy with reset makes the peer see a reset', async () => {
    await using pair = await open()
    pair.server.transport.resume()
    pair.client.transport.writeLatin1('x')
    await pair.server.until(() => pair.server.received === 1)
    pair.client.transport.destroy(true)
    await pair.server.until(() => pair.server.closes === 1)
    assert.match(String(pair.server.error), /abruptly/)
    assert.equal(pair.server.ended, false)
  })

  test('a reset right after an end closes as well, whatever has left by then', async () => {
    await using pair = await open()
    for (const side of [pair.client, pair.server]) side.transport.resume()
    pair.server.react = (event) => {
      if (event !== 'data') return
      pair.server.transport.writeLatin1('last words')
      pair.server.transport.end()
      setImmediate(() => pair.server.transport.destroy(true))
    }
    pair.client.transport.writeLatin1('x')
    await pair.server.until(() => pair.server.closes === 1)
    await pair.client.until(() => pair.client.ended || pair.client.closes === 1)
  })

  test('a peer that has closed both ways before anything was read of it is heard of', async () => {
    await using pair = await open()
    pair.client.transport.writeLatin1('question')
    pair.client.transport.destroy()
    await settle()
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.ended || pair.server.closes === 1)
    assert.equal(pair.server.bytes.toString(), 'question')
    pair.server.transport.end()
    await pair.server.until(() => pair.server.closes === 1)
  })

  test('destroying with writes under way is safe, from inside a callback too', async () => {
    await using pair = await open()
    const block = Buffer.alloc(300_000)
    pair.server.react = (event) => {
      if (event !== 'data') return
      pair.server.transport.write(block, 0, block.length)
      pair.server.transport.destroy()
      pair.server.transport.write(block, 0, block.length)
    }
    pair.server.transport.resume()
    pair.client.transport.write(block, 0, block.length)
    await pair.server.until(() => pair.server.closes === 1)
    const received = pair.server.received
    await settle()
    assert.equal(pair.server.received, received, 'nothing is delivered after destroy')
  })

  test('writing to a peer that has gone ends in a close with an error, not in a throw', async () => {
    await using pair = await open()
    pair.client.transport.resume()
    pair.server.transport.destroy(true)
    await pair.server.until(() => pair.server.closes === 1)
    const block = Buffer.alloc(100_000)
    pair.client.transport.write(block, 0, block.length)
    await pair.client.until(() => pair.client.closes === 1)
    assert.notEqual(pair.client.error, undefined)
  })

  test('the handler may change hands', async () => {
    await using pair = await open()
    pair.server.transport.resume()
    pair.client.transport.writeLatin1('first')
    await pair.server.until(() => pair.server.received === 5)
    const next: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    pair.server.transport.handler = {
      onData: (bytes, length) => (next.push(bytes.toString('latin1', 0, length)), resolve()),
      onDrain() {}, onEnd() {}, onClose() {},
    }
    pair.client.transport.writeLatin1('second')
    await promise
    assert.deepEqual([pair.server.bytes.toString(), next.join('')], ['first', 'second'])
  })

  test('bytes that were peeked at are delivered again', async () => {
    const seen: string[] = []
    await using pair = await connectPair({
      ...kind,
      async prepare(inbound) {
        if (kind.tls === undefined) return
        const bytes = await inbound.peek(() => true, { maxBytes: 1000, timeoutMs: 5000 })
        seen.push(bytes!.toString('latin1', 0, 1))
      },
    })
    if (kind.tls !== undefined) assert.deepEqual(seen, ['\x16'])
    pair.client.transport.writeLatin1('hello')
    pair.server.transport.resume()
    await pair.server.until(() => pair.server.received === 5)
  })

  test('addresses of both ends agree', async () => {
    await using pair = await open()
    assert.deepEqual(pair.client.transport.localAddress, pair.server.transport.remoteAddress)
    assert.deepEqual(pair.client.transport.remoteAddress, pair.server.transport.localAddress)
  })
}
