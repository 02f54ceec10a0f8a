// What routes do to requests and responses on the wire: choice, rewrites, header operations, answers of their own,
// retries, faults, CORS.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpConnectionManager_ForwardClientCertDetails as ClientCert } from '../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { HTTPFaultSchema } from '../../src/proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { CorsPolicySchema } from '../../src/proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HttpDeps } from '../../src/proxy/http/connection-manager.ts'
import { HttpWorld, routeTo, tableOf } from '../support/http-world.ts'
import type { ActionInit, RouteInit } from '../support/http-world.ts'
import { RawPeer, ok, response } from '../support/raw-peer.ts'
import type { SeenRequest } from '../support/raw-peer.ts'
import { seededRandom } from '../support/routed-request.ts'
import { pack } from '../support/xds-messages.ts'

const get = (path = '/', ...headers: string[]) => [`GET ${path} HTTP/1.1`, 'Host: a', ...headers, '', ''].join('\r\n')
const ms = (value: number) => ({ seconds: BigInt(Math.floor(value / 1000)), nanos: (value % 1000) * 1_000_000 })
const add = (key: string, value: string) => ({ header: { key, value } })

/** One request on a connection of its own; the head and the body that came. */
async function ask(world: HttpWorld, path = '/', ...headers: string[]): Promise<string> {
  return await world.exchange(get(path, ...headers, 'Connection: close'))
}

// --- Headers, rewrites, answers ---

test('a route rewrites path and host, adds and removes headers both ways, and tells the upstream what was', async () => {
  await using peer = await RawPeer.start(() => ok('x', 'X-Gone: 1', 'X-Kept: 1'))
  const route = routeTo('up', '/old/', { prefixRewrite: '/new/', hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'b.example' }, appendXForwardedHost: true }, {
    name: 'r1',
    requestHeadersToAdd: [add('x-route', '%ROUTE_NAME%'), add('x-from', '%REQ(X-In)%-%PROTOCOL%')], requestHeadersToRemove: ['x-drop'],
    responseHeadersToAdd: [add('x-code', '%RESPONSE_CODE%'), add('x-host', '%UPSTREAM_HOST%')], responseHeadersToRemove: ['x-gone'],
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [route] })
  const text = await ask(world, '/old/p?q=1', 'X-In: v', 'X-Drop: 1')
  const { line, headers } = peer.requests[0]!
  assert.equal(line, 'GET /new/p?q=1 HTTP/1.1')
  assert.equal(headers.get('host'), 'b.example')
  assert.equal(headers.get('x-forwarded-host'), 'a')
  assert.equal(headers.get('x-envoy-original-path'), '/old/p?q=1')
  assert.equal(headers.get('x-route'), 'r1')
  assert.equal(headers.get('x-from'), 'v-HTTP/1.1')
  assert.equal(headers.has('x-drop'), false)
  assert.match(text, /x-kept: 1\r\n/)
  assert.match(text, /x-code: 200\r\n/)
  assert.match(text, new RegExp(`x-host: 127.0.0.1:${peer.address.port}\r\n`))
  assert.doesNotMatch(text, /x-gone/)
})

test('header operations of a route are for its answers and responses, not for errors of ours', async () => {
  const withHeader = { responseHeadersToAdd: [add('x-mine', '1')] }
  await using world = await HttpWorld.start({ routes: [
    { match: { pathSpecifier: { case: 'prefix', value: '/direct' } }, action: { case: 'directResponse', value: { status: 200 } }, ...withHeader },
    routeTo('nowhere', '/', {}, withHeader),
  ] })
  assert.match(await ask(world, '/direct'), /x-mine: 1/)
  assert.doesNotMatch(await ask(world, '/'), /x-mine/)
})

test('redirects and direct responses are given without an upstream, to HEAD without the body', async () => {
  await using world = await HttpWorld.start({ routes: [
    { match: { pathSpecifier: { case: 'path', value: '/r' } }, action: { case: 'redirect', value: { schemeRewriteSpecifier: { case: 'httpsRedirect', value: true } } } },
    { match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'directResponse', value: { status: 418, body: { specifier: { case: 'inlineString', value: 'teapot' } } } } },
  ] })
  assert.match(await ask(world, '/r'), /^HTTP\/1\.1 301 Moved Permanently\r\nlocation: https:\/\/a\/r\r\n/)
  assert.match(await ask(world), /^HTTP\/1\.1 418 .*content-type: text\/plain\r\n.*content-length: 6\r\n\r\nteapot$/s)
  assert.equal(world.last.responseCodeDetails, 'direct_response')
  assert.match(await world.exchange('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /content-length: 6\r\n\r\n$/)
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'), /200 OK.*grpc-status: 2\r\ngrpc-message: teapot/s)
})

test('weights split live requests', async () => {
  await using a = await RawPeer.start(() => ok('a'))
  await using b = await RawPeer.start(() => ok('b'))
  const clusters = [{ name: 'a', weight: 80 }, { name: 'b', weight: 20 }]
  const route = routeTo('', '/', { clusterSpecifier: { case: 'weightedClusters', value: { clusters } } })
  await using world = await HttpWorld.start({ clusters: { a: [a.address], b: [b.address] }, routes: [route], deps: { random: seededRandom(5) } })
  await using client = await world.client()
  client.send(get().repeat(1_000))
  await client.until(() => world.ended.length === 1_000)
  assert.ok(Math.abs(b.requests.length - 200) < 40, `b got ${b.requests.length} of 1,000`)
  assert.equal(a.requests.length + b.requests.length, 1_000)
})

test('a gateway trusts nothing that outsiders say of where they come from; a sidecar passes it on', async () => {
  await using peer = await RawPeer.start()
  const claims = ['X-Forwarded-For: 9.9.9.9', 'X-Forwarded-Proto: https', 'X-Envoy-Max-Retries: 9', 'X-Envoy-Internal: true', 'X-Forwarded-Client-Cert: By=evil', 'X-Envoy-Peer-Metadata: x', 'X-Envoy-Attempt-Count: 4']
  await using gateway = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { useRemoteAddress: true, forwardClientCertDetails: ClientCert.SANITIZE_SET } })
  await ask(gateway, '/', ...claims)
  await using sidecar = await HttpWorld.start({ clusters: { up: [peer.address] } })
  await ask(sidecar, '/', ...claims)
  const [outside, inside] = peer.requests.map(({ headers }) => headers)
  assert.equal(outside!.get('x-forwarded-for'), '9.9.9.9,127.0.0.1')
  assert.equal(outside!.get('x-forwarded-proto'), 'http')
  assert.equal(outside!.get('x-envoy-external-address'), '127.0.0.1')
  for (const name of ['x-envoy-max-retries', 'x-envoy-internal', 'x-forwarded-client-cert', 'x-envoy-peer-metadata', 'x-envoy-attempt-count']) assert.equal(outside!.has(name), false, name)
  assert.equal(inside!.get('x-forwarded-for'), '9.9.9.9')
  assert.equal(inside!.get('x-forwarded-proto'), 'https')
  assert.equal(inside!.get('x-envoy-attempt-count'), '4', 'what the caller\'s proxy counted is for the workload')
  assert.equal(inside!.has('x-envoy-max-retries'), false, 'it was meant for this proxy')
})

test('peers of the mesh hear who calls and who answers, nobody else does', async () => {
  await using peer = await RawPeer.start(() => ok('x', 'x-envoy-peer-metadata: b64', 'x-envoy-peer-metadata-id: me'))
  const node = { id: 'sidecar~me', metadata: 'bWU=' }
  await using inbound = await HttpWorld.start({ clusters: { up: [peer.address] }, deps: { direction: 'inbound', node }, routes: [routeTo('up', '/', {}, { decorator: { operation: 'app:80/*' } })] })
  const told = await ask(inbound, '/', 'x-envoy-peer-metadata: caller', 'x-envoy-peer-metadata-id: sidecar~caller')
  assert.match(told, /x-envoy-peer-metadata-id: sidecar~me\r\n/)
  assert.match(told, /x-envoy-decorator-operation: app:80\/\*\r\n/)
  assert.equal(inbound.last.downstreamMetadata, 'caller')
  assert.equal(peer.requests[0]!.headers.has('x-envoy-peer-metadata'), false)
  assert.doesNotMatch(await ask(inbound), /peer-metadata/)
  await using outbound = await HttpWorld.start({
    clusters: { up: [peer.address] }, deps: { node }, routes: [routeTo('up', '/', {}, { decorator: { operation: 'svc:80/*' } })],
    cluster: { metadata: { filterMetadata: { istio: { services: [{ host: 'svc', name: 'svc', namespace: 'ns' }] } } } },
  })
  assert.doesNotMatch(await ask(outbound), /peer-metadata|decorator/)
  const sent = peer.requests.at(-1)!.headers
  assert.equal(sent.get('x-envoy-peer-metadata-id'), 'sidecar~me')
  assert.equal(sent.get('x-envoy-decorator-operation'), 'svc:80/*')
  assert.equal(outbound.last.upstreamMetadataId, 'me')
})

test('a path that tries to get around a route is made straight first', async () => {
  await using peer = await RawPeer.start()
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, manager: { normalizePath: true }, routes: [
    { match: { pathSpecifier: { case: 'prefix', value: '/admin' } }, action: { case: 'directResponse', value: { status: 403 } } }, routeTo('up'),
  ] })
  for (const path of ['/x/../admin', '/%61dmin', '/./admin', '/x\\..\\admin', '/a/%2e%2e/admin']) assert.match(await ask(world, path), /^HTTP\/1\.1 403 /, path)
  assert.equal(peer.requests.length, 0)
})

// --- Retries ---

const istioRetry: ActionInit = { retryPolicy: { retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', numRetries: 2, retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }] } }
const retryOn = (on: string, numRetries = 2, more = {}): ActionInit => ({ retryPolicy: { retryOn: on, numRetries, retryBackOff: { baseInterval: ms(1) }, ...more } })

function counting(action: ActionInit): RouteInit[] {
  return [routeTo('up', '/', action)]
}

const counted = (routes: RouteInit[]) => {
  const table = tableOf(routes)
  return { ...table, virtualHosts: [{ name: 'all', domains: ['*'], routes, includeRequestAttemptCount: true, includeAttemptCountInResponse: true }] }
}

test('Istio\'s default policy goes to another host when one refuses, and never sends twice what was sent', async () => {
  const gone = await RawPeer.start()
  const refused = gone.address
  await gone[Symbol.asyncDispose]()
  await using peer = await RawPeer.start(() => ok('here'))
  await using world = await HttpWorld.start({ clusters: { up: [refused, peer.address] }, table: counted(counting(istioRetry)) })
  for (let i = 0; i < 6; i++) assert.match(await ask(world), /200 OK/)
  assert.equal(world.ended.some(({ attempts }) => attempts === 2), true)
  assert.equal(world.ended.some(({ upstreamTransportFailureReason }) => upstreamTransportFailureReason !== ''), false, 'the last try is the one that counts')
  peer.answer = ({ connection }) => {
    connection.socket.destroy()
    return undefined
  }
  await using alone = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: counting(istioRetry) })
  const before = peer.requests.length
  assert.match(await ask(alone), /^HTTP\/1\.1 503 /)
  assert.equal(peer.requests.length, before + 1)
  peer.answer = () => response(503, 'app')
  assert.match(await ask(alone), /503 .*\r\n\r\napp$/s, 'a plain 503 of the application is its answer')
  assert.equal(peer.requests.length, before + 2)
})

test('5xx: a flaky upstream is tried until it answers, with its body again, and each try counted', async () => {
  await using peer = await RawPeer.start(({ number }) => (number < 3 ? response(500, 'no') : ok('yes')))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, table: counted(counting(retryOn('5xx'))) })
  const text = await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello')
  assert.match(text, /200 OK\r\n.*x-envoy-attempt-count: 3\r\n.*yes$/s)
  assert.deepEqual(peer.requests.map(({ body }) => body), ['hello', 'hello', 'hello'])
  assert.deepEqual(peer.requests.map(({ headers }) => headers.get('x-envoy-attempt-count')), ['1', '2', '3'])
  assert.equal(world.last.responseFlags, '')
})

test('when tries run out the last answer is the answer, flagged URX', async () => {
  await using peer = await RawPeer.start(({ number }) => response(503, `no ${number}`))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: counting(retryOn('5xx')) })
  assert.match(await ask(world), /503 .*no 3$/s)
  assert.equal(world.last.responseFlags, 'URX')
  assert.equal(world.last.responseCodeDetails, 'via_upstream')
  peer.answer = ({ connection }) => {
    connection.socket.destroy()
    return undefined
  }
  assert.match(await ask(world), /retried and the latest reset reason: connection termination$/)
  assert.equal(world.last.responseFlags, 'UC,URX')
})

test('a slow try is given up and made again; one that the policy does not cover ends in 504', async () => {
  await using peer = await RawPeer.start(({ number }) => (number === 1 ? undefined : ok('second')))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [
    routeTo('up', '/reset', retryOn('reset', 2, { perTryTimeout: ms(80) })), routeTo('up', '/', retryOn('connect-failure', 2, { perTryTimeout: ms(80) })),
  ] })
  assert.match(await ask(world, '/reset'), /200 OK.*second$/s)
  peer.answer = () => undefined
  const before = peer.requests.length
  assert.match(await ask(world), /^HTTP\/1\.1 504 .*upstream request timeout$/s)
  assert.equal(peer.requests.length, before + 1)
  assert.equal(world.last.responseFlags, 'UT')
  assert.equal(world.last.responseCodeDetails, 'upstream_per_try_timeout')
  assert.match(await ask(world, '/reset'), /^HTTP\/1\.1 504 /)
  assert.equal(peer.requests.length, before + 4)
  assert.equal(world.last.responseFlags, 'UT,URX')
})

test('the route\'s time bounds all tries together', async () => {
  await using peer = await RawPeer.start(({ connection }) => {
    setTimeout(() => connection.send(response(503, '')), 60)
    return undefined
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: counting({ ...retryOn('5xx', 50), timeout: ms(200) }) })
  assert.match(await ask(world), /^HTTP\/1\.1 504 /)
  assert.ok(peer.requests.length < 6)
  assert.equal(world.last.responseFlags, 'UT')
})

test('a body beyond 1 MB is not kept, so its request is not tried again', async () => {
  await using peer = await RawPeer.start(() => response(500, 'no'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: counting(retryOn('5xx')) })
  const body = 'x'.repeat(1024 * 1024 + 1)
  await using client = await world.client()
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  assert.match(await client.has('\r\n\r\nno'), /^HTTP\/1\.1 500 /)
  assert.equal(peer.requests.length, 1)
})

test('retries have a budget of their cluster: beyond it the failure stands, flagged UO', async () => {
  await using peer = await RawPeer.start(() => response(503, 'no'))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: { circuitBreakers: { thresholds: [{ maxRetries: 0 }] } }, routes: counting(retryOn('5xx')) })
  assert.match(await ask(world), /503 .*no$/s)
  assert.equal(peer.requests.length, 1)
  assert.equal(world.last.responseFlags, 'UO')
})

test('the budget is given back, however a retried request ends', async () => {
  let answer: (request: SeenRequest) => string | undefined = ({ number }) => (number % 2 === 1 ? response(503, 'no') : ok('yes'))
  await using peer = await RawPeer.start((request) => answer(request))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, cluster: { circuitBreakers: { thresholds: [{ maxRetries: 1 }] } }, routes: counting({ ...retryOn('5xx', 1), timeout: ms(300) }) })
  for (let i = 0; i < 3; i++) assert.match(await ask(world), /200 OK/)
  answer = ({ headers }) => (headers.has('x-again') ? undefined : response(503, 'no'))
  for (let i = 0; i < 3; i++) assert.match(await ask(world), /503/)
  answer = ({ number, connection }) => {
    if (number % 2 === 1) return response(503, 'no')
    connection.socket.destroy()
    return undefined
  }
  for (let i = 0; i < 3; i++) await ask(world)
  const rest = peer.requests.length % 2
  answer = ({ number }) => (number % 2 === (rest + 1) % 2 ? response(503, 'no') : ok('yes'))
  assert.match(await ask(world), /200 OK/)
})

test('overflow of a circuit breaker: 503 UO at once, said so in a header, not tried again', async () => {
  await using peer = await RawPeer.start(() => undefined)
  await using world = await HttpWorld.start({
    clusters: { up: [peer.address] }, routes: counting(retryOn('5xx')),
    cluster: { circuitBreakers: { thresholds: [{ maxConnections: 1, maxPendingRequests: 1 }] } },
  })
  await using first = await world.client()
  first.send(get())
  await peer.until(() => peer.requests.length === 1)
  await using second = await world.client()
  second.send(get())
  await using third = await world.client()
  await second.until(() => world.service.active === 3)
  third.send(get())
  const text = await third.has('overflow')
  assert.match(text, /^HTTP\/1\.1 503 .*x-envoy-overloaded: true\r\n.*reset reason: overflow$/s)
  assert.equal(world.last.responseFlags, 'UO')
  assert.equal(world.last.attempts, 1)
})

test('gRPC: unavailable in a head is tried again, in trailers it is the answer', async () => {
  const grpc = (status: string) => ok('', 'content-type: application/grpc', `grpc-status: ${status}`)
  await using peer = await RawPeer.start(({ number }) => (number === 1 ? grpc('14') : grpc('0')))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: counting(istioRetry) })
  const call = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
  assert.match(await world.exchange(call), /grpc-status: 0/)
  assert.equal(peer.requests.length, 2)
  peer.answer = () => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/grpc\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: 14\r\n\r\n'
  assert.match(await world.exchange(call), /grpc-status: 14\r\n\r\n$/)
  assert.equal(peer.requests.length, 3)
  assert.equal(world.last.grpcStatus, '14')
})

test('a client of the mesh may ask for times and retries by header', async () => {
  await using peer = await RawPeer.start(({ number }) => (number < 3 ? response(500, 'no') : number === 3 ? ok('yes') : undefined))
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] } })
  assert.match(await ask(world, '/', 'x-envoy-retry-on: 5xx', 'x-envoy-max-retries: 2'), /yes$/)
  assert.match(await ask(world, '/', 'x-envoy-upstream-rq-timeout-ms: 80'), /^HTTP\/1\.1 504 /)
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\ngrpc-timeout: 1S\r\nx-envoy-upstream-rq-timeout-ms: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'), /grpc-status: 14/)
})

// --- Faults ---

function faulty(fault: MessageInitShape<typeof HTTPFaultSchema>, action: ActionInit = {}): RouteInit[] {
  return [routeTo('up', '/', action, { typedPerFilterConfig: { 'envoy.filters.http.fault': pack(HTTPFaultSchema, fault) } })]
}

const percent = (numerator: number) => ({ numerator })
const abort = (httpStatus: number, numerator = 100) =>
  ({ abort: { errorType: { case: 'httpStatus' as const, value: httpStatus }, percentage: percent(numerator) } })

async function faultWorld(fault: MessageInitShape<typeof HTTPFaultSchema>, peer: RawPeer, action: ActionInit = {}, deps: Partial<HttpDeps> = {}): Promise<HttpWorld> {
  return await HttpWorld.start({ clusters: { up: [peer.address] }, routes: faulty(fault, action), deps })
}

test('an abort answers in place of the upstream, and is not retried', async () => {
  await using peer = await RawPeer.start()
  await using world = await faultWorld(abort(503), peer, retryOn('5xx'))
  assert.match(await ask(world), /^HTTP\/1\.1 503 .*\r\n\r\nfault filter abort$/s)
  assert.equal(world.last.responseFlags, 'FI')
  assert.equal(world.last.responseCodeDetails, 'fault_filter_abort')
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200 OK.*grpc-status: 14\r\ngrpc-message: fault filter abort/s)
  assert.equal(peer.requests.length, 0)
})

test('an abort by gRPC status', async () => {
  await using peer = await RawPeer.start()
  await using world = await faultWorld({ abort: { errorType: { case: 'grpcStatus', value: 5 }, percentage: percent(100) } }, peer)
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200 OK.*grpc-status: 5/s)
})

test('a share of the requests is aborted, as the generator draws', async () => {
  await using peer = await RawPeer.start()
  await using world = await faultWorld(abort(500, 30), peer, {}, { random: seededRandom(11) })
  await using client = await world.client()
  client.send(get().repeat(1_000))
  await client.until(() => world.ended.length === 1_000)
  const aborted = world.ended.filter(({ responseFlags }) => responseFlags === 'FI').length
  assert.ok(Math.abs(aborted - 300) < 45, `${aborted} of 1,000`)
  assert.equal(peer.requests.length, 1_000 - aborted)
})

test('a delay holds the request back outside the route\'s own time, body and all', async () => {
  await using peer = await RawPeer.start(({ body }) => ok(body))
  const delay = { faultDelaySecifier: { case: 'fixedDelay' as const, value: ms(250) }, percentage: percent(100) }
  await using world = await faultWorld({ delay }, peer, { timeout: ms(150) })
  const start = performance.now()
  assert.match(await world.exchange('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'), /200 OK.*hello$/s)
  assert.ok(performance.now() - start >= 245)
  assert.equal(world.last.responseFlags, 'DI')
  await using both = await faultWorld({ delay, ...abort(400) }, peer)
  assert.match(await ask(both), /^HTTP\/1\.1 400 /)
  assert.equal(both.last.responseFlags.split(',').sort().join(), 'DI,FI')
})

test('a client that leaves during a delay is DC, and nothing is sent for it', async () => {
  await using peer = await RawPeer.start()
  await using world = await faultWorld({ delay: { faultDelaySecifier: { case: 'fixedDelay', value: ms(200) }, percentage: percent(100) } }, peer)
  const client = await world.client()
  client.send(get())
  await client.until(() => world.service.active === 1)
  setTimeout(() => client.reset(), 30)
  await world.untilEnded(1)
  assert.match(world.last.responseFlags, /DC/)
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(peer.requests.length, 0)
  assert.equal(world.ended.length, 1)
})

test('body that comes during a delay waits within limits', async () => {
  await using peer = await RawPeer.start(({ body }) => ok(String(body.length)))
  await using world = await faultWorld({ delay: { faultDelaySecifier: { case: 'fixedDelay', value: ms(300) }, percentage: percent(100) } }, peer)
  await using client = await world.client()
  const body = 'b'.repeat(2_000_000)
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(world.ended.length, 0)
  await client.has('2000000')
})

// --- CORS ---

test('CORS answers preflights of known origins and marks responses for them', async () => {
  await using peer = await RawPeer.start()
  const policy = pack(CorsPolicySchema, {
    allowOriginStringMatch: [{ matchPattern: { case: 'exact', value: 'https://ok.example' } }], allowMethods: 'GET,POST', allowHeaders: 'x-a', maxAge: '60', exposeHeaders: 'x-b', allowCredentials: true,
  })
  await using world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', {}, { typedPerFilterConfig: { 'envoy.filters.http.cors': policy } })] })
  const preflight = (origin: string) => world.exchange(`OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n`)
  const known = await preflight('https://ok.example')
  assert.match(known, /^HTTP\/1\.1 200 OK\r\naccess-control-allow-origin: https:\/\/ok\.example\r\naccess-control-allow-credentials: true\r\naccess-control-allow-methods: GET,POST\r\naccess-control-allow-headers: x-a\r\naccess-control-max-age: 60\r\n/)
  assert.equal(peer.requests.length, 0)
  await preflight('https://evil.example')
  assert.equal(peer.requests.length, 1, 'the upstream decides about origins that are not known')
  assert.match(await ask(world, '/', 'Origin: https://ok.example'), /access-control-allow-origin: https:\/\/ok\.example\r\n.*access-control-expose-headers: x-b/s)
  assert.doesNotMatch(await ask(world, '/', 'Origin: https://evil.example'), /access-control/)
})
