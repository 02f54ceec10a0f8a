// Faults that requests ask for, faults together, their limits; and CORS with every way to name an origin.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { CorsPolicySchema } from '../../src/proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../src/proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { HttpDeps } from '../../src/proxy/http/connection-manager.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { pack } from '../support/xds-messages.ts'

type FaultInit = Exclude<MessageInitShape<typeof HTTPFaultSchema>, MessageShape<typeof HTTPFaultSchema>>
const percent = (numerator: number) => ({ numerator })
const ms = (value: number) => ({ seconds: 0n, nanos: value * 1_000_000 })
const delay = (value: number, numerator = 100): FaultInit => ({ delay: { faultDelaySecifier: { case: 'fixedDelay', value: ms(value) }, percentage: percent(numerator) } })
const abort = (status: number, numerator = 100): FaultInit => ({ abort: { errorType: { case: 'httpStatus', value: status }, percentage: percent(numerator) } })

async function faulty(fault: FaultInit, deps: Partial<HttpDeps> = {}) {
  const peer = await RawPeer.start(() => ok('up'))
  const world = await HttpWorld.start({
    clusters: { up: [peer.address] }, deps, routes: [routeTo('up', '/', {}, { typedPerFilterConfig: { 'envoy.filters.http.fault': pack(HTTPFaultSchema, fault) } })],
  })
  const ask = async (headers: Readonly<Record<string, string>> = {}, method = 'GET') => {
    const began = Date.now()
    const answer = await fetch(world.url, { headers, method })
    const body = await answer.text()
    await world.untilEnded(1)
    return { status: answer.status, body, headers: answer.headers, took: Date.now() - began, flags: world.last.responseFlags }
  }
  return { peer, world, ask, [Symbol.asyncDispose]: async () => { await world[Symbol.asyncDispose](); await peer[Symbol.asyncDispose]() } }
}

test('delay and abort together: the delay comes first, both are flagged', async () => {
  await using site = await faulty({ ...delay(120), ...abort(418) })
  const { status, body, took, flags } = await site.ask()
  assert.deepEqual([status, body, flags], [418, 'fault filter abort', 'DI,FI'])
  assert.ok(took >= 110, `${took} ms`)
  assert.equal(site.peer.requests.length, 0)
})

test('delay and abort are drawn apart: one may hit without the other', async () => {
  const draws = [0.9, 0.1, 0.1, 0.9, 0.9, 0.9]
  await using site = await faulty({ ...delay(60, 50), ...abort(503, 50) }, { random: () => draws.shift() ?? 0 })
  assert.equal((await site.ask()).flags, 'FI')
  assert.equal((await site.ask()).flags, 'DI')
  assert.equal((await site.ask()).flags, '')
})

test('requests ask for delays and aborts by header, for no larger a share than is configured', async () => {
  const byHeader: FaultInit = {
    delay: { faultDelaySecifier: { case: 'headerDelay', value: {} }, percentage: percent(100) },
    abort: { errorType: { case: 'headerAbort', value: {} }, percentage: percent(50) },
  }
  await using site = await faulty(byHeader, { random: () => 0.4 })
  assert.deepEqual(await site.ask().then(({ status, flags }) => [status, flags]), [200, ''])
  assert.ok((await site.ask({ 'x-envoy-fault-delay-request': '80' })).took >= 75)
  assert.equal((await site.ask({ 'x-envoy-fault-abort-request': '429' })).status, 429)
  assert.equal((await site.ask({ 'x-envoy-fault-abort-request': '429', 'x-envoy-fault-abort-request-percentage': '30' })).status, 200)
  assert.equal((await site.ask({ 'x-envoy-fault-delay-request': '5000', 'x-envoy-fault-delay-request-percentage': '10' })).flags, '')
  const grpc = await site.ask({ 'x-envoy-fault-abort-grpc-request': '5', 'content-type': 'application/grpc' }, 'POST')
  assert.deepEqual([grpc.status, grpc.headers.get('grpc-status')], [200, '5'])
  for (const nonsense of ['99', '600', 'many', '-1']) assert.equal((await site.ask({ 'x-envoy-fault-abort-request': nonsense })).status, 200, nonsense)
})

test('no more requests are held back at once than max_active_faults; the others go on', async () => {
  await using site = await faulty({ ...delay(400), maxActiveFaults: 1 })
  const replies = await Promise.all(Array.from({ length: 4 }, () => site.ask()))
  assert.equal(replies.filter(({ took }) => took >= 390).length, 1)
  assert.ok(replies.every(({ status }) => status === 200))
})

test('faults for some nodes, headers and clusters only', async () => {
  const cases: [FaultInit, Readonly<Record<string, string>>, number][] = [
    [{ ...abort(418), downstreamNodes: ['a', 'b'] }, {}, 200], [{ ...abort(418), downstreamNodes: ['a', 'b'] }, { 'x-envoy-downstream-service-node': 'b' }, 418],
    [{ ...abort(418), upstreamCluster: 'other' }, {}, 200], [{ ...abort(418), upstreamCluster: 'up' }, {}, 418],
    [{ ...abort(418), headers: [{ name: 'x-chaos' }] }, {}, 200], [{ ...abort(418), headers: [{ name: 'x-chaos' }] }, { 'x-chaos': '1' }, 418],
  ]
  for (const [fault, headers, status] of cases) {
    await using site = await faulty(fault)
    assert.equal((await site.ask(headers)).status, status, JSON.stringify(headers))
  }
})

// --- CORS ---

type CorsInit = MessageInitShape<typeof CorsPolicySchema>

async function corsSite(policy: CorsInit) {
  const peer = await RawPeer.start(() => ok('up', 'access-control-allow-origin: https://of.upstream'))
  const world = await HttpWorld.start({ clusters: { up: [peer.address] }, routes: [routeTo('up', '/', {}, { typedPerFilterConfig: { 'envoy.filters.http.cors': pack(CorsPolicySchema, policy) } })] })
  const preflight = async (origin: string, extra = '') => await world.exchange(`OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: PUT\r\n${extra}Connection: close\r\n\r\n`)
  const allowed = (text: string) => /access-control-allow-origin: (.*)\r\n/.exec(text)?.[1]
  return { peer, world, preflight, allowed, [Symbol.asyncDispose]: async () => { await world[Symbol.asyncDispose](); await peer[Symbol.asyncDispose]() } }
}

test('origins are allowed by exact value, prefix or pattern, as a whole and with their case', async () => {
  await using site = await corsSite({ forwardNotMatchingPreflights: false, allowOriginStringMatch: [
    { matchPattern: { case: 'exact', value: 'https://a.test' } }, { matchPattern: { case: 'prefix', value: 'https://pre' } },
    { matchPattern: { case: 'safeRegex', value: { regex: 'https://[a-z]+\\.apps\\.test' } } },
  ] })
  for (const origin of ['https://a.test', 'https://prefix.test', 'https://pre', 'https://web.apps.test']) assert.equal(site.allowed(await site.preflight(origin)), origin)
  for (const origin of ['https://a.test.evil', 'https://A.test', 'http://a.test', 'https://1.apps.test', 'https://web.apps.test.evil', 'null']) {
    assert.equal(site.allowed(await site.preflight(origin)), undefined, origin)
  }
  assert.equal(site.peer.requests.length, 0)
})

test('what the policy does not say is not in the answer', async () => {
  await using site = await corsSite({ allowOriginStringMatch: [{ matchPattern: { case: 'prefix', value: '' } }] })
  const text = await site.preflight('https://any.test')
  assert.equal(site.allowed(text), 'https://any.test')
  assert.doesNotMatch(text, /credentials|methods|allow-headers|max-age|expose/)
})

test('unmatched preflights go upstream, or end here without a word; OPTIONS that are none always go on', async () => {
  const origins: CorsInit = { allowOriginStringMatch: [{ matchPattern: { case: 'exact', value: 'https://a.test' } }] }
  await using forwards = await corsSite({ ...origins, forwardNotMatchingPreflights: true })
  assert.match(await forwards.preflight('https://evil.test'), /\r\n\r\nup$/)
  await using ignores = await corsSite({ ...origins, forwardNotMatchingPreflights: false })
  const refused = await ignores.preflight('https://evil.test')
  assert.match(refused, /^HTTP\/1\.1 200 OK\r\n/)
  assert.doesNotMatch(refused, /access-control/)
  assert.match(await ignores.world.exchange('OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.test\r\nConnection: close\r\n\r\n'), /\r\n\r\nup$/)
})

test('a response to a known origin says so, whatever the upstream said of origins', async () => {
  await using site = await corsSite({ allowOriginStringMatch: [{ matchPattern: { case: 'exact', value: 'https://a.test' } }], allowCredentials: true, exposeHeaders: 'x-a,x-b' })
  const get = (origin: string) => site.world.exchange(`GET / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`)
  const known = await get('https://a.test')
  assert.deepEqual(known.match(/access-control-.*(?=\r\n)/g)?.sort(), ['access-control-allow-credentials: true', 'access-control-allow-origin: https://a.test', 'access-control-expose-headers: x-a,x-b'])
  assert.equal(site.allowed(await get('https://evil.test')), 'https://of.upstream', 'an origin that is not known is the upstream\'s business')
})
