// Services that speak HTTP/2: what their hosts get, and what becomes of a request that they reset, refuse or cut off. Each case is
// asked by a client of HTTP/1.1 and by one of HTTP/2.
import { one } from '../case.ts'
import type { Answers, Ask, Case } from '../case.ts'

const plain = '[{ route: [{ destination: { host: a } }] }]'
const noRetries = '[{ retries: { attempts: 0 }, route: [{ destination: { host: a } }] }]'
const speaks = (answers: Answers, name = 'http2'): Partial<Case> => ({ services: { a: { port: { name, number: 80 }, answers } } })
const grpcHead = [['content-type', 'application/grpc']] as const

interface Row {
  readonly title: string
  readonly http?: string
  readonly ask: Ask
  readonly answers: Answers
  readonly port?: string
  readonly more?: Partial<Case>
}

const rows: readonly Row[] = [
  { title: 'a request', ask: { headers: { 'x-one': '1', cookie: 'a=1; b=2' }, expect: { status: 200, seen: { 'x-one': '1', cookie: 'a=1; b=2' } } }, answers: [{ headers: [['x-two', '2']] }] },
  { title: 'a body of a known length', ask: { method: 'POST', body: 'hello', expect: { seenBody: 'hello', seen: { 'content-length': '5', 'transfer-encoding': null } } }, answers: [200] },
  { title: 'a body of no known length', ask: { method: 'POST', body: 'hello', chunked: true, expect: { seenBody: 'hello', seen: { 'content-length': null, 'transfer-encoding': null } } }, answers: [200] },
  { title: 'an answer of a known length', ask: { expect: { status: 200, headers: { 'content-length': '2' } } }, answers: [{ headers: [['content-length', '2']] }] },
  { title: 'HEAD', ask: { method: 'HEAD', expect: { status: 200, headers: { 'content-length': '77' } } }, answers: [{ headers: [['content-length', '77']], body: '' }] },
  ...[204, 304].map((status): Row => ({ title: `an answer of ${status}`, ask: { expect: { status } }, answers: [{ status, body: '' }] })),
  { title: 'several cookies that are set', ask: { expect: { status: 200 } }, answers: [{ headers: [['set-cookie', 'a=1']] }] },
  { title: 'a stream that is reset', http: noRetries, ask: { expect: { status: 503, flags: 'UR', to: ['a'] } }, answers: [{ then: 'reset' }] },
  { title: 'a stream that is refused', http: noRetries, ask: { expect: { status: 503, flags: 'UR', to: ['a'] } }, answers: [{ then: 'reset', code: 7 }] },
  { title: 'a stream that is refused, and tried again', http: '[{ retries: { attempts: 2, retryOn: refused-stream }, route: [{ destination: { host: a } }] }]', ask: { expect: { status: 200, to: ['a', 'a'] } }, answers: [{ then: 'reset', code: 7 }, 200] },
  { title: 'a reset that is tried again', http: '[{ retries: { attempts: 2, retryOn: reset }, route: [{ destination: { host: a } }] }]', ask: { expect: { status: 200, to: ['a', 'a'] } }, answers: [{ then: 'reset' }, 200] },
  { title: 'a timeout', http: '[{ timeout: 0.3s, route: [{ destination: { host: a } }] }]', ask: { expect: { status: 504, flags: 'UT' } }, answers: [{ delayMs: 1500 }] },
  { title: 'statuses', ask: { expect: { status: 418, body: 'teapot' } }, answers: [{ status: 418, body: 'teapot' }] },
]

const grpc: Ask = { http2: true, method: 'POST', path: '/echo.Echo/Say', headers: { 'content-type': 'application/grpc', te: 'trailers' }, body: '12345', chunked: true, expect: {} }

const calls: readonly Row[] = [
  { title: 'a call', ask: { ...grpc, expect: { status: 200, body: '12345', trailers: { 'grpc-status': '0', 'x-last': 'yes' }, seen: { te: 'trailers' } } }, answers: [{ headers: grpcHead, body: '12345', trailers: [['grpc-status', '0'], ['x-last', 'yes']] }] },
  { title: 'a call that fails in its trailers is not tried again', http: '[{ retries: { attempts: 2, retryOn: unavailable }, route: [{ destination: { host: a } }] }]', ask: { ...grpc, expect: { status: 200, trailers: { 'grpc-status': '14' }, to: ['a'] } }, answers: [{ headers: grpcHead, body: '12345', trailers: [['grpc-status', '14']] }] },
  { title: 'a call that fails in its head is', http: '[{ retries: { attempts: 2, retryOn: unavailable }, route: [{ destination: { host: a } }] }]', ask: { ...grpc, expect: { status: 200, headers: { 'grpc-status': '0' }, to: ['a', 'a'] } }, answers: [{ headers: [...grpcHead, ['grpc-status', '14']], body: '' }, { headers: [...grpcHead, ['grpc-status', '0']], body: '' }] },
  { title: 'a call that is reset', http: noRetries, ask: { ...grpc, expect: { status: 200, headers: { 'grpc-status': '14' } } }, answers: [{ then: 'reset' }] },
  { title: 'the deadline of a client', ask: { ...grpc, headers: { ...grpc.headers, 'grpc-timeout': '300m' }, expect: { status: 200, headers: { 'grpc-status': '4' }, seen: { 'grpc-timeout': '300m' } } }, answers: [{ delayMs: 1500 }] },
]

const caseOf = (from: string, http2: boolean) => ({ title, http = plain, ask, answers, port, more }: Row): Case =>
  one(`upstream of HTTP/2: ${title}, from ${from}`, http, { ...ask, http2 }, { ...speaks(answers, port), ...more })

export const http2Upstream: readonly Case[] = [
  ...rows.map(caseOf('HTTP/1.1', false)), ...rows.map(caseOf('HTTP/2', true)), ...calls.map((row) => caseOf('HTTP/2', true)({ port: 'grpc', ...row })),
]
