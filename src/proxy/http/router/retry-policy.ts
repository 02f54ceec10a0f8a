// RetryPolicy compiled into bits, and the two questions that it answers (traffic spec 2.6).
import type { HeaderList } from '../../../codec/header-list.ts'
import { create } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { HeaderMatcherSchema, RetryPolicy_ResetHeaderFormat as ResetFormat } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RetryPolicy } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../../proto/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import type { ResetReason } from '../../upstream/types.ts'
import { milliseconds } from '../../xds/duration.ts'
import { headerCondition } from './header-condition.ts'
import { badConfig } from './problem.ts'
import type { Condition, RoutedRequest } from './request.ts'

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
  /** Only requests of which one holds are tried again; none: all. */
  readonly requestHeaders: readonly Condition[]
  readonly avoidTriedHosts: boolean
  /** After so many tries those that follow go to other priorities; 0: priorities are not looked at. */
  readonly leavePrioritiesAfter: number
  readonly baseIntervalMs: number
  readonly maxIntervalMs: number
  /** Headers in which a server says how long to wait, the first that makes sense; and the longest wait that is believed. */
  readonly waitHeaders: readonly WaitHeader[]
  readonly maxWaitMs: number
}

export interface WaitHeader {
  readonly name: string
  readonly isTimestamp: boolean
}

/** Envoy's. */
const defaultBaseMs = 25
const defaultMaxWaitMs = 300_000

export function compileRetry(policy: RetryPolicy): CompiledRetry {
  const backOff = policy.retryBackOff
  const baseIntervalMs = backOff?.baseInterval === undefined ? defaultBaseMs : Math.max(1, milliseconds(backOff.baseInterval))
  return {
    triggers: parseTriggers(policy.retryOn),
    maxRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: policy.perTryTimeout === undefined ? 0 : milliseconds(policy.perTryTimeout),
    statusCodes: new Set(policy.retriableStatusCodes),
    responseHeaders: policy.retriableHeaders.map(headerCondition),
    requestHeaders: policy.retriableRequestHeaders.map(headerCondition),
    avoidTriedHosts: policy.retryHostPredicate.some(({ name }) => name === 'envoy.retry_host_predicates.previous_hosts'),
    leavePrioritiesAfter: leavePrioritiesAfter(policy),
    baseIntervalMs,
    ...waitsOf(policy),
    maxIntervalMs: backOff?.maxInterval === undefined ? baseIntervalMs * 10 : milliseconds(backOff.maxInterval),
  }
}

function leavePrioritiesAfter({ retryPriority }: RetryPolicy): number {
  if (retryPriority === undefined) return 0
  const config = retryPriority.configType.case === 'typedConfig' ? anyUnpack(retryPriority.configType.value, PreviousPrioritiesConfigSchema) : undefined
  if (config === undefined) throw badConfig(`retry_policy.retry_priority: ${retryPriority.name} is not supported: only previous_priorities is`)
  return Math.max(1, config.updateFrequency)
}

function waitsOf({ rateLimitedRetryBackOff: limited }: RetryPolicy): Pick<CompiledRetry, 'waitHeaders' | 'maxWaitMs'> {
  return {
    waitHeaders: (limited?.resetHeaders ?? []).map(({ name, format }) => ({ name: name.toLowerCase(), isTimestamp: format === ResetFormat.UNIX_TIMESTAMP })),
    maxWaitMs: limited?.maxInterval === undefined ? defaultMaxWaitMs : milliseconds(limited.maxInterval),
  }
}

/** Tokens that are not known are ignored, as Envoy does: newer ones must not break older proxies. */
export function parseTriggers(text: string): number {
  let triggers = 0
  for (const token of text.split(',')) triggers |= known.get(token.trim()) ?? 0
  return triggers
}

/** What a client asks for by header. */
export interface RequestedRetry {
  readonly retryOn: string
  readonly maxRetries: string | undefined
  readonly statusCodes: string | undefined
  readonly headerNames: string | undefined
}

/** A retry for what a client asked for, on top of what the route says. */
export function withRequested(policy: CompiledRetry, { retryOn, maxRetries, statusCodes = '', headerNames = '' }: RequestedRetry): CompiledRetry {
  const asked = maxRetries !== undefined && /^\d{1,3}$/.test(maxRetries) ? Number(maxRetries) : policy.maxRetries
  const codes = listOf(statusCodes).filter((code) => /^\d{3}$/.test(code)).map(Number)
  const names = listOf(headerNames).map((name) => headerCondition(create(HeaderMatcherSchema, { name })))
  return {
    ...policy, triggers: policy.triggers | parseTriggers(retryOn), maxRetries: asked,
    statusCodes: codes.length === 0 ? policy.statusCodes : new Set([...policy.statusCodes, ...codes]),
    responseHeaders: [...policy.responseHeaders, ...names],
  }
}

const listOf = (text: string): string[] => text.split(',').map((one) => one.trim()).filter((one) => one !== '')

/** Whether a request may be tried again at all. */
export const coversRequest = ({ requestHeaders }: CompiledRetry, request: RoutedRequest): boolean =>
  requestHeaders.length === 0 || requestHeaders.some((condition) => condition.matches(request, () => 0))

export const noRetry: CompiledRetry = {
  triggers: 0, maxRetries: 1, perTryTimeoutMs: 0, statusCodes: new Set(), responseHeaders: [], requestHeaders: [], avoidTriedHosts: false,
  leavePrioritiesAfter: 0, baseIntervalMs: defaultBaseMs, maxIntervalMs: defaultBaseMs * 10, waitHeaders: [], maxWaitMs: defaultMaxWaitMs,
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

/**
 * How long the server of a response wants the next try to wait, if it says so in a header of the policy; up to half more,
 * so that those who were told the same do not come at once. `now` is the time of day.
 */
export function saidWaitMs({ waitHeaders, maxWaitMs }: CompiledRetry, headers: HeaderList, now: number, random: () => number): number | undefined {
  for (const { name, isTimestamp } of waitHeaders) {
    const text = headers.get(name)
    if (text === undefined || !/^\d{1,12}$/.test(text)) continue
    const ms = isTimestamp ? Number(text) * 1000 - now : Number(text) * 1000
    if (ms > 0 && ms <= maxWaitMs) return Math.floor(ms * (1 + random() / 2))
  }
  return undefined
}
