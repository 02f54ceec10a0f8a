// RetryPolicy compiled into bits, and the two questions that it answers (traffic spec 2.6).
import type { HeaderList } from '../../../codec/header-list.ts'
import type { RetryPolicy } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { ResetReason } from '../../upstream/types.ts'
import { milliseconds } from '../../xds/duration.ts'
import { headerCondition } from './header-condition.ts'
import { badConfig } from './problem.ts'
import type { Condition } from './request.ts'

const bit = {
  'connect-failure': 1, 'refused-stream': 2, 'reset': 4, 'reset-before-request': 8, '5xx': 16, 'gateway-error': 32,
  'retriable-4xx': 64, 'retriable-status-codes': 128, 'retriable-headers': 256, 'envoy-ratelimited': 512,
  'http3-post-connect-failure': 1024, 'cancelled': 2048, 'deadline-exceeded': 4096, 'internal': 8192,
  'resource-exhausted': 16384, 'unavailable': 32768,
} as const

const known = new Map<string, number>(Object.entries(bit))
const anyReset = bit.reset | bit['5xx'] | bit['gateway-error']

/** Tokens that look at `grpc-status` in the head of a response. */
const grpcBits: Readonly<Record<string, number>> = {
  1: bit.cancelled, 4: bit['deadline-exceeded'], 8: bit['resource-exhausted'], 13: bit.internal, 14: bit.unavailable,
}

export interface CompiledRetry {
  /** Of the tokens above. */
  readonly triggers: number
  readonly maxRetries: number
  /** 0: none but the route's own. */
  readonly perTryTimeoutMs: number
  readonly statusCodes: ReadonlySet<number>
  readonly responseHeaders: readonly Condition[]
  readonly avoidTriedHosts: boolean
  readonly baseIntervalMs: number
  readonly maxIntervalMs: number
}

/** Envoy's. */
const defaultBaseMs = 25

export function compileRetry(policy: RetryPolicy): CompiledRetry {
  if (policy.retriableRequestHeaders.length > 0) throw badConfig('retry_policy.retriable_request_headers is not served yet')
  const backOff = policy.retryBackOff
  const baseIntervalMs = backOff?.baseInterval === undefined ? defaultBaseMs : Math.max(1, milliseconds(backOff.baseInterval))
  return {
    triggers: parseTriggers(policy.retryOn),
    maxRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: policy.perTryTimeout === undefined ? 0 : milliseconds(policy.perTryTimeout),
    statusCodes: new Set(policy.retriableStatusCodes),
    responseHeaders: policy.retriableHeaders.map(headerCondition),
    avoidTriedHosts: policy.retryHostPredicate.some(({ name }) => name === 'envoy.retry_host_predicates.previous_hosts'),
    baseIntervalMs,
    maxIntervalMs: backOff?.maxInterval === undefined ? baseIntervalMs * 10 : milliseconds(backOff.maxInterval),
  }
}

/** Tokens that are not known are ignored, as Envoy does: newer ones must not break older proxies. */
export function parseTriggers(text: string): number {
  let triggers = 0
  for (const token of text.split(',')) triggers |= known.get(token.trim()) ?? 0
  return triggers
}

/** A retry for what a client asked for by header, on top of what the route says. */
export function withRequested(policy: CompiledRetry, retryOn: string | undefined, maxRetries: string | undefined): CompiledRetry {
  const asked = maxRetries !== undefined && /^\d{1,3}$/.test(maxRetries) ? Number(maxRetries) : policy.maxRetries
  return { ...policy, triggers: policy.triggers | parseTriggers(retryOn ?? ''), maxRetries: asked }
}

export const noRetry: CompiledRetry = {
  triggers: 0, maxRetries: 1, perTryTimeoutMs: 0, statusCodes: new Set(), responseHeaders: [], avoidTriedHosts: false,
  baseIntervalMs: defaultBaseMs, maxIntervalMs: defaultBaseMs * 10,
}

/** Overflow is our own limit: trying again would only press harder on it. */
export function retriesReset({ triggers }: CompiledRetry, reason: ResetReason, begun: boolean): boolean {
  if (reason === 'overflow') return false
  if ((triggers & anyReset) !== 0) return true
  if ((triggers & bit['reset-before-request']) !== 0 && !begun) return true
  if (reason === 'connection-failure' || reason === 'connection-timeout') return (triggers & bit['connect-failure']) !== 0
  return reason === 'remote-refused' && (triggers & bit['refused-stream']) !== 0
}

export function retriesTimeout({ triggers }: CompiledRetry): boolean {
  return (triggers & anyReset) !== 0
}

export function retriesResponse(policy: CompiledRetry, status: number, headers: HeaderList): boolean {
  const { triggers } = policy
  if (triggers === 0) return false
  if (headers.has('x-envoy-ratelimited')) return (triggers & bit['envoy-ratelimited']) !== 0
  if (status >= 500) {
    if ((triggers & bit['5xx']) !== 0) return true
    if ((triggers & bit['gateway-error']) !== 0 && status >= 502 && status <= 504) return true
  }
  if (status === 409 && (triggers & bit['retriable-4xx']) !== 0) return true
  if ((triggers & bit['retriable-status-codes']) !== 0 && policy.statusCodes.has(status)) return true
  if ((triggers & bit['retriable-headers']) !== 0 && anyHeader(policy.responseHeaders, headers)) return true
  return triggers >= bit.cancelled && ((grpcBits[headers.get('grpc-status') ?? ''] ?? 0) & triggers) !== 0
}

function anyHeader(conditions: readonly Condition[], requestHeaders: HeaderList): boolean {
  const response = { method: '', scheme: '', authority: '', pathname: '', query: '', requestHeaders }
  return conditions.some((condition) => condition.matches(response, () => 0))
}

/** Before retry 1, 2, ...: uniform in a window that doubles up to its cap. */
export function backOffMs({ baseIntervalMs, maxIntervalMs }: CompiledRetry, retry: number, random: () => number): number {
  return Math.floor(random() * Math.min(maxIntervalMs, baseIntervalMs * 2 ** Math.min(retry - 1, 20)))
}
