import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { defaultH2Limits } from '../../codec/h2/limits.ts'
import { Http2ProtocolOptionsSchema } from '../../proto/gen/envoy/config/core/v3/protocol_pb.ts'
import { http2Settings } from './settings.ts'

const settings = (init: MessageInitShape<typeof Http2ProtocolOptionsSchema>) => http2Settings(create(Http2ProtocolOptionsSchema, init))

test('without options the limits are the codec’s own, and nobody is asked whether it is there', () => {
  const { limits, keepAlive } = http2Settings(undefined)
  assert.deepEqual({ ...limits, maxStreamSendBytes: 0 }, { ...defaultH2Limits, maxStreamSendBytes: 0 })
  assert.equal(keepAlive, undefined)
})

test('a stream may always be sent more than the other side of the proxy may have let its peer send', () => {
  const { limits } = settings({ initialStreamWindowSize: 2 ** 31 - 1 })
  assert.ok(limits.maxStreamSendBytes > 2 * limits.initialStreamWindow)
})

const windows: readonly (readonly [asked: number, taken: number])[] = [[65_535, 65_535], [1, 65_535], [262_144, 262_144], [268_435_456, 1_048_576]]
for (const [asked, taken] of windows) {
  test(`a window of ${asked} is one of ${taken}`, () => {
    const { limits } = settings({ initialStreamWindowSize: asked, initialConnectionWindowSize: asked })
    assert.deepEqual([limits.initialStreamWindow, limits.initialConnectionWindow], [taken, taken])
  })
}

test('limits of header sections are those of every version of HTTP', () => {
  const { limits } = http2Settings(undefined, { maxHeaderListBytes: 1000, maxHeaders: 7 })
  assert.deepEqual([limits.maxHeaderListBytes, limits.maxHeaders], [1000, 7])
})

test('a keep-alive needs a timeout; its jitter is Envoy’s unless it says another', () => {
  assert.equal(settings({ connectionKeepalive: { interval: { seconds: 1n } } }).keepAlive, undefined)
  assert.deepEqual(settings({ connectionKeepalive: { interval: { seconds: 30n }, timeout: { seconds: 5n }, intervalJitter: { value: 0 }, connectionIdleInterval: { seconds: 60n } } }).keepAlive, { intervalMs: 30_000, timeoutMs: 5000, jitterPercent: 0, idleMs: 60_000 })
})
