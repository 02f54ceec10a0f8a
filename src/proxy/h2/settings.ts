// Envoy's Http2ProtocolOptions, which connection managers and clusters share: limits of a session and its keep-alive.
import type { Duration } from '@bufbuild/protobuf/wkt'
import { defaultH2Limits } from '../../codec/h2/limits.ts'
import type { H2Limits } from '../../codec/h2/types.ts'
import type { Http2ProtocolOptions, KeepaliveSettings } from '../../proto/gen/envoy/config/core/v3/protocol_pb.ts'
import { milliseconds } from '../xds/duration.ts'

export interface Http2Settings {
  readonly limits: H2Limits
  readonly keepAlive: KeepAliveOptions | undefined
}

export interface KeepAliveOptions {
  /** Between an answer and the next question; 0: never asked by time alone. */
  readonly intervalMs: number
  /** A peer that has not answered by then is gone. */
  readonly timeoutMs: number
  /** Of the interval: how much longer it may be, so that many connections do not ask at once. */
  readonly jitterPercent: number
  /** A connection that was idle for so long is asked before it is used again; 0: never. */
  readonly idleMs: number
}

/** What a stopped stream may be sent before it stops its sender: somebody holds it. Envoy's 256 MiB would be too much of it. */
const maxWindow = 1024 * 1024
/** Never below what a peer may have been told by the other side (`maxWindow`), and what a filter holds back. */
const maxStreamSendBytes = 2 * maxWindow + 256 * 1024
/** Envoy takes up to 2^31 - 1: no peer of ours can use more. */
const maxStreams = 100_000
/** RFC 9113 §6.9.2: below it Envoy does not go either. */
const minWindow = 65_535

/** `head`: limits of header sections, which are the same for every version of HTTP. */
export function http2Settings(options: Http2ProtocolOptions | undefined, head: Partial<Pick<H2Limits, 'maxHeaderListBytes' | 'maxHeaders'>> = {}): Http2Settings {
  const limits = defaultH2Limits
  return {
    limits: {
      ...limits,
      ...head,
      maxStreamSendBytes,
      maxConcurrentStreams: Math.min(maxStreams, options?.maxConcurrentStreams ?? limits.maxConcurrentStreams),
      initialStreamWindow: windowOf(options?.initialStreamWindowSize, limits.initialStreamWindow),
      initialConnectionWindow: windowOf(options?.initialConnectionWindowSize, limits.initialConnectionWindow),
      headerTableBytes: Math.min(limits.headerTableBytes, options?.hpackTableSize ?? limits.headerTableBytes),
    },
    keepAlive: keepAliveOf(options?.connectionKeepalive),
  }
}

function windowOf(asked: number | undefined, otherwise: number): number {
  return asked === undefined ? otherwise : Math.max(minWindow, Math.min(maxWindow, asked))
}

function keepAliveOf(settings: KeepaliveSettings | undefined): KeepAliveOptions | undefined {
  if (settings?.timeout === undefined) return undefined
  const time = (value: Duration | undefined) => (value === undefined ? 0 : milliseconds(value))
  return {
    intervalMs: time(settings.interval),
    timeoutMs: time(settings.timeout),
    jitterPercent: settings.intervalJitter?.value ?? defaultJitterPercent,
    idleMs: time(settings.connectionIdleInterval),
  }
}

/** Envoy's. */
const defaultJitterPercent = 15
