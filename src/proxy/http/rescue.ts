// The one place that turns what went wrong into an answer: status, body, Envoy's response flag and
// response_code_details, exactly as Envoy words them (traffic spec 2.8).
import { reasonOf } from '../../codec/h1/writer.ts'
import type { ResetReason } from '../upstream/types.ts'
import type { LocalReply } from './filter.ts'
import { flag } from './flags.ts'
import type { Flag } from './flags.ts'

const reply = (status: number, body: string, details: string, flags: Flag | '' = '', headers: readonly string[] = []): LocalReply =>
  ({ status, body, details, flags, headers, grpcStatus: undefined })

export const noRoute = reply(404, '', 'route_not_found', 'NR')
export const noRouteTable = reply(404, '', 'route_configuration_not_found', 'NR')
export const noHealthyHost = reply(503, 'no healthy upstream', 'no_healthy_upstream', 'UH')
export const requestTimeout = reply(504, 'upstream request timeout', 'response_timeout', 'UT')
export const perTryTimeout = reply(504, 'upstream request timeout', 'upstream_per_try_timeout', 'UT')
export const streamIdle = reply(408, 'stream timeout', 'stream_idle_timeout', 'SI')
export const streamIdleAfterRequest = reply(504, 'stream timeout', 'stream_idle_timeout', 'SI')
const maxDuration = (status: number): LocalReply => ({ ...reply(status, 'downstream duration timeout', 'max_duration_timeout'), grpcStatus: 4 })
export const maxDurationReached = maxDuration(408)
export const maxDurationAfterRequest = maxDuration(504)
export const slowRequest = reply(408, 'request timeout', 'request_overall_timeout')
export const slowHead = reply(408, 'request header timeout', 'request_header_timeout', 'DPE')
export const filterFailed = reply(500, '', 'filter_error')
export const bodyTooLong = reply(413, reasonOf(413), 'request_payload_too_large')
export const unsupportedUpgrade = reply(403, '', 'upgrade_failed')
export const oldHttp = reply(426, 'Upgrade Required', 'low_version', 'DPE')
export const missingHost = reply(400, '', 'missing_host_header', 'DPE')
/** Of HTTP/2; the other's is a codec error. */
export const headTooLarge = reply(431, reasonOf(431), 'http2.headers_too_large', 'DPE')
export const badPath = reply(400, '', 'path_normalization_failed')

export const noCluster = (status: number): LocalReply => reply(status, '', 'cluster_not_found', 'NC')

/** Where Envoy has a name of its own for what is wrong; for the rest it says `http1.codec_error`, and we what it is. */
const codecDetails: Readonly<Record<string, string>> = {
  'h1/head-too-large': 'http1.headers_too_large', 'h1/conflicting-lengths': 'http1.content_length_and_chunked_not_allowed',
}

/** A request that breaks HTTP itself; `code` is `h1/what`. */
export function malformed(status: number, code: string): LocalReply {
  const details = codecDetails[code] ?? `http1.${code.slice(code.indexOf('/') + 1).replaceAll('-', '_')}`
  return reply(status, reasonOf(status), details, 'DPE')
}

interface Reset {
  readonly words: string
  readonly flag: Flag
  readonly status: number
}

const resets: Readonly<Record<ResetReason, Reset>> = {
  'connection-failure': { words: 'remote connection failure', flag: 'UF', status: 503 },
  'connection-timeout': { words: 'connection timeout', flag: 'UF', status: 503 },
  'connection-termination': { words: 'connection termination', flag: 'UC', status: 503 },
  'remote-reset': { words: 'remote reset', flag: 'UR', status: 503 },
  'remote-refused': { words: 'remote refused stream reset', flag: 'UR', status: 503 },
  'local-reset': { words: 'local reset', flag: 'LR', status: 503 },
  'protocol-error': { words: 'protocol error', flag: 'UPE', status: 502 },
  'overflow': { words: 'overflow', flag: 'UO', status: 503 },
}

/** The upstream failed before it answered. `detail` is the transport's own reason, for failures to connect: it is for the log, not for clients. */
export function upstreamReset(reason: ResetReason, detail: string, retried: boolean): LocalReply {
  const { words, flag: name, status } = resets[reason]
  const transport = hasTransportReason(reason) ? detail : ''
  const body = `upstream connect error or disconnect/reset before headers. ${retried ? 'retried and the latest ' : ''}reset reason: ${words}`
  const details = `upstream_reset_before_response_started{${transport === '' ? words : `${words}|${transport}`}}`
  return reply(status, body, details.replaceAll(' ', '_'), name, reason === 'overflow' ? ['x-envoy-overloaded', 'true'] : [])
}

export const hasTransportReason = (reason: ResetReason): boolean => reason === 'connection-failure' || reason === 'connection-timeout'

/** The upstream failed after its response's head went on to the client, who can only be cut off. */
export function resetAfterHead(reason: ResetReason): { readonly flags: number; readonly details: string } {
  const { words, flag: name } = resets[reason]
  return { flags: flag[name], details: `upstream_reset_after_response_started{${words.replaceAll(' ', '_')}}` }
}

/** What a gRPC client is told instead of an HTTP status. */
export function grpcStatusOf({ status, grpcStatus }: LocalReply): number {
  if (grpcStatus !== undefined) return grpcStatus
  switch (status) {
    case 400: return 13
    case 401: return 16
    case 403: return 7
    case 404: return 12
    case 429:
    case 502:
    case 503:
    case 504: return 14
    default: return 2
  }
}
