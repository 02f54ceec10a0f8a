// Listening, accepting and connecting: addresses, limits, hand-over, peeking, and failures that say what failed.
import assert from 'node:assert/strict'
import { createServer, connect as connectSocket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { describe as sentence, hasCode } from '../../src/lib/errors.ts'
import { connect } from '../../src/net/connect.ts'
import type { ConnectOptions } from '../../src/net/connect.ts'
import { loadHandleTransports } from '../../src/net/handles.ts'
import { listen as listenOn } from '../../src/net/listen.ts'
import type { Inbound, Listening, ListenOptions, PeekLimits } from '../../src/net/listen.ts'
import { reservePort } from '../../src/net/reserve-port.ts'
import { socketTransports } from '../../src/net/socket-transport.ts'
import { createClientTls } from '../../src/net/tls.ts'
import { chooseTransports } from '../../src/net/transports.ts'
import type { Transports } from '../../src/net/transport-options.ts'
import type { Transport } from '../../src/net/transport.ts'
import { Recorder, settle } from '../support/connection-pair.ts'

const loopback = { host: '127.0.0.1', port: 0 }
const limits: PeekLimits = { maxBytes: 100, timeoutMs: 5000 }

test('raw handles pass their self-test on this node, and can be turned off', async () => {
  assert.deepEqual((await chooseTransports({ rawHandles: true })).problem, undefined)
  assert.equal((await chooseTransports({ rawHandles: true })).transports.name, 'handles')
  assert.equal((await chooseTransports({ rawHandles: false })).transports.name, 'sockets')
  await chooseTransports({ rawHandles: true })
})

const peeks: readonly [title: string, bytes: readonly string[], enough: (seen: Buffer) => boolean, options: Partial<PeekLimits>, end: boolean, seen: string | undefined][] = [
  ['as soon as there is enough', ['ab', 'cd'], (seen) => seen.length >= 4, {}, false, 'abcd'],
  ['at the limit', ['abcdef'], () => false, { maxBytes: 3 }, false, 'abcdef'],
  ['when the client has sent all it will', ['ab'], () => false, {}, true, 'ab'],
  ['not at all within the time', [], () => true, { timeoutMs: 20 }, false, undefined],
]

const handles = loadHandleTransports()
const kinds: readonly Transports[] = [socketTransports, ...(handles === undefined ? [] : [handles, { name: handles.name, wrap: handles.wrap }])]

for (const kind of kinds) describe(`listening, ${kind.name}${kind.take === undefined ? '' : ' before there is a socket'}`, { timeout: 20_000 }, () => suite(kind))

function suite(transports: Transports): void {
  const listen = (options: ListenOptions): Promise<Listening> => listenOn({ transports, ...options })
  const dial = (options: ConnectOptions): Promise<Transport> =>
    new Promise((resolve, reject) => {
      connect({ transports, ...options }, (error, transport) => (transport === undefined ? reject(error!) : resolve(transport)))
    })

  test('an address that is taken is named', async () => {
    await using first = disposable(await listen({ address: loopback, onConnection: (inbound) => inbound.destroy() }))
    const { port } = first.listening.address
    await assert.rejects(listen({ address: { host: '127.0.0.1', port }, onConnection() {} }), (error) => {
      assert.ok(hasCode(error, 'net/in-use') && hasCode(error, 'EADDRINUSE'))
      assert.match(sentence(error), new RegExp(`127\\.0\\.0\\.1:${port} is taken`))
      return true
    })
  })

  test('an address that this machine does not have is named', async () => {
    await assert.rejects(listen({ address: { host: '192.0.2.1', port: 0 }, onConnection() {} }), /192\.0\.2\.1:0/)
  })

  test('a refused connection says where', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    await assert.rejects(dial({ address: { host: '127.0.0.1', port }, timeoutMs: 5000 }), (error) => {
      assert.ok(hasCode(error, 'net/refused'))
      assert.match(sentence(error), new RegExp(`127\\.0\\.0\\.1:${port} refused`))
      return true
    })
  })

  test('a name that does not resolve is named', async () => {
    await assert.rejects(dial({ address: { host: 'no-such-host.invalid', port: 80 }, timeoutMs: 5000 }), (error) => hasCode(error, 'net/name'))
  })

  test('connecting is given up after its timeout, which covers the handshake', async () => {
    await using server = disposable(await listen({ address: loopback, onConnection() {} }))
    const tls = createClientTls({ trust: undefined })
    await assert.rejects(dial({ address: server.listening.address, timeoutMs: 50, tls }), (error) => hasCode(error, 'net/timeout'))
  })

  for (const [host, source, text] of [['127.0.0.1', '127.0.0.9', '127.0.0.1'], ['0:0:0:0:0:0:0:1', '::1', '::1']] as const) {
    test(`a connection to ${host} comes from ${source}, says first what it is to say, and its end is told once`, async () => {
      const came: Inbound[] = []
      await using server = disposable(await listen({ address: { host, port: 0 }, onConnection: (inbound) => came.push(inbound) }))
      let closed = 0
      const gone = Promise.withResolvers<void>()
      const onClosed = (): void => {
        closed++
        gone.resolve()
      }
      const address = { host, port: server.listening.address.port }
      const client = await dial({ address, source, prologue: Buffer.from('PROXY '), keepAlive: { afterS: 60, intervalS: 0, probes: 0 }, timeoutMs: 5000, onClosed })
      client.writeLatin1('said')
      assert.deepEqual([client.localAddress.host, client.remoteAddress], [source, { host: text, port: address.port }])
      const [inbound] = came
      assert.equal(inbound!.remoteAddress.host, source)
      assert.equal((await inbound!.peek((seen) => seen.length >= 10, limits))?.toString(), 'PROXY said')
      assert.equal(closed, 0)
      client.destroy()
      await gone.promise
      await settle()
      assert.equal(closed, 1)
      inbound!.destroy()
    })
  }

  test('a source that this machine does not have makes an address unreachable, and says so', async () => {
    await assert.rejects(dial({ address: { host: '127.0.0.1', port: 9 }, source: '192.0.2.1', timeoutMs: 5000 }), (error) => hasCode(error, 'net/unreachable') && hasCode(error, 'EADDRNOTAVAIL'))
  })

  test('a cancelled attempt is never told of', async () => {
    await using server = disposable(await listen({ address: loopback, onConnection: (inbound) => inbound.destroy() }))
    let told = 0
    const cancel = connect({ address: server.listening.address, timeoutMs: 1000 }, () => told++)
    cancel()
    cancel()
    await settle()
    assert.equal(told, 0)
  })

  test('connections over the limit are closed and reported, and a closed one makes room', async () => {
    const refused: string[] = []
    const inbounds: Inbound[] = []
    await using server = disposable(await listen({
      address: loopback, maxConnections: 2, onConnection: (inbound) => inbounds.push(inbound), onRefused: (reason) => refused.push(reason),
    }))
    const open = () => dial({ address: server.listening.address, timeoutMs: 1000 }).then((transport) => new Recorder(transport))
    const clients = [await open(), await open(), await open()]
    for (const client of clients) client.transport.resume()
    await clients[2]!.until(() => clients[2]!.ended || clients[2]!.closes === 1)
    assert.deepEqual(refused, ['too-many-connections'])
    inbounds[0]!.destroy()
    await clients[0]!.until(() => clients[0]!.ended || clients[0]!.closes === 1)
    await settle()
    assert.equal(server.listening.connections, 1)
    clients.push(await open())
    await settle()
    assert.deepEqual([server.listening.connections, refused.length], [2, 1])
    for (const client of clients) client.transport.destroy()
  })

  test('a reserved port keeps early clients for whoever gets it', async () => {
    const reserved = await reservePort()
    const client = new Recorder(await dial({ address: reserved.address, timeoutMs: 1000 }))
    client.transport.resume()
    client.transport.writeLatin1('early')
    await settle()
    const accepted = Promise.withResolvers<Recorder>()
    await using server = disposable(await listen({ server: reserved.server, onConnection: (inbound) => accepted.resolve(new Recorder(inbound.plain())) }))
    assert.deepEqual(server.listening.address, reserved.address)
    const served = await accepted.promise
    served.transport.resume()
    await served.until(() => served.received === 5)
    client.transport.destroy()
  })

  test('a server of node that listens already is taken over', async () => {
    const plain = createServer({ pauseOnConnect: true, allowHalfOpen: true })
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const accepted = Promise.withResolvers<Recorder>()
    await using server = disposable(await listen({ server: plain, onConnection: (inbound) => accepted.resolve(new Recorder(inbound.plain())) }))
    const client = await dial({ address: server.listening.address, timeoutMs: 1000 })
    client.writeLatin1('hello')
    const served = await accepted.promise
    served.transport.resume()
    await served.until(() => served.received === 5)
    client.destroy()
  })

  for (const [title, bytes, enough, options, end, seen] of peeks) {
    test(`peeking answers ${title}, and the transport delivers everything again`, async () => {
      const done = Promise.withResolvers<{ seen: Buffer | undefined; served: Recorder }>()
      await using server = disposable(await listen({
        address: loopback,
        onConnection: (inbound) => void inbound.peek(enough, { ...limits, ...options }).then((found) => done.resolve({ seen: found, served: new Recorder(inbound.plain()) })),
      }))
      const client = new Recorder(await dial({ address: server.listening.address, timeoutMs: 1000 }))
      for (const piece of bytes) {
        client.transport.writeLatin1(piece)
        await settle(3)
      }
      if (end) client.transport.end()
      const { seen: found, served } = await done.promise
      assert.equal(found?.toString(), seen)
      served.transport.resume()
      client.transport.writeLatin1('!')
      const all = bytes.join('') + (end ? '' : '!')
      await served.until(() => served.received === all.length && (!end || served.ended))
      assert.equal(served.bytes.toString(), all)
      client.transport.destroy()
    })
  }

  test('peeking fails when this side closes meanwhile, and whoever waits for the close is told once', async () => {
    const failed = Promise.withResolvers<unknown>()
    let closes = 0
    await using server = disposable(await listen({
      address: loopback,
      onConnection(inbound) {
        inbound.onClose(() => closes++)
        void inbound.peek(() => true, limits).then(() => failed.resolve('peeked'), failed.resolve)
        inbound.destroy()
        inbound.destroy()
      },
    }))
    const client = new Recorder(await dial({ address: server.listening.address, timeoutMs: 1000 }))
    client.transport.resume()
    assert.ok(hasCode(await failed.promise, 'net/closed'))
    await client.until(() => client.ended || client.closes === 1)
    await settle()
    assert.deepEqual([closes, server.listening.connections], [1, 0])
    client.transport.destroy()
  })

  test('a connection that is closed already can still be taken: its owner hears that it is closed', async () => {
    const taken = Promise.withResolvers<Recorder>()
    const late = Promise.withResolvers<void>()
    await using server = disposable(await listen({
      address: loopback,
      onConnection(inbound) {
        inbound.destroy()
        const served = new Recorder(inbound.plain())
        assert.equal(served.transport.writeLatin1('x'), false)
        inbound.onClose((closed) => closed.onClose(() => late.resolve()))
        taken.resolve(served)
      },
    }))
    const client = await dial({ address: server.listening.address, timeoutMs: 1000 })
    const served = await taken.promise
    await served.until(() => served.closes === 1)
    await late.promise
    client.destroy()
  })

  test('peeking fails when the client vanishes', async () => {
    const failed = Promise.withResolvers<unknown>()
    await using server = disposable(await listen({
      address: loopback, onConnection: (inbound) => void inbound.peek(() => true, limits).then(() => failed.resolve('peeked'), failed.resolve),
    }))
    const socket = connectSocket(server.listening.address.port, '127.0.0.1', () => socket.resetAndDestroy())
    assert.ok(hasCode(await failed.promise, 'net/reset'))
  })

  test('a connection is taken once', async () => {
    const outcome = Promise.withResolvers<unknown>()
    await using server = disposable(await listen({
      address: loopback,
      onConnection(inbound) {
        inbound.plain()
        try {
          outcome.resolve(inbound.plain())
        } catch (error) {
          outcome.resolve(error)
        }
      },
    }))
    const client = await dial({ address: server.listening.address, timeoutMs: 1000 })
    assert.match(sentence(await outcome.promise), /taken already/)
    client.destroy()
  })

  test('after close nothing is accepted, and open connections go on', async () => {
    const accepted = Promise.withResolvers<Recorder>()
    const listening = await listen({ address: loopback, onConnection: (inbound) => accepted.resolve(new Recorder(inbound.plain())) })
    const client = await dial({ address: listening.address, timeoutMs: 1000 })
    const served = await accepted.promise
    served.transport.resume()
    await listening.close()
    client.writeLatin1('still here')
    await served.until(() => served.received === 10)
    await assert.rejects(dial({ address: listening.address, timeoutMs: 1000 }), (error) => hasCode(error, 'net/refused'))
    listening.destroyConnections()
    await served.until(() => served.closes === 1)
    client.destroy()
  })
}

function disposable(listening: Listening) {
  return {
    listening,
    async [Symbol.asyncDispose]() {
      listening.destroyConnections()
      await listening.close()
    },
  }
}
