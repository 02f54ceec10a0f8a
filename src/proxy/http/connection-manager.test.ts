// What the HTTP side does not serve it refuses, with the place where it stands: half a configuration is worse than none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { systemClock } from '../../lib/clock.ts'
import { HTTPFaultSchema } from '../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { RouterSchema } from '../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpConnectionManagerSchema } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { TcpProxySchema } from '../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { pack, typed } from '../../../test/support/xds-messages.ts'
import { compileConnectionManager } from './connection-manager.ts'
import { parseGrpcTimeout } from './forward-headers.ts'
import { flag, flagText, parseFlags } from './flags.ts'
import { createRequestIds } from './request-id.ts'
import { grpcStatusOf, upstreamReset } from './rescue.ts'

type Manager = MessageInitShape<typeof HttpConnectionManagerSchema>

const compile = (manager: Manager) => compileConnectionManager(
  create(HttpConnectionManagerSchema, { routeSpecifier: { case: 'rds', value: { routeConfigName: 'r' } }, ...manager }),
  { direction: 'outbound', clusters: () => undefined, routes: () => ({ current: undefined }), clock: systemClock, random: () => 0 },
)

const rows: [string, Manager, RegExp][] = [
  ['a filter that is not known', { httpFilters: [typed('wasm', TcpProxySchema, {})] }, /http connection manager: http filter wasm: envoy\.extensions.*TcpProxy is not supported/],
  ['a filter without configuration', { httpFilters: [{ name: 'x' }] }, /http filter x: no configuration/],
  ['a fault that is not served', { httpFilters: [typed('fault', HTTPFaultSchema, { responseRateLimit: {} })] }, /response_rate_limit is not served yet/],
  ['scoped routes', { routeSpecifier: { case: 'scopedRoutes', value: {} } }, /scoped_routes is not served yet/],
  ['trusted hops without the remote address', { xffNumTrustedHops: 1 }, /xff_num_trusted_hops without use_remote_address is not served yet/],
  ['local reply mapping', { localReplyConfig: {} }, /local_reply_config is not served yet/],
]

for (const [what, manager, message] of rows) test(`${what} is refused`, () => assert.throws(() => compile(manager), message))

test('an optional filter that is not known is left out, and the router is part of the core', () => {
  const { active } = compile({ httpFilters: [
    { name: 'x', isOptional: true, configType: { case: 'typedConfig', value: pack(TcpProxySchema, {}) } }, typed('router', RouterSchema, {}),
  ] })
  assert.equal(active, 0)
})

test('a timeout of gRPC has a unit and is never nothing', () => {
  const rows: [string | undefined, number | undefined][] = [
    ['1H', 3_600_000], ['2M', 120_000], ['3S', 3_000], ['4m', 4], ['5u', 1], ['6n', 1], ['0m', 1], ['1', undefined], ['123456789S', undefined], ['x', undefined], [undefined, undefined],
  ]
  for (const [text, expected] of rows) assert.equal(parseGrpcTimeout(text), expected, text)
})

test('flags are written in Envoy\'s order and read back', () => {
  assert.equal(flagText(flag.URX | flag.UF), 'UF,URX')
  assert.equal(flagText(flag.DC | flag.DI), 'DI,DC')
  assert.equal(flagText(0), '')
  assert.equal(parseFlags('UF,URX,NOPE'), flag.UF | flag.URX)
})

test('a reset before the response is told with its reason, and with the transport\'s where it never connected', () => {
  const { status, body, details, flags } = upstreamReset('connection-timeout', '', true)
  assert.deepEqual({ status, body, details, flags }, {
    status: 503, flags: 'UF', details: 'upstream_reset_before_response_started{connection_timeout}',
    body: 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection timeout',
  })
  assert.deepEqual(upstreamReset('overflow', 'whatever', false).headers, ['x-envoy-overloaded', 'true'])
})

test('gRPC statuses stand for HTTP ones', () => {
  const of = (status: number) => grpcStatusOf({ status, body: '', details: '', flags: '', headers: [], grpcStatus: undefined })
  assert.deepEqual([400, 401, 403, 404, 429, 502, 503, 504, 500, 200].map(of), [13, 16, 7, 12, 14, 14, 14, 14, 2, 2])
})

test('request ids are random UUIDs and do not repeat', () => {
  const next = createRequestIds()
  const ids = Array.from({ length: 20_000 }, next)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids.slice(0, 100)) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.notEqual(createRequestIds()(), createRequestIds()())
})
