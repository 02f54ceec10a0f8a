// gRPC-Web as browsers speak it, in front of a gRPC server that knows nothing of it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GrpcWebSchema } from '../../src/proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import { frameMessage } from '../../src/codec/grpc/frame.ts'
import { GrpcEcho } from '../support/grpc-echo.ts'
import { HttpWorld, httpFilters } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { speaksHttp2 } from '../support/upstream-world.ts'
import { typed } from '../support/xds-messages.ts'

const manager = { httpFilters: [typed('envoy.filters.http.grpc_web', GrpcWebSchema, {}), ...httpFilters] }

async function open() {
  const echo = await GrpcEcho.start()
  const world = await HttpWorld.start({ clusters: { up: [echo.address] }, cluster: speaksHttp2(), manager })
  return { echo, world, async [Symbol.asyncDispose]() {
    await world[Symbol.asyncDispose]()
    await echo[Symbol.asyncDispose]()
  } }
}

const call = async (world: HttpWorld, path: string, body: Buffer, type: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${world.url}/test.Echo/${path}`, { method: 'POST', body: new Uint8Array(body), headers: { 'content-type': type, accept: type, 'x-grpc-web': '1', ...headers } })
  return { response, body: Buffer.from(await response.arrayBuffer()) }
}

/** Messages, and the trailers behind them. */
function frames(bytes: Buffer): { messages: string[]; trailers: string } {
  const messages: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    const text = bytes.toString('utf8', at + 5, end)
    if (bytes[at] === 0x80) return { messages, trailers: text }
    messages.push(text)
    at = end
  }
  return { messages, trailers: '' }
}

/** Base64 in pieces, each with its own padding. */
const fromText = (text: string): Buffer => Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, 'base64')))

const hello = Buffer.from(frameMessage(Buffer.from('hello')))

describe('binary', () => {
  test('a call: its message, and its trailers as the last frame', async () => {
    await using at = await open()
    const { response, body } = await call(at.world, 'Say', hello, 'application/grpc-web+proto')
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/grpc-web+proto'])
    const { messages, trailers } = frames(body)
    assert.deepEqual(messages, ['hello'])
    assert.match(trailers, /^(?=.*grpc-status:0\r\n)(?=.*x-trailer:at the end\r\n)/s)
    assert.equal(at.world.last.grpcStatus, '0')
  })

  test('many messages', async () => {
    await using at = await open()
    const { body } = await call(at.world, 'Count', Buffer.from(frameMessage(Buffer.from('50'))), 'application/grpc-web')
    assert.deepEqual(frames(body).messages, Array.from({ length: 50 }, (_, i) => String(i)))
  })

  test('a call that fails says so in its head or in its last frame', async () => {
    await using at = await open()
    const { response, body } = await call(at.world, 'Say', hello, 'application/grpc-web+proto', { 'x-fail': '5' })
    const said = response.headers.get('grpc-status') ?? /grpc-status:(\d+)/.exec(frames(body).trailers)?.[1]
    assert.deepEqual([response.status, said], [200, '5'])
  })

  test('what the proxy answers itself is an answer of gRPC-Web', async () => {
    await using world = await HttpWorld.start({ clusters: {}, manager })
    const { response } = await call(world, 'Say', hello, 'application/grpc-web+proto')
    assert.deepEqual([response.status, response.headers.get('grpc-status'), response.headers.get('content-type')], [200, '14', 'application/grpc-web+proto'])
  })
})

describe('text', () => {
  for (const [how, pieces] of [['in one piece', [hello]], ['in pieces with padding of their own', [hello.subarray(0, 4), hello.subarray(4, 6), hello.subarray(6)]]] as const) {
    test(`a call ${how}`, async () => {
      await using at = await open()
      const text = pieces.map((piece) => piece.toString('base64')).join('')
      const { response, body } = await call(at.world, 'Say', Buffer.from(text), 'application/grpc-web-text')
      assert.equal(response.headers.get('content-type'), 'application/grpc-web-text+proto')
      const { messages, trailers } = frames(fromText(String(body)))
      assert.deepEqual(messages, ['hello'])
      assert.match(trailers, /grpc-status:0\r\n/)
    })
  }
})

describe('other calls pass untouched', () => {
  test('with their length', async () => {
    await using peer = await RawPeer.start(() => ok('four'))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager })
    const response = await fetch(world.url, { method: 'POST', body: 'abc' })
    assert.deepEqual([response.headers.get('content-length'), await response.text()], ['4', 'four'])
    assert.deepEqual([peer.requests[0]!.headers.get('content-length'), peer.requests[0]!.body], ['3', 'abc'])
  })

  test('and a content type that only begins like it is none of it', async () => {
    await using peer = await RawPeer.start(() => ok('x'))
    await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager })
    await fetch(world.url, { method: 'POST', body: 'abc', headers: { 'content-type': 'application/grpc-webby' } })
    assert.equal(peer.requests[0]!.headers.get('content-type'), 'application/grpc-webby')
  })
})
