import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { logEntry } from '../../../test/support/log-entry.ts'
import { compileJson } from './json-format.ts'
import type { JsonFormat } from './json-format.ts'

const parsed = (format: JsonFormat, over = {}, omitEmpty = false): unknown => JSON.parse(compileJson(format, { omitEmpty })(logEntry(over)))

test('a command alone keeps its type, and unknown values are null', () => {
  assert.deepEqual(parsed({ code: '%RESPONSE_CODE%', took: '%DURATION%ms', method: '%REQ(:METHOD)%', reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%', mixed: 'f=%RESPONSE_FLAGS%' }),
    { code: 200, took: '7ms', method: 'GET', reason: null, mixed: 'f=-' })
})

test('no flags are a dash in JSON too, and are not omitted, as by Envoy', () => {
  const format = { short: '%RESPONSE_FLAGS%', long: '%RESPONSE_FLAGS_LONG%' }
  for (const omitEmpty of [false, true]) assert.deepEqual(parsed(format, {}, omitEmpty), { short: '-', long: '-' })
  assert.deepEqual(parsed(format, { responseFlags: 'UF' }), { short: 'UF', long: 'UpstreamConnectionFailure' })
})

test('members keep their order, literals their type, and objects nest', () => {
  const line = compileJson({ z: '%PROTOCOL%', a: { deep: { code: '%RESPONSE_CODE%' }, list: ['%BYTES_SENT%', 'x', null] }, n: 1, yes: true, none: null, '"q"': 'ü' })(logEntry())
  assert.equal(line, '{"z":"HTTP/1.1","a":{"deep":{"code":200},"list":[295,"x",null]},"n":1,"yes":true,"none":null,"\\"q\\"":"\\u00fc"}\n')
})

test('with omit_empty_values unknown members are left out, and objects of nothing else too', () => {
  assert.deepEqual(parsed({ a: '%REQUESTED_SERVER_NAME%', b: { c: '%REQ(X-ABSENT)%' }, d: '%RESPONSE_CODE%' }, {}, true), { d: 200 })
  assert.deepEqual(parsed({ a: '%REQUESTED_SERVER_NAME%' }, {}, true), {})
})

test('UTF-8 of a header reads as what it meant, beside literal text beyond ASCII', () => {
  const name = Buffer.from('Zoë 🦊').toString('latin1')
  assert.deepEqual(parsed({ name: '%REQ(X-NAME)%', mixed: 'ü %REQ(X-NAME)%' }, { request: { 'x-name': name } }), { name: 'Zoë 🦊', mixed: 'ü Zoë 🦊' })
})

test('a quote in a mixed value is escaped once', () => {
  assert.deepEqual(parsed({ mixed: '<%REQ(X)%>' }, { request: { x: 'a"b\\' } }), { mixed: '<a"b\\>' })
})

test('whatever is in an entry, a line is one line of ASCII and valid JSON', () => {
  const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constantFrom('"}\n{"forged":1', '\u2028', '\ud800', '\\', '\u007f', '\u00ff'))
  const format: JsonFormat = {
    a: '%REQ(X)%', b: '%RESP(X)%', c: '%REQ(:PATH)%', d: 'x%REQ(X)%"', e: '%ROUTE_NAME%', f: '%UPSTREAM_HOST%', g: '%REQUESTED_SERVER_NAME%',
    h: '%UPSTREAM_CLUSTER%', i: '%RESPONSE_CODE_DETAILS%', j: { k: ['%UPSTREAM_TRANSPORT_FAILURE_REASON%', '%REQ(X):3%'] }, l: '%GRPC_STATUS%', m: '%GRPC_STATUS_NUMBER%',
  }
  const write = compileJson(format)
  const omitting = compileJson(format, { omitEmpty: true })
  fc.assert(fc.property(hostile, hostile, (value, other) => {
    const entry = logEntry({
      request: { x: value }, response: { x: other }, path: value, routeName: other, upstreamHost: value, requestedServerName: other,
      upstreamCluster: value, responseCodeDetails: other, upstreamTransportFailureReason: value, grpcStatus: other,
    })
    for (const line of [write(entry), omitting(entry)]) {
      assert.match(line, /^[\x20-\x7e]+\n$/)
      assert.equal(typeof JSON.parse(line), 'object')
    }
  }))
})

test('an object that is too deep is refused', () => {
  let format: JsonFormat = {}
  for (let i = 0; i < 20; i++) format = { deeper: format }
  assert.throws(() => compileJson(format), { code: 'telemetry/bad-format', message: /deeper than 16 levels/ })
})
