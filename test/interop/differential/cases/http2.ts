// What is said in HTTP/2 and gRPC only: streams that are given up, cookies in crumbs, trailers, answers of the proxy itself to
// gRPC clients, and upgrades, in front of backends of HTTP/1.1.
import { one, unlike } from '../case.ts'
import type { Ask, Case } from '../case.ts'

const grpc: Ask = { http2: true, method: 'POST', path: '/echo.Echo/Say', headers: { 'content-type': 'application/grpc', te: 'trailers' }, body: '', expect: {} }
const ok = [{ status: 200, headers: [['content-type', 'application/grpc'], ['grpc-status', '0']] as const }]
const failing = (status: string) => ({ status: 200, headers: [['content-type', 'application/grpc'], ['grpc-status', status]] as const })
const route = 'route: [{ destination: { host: a } }]'
const plain = `[{ ${route} }]`

const messages: readonly Case[] = [
  one('a client that leaves its stream', plain, { http2: true, leaveMs: 150, expect: { status: 0, flags: 'DR', details: 'http2.remote_reset' } }, { services: { a: { answers: [{ delayMs: 2000 }] } } }),
  one('the protocol in headers', '[{ headers: { request: { set: { x-proto: "%PROTOCOL%" } } }, route: [{ destination: { host: a } }] }]', { http2: true, expect: { seen: { 'x-proto': 'HTTP/2' } } }),
  one('cookies in crumbs', plain, { http2: true, headers: { cookie: ['a=1', 'b=2; c=3'] }, expect: { seen: { cookie: 'a=1; b=2; c=3' } } }),
  one('a body of no known length', plain, { http2: true, method: 'POST', body: 'hello', chunked: true, expect: { seenBody: 'hello', seen: { 'transfer-encoding': 'chunked', 'content-length': null } } }),
  one('a body of a known length', plain, { http2: true, method: 'POST', body: 'hello', expect: { seenBody: 'hello', seen: { 'transfer-encoding': null, 'content-length': '5' } } }),
  one('a POST without a body', plain, { http2: true, method: 'POST', expect: { seenBody: '' } }),
  one('a GET without a body', plain, { http2: true, expect: { seen: { 'content-length': null, 'transfer-encoding': null } } }),
  one('trailers of an answer, over HTTP/2', plain, { http2: true, headers: { te: 'trailers' }, expect: { status: 200, trailers: { 'x-sum': '7' }, seen: { te: 'trailers' } }, ...unlike('trailers are forwarded', { status: 200 }) }, { services: { a: { answers: [{ trailers: [['x-sum', '7']] }] } } }),
  one('an answer to HEAD', plain, { http2: true, method: 'HEAD', expect: { status: 200 } }, { services: { a: { answers: [{ headers: [['content-length', '1000']], body: '' }] } } }),
  ...[204, 304, 404, 500].map((status) => one(`an answer of ${status}`, plain, { http2: true, expect: { status } }, { services: { a: { answers: [{ status, body: status > 400 ? 'why' : '' }] } } })),
  one('who expects 100', plain, { http2: true, method: 'POST', headers: { expect: '100-continue' }, body: 'hello', expect: { status: 200, seen: { expect: null }, seenBody: 'hello' } }, { loose: ['reply.informational'] }),
  one('an answer of no known length', plain, { http2: true, expect: { status: 200, body: 'abc' } }, { services: { a: { answers: [{ raw: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc', then: 'close' }] } } }),
  one('hop-by-hop headers of an answer', plain, { http2: true, expect: { headers: { 'keep-alive': null, 'proxy-connection': null, upgrade: null } } }, { services: { a: { answers: [{ headers: [['keep-alive', 'timeout=5'], ['proxy-connection', 'x']] }] } } }),
]

const noRoute = '[{ match: [{ uri: { exact: /never } }], route: [{ destination: { host: a } }] }]'
const local: readonly (readonly [title: string, http: string, status: number, more?: Partial<Case>])[] = [
  ['no route', noRoute, 12],
  ['a direct response', '[{ directResponse: { status: 503, body: { string: "go away" } } }]', 14],
  ...[400, 401, 403, 404, 429, 502, 504, 500, 418].map((status): [string, string, number] => [`a direct response of ${status}`, `[{ directResponse: { status: ${status} } }]`, { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 504: 14 }[status] ?? 2]),
  ['a fault', '[{ fault: { abort: { httpStatus: 503, percentage: { value: 100 } } }, route: [{ destination: { host: a } }] }]', 14],
  ['a fault with a status of gRPC', '[{ fault: { abort: { grpcStatus: NOT_FOUND, percentage: { value: 100 } } }, route: [{ destination: { host: a } }] }]', 5],
  ['a server that is away', plain, 14, { services: { a: { hosts: [{ closed: true }] } } }],
  ['a server that resets', plain, 14, { services: { a: { answers: [{ then: 'reset' }] } } }],
]

const calls: readonly Case[] = [
  ...local.map(([title, http, status, more]) => one(`gRPC: ${title}`, http, { ...grpc, expect: { status: 200, headers: { 'grpc-status': String(status), 'content-type': 'application/grpc' }, body: '' } }, more)),
  one('gRPC: a timeout of the route', '[{ timeout: 0.3s, route: [{ destination: { host: a } }] }]', { ...grpc, expect: { status: 200, flags: 'UT', headers: { 'grpc-status': /^\d+$/ } } }, { services: { a: { answers: [{ delayMs: 2000 }] } } }),
  one('gRPC: a timeout of a try', '[{ retries: { attempts: 1, perTryTimeout: 0.2s, retryOn: unavailable }, route: [{ destination: { host: a } }] }]', { ...grpc, expect: { status: 200, headers: { 'grpc-status': /^\d+$/ } } }, { services: { a: { answers: [{ delayMs: 2000 }] } } }),
  one('gRPC: the deadline of the client, where the route has no timeout', plain, { ...grpc, headers: { ...grpc.headers, 'grpc-timeout': '300m' }, expect: { status: 200, headers: { 'grpc-status': /^\d+$/ } } }, { services: { a: { answers: [{ delayMs: 2000 }] } } }),
  one('gRPC: the deadline of the client, and a longer timeout of the route', '[{ timeout: 1s, route: [{ destination: { host: a } }] }]', { ...grpc, headers: { ...grpc.headers, 'grpc-timeout': '300m' }, expect: { status: 200, headers: { 'grpc-status': /^\d+$/ } } }, { services: { a: { answers: [{ delayMs: 2000 }] } } }),
  one('gRPC: the deadline of the client, after the head of the answer', plain, { ...grpc, headers: { ...grpc.headers, 'grpc-timeout': '300m' }, expect: { status: 200 } }, { services: { a: { answers: [{ bodyDelayMs: 2000, body: 'late', headers: [['content-type', 'application/grpc']] }] } } }),
  one('gRPC: a deadline that makes no sense', plain, { ...grpc, headers: { ...grpc.headers, 'grpc-timeout': 'soon' }, expect: { status: 200, headers: { 'grpc-status': '0' } } }, { services: { a: { answers: ok } } }),
  one('gRPC: a call that succeeds', plain, { ...grpc, expect: { status: 200, headers: { 'grpc-status': '0' } } }, { services: { a: { answers: ok } } }),
  ...(['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'] as const).map((retryOn, at) =>
    one(`gRPC: ${retryOn} is tried again`, `[{ retries: { attempts: 2, retryOn: ${retryOn} }, route: [{ destination: { host: a } }] }]`, { ...grpc, expect: { status: 200, to: ['a', 'a'], headers: { 'grpc-status': '0' } } }, { services: { a: { answers: [failing(['1', '4', '13', '8', '14'][at]!), ...ok] } } })),
  one('gRPC: what retries do not name', '[{ retries: { attempts: 2, retryOn: unavailable }, route: [{ destination: { host: a } }] }]', { ...grpc, expect: { status: 200, to: ['a'], headers: { 'grpc-status': '13' } } }, { services: { a: { answers: [failing('13'), ...ok] } } }),
]

/** How many fail before the first failure is known depends on how many were on their way. */
const judged: Case = {
  title: 'gRPC: statuses of HTTP that are named as errors say nothing of calls: 503 ejects', services: { a: { hosts: [{ answers: [503] }, {}] } },
  rule: 'trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN }, outlierDetection: { consecutive5xxErrors: 1, interval: 60s, maxEjectionPercent: 100, outlierDetectionHttpErrorCodes: [429, 500] } }',
  asks: [{ ...grpc, times: 20 }, { ...grpc, times: 20, expect: { share: { 'a/1': 1 } } }], loose: ['statuses'],
}

export const http2: readonly Case[] = [...messages, ...calls, judged]
