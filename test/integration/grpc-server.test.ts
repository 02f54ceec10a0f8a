// The gRPC server over real sockets: calls, statuses, limits, deadlines, TLS, and how it goes away.
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { hasCode } from '../../src/lib/errors.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { GrpcServer, GrpcServerOptions, ServingIdentity } from '../../src/control/serve/grpc.ts'
import { chunkBytes } from '../../src/control/serve/grpc-write.ts'
import { GrpcError, grpcStatus } from '../../src/control/serve/rpc.ts'
import type { Caller, Method, ServerCall } from '../../src/control/serve/rpc.ts'
import { createAuthority } from '../support/certificates.ts'
import { GrpcClient } from '../support/grpc-client.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (message: Uint8Array | undefined): string => new TextDecoder().decode(message)

const echo: Method = { kind: 'unary', path: '/test.Echo/Say', handle: (request) => Promise.resolve(request) }
const who: Method = {
  kind: 'unary', path: '/test.Who/Am',
  handle: (_, { encrypted, uris, bearer }) => Promise.resolve(bytes(JSON.stringify({ encrypted, uris, bearer }))),
}
const fails: Method = {
  kind: 'unary', path: '/test.Fails/Now',
  handle: (request) => Promise.reject(text(request) === 'bug' ? new TypeError('secret detail') : new GrpcError(grpcStatus.permissionDenied, '100% no\né')),
}
const never: Method = { kind: 'unary', path: '/test.Never/Ends', handle: () => new Promise(() => undefined) }

/** Answers each message with it in upper case; what it saw is in `seen`. */
function shout(seen: string[] = [], onOpen: (call: ServerCall) => void = () => undefined): Method {
  return {
    kind: 'stream', path: '/test.Shout/Out',
    open(call) {
      onOpen(call)
      return {
        onMessage(message) {
          if (text(message) === 'refuse') throw new GrpcError(grpcStatus.invalidArgument, 'refused')
          void call.send([bytes(text(message).toUpperCase()), bytes('!')])
        },
        onEnd() {
          seen.push('end')
          call.end()
        },
        onClose: () => void seen.push('close'),
      }
    },
  }
}

async function plain(methods: readonly Method[], options: Partial<GrpcServerOptions> = {}): Promise<AsyncDisposable & { readonly server: GrpcServer; readonly client: GrpcClient; readonly url: string }> {
  const server = await startGrpcServer({ methods, plaintextPort: 0, ...options })
  const url = `http://127.0.0.1:${server.plaintextAddress!.port}`
  const client = new GrpcClient(url)
  return {
    server, client, url,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await server.close()
    },
  }
}

describe('unary calls', () => {
  test('a message is answered by one, with OK in the trailers', async () => {
    await using world = await plain([echo])
    const { response, ...end } = await world.client.unary(echo.path, bytes('hello'))
    assert.deepEqual(end, { http: 200, status: 0, message: '', reset: 0 })
    assert.equal(text(response), 'hello')
  })

  test('a message of megabytes arrives whole in both directions', async () => {
    await using world = await plain([echo])
    const large = Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 253)
    const { status, response } = await world.client.unary(echo.path, large)
    assert.equal(status, 0)
    assert.ok(Buffer.from(response!).equals(large))
  })

  test('an error of the service is told with its status and text, whatever characters it has', async () => {
    await using world = await plain([fails])
    const { status, message } = await world.client.unary(fails.path, bytes('x'))
    assert.deepEqual({ status, message }, { status: grpcStatus.permissionDenied, message: '100% no\né' })
  })

  test('a bug in the service is internal to the peer and whole in the log', async () => {
    const log: string[] = []
    await using world = await plain([fails], { log: (line) => log.push(line) })
    const { status, message } = await world.client.unary(fails.path, bytes('bug'))
    assert.equal(status, grpcStatus.internal)
    assert.doesNotMatch(message, /secret/)
    assert.match(log.join('\n'), /secret detail/)
  })

  test('an unknown method is unimplemented and named', async () => {
    await using world = await plain([echo])
    const { status, message } = await world.client.unary('/test.Echo/Sing', bytes('x'))
    assert.deepEqual({ status, message }, { status: grpcStatus.unimplemented, message: 'no such method: /test.Echo/Sing' })
  })

  test('the deadline of the caller ends a call that takes longer', async () => {
    await using world = await plain([never])
    const { status } = await world.client.unary(never.path, bytes('x'), { 'grpc-timeout': '20m' })
    assert.equal(status, grpcStatus.deadlineExceeded)
  })

  const refused = [
    { title: 'a timeout that is none', headers: { 'grpc-timeout': 'soon' }, status: grpcStatus.invalidArgument },
    { title: 'a compressed stream', headers: { 'grpc-encoding': 'gzip' }, status: grpcStatus.unimplemented },
  ]
  for (const { title, headers, status } of refused) {
    test(`${title} is refused`, async () => {
      await using world = await plain([echo])
      assert.equal((await world.client.unary(echo.path, bytes('x'), headers)).status, status)
    })
  }

  const broken = [
    { title: 'a message above the limit', send: [0, 0, 0x50, 0, 0], status: grpcStatus.resourceExhausted },
    { title: 'a compressed message', send: [1, 0, 0, 0, 1, 0], status: grpcStatus.internal },
    { title: 'half a message', send: [0, 0, 0, 0, 9, 1], status: grpcStatus.internal },
    { title: 'no message', send: [], status: grpcStatus.invalidArgument },
    { title: 'two messages', send: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], status: grpcStatus.invalidArgument },
  ]
  for (const { title, send, status } of broken) {
    test(`${title} ends the call, not the connection`, async () => {
      await using world = await plain([echo])
      const stream = world.client.open(echo.path)
      if (send.length > 0) stream.sendRaw(Uint8Array.from(send))
      stream.finish()
      assert.equal((await stream.ended).status, status)
      assert.equal((await world.client.unary(echo.path, bytes('x'))).status, 0)
    })
  }

  test('what is no gRPC gets a status of HTTP', async () => {
    await using world = await plain([echo])
    const get = world.client.open(echo.path, { ':method': 'GET' })
    get.finish()
    assert.equal((await get.ended).http, 405)
    const json = world.client.open(echo.path, { 'content-type': 'application/json' })
    json.finish()
    assert.equal((await json.ended).http, 415)
    const web = world.client.open(echo.path, { 'content-type': 'application/grpc-web' })
    web.finish()
    assert.equal((await web.ended).http, 415)
  })

  test('the health service says that the server serves', async () => {
    await using world = await plain([])
    const { status, response } = await world.client.unary('/grpc.health.v1.Health/Check', new Uint8Array(0))
    assert.equal(status, 0)
    assert.deepEqual([...response!], [8, 1])
  })
})

describe('streams', () => {
  test('messages go both ways until the client has finished', async () => {
    const seen: string[] = []
    await using world = await plain([shout(seen)])
    const stream = world.client.open('/test.Shout/Out')
    stream.send(bytes('one'))
    assert.equal(text(await stream.next()), 'ONE!')
    stream.send(bytes('two'))
    assert.equal(text(await stream.next()), 'TWO!')
    stream.finish()
    assert.deepEqual(await stream.ended, { http: 200, status: 0, message: '', reset: 0 })
    assert.deepEqual(seen, ['end', 'close'])
  })

  test('a message of many parts arrives whole, also where they are cut across pieces', async () => {
    const opened = Promise.withResolvers<ServerCall>()
    await using world = await plain([shout([], opened.resolve)])
    const stream = world.client.open('/test.Shout/Out')
    const call = await opened.promise
    const parts = Array.from({ length: 3000 }, (_, index) => Buffer.alloc((index * 7) % 400, index % 251))
    await Promise.all([call.send(parts), call.send(parts.slice(0, 100))])
    assert.ok(Buffer.concat(parts).equals((await stream.next())!))
    assert.ok(Buffer.concat(parts.slice(0, 100)).equals((await stream.next())!))
  })

  test('a stream that is refused while it is open ends with the status, although the client goes on', async () => {
    const seen: string[] = []
    await using world = await plain([shout(seen)])
    const stream = world.client.open('/test.Shout/Out')
    stream.send(bytes('one'))
    await stream.next()
    stream.send(bytes('refuse'))
    assert.equal((await stream.ended).status, grpcStatus.invalidArgument)
    assert.deepEqual(seen, ['close'])
  })

  test('a client that vanishes closes its calls', async () => {
    const closed = Promise.withResolvers<void>()
    const method: Method = { kind: 'stream', path: '/test.Shout/Out', open: () => ({ onMessage() {}, onEnd() {}, onClose: closed.resolve }) }
    await using world = await plain([method])
    world.client.open('/test.Shout/Out').send(bytes('one'))
    await world.client.unary('/grpc.health.v1.Health/Check', new Uint8Array(0))
    world.client.session.destroy()
    await closed.promise
  })

  test('a client that does not read holds back what is sent, and its end lets go', async () => {
    const opened = Promise.withResolvers<ServerCall>()
    await using world = await plain([shout([], opened.resolve)])
    const stream = world.client.open('/test.Shout/Out')
    stream.raw.pause()
    const call = await opened.promise
    let written = false
    const sending = call.send([new Uint8Array(chunkBytes * 40)]).then(() => (written = true))
    await world.client.unary('/grpc.health.v1.Health/Check', new Uint8Array(0))
    assert.equal(written, false)
    world.client.session.destroy()
    await sending
  })

  test('a client that asks and never reads is cut off', async () => {
    const opened = Promise.withResolvers<ServerCall>()
    await using world = await plain([shout([], opened.resolve)], { limits: { maxQueuedMessages: 4, drainMs: 50 } })
    const stream = world.client.open('/test.Shout/Out')
    stream.raw.pause()
    const call = await opened.promise
    const sends = Array.from({ length: 6 }, () => call.send([new Uint8Array(chunkBytes * 4)]))
    await Promise.all(sends)
    stream.raw.resume()
    assert.notEqual((await stream.ended).status, 0)
  })

  test('a connection has a limit of streams: one more waits for the end of another', async () => {
    await using world = await plain([shout(), echo], { limits: { maxStreamsPerConnection: 2 } })
    const two = [world.client.open('/test.Shout/Out'), world.client.open('/test.Shout/Out')]
    for (const one of two) one.send(bytes('a'))
    for (const one of two) await one.next()
    let answered = false
    const third = world.client.unary(echo.path, bytes('x')).then((end) => (answered = true, end))
    two[0]!.send(bytes('b'))
    await two[0]!.next()
    assert.equal(answered, false)
    two[0]!.finish()
    assert.equal((await third).status, 0)
    two[1]!.send(bytes('b'))
    assert.equal(text(await two[1]!.next()), 'B!')
  })
})

describe('connections', () => {
  test('close says goodbye, ends streams as unavailable and lets a call finish', async () => {
    const release = Promise.withResolvers<Uint8Array>()
    const started = Promise.withResolvers<void>()
    const slow: Method = { kind: 'unary', path: '/test.Slow/Go', handle: () => (started.resolve(), release.promise) }
    await using world = await plain([shout(), slow])
    const stream = world.client.open('/test.Shout/Out')
    stream.send(bytes('a'))
    await stream.next()
    const call = world.client.unary(slow.path, bytes('x'))
    await started.promise
    const closing = world.server.close()
    await world.client.goaway
    assert.equal((await stream.ended).status, grpcStatus.unavailable)
    release.resolve(bytes('done'))
    assert.equal(text((await call).response), 'done')
    await closing
    await assert.rejects(new Promise((_, reject) => connectSocket(world.server.plaintextAddress!.port, '127.0.0.1').once('error', reject)), { code: 'ECONNREFUSED' })
  })

  test('close cuts off what does not finish in time', async () => {
    await using world = await plain([never], { limits: { drainMs: 30 } })
    const call = world.client.unary(never.path, bytes('x'))
    await world.client.unary('/grpc.health.v1.Health/Check', new Uint8Array(0))
    await world.server.close()
    assert.notEqual((await call).status, 0)
  })

  test('a peer that does not answer pings is closed', async () => {
    const log: string[] = []
    await using world = await plain([], { limits: { pingIntervalMs: 20, pingTimeoutMs: 40 }, log: (line) => log.push(line) })
    const mute = connectSocket(world.server.plaintextAddress!.port, '127.0.0.1')
    mute.on('error', () => mute.destroy())
    mute.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
    await new Promise((resolve) => mute.once('close', resolve).resume())
    assert.match(log.join('\n'), /no answer to a ping/)
    assert.equal((await world.client.unary('/grpc.health.v1.Health/Check', new Uint8Array(0))).status, 0)
  })

  test('an old connection is asked to go', async () => {
    await using world = await plain([shout()], { limits: { maxConnectionAgeMs: 50 } })
    const stream = world.client.open('/test.Shout/Out')
    stream.send(bytes('a'))
    await world.client.goaway
    assert.equal((await stream.ended).status, grpcStatus.unavailable)
    await world.client.closed
  })

  test('connections above the limit are dropped', async () => {
    await using world = await plain([echo], { limits: { maxConnections: 1 } })
    assert.equal((await world.client.unary(echo.path, bytes('x'))).status, 0)
    await using second = new GrpcClient(world.url)
    await second.closed
    assert.equal((await world.client.unary(echo.path, bytes('x'))).status, 0)
  })

  test('streams that are opened and reset at once cost only themselves', async () => {
    const seen: string[] = []
    await using world = await plain([shout(seen), echo])
    await using rude = new GrpcClient(world.url)
    const streams = Array.from({ length: 300 }, () => rude.open('/test.Shout/Out'))
    for (const { raw } of streams) raw.close(8)
    await Promise.all(streams.map((one) => one.ended))
    assert.equal((await world.client.unary(echo.path, bytes('x'))).status, 0)
  })

  test('what is no HTTP/2 ends its own connection alone', async () => {
    await using world = await plain([echo])
    for (const garbage of ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', '\x16\x03\x01\x00\x05hello', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, but long enough for one']) {
      const socket = connectSocket(world.server.plaintextAddress!.port, '127.0.0.1')
      socket.on('error', () => socket.destroy())
      socket.end(garbage, 'latin1')
      await new Promise((resolve) => socket.once('close', resolve).resume())
    }
    assert.equal((await world.client.unary(echo.path, bytes('x'))).status, 0)
  })

  test('a port that is taken is named', async () => {
    await using world = await plain([])
    const port = world.server.plaintextAddress!.port
    await assert.rejects(startGrpcServer({ methods: [], plaintextPort: port }), (error) => hasCode(error, 'net/in-use') && String(error).includes(`127.0.0.1:${port}`))
  })
})

describe('TLS', () => {
  const authority = createAuthority()
  const stranger = createAuthority('another root')
  const server = authority.issue('DNS:istiod.istio-system.svc')
  const renewed = authority.issue('DNS:renewed.istio-system.svc')
  const clientId = 'spiffe://cluster.local/ns/default/sa/reviews'
  const client = authority.issue(`URI:${clientId}`)

  async function secure(options: Partial<GrpcServerOptions> = {}) {
    let identity: ServingIdentity = { ...server, roots: authority.roots }
    const listeners = new Set<() => void>()
    const started = await startGrpcServer({
      methods: [who],
      tls: {
        address: { host: '127.0.0.1', port: 0 },
        identity: { current: () => identity, onChange: (listener) => (listeners.add(listener), () => listeners.delete(listener)) },
      },
      ...options,
    })
    const url = `https://127.0.0.1:${started.tlsAddress!.port}`
    return {
      url,
      connect: (more: object = {}) => new GrpcClient(url, { ca: authority.roots, servername: 'istiod.istio-system.svc', ...more }),
      rotate(next: ServingIdentity) {
        identity = next
        for (const listener of listeners) listener()
      },
      [Symbol.asyncDispose]: () => started.close(),
    }
  }

  async function callerOf(from: GrpcClient, headers = {}): Promise<Pick<Caller, 'encrypted' | 'uris' | 'bearer'>> {
    const { response } = await from.unary(who.path, bytes(''), headers)
    return JSON.parse(text(response)) as Pick<Caller, 'encrypted' | 'uris' | 'bearer'>
  }

  test('a client with a certificate of our authority is known by its URI', async () => {
    await using world = await secure()
    await using peer = world.connect({ cert: client.chain, key: client.key })
    assert.deepEqual(await callerOf(peer), { encrypted: true, uris: [clientId], bearer: '' })
  })

  test('a client without a certificate comes in unknown, with its token', async () => {
    await using world = await secure()
    await using peer = world.connect()
    assert.deepEqual(await callerOf(peer, { authorization: 'Bearer abc.def' }), { encrypted: true, uris: [], bearer: 'abc.def' })
  })

  test('on the port without TLS nobody has an identity', async () => {
    await using world = await plain([who])
    assert.deepEqual(await callerOf(world.client), { encrypted: false, uris: [], bearer: '' })
  })

  const wrong = [
    { title: 'of another authority', shown: stranger.issue(`URI:${clientId}`) },
    { title: 'that has expired', shown: authority.issue(`URI:${clientId}`, { from: -3, to: -1 }) },
    { title: 'that is not valid yet', shown: authority.issue(`URI:${clientId}`, { from: 1, to: 3 }) },
  ]
  for (const { title, shown } of wrong) {
    test(`a client that shows a certificate ${title} is refused`, async () => {
      const log: string[] = []
      let calls = 0
      const counting: Method = { ...who, kind: 'unary', handle: () => (calls++, Promise.resolve(bytes('{}'))) }
      await using world = await secure({ methods: [counting], log: (line) => log.push(line) })
      await using peer = world.connect({ cert: shown.chain, key: shown.key })
      assert.notEqual((await peer.unary(who.path, bytes(''))).status, 0)
      await peer.closed
      assert.equal(calls, 0)
      assert.match(log.join('\n'), /refused 127\.0\.0\.1:\d+: its certificate is not to be trusted/)
    })
  }

  test('a message of many parts arrives whole at a client that reads now and then', async () => {
    const opened = Promise.withResolvers<ServerCall>()
    await using world = await secure({ methods: [shout([], opened.resolve)] })
    await using peer = world.connect({ settings: { initialWindowSize: 20_000 } })
    const stream = peer.open('/test.Shout/Out')
    const call = await opened.promise
    const parts = Array.from({ length: 5000 }, (_, index) => Buffer.alloc((index * 7) % 500, index % 251))
    const sending = call.send(parts)
    for (let round = 0; round < 20; round++) {
      stream.raw.pause()
      await turn()
      stream.raw.resume()
      await turn()
    }
    await sending
    assert.ok(Buffer.concat(parts).equals((await stream.next())!))
  })

  test('a new certificate is shown to new connections, and open ones live on', async () => {
    await using world = await secure()
    await using before = world.connect()
    await callerOf(before)
    world.rotate({ ...renewed, roots: authority.roots })
    await using after = world.connect({ servername: 'renewed.istio-system.svc' })
    assert.equal((await callerOf(after)).encrypted, true)
    assert.equal((await callerOf(before)).encrypted, true)
  })

  test('new roots decide about new clients', async () => {
    await using world = await secure()
    world.rotate({ ...server, roots: stranger.roots })
    await using old = world.connect({ cert: client.chain, key: client.key })
    await old.closed
    const foreign = stranger.issue(`URI:${clientId}`)
    await using fresh = world.connect({ cert: foreign.chain, key: foreign.key })
    assert.deepEqual((await callerOf(fresh)).uris, [clientId])
  })

  test('a broken certificate at rotation changes nothing and is said', async () => {
    const log: string[] = []
    await using world = await secure({ log: (line) => log.push(line) })
    world.rotate({ chain: 'nonsense', key: 'nonsense', roots: authority.roots })
    world.rotate({ ...server, roots: '' })
    await using peer = world.connect({ cert: client.chain, key: client.key })
    assert.deepEqual((await callerOf(peer)).uris, [clientId])
    assert.equal(log.filter((line) => line.includes('the one before stays')).length, 2)
  })

  test('a session of TLS is not resumed', async () => {
    await using world = await secure()
    const sessions: Buffer[] = []
    await using first = world.connect({ cert: client.chain, key: client.key })
    first.session.socket.on('session', (session: Buffer) => sessions.push(session))
    await callerOf(first)
    await using second = world.connect({ cert: client.chain, key: client.key, session: sessions[0] })
    await callerOf(second)
    const socket = second.session.socket
    assert.ok(sessions.length > 0)
    assert.equal((Reflect.get(socket, 'isSessionReused') as () => boolean)(), false)
  })

  test('a client that speaks no TLS, or stops in the middle of it, ends its own connection alone', async () => {
    await using world = await secure({ limits: { handshakeTimeoutMs: 50 } })
    const port = Number(new URL(world.url).port)
    for (const sent of ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01']) {
      const socket = connectSocket(port, '127.0.0.1')
      socket.on('error', () => socket.destroy())
      socket.write(sent, 'latin1')
      await new Promise((resolve) => socket.once('close', resolve).resume())
    }
    await using peer = world.connect()
    assert.equal((await callerOf(peer)).encrypted, true)
  })

  test('a server without roots does not start', async () => {
    const identity = { current: () => ({ ...server, roots: '' }), onChange: () => () => undefined }
    await assert.rejects(startGrpcServer({ methods: [], tls: { address: { host: '127.0.0.1', port: 0 }, identity } }), { code: 'control/tls' })
  })
})
