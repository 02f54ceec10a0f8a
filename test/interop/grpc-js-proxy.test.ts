// @grpc/grpc-js as client and server with our proxy between them: every kind of call, and how calls fail.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { EchoClient, GrpcEcho, collect } from '../support/grpc-echo.ts'
import { interopCases, interopLeftOut } from '../support/grpc-interop.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit, HttpWorldOptions } from '../support/http-world.ts'
import { speaksHttp2 } from '../support/upstream-world.ts'

async function between(action: ActionInit = {}, options: HttpWorldOptions = {}) {
  const echo = await GrpcEcho.start()
  const world = await HttpWorld.start({ clusters: { up: [echo.address] }, cluster: speaksHttp2(), routes: [routeTo('up', '/', action)], ...options })
  const client = new EchoClient(world.address)
  return { echo, world, client, async [Symbol.asyncDispose]() {
    client[Symbol.dispose]()
    await world[Symbol.asyncDispose]()
    await echo[Symbol.asyncDispose]()
  } }
}

describe('calls', () => {
  test('unary, with metadata and trailers both ways', async () => {
    await using at = await between()
    const { message, head, trailer } = await at.client.say('hello', { 'x-echo': 'there and back', 'x-echo-bin': Buffer.from([0, 255, 1]) })
    assert.equal(String(message), 'hello')
    assert.deepEqual([head.get('x-echoed'), trailer.get('x-trailer')], [['there and back'], ['at the end']])
    assert.deepEqual(head.get('x-echoed-bin'), [Buffer.from([0, 255, 1])])
    await at.world.untilEnded(1)
    assert.deepEqual([at.world.last.grpcStatus, at.world.last.protocol, at.world.last.isGrpc, at.world.last.responseFlags], ['0', 'HTTP/2', true, ''])
  })

  for (const bytes of [0, 1_000_000, 4_000_000]) {
    test(`unary, with messages of ${bytes} bytes`, async () => {
      await using at = await between()
      const message = Buffer.alloc(bytes, 'abcdefg')
      assert.ok((await at.client.say(message)).message.equals(message))
    })
  }

  test('a stream of requests', async () => {
    await using at = await between()
    assert.equal(await at.client.sum(Array.from({ length: 300 }, () => Buffer.alloc(10_000))), '3000000')
  })

  test('a stream of responses', async () => {
    await using at = await between()
    assert.deepEqual(await at.client.count(1000), Array.from({ length: 1000 }, (_, i) => String(i)))
    assert.deepEqual(await at.client.count(0), [])
  })

  test('both at once, message by message: nothing is held back until there is more', async () => {
    await using at = await between()
    const chat = at.client.chat()
    for (let i = 0; i < 20; i++) {
      chat.write(Buffer.from(`${i}`))
      const [answer] = await once(chat, 'data')
      assert.equal(String(answer), `${i}`)
    }
    chat.end()
    assert.deepEqual(await collect(chat), [])
  })

  test('many at once share one connection to the server', async () => {
    await using at = await between()
    await at.client.say('the first, after which it is known how many the server takes')
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => at.client.say(`${i}`)))
    assert.deepEqual(answers.map(({ message }) => String(message)), Array.from({ length: 200 }, (_, i) => `${i}`))
    assert.equal(at.world.upstream.stats().find(({ name }) => name === 'cluster.up.upstream_cx_total')?.value, 1)
  })
})

/** Of doc/interop-test-descriptions.md, with concurrent_large_unary, which it plans. */
const official = [
  'empty_unary', 'cacheable_unary', 'large_unary', 'client_compressed_unary', 'server_compressed_unary', 'client_streaming', 'client_compressed_streaming', 'server_streaming', 'server_compressed_streaming',
  'ping_pong', 'empty_stream', 'compute_engine_creds', 'jwt_token_creds', 'oauth2_auth_token', 'per_rpc_creds', 'custom_metadata', 'status_code_and_message', 'special_status_message', 'unimplemented_method',
  'unimplemented_service', 'cancel_after_begin', 'cancel_after_first_response', 'timeout_on_sleeping_server', 'concurrent_large_unary',
]

describe('the interop suite of gRPC, through one proxy; two sidecars are in http2-mesh.test.ts', () => {
  test('every case of the list is here, or has a reason why not', () => {
    assert.deepEqual([...Object.keys(interopCases), ...Object.keys(interopLeftOut)].sort(), official.toSorted())
  })

  for (const [name, { run, expected }] of Object.entries(interopCases)) {
    test(name, async () => {
      await using at = await between()
      assert.deepEqual(await run(at.client, at.world.address), expected)
    })
  }

  test('what is compressed stays so on its way', async () => {
    await using at = await between()
    await interopCases['client_compressed_unary']!.run(at.client, at.world.address)
    await at.world.untilEnded(2)
    const [compressed, plain] = at.world.ended
    assert.ok(compressed!.bytesReceived < 2000 && plain!.bytesReceived > 271_828, `${compressed!.bytesReceived} and ${plain!.bytesReceived} bytes`)
  })
})

describe('failures', () => {
  test('each status arrives with its message and its trailers', async () => {
    await using at = await between()
    for (const code of [status.CANCELLED, status.NOT_FOUND, status.PERMISSION_DENIED, status.RESOURCE_EXHAUSTED, status.DATA_LOSS, status.UNAUTHENTICATED]) {
      await assert.rejects(at.client.say('x', { 'x-fail': String(code) }), (error: { code: number; details: string; metadata: { get(name: string): string[] } }) => {
        assert.deepEqual([error.code, error.details, error.metadata.get('x-trailer')], [code, 'ask again: 100 % "ö"', ['at the end']])
        return true
      })
    }
  })

  test('a method that the server does not know', async () => {
    await using at = await between()
    await assert.rejects(at.client.say('x', {}, 10_000, 'Nothing'), { code: status.UNIMPLEMENTED })
  })

  test('a deadline ends the call on both sides', async () => {
    await using at = await between()
    await assert.rejects(at.client.say('x', {}, 300, 'Never'), { code: status.DEADLINE_EXCEEDED })
    await at.world.untilEnded(1)
    await untilCancelled(at.echo)
    assert.equal(at.world.last.responseFlags, 'DR')
  })

  test('grpc-timeout is a deadline of the proxy too, and at most what the route says', async () => {
    await using at = await between({ maxStreamDuration: { grpcTimeoutHeaderMax: { seconds: 0n, nanos: 200_000_000 } }, timeout: { seconds: 0n, nanos: 0 } })
    await assert.rejects(at.client.say('x', {}, 60_000, 'Never'), { code: status.DEADLINE_EXCEEDED, details: 'downstream duration timeout' })
    assert.equal(at.world.last.responseCodeDetails, 'max_duration_timeout')
  })

  test('a call that the client cancels is cancelled at the server', async () => {
    await using at = await between()
    const chat = at.client.chat()
    chat.on('error', () => undefined)
    chat.write(Buffer.from('x'))
    await once(chat, 'data')
    chat.cancel()
    await untilCancelled(at.echo)
  })

  test('a server that is not there is UNAVAILABLE', async () => {
    await using at = await between()
    await at.echo[Symbol.asyncDispose]()
    await assert.rejects(at.client.say('x'), ({ code, details }: { code: number; details: string }) => code === status.UNAVAILABLE && /upstream connect error/.test(details))
  })

  test('a route that does not exist is UNIMPLEMENTED', async () => {
    await using at = await between({}, { routes: [] })
    await assert.rejects(at.client.say('x'), { code: status.UNIMPLEMENTED })
  })
})

describe('retries', () => {
  const retried: readonly [string, number][] = [
    ['unavailable', status.UNAVAILABLE], ['cancelled', status.CANCELLED], ['deadline-exceeded', status.DEADLINE_EXCEEDED], ['internal', status.INTERNAL], ['resource-exhausted', status.RESOURCE_EXHAUSTED],
  ]
  for (const [retryOn, code] of retried) {
    test(`${retryOn} is tried again`, async () => {
      await using at = await between({ retryPolicy: { retryOn, numRetries: 2 } })
      at.echo.failures.push(code, code)
      assert.equal(String((await at.client.say('again')).message), 'again')
      assert.equal(at.echo.calls, 3)
    })
  }

  test('what the route does not name is not', async () => {
    await using at = await between({ retryPolicy: { retryOn: 'unavailable', numRetries: 2 } })
    at.echo.failures.push(status.INTERNAL)
    await assert.rejects(at.client.say('x'), { code: status.INTERNAL })
    assert.equal(at.echo.calls, 1)
  })
})

async function untilCancelled(echo: GrpcEcho): Promise<void> {
  for (const end = Date.now() + 10_000; echo.cancelled === 0; await new Promise((resolve) => setTimeout(resolve, 10))) assert.ok(Date.now() < end, 'the server heard of no cancellation')
}
