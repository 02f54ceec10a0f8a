// The filter chain as a stream runs it: order, waiting, answers, and bodies that filters change.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HeaderList } from '../../codec/header-list.ts'
import { systemClock } from '../../lib/clock.ts'
import { RouteConfigurationSchema } from '../../proto/gen/envoy/config/route/v3/route_pb.ts'
import { HttpConnectionManagerSchema } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Cluster, Host, RequestHead, ResponseReader } from '../upstream/types.ts'
import { chainOf } from './chain.ts'
import { ConnectionFacts } from './connection-facts.ts'
import { DateHeader } from './date-header.ts'
import { DeadlineWatch } from './deadlines.ts'
import { Exchange } from './exchange.ts'
import type { Filter, LocalReply } from './filter.ts'
import { decodeManager } from './manager-config.ts'
import type { HttpRuntime } from './runtime.ts'
import { compileRoutes } from './router/compile.ts'
import { HttpCounters } from './http-counters.ts'
import { HttpStream } from './stream.ts'

const at = { host: '127.0.0.1', port: 1 }
const host: Host = { address: at, name: '127.0.0.1:1', weight: 1, health: 'healthy', active: 0, workload: '', mutualTls: false, onResult() {} }

/** A stream between two recorders. */
function streamWith(filters: readonly Filter[]) {
  const log: string[] = []
  let reader: ResponseReader | undefined
  let head: RequestHead | undefined
  const cluster: Cluster = {
    name: 'up', service: undefined, connectTimeoutMs: 1, chooseHost: () => host, tryRetry: () => true, retryDone() {}, connect: () => () => {},
    request(_host, responses, waiter) {
      reader = responses
      waiter.onStream({
        host, localAddress: at, tls: undefined, reused: false, pauseResponse() {}, resumeResponse() {}, reset: () => log.push('up: reset'),
        sendHead: (sent) => (head = sent),
        sendBody: (bytes, from, to) => log.push(`up: ${Buffer.from(bytes.subarray(from, to)).toString()}`) > 0,
        sendEnd: () => log.push('up: end'),
      })
      return () => {}
    },
  }
  const routes = compileRoutes(create(RouteConfigurationSchema, { virtualHosts: [{ name: 'all', domains: ['*'], routes: [{
    match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'up' } } },
  }] }] }))
  const chain = chainOf(filters)
  const runtime: HttpRuntime = {
    deps: { direction: 'unspecified', clusters: () => cluster, routes: () => ({ current: routes }), clock: systemClock, random: () => 0 },
    config: decodeManager(create(HttpConnectionManagerSchema, {})), chains: { of: () => chain },
    deadlines: new DeadlineWatch(systemClock, 10), date: new DateHeader(), routes: { current: routes }, newRequestId: () => 'id', counters: new HttpCounters(),
    onExchangeEnd: () => log.push('ended'),
  }
  const transport = { localAddress: at, remoteAddress: at, tls: undefined, writableLength: 0, untaken: () => 0, destroyed: false, handler: { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }, writeLatin1: () => true, write: () => true, resume() {}, pause() {}, end() {}, destroy() {} }
  const exchange = new Exchange(new ConnectionFacts(transport, { originalDestination: at, authority: undefined }), 1, new HeaderList(), [])
  exchange.method = 'POST'
  exchange.authority = 'a'
  exchange.setPath('/')
  exchange.bodyLength = 4
  const stream = new HttpStream(runtime, exchange, {
    writeInformational() {}, abort: () => log.push('down: abort'), pauseRequest: () => log.push('paused'), resumeRequest: () => log.push('resumed'),
    writeHead: (status, headers, length) => log.push(`down: ${status} ${length} ${headers.get('x-by') ?? ''}`),
    writeData: (bytes, from, to) => log.push(`down: ${Buffer.from(bytes.subarray(from, to)).toString()}`) > 0,
    writeEnd: () => log.push('down: end'),
  })
  return { stream, exchange, log, reader: () => reader!, head: () => head! }
}

const send = (stream: HttpStream, text: string) => stream.onBody(Buffer.from(text), 0, text.length)
const refusal: LocalReply = { status: 403, body: 'no', details: 'refused', flags: '', headers: [], grpcStatus: undefined }

test('filters see requests in their order and responses in the reverse one, and an end each', () => {
  const seen: string[] = []
  const named = (name: string): Filter => ({
    name,
    onRequest: () => void seen.push(`${name} in`),
    onResponse: (_exchange, headers) => (seen.push(`${name} out`), headers.add('x-by', name)),
    onEnd: () => seen.push(`${name} end`),
  })
  const { stream, reader, log } = streamWith([named('a'), { name: 'idle' }, named('b')])
  stream.begin()
  send(stream, 'body')
  stream.onRequestEnd(undefined)
  reader().onHead(200, new HeaderList(), 0)
  reader().onEnd(undefined)
  assert.deepEqual(seen, ['a in', 'b in', 'b out', 'a out', 'b end', 'a end'])
  assert.deepEqual(log, ['up: body', 'up: end', 'down: 200 0 b', 'ended', 'down: end'])
})

test('filters that change bodies make their lengths unknown', () => {
  const double: Filter = { name: 'double', onRequestData: (_exchange, bytes) => Buffer.concat([bytes, bytes]), onResponseData: (_exchange, bytes) => bytes.subarray(0, 1) }
  const { stream, reader, head, log } = streamWith([double])
  stream.begin()
  assert.equal(head().bodyLength, -1)
  send(stream, 'ab')
  stream.onRequestEnd(undefined)
  reader().onHead(200, new HeaderList(), 3)
  reader().onData(Buffer.from('xyz'), 0, 3)
  reader().onEnd(undefined)
  assert.deepEqual(log, ['up: abab', 'up: end', 'down: 200 -1 ', 'down: x', 'ended', 'down: end'])
})

test('while a filter waits the body is held back, up to a limit, and then goes on in order', async () => {
  let go: (reply: LocalReply | undefined) => void = () => {}
  const { stream, log } = streamWith([{ name: 'slow', onRequest: () => new Promise((resolve) => (go = resolve)) }])
  stream.begin()
  send(stream, 'ab')
  assert.equal(log.length, 0)
  send(stream, 'c'.repeat(64 * 1024))
  assert.equal(log.join(), 'paused')
  go(undefined)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(log.map((line) => line.slice(0, 8)), ['paused', 'up: ab', 'up: cccc', 'resumed'])
  stream.onRequestEnd(undefined)
  assert.equal(log.at(-1), 'up: end')
})

test('an answer of a filter ends the chain, now or later, and a filter that fails is 500', async () => {
  for (const [onRequest, status] of [[() => refusal, 403], [() => Promise.resolve(refusal), 403], [() => Promise.reject(new Error('bug')), 500]] as const) {
    const { stream, log } = streamWith([{ name: 'f', onRequest }, { name: 'never', onRequest: () => assert.fail('not asked') }])
    stream.begin()
    await new Promise((resolve) => setImmediate(resolve))
    assert.match(log[0]!, new RegExp(`^down: ${status} `))
    assert.deepEqual(log.slice(-2), ['ended', 'down: end'])
    assert.equal(log.filter((line) => line === 'ended').length, 1)
  }
})

test('a client that leaves while a filter waits is told to nobody twice', async () => {
  let go: (reply: LocalReply | undefined) => void = () => {}
  const { stream, log } = streamWith([{ name: 'slow', onRequest: () => new Promise((resolve) => (go = resolve)) }])
  stream.begin()
  stream.onGone(1, 'gone')
  go(refusal)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(log, ['ended'])
})
