import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from '../../lib/errors.ts'
import { logEntry } from '../../../test/support/log-entry.ts'
import type { EntryOverrides } from '../../../test/support/log-entry.ts'
import { compileText, envoyFormat } from './text-format.ts'

const cases: readonly { readonly title: string; readonly format: string; readonly entry?: EntryOverrides; readonly line: string }[] = [
  { title: 'literal text', format: 'hello', line: 'hello' },
  { title: 'two percent signs are one', format: '100%% of %PROTOCOL%', line: '100% of HTTP/1.1' },
  { title: 'literal text beyond ASCII is written as UTF-8', format: 'ü', line: 'Ã¼' },
  { title: 'start time', format: '%START_TIME%', line: '2026-01-31T12:00:05.042Z' },
  { title: 'start time with a format', format: '%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%', line: '2026/01/31T12:00:05+0000 1769860805' },
  { title: 'start time with subseconds', format: '%START_TIME(%s.%3f|%6f|%9f|%f)%', line: '1769860805.042|042000|042000000|042000000' },
  { title: 'start time by names', format: '%START_TIME(%a, %d %b %Y %I %p %j)%', line: 'Sat, 31 Jan 2026 12 PM 031' },
  { title: 'request header', format: '%REQ(USER-AGENT)%', line: 'curl/8.5.0' },
  { title: 'request header that is absent', format: '%REQ(X-ABSENT)%', line: '-' },
  { title: 'alternative header', format: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', line: '/reviews/1' },
  { title: 'header before its alternative', format: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', entry: { request: { 'x-envoy-original-path': '/was' } }, line: '/was' },
  { title: 'header cut to a length', format: '%REQ(:PATH):4%', line: '/rev' },
  { title: 'path without its query', format: '%REQ_WITHOUT_QUERY(:PATH)%', entry: { path: '/a?token=secret' }, line: '/a' },
  { title: 'response header', format: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%', line: '6' },
  { title: 'numbers', format: '%RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %DURATION%', line: '200 0 295 7' },
  { title: 'no flags', format: '%RESPONSE_FLAGS%', line: '-' },
  { title: 'flags', format: '%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%', entry: { responseFlags: 'UF,URX' }, line: 'UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded' },
  { title: 'details never hold white space', format: '%RESPONSE_CODE_DETAILS%', entry: { responseCodeDetails: 'not so good' }, line: 'not_so_good' },
  { title: 'addresses and their parts', format: '%UPSTREAM_HOST% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% %UPSTREAM_REMOTE_PORT%', line: '10.0.0.7:9080 10.0.0.2 51004 9080' },
  { title: 'how often a request was tried', format: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%', entry: { attempts: 3 }, line: '3' },
  { title: 'what was never tried', format: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%', line: '0' },
  { title: 'no host', format: '%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%', entry: { upstreamHost: '' }, line: '- -' },
  { title: 'gRPC status, three ways', format: '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%', entry: { grpcStatus: '5' }, line: 'NotFound NOT_FOUND 5' },
  { title: 'gRPC status without a name', format: '%GRPC_STATUS%', entry: { grpcStatus: '99' }, line: '99' },
  { title: 'no gRPC status', format: '%GRPC_STATUS% %GRPC_STATUS_NUMBER%', line: '- -' },
  { title: 'what this proxy never knows', format: '%DYNAMIC_METADATA(a:b)% %TRAILER(X)% %DOWNSTREAM_TLS_VERSION%', line: '- - -' },
  {
    title: "Envoy's own format", format: envoyFormat,
    line: '[2026-01-31T12:00:05.042Z] "GET /reviews/1 HTTP/1.1" 200 - 0 295 7 6 "-" "curl/8.5.0" "3f7d0c54-9b1e-4f1a-8c77-1d2c3b4a5e6f" "reviews:9080" "10.0.0.7:9080"\n',
  },
]

for (const { title, format, entry, line } of cases) {
  test(`text format: ${title}`, () => assert.equal(compileText(format)(logEntry(entry)), line))
}

test('a header can neither end a line nor a quoted field', () => {
  const write = compileText('"%REQ(USER-AGENT)%" %RESPONSE_CODE%\n')
  const line = write(logEntry({ request: { 'user-agent': 'x" 500\r\n[forged] "\t\\\u0000\u001b[2J\u007f' } }))
  assert.equal(line, '"x\\x22 500\\x0D\\x0A[forged] \\x22\\x09\\x5C\\x00\\x1B[2J\\x7F" 200\n')
})

test('bytes of UTF-8 in a header are written as they came', () => {
  const bytes = Buffer.from('Zoë').toString('latin1')
  assert.equal(compileText('%REQ(X-NAME)%')(logEntry({ request: { 'x-name': bytes } })), bytes)
})

test('what is not known leaves nothing with omit_empty_values', () => {
  assert.equal(compileText('[%RESPONSE_FLAGS%][%REQ(X-ABSENT)%]', { omitEmpty: true })(logEntry()), '[-][]')
})

test('the second of the start time changes with the entry', () => {
  const write = compileText('%START_TIME%')
  const times = [0, 999, 1000, 61_007, 5].map((startTime) => write(logEntry({ startTime })).slice(17))
  assert.deepEqual(times, ['00.000Z', '00.999Z', '01.000Z', '01.007Z', '00.005Z'])
})

const mistakes: readonly (readonly [string, RegExp])[] = [
  ['%PROTOCOL', /does not begin with a command .* write %% for a percent sign/],
  ['50% of', /does not begin with a command/],
  ['%PROTOKOLL%', /%PROTOKOLL% is not a command operator that Envoy has/],
  ['%PROTOCOL(x)%', /PROTOCOL takes no argument/],
  ['%REQ%', /REQ needs an argument, such as %REQ\(NAME\)%/],
  ['%REQ(A?B?C)%', /a header's name, or NAME\?ALTERNATIVE/],
  ['%START_TIME(%Q)%', /%Q is not known; use %Y/],
  ['%GRPC_STATUS(LOUD)%', /one of CAMEL_STRING, SNAKE_STRING, NUMBER/],
]

for (const [format, message] of mistakes) {
  test(`text format ${format} is refused`, () => assert.throws(() => compileText(format), { code: 'telemetry/bad-format', message }))
}

test('any format either writes one string or is refused as a format', () => {
  const pieces = fc.constantFrom('%', '%%', 'REQ', '(', ')', 'START_TIME', ':5', ':PATH', '?', '%Y', 'PROTOCOL', '\n', 'ü', '%REQ(A)%', '%START_TIME(%f%3f)%')
  fc.assert(fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 12 }), (parts) => {
    try {
      assert.equal(typeof compileText(parts.join(''))(logEntry()), 'string')
    } catch (error) {
      assert.ok(hasCode(error, 'telemetry/bad-format'), String(error))
    }
  }))
})
