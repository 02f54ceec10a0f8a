import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HeaderList } from '../../../codec/header-list.ts'
import { RouteAction_MaxStreamDurationSchema as Schema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { compileStreamDuration, durationOf } from './stream-duration.ts'

const time = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 })

const rows: readonly (readonly [title: string, config: Parameters<typeof create<typeof Schema>>[1], asked: string | undefined, otherwise: number, expected: number])[] = [
  ['nobody says anything', {}, undefined, 0, Infinity],
  ['the manager says it', {}, undefined, 5000, 5000],
  ['the route says it', { maxStreamDuration: time(3) }, undefined, 5000, 3000],
  ['the route says that there is none', { maxStreamDuration: time(0) }, undefined, 5000, Infinity],
  ['a deadline that is not looked at', { maxStreamDuration: time(3) }, '1S', 5000, 3000],
  ['a deadline, whatever it is', { grpcTimeoutHeaderMax: time(0) }, '90S', 5000, 90_000],
  ['a deadline within its limit', { grpcTimeoutHeaderMax: time(60) }, '1S', 0, 1000],
  ['a deadline beyond its limit', { grpcTimeoutHeaderMax: time(60) }, '90S', 0, 60_000],
  ['a deadline that makes no sense', { grpcTimeoutHeaderMax: time(60) }, 'soon', 5000, 5000],
  ['a deadline with time taken off', { grpcTimeoutHeaderMax: time(0), grpcTimeoutHeaderOffset: time(1) }, '10S', 0, 9000],
  ['a deadline shorter than what is taken off', { grpcTimeoutHeaderMax: time(0), grpcTimeoutHeaderOffset: time(10) }, '1S', 0, 1000],
]
for (const [title, config, asked, otherwise, expected] of rows) {
  test(`the duration of a request: ${title}`, () => {
    const headers = asked === undefined ? new HeaderList() : HeaderList.of('grpc-timeout', asked)
    assert.equal(durationOf(compileStreamDuration(create(Schema, config)), headers, otherwise), expected)
  })
}
