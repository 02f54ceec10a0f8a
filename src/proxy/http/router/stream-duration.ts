// How long a request may take from its first byte to the last one of its answer (`max_stream_duration`): by its route, by
// what a gRPC client asks for, or by the connection manager.
import type { RouteAction_MaxStreamDuration as MaxStreamDuration } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { parseGrpcTimeout } from '../../../codec/grpc/timeout.ts'
import type { HeaderList } from '../../../codec/header-list.ts'
import { milliseconds } from '../../xds/duration.ts'

export interface StreamDuration {
  /** 0: none; undefined: the connection manager says it. */
  readonly maxMs: number | undefined
  /** The longest that `grpc-timeout` may ask for, 0 for any; undefined: it is not looked at. */
  readonly grpcMaxMs: number | undefined
  /** Taken off what was asked for. */
  readonly grpcOffsetMs: number
}

export function compileStreamDuration(config: MaxStreamDuration): StreamDuration {
  const { maxStreamDuration: max, grpcTimeoutHeaderMax: grpcMax, grpcTimeoutHeaderOffset: offset } = config
  return {
    maxMs: max === undefined ? undefined : milliseconds(max),
    grpcMaxMs: grpcMax === undefined ? undefined : milliseconds(grpcMax),
    grpcOffsetMs: offset === undefined ? 0 : milliseconds(offset),
  }
}

/** Infinity: no limit. `otherwise`: the connection manager's, 0 for none. */
export function durationOf({ maxMs, grpcMaxMs, grpcOffsetMs }: StreamDuration, headers: HeaderList, otherwise: number): number {
  const asked = grpcMaxMs === undefined ? undefined : parseGrpcTimeout(headers.get('grpc-timeout') ?? '')
  if (asked === undefined) return (maxMs ?? otherwise) || Infinity
  const capped = grpcMaxMs === 0 ? asked : Math.min(asked, grpcMaxMs!)
  return grpcOffsetMs < capped ? capped - grpcOffsetMs : capped
}
