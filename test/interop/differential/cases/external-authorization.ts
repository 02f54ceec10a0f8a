// Providers that see the bodies of requests, over HTTP and over gRPC. Of several providers at one workload none is asked, so
// each is a table, and a mesh, of its own.
import { create, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { frameMessage } from '../../../../src/codec/grpc/frame.ts'
import { CheckResponseSchema } from '../../../../src/proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { unlike } from '../case.ts'
import type { Answer, Ask, Case, Expected, ServiceSpec } from '../case.ts'
import { accessLogFormat } from '../mesh-files.ts'

/** How much of a body came that was refused; what Envoy's own client adds to what it sends and gets. */
const loose = ['log.received', 'reply.headers.x-envoy-upstream-service-time', ...['x-envoy-expected-rq-timeout-ms', 'x-envoy-internal', 'x-forwarded-for'].map((name) => `deliveries.headers.${name}`)]

const host = 'decider.c1.svc.cluster.local'

/** A mesh with one provider, which is asked about `/asked`. */
function table(title: string, provider: object, decider: ServiceSpec, asks: readonly Ask[], http = '[{ route: [{ destination: { host: a } }] }]'): readonly Case[] {
  const mesh = { accessLogFile: '/dev/stdout', accessLogFormat, extensionProviders: [{ name: 'decider', ...provider }] }
  const yaml = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: edge }
spec: { action: CUSTOM, provider: { name: decider }, rules: [{ to: [{ operation: { paths: [/asked] } }] }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${JSON.stringify(mesh)}
`
  return [{ title, role: 'gateway', http, yaml, services: { decider, a: {} }, asks, loose }]
}

const post = (body: string, expect: Expected, more: Partial<Ask> = {}): Ask => ({ method: 'POST', path: '/asked', body, expect, ...more })

const overHttp = (body: object): object => ({
  envoyExtAuthzHttp: { service: host, port: 80, timeout: '2s', includeRequestHeadersInCheck: ['content-type'], includeRequestBodyInCheck: body },
})
const both: Expected = { status: 200, to: ['decider', 'a'] }
const tooLong: Expected = { status: 413, body: 'Payload Too Large', to: [], details: 'request_payload_too_large' }

/** Over HTTP/2 there are requests of their own below. */
const besides = { only: 'a longer body is asked over HTTP/2 beside it, where Envoy lets it through in one piece' }
const emptyStream = { only: 'a length of 0 on a stream that is still open is no body for us, and an empty one for Envoy, which says so to the provider' }

export const wholeBodies = table('a provider over HTTP sees bodies of up to 10 bytes; longer ones are refused', overHttp({ maxRequestBytes: 10 }), {}, [
  post('hello', { ...both, seenBody: 'hello' }), post('0123456789', { ...both, seenBody: '0123456789' }), post('hello', both, { chunked: true }), post('', both, emptyStream), { path: '/asked', expect: both },
  post('0123456789a', tooLong, besides), post('0123456789a', tooLong, { chunked: true, ...besides }), post('x'.repeat(100_000), tooLong, besides),
  post('0123456789a', { status: 200, to: ['a'], seenBody: '0123456789a' }, { path: '/else' }),
  post('hello', { ...both, seenBody: 'hello' }, { headers: { expect: '100-continue' } }),
  post('hello', { ...both, seenBody: 'hello' }, { http2: true }), post('0123456789a', tooLong, { http2: true, ...unlike('Envoy lets a longer body through that comes in one piece, and shows its beginning', { status: 200 }) }), { path: '/asked', http2: true, expect: both },
])

/** The body goes on whole, whatever the provider saw. */
const whole = (body: string): Expected => ({ ...both, seenBody: body })

/** A call has no length. */
const exactly = { only: 'of 10 bytes without a length nobody knows yet whether they are all: we say that they may not be, Envoy that they are' }

export const partialBodies = table('a provider over HTTP sees the first 10 bytes', overHttp({ maxRequestBytes: 10, allowPartialMessage: true }), { answers: [200, 200, 200, 200, 200, 403, 200] }, [
  post('hello', whole('hello')), post('0123456789abc', whole('0123456789abc')), post('0123456789abc', whole('0123456789abc'), { chunked: true }),
  post('x'.repeat(200_000), whole('x'.repeat(200_000))), post('x'.repeat(200_000), whole('x'.repeat(200_000)), { http2: true }),
  post('0123456789abc', { status: 403, to: ['decider'], flags: 'UAEX', details: 'ext_authz_denied' }), post('0123456789', whole('0123456789'), exactly),
])

const grpc = (response: MessageInitShape<typeof CheckResponseSchema>, status = '0'): Answer => ({
  headers: [['content-type', 'application/grpc']], trailers: [['grpc-status', status]], body: Buffer.from(frameMessage(toBinary(CheckResponseSchema, create(CheckResponseSchema, response)))).toString('latin1'),
})
const ok = (value: object = {}): Answer => grpc({ httpResponse: { case: 'okResponse', value } })
const denial = (value: object): Answer => grpc({ status: { code: 7 }, httpResponse: { case: 'deniedResponse', value } })
const header = (key: string, value: string): object => ({ header: { key, value } })

export const grpcBodies = table('a provider over gRPC sees the first 10 bytes, as bytes', {
  envoyExtAuthzGrpc: { service: host, port: 80, timeout: '2s', includeRequestBodyInCheck: { maxRequestBytes: 10, allowPartialMessage: true, packAsBytes: true } },
}, {
  port: { name: 'grpc', number: 80 },
  answers: [
    grpc({}), ok(), ok(), ok({ headers: [header('x-user', 'anna'), { ...header('x-more', 'two'), append: { value: true } }], headersToRemove: ['x-secret'], responseHeadersToAdd: [header('x-session', 's')] }),
    denial({}), denial({ status: { code: 401 }, headers: [header('www-authenticate', 'Basic')], body: 'who are you' }), grpc({ status: { code: 7 } }), grpc({}, '14'), { status: 503 }, { then: 'reset' },
    { ...grpc({}), body: 'nonsense' },
  ],
}, [
  post('hello', whole('hello')), post('0123456789\u00e9abc', whole('0123456789\u00e9abc')), { path: '/asked?q=1', headers: { 'x-twice': ['a', 'b'], cookie: 'c=d' }, expect: both },
  post('hello', { ...both, seen: { 'x-user': 'anna', 'x-more': 'one,two', 'x-secret': null }, headers: { 'x-session': 's' } }, { headers: { 'x-user': 'spoofed', 'x-more': 'one', 'x-secret': 'y' } }),
  post('hello', { status: 403, to: ['decider'], body: '', flags: 'UAEX', details: 'ext_authz_denied' }),
  post('hello', { status: 401, to: ['decider'], body: 'who are you', headers: { 'www-authenticate': 'Basic' }, flags: 'UAEX' }),
  post('hello', { status: 403, to: ['decider'], body: '', flags: 'UAEX', details: 'ext_authz_denied' }),
  ...Array.from({ length: 4 }, () => post('hello', { status: 403, to: ['decider'], flags: 'UAEX', details: 'ext_authz_error' })),
])

const large = 'x'.repeat(250_000)

/** More than any window or buffer of ours holds at a time. */
export const largeBodies = table('a provider over HTTP sees bodies of up to 300,000 bytes', overHttp({ maxRequestBytes: 300_000 }), {}, [
  post(large, whole(large)), post(large, whole(large), { chunked: true }), post(large, whole(large), { http2: true }),
  post(`${large}${large}`, tooLong), post(`${large}${large}`, tooLong, { http2: true }), post('hello', whole('hello')),
])

const failures: readonly Answer[] = [{ status: 503 }, { status: 500 }, { then: 'reset' }, { delayMs: 1500 }]
const get = (expect: Expected, more: Partial<Ask> = {}): Ask => ({ path: '/asked', expect, ...more })

/** What the provider adds leads to another route. */
export const forgiving = table('a provider that fails open, and whose headers choose the route', {
  envoyExtAuthzHttp: { service: host, port: 80, timeout: '1s', failOpen: true, clearRouteCache: true, headersToUpstreamOnAllow: ['x-user'] },
}, { answers: [...failures, { status: 404 }, { headers: [['x-user', 'anna']] }, 200] }, [
  ...failures.map(() => get({ ...both, flags: '-' })), get({ status: 404, to: ['decider'], flags: 'UAEX' }), get({ status: 202, to: ['decider'] }), get(both),
], '[{ match: [{ headers: { x-user: { exact: anna } } }], directResponse: { status: 202 } }, { route: [{ destination: { host: a } }] }]')

export const ownStatus = table('a provider over gRPC whose failures are 503, as the operator says', {
  envoyExtAuthzGrpc: { service: host, port: 80, timeout: '1s', statusOnError: '503' },
}, { port: { name: 'grpc', number: 80 }, answers: [{ status: 500 }, grpc({}, '13'), { then: 'reset' }, { ...grpc({}), delayMs: 1500 }, denial({}), grpc({})] }, [
  ...Array.from({ length: 4 }, () => get({ status: 503, to: ['decider'], flags: 'UAEX', details: 'ext_authz_error' })), get({ status: 403, to: ['decider'], details: 'ext_authz_denied' }), get(both),
])

export const nobodyThere = table('a provider that nobody answers for', { envoyExtAuthzHttp: { service: host, port: 80, timeout: '1s' } }, { hosts: [{ closed: true }] }, [
  get({ status: 403, to: [], flags: 'UAEX', details: 'ext_authz_error' }), { path: '/else', expect: { status: 200, to: ['a'] } },
])

/** The provider is a service of the first case; the second is a workload that asks it about bytes. */
const bytes = 'GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
const closed: Expected = { status: 0, to: [], flags: 'UAEX' }
export const connections: readonly Case[] = [
  ...table('a provider over gRPC that is asked about connections elsewhere', { envoyExtAuthzGrpc: { service: host, port: 80, timeout: '1s' } }, {
    port: { name: 'grpc', number: 80 }, answers: [grpc({}), denial({}), grpc({ status: { code: 7 } }), grpc({}, '14'), { status: 503 }, { then: 'reset' }, { ...grpc({}), delayMs: 1500 }, grpc({})],
  }, [{ path: '/else', expect: { status: 200 } }]).map((one) => ({ ...one, loose: ['deliveries'] })),
  {
    title: 'a provider over gRPC is asked about bytes', role: 'inbound', services: { a: { port: { name: 'tcp', number: 80 } } },
    // Ours asks when a connection comes; Envoy connects upstream, and asks when its first bytes have come.
    loose: ['log.received', 'log.upstream'],
    yaml: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: client }
spec: { action: CUSTOM, provider: { name: decider }, rules: [{ to: [{ operation: { ports: ["$inport"] } }] }] }
---`,
    asks: [
      { raw: bytes, expect: { status: 200, to: ['a'] } },
      { raw: bytes, expect: { ...closed, details: 'ext_authz_denied' } }, { raw: bytes, expect: { ...closed, details: 'ext_authz_denied' } },
      ...Array.from({ length: 4 }, () => ({ raw: bytes, expect: { ...closed, details: 'ext_authz_error' } })),
      { raw: bytes, expect: { status: 200, to: ['a'] } },
    ],
  },
]
