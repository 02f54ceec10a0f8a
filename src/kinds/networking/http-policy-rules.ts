// What an HTTP route adds to the way of a request: retries, faults, copies, CORS (traffic spec 1.2.4, 2.6, 2.7).
import { isCorsHeader } from '../fields/headers.ts'
import { error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { CorsPolicy, HttpFault, HttpRetry, HttpRoute } from './http-route.ts'

/** Envoy's triggers; numbers are status codes. */
const retryTriggers = new Set([
  '5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'retriable-4xx', 'refused-stream', 'retriable-status-codes',
  'retriable-headers', 'envoy-ratelimited', 'http3-post-connect-failure', 'cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable',
])

export const retryRules: readonly Rule<HttpRetry>[] = [
  error(function* ({ attempts, perTryTimeout, retryOn, retryRemoteLocalities }) {
    if (attempts > 0) return
    const given = perTryTimeout !== undefined ? 'perTryTimeout' : retryOn !== '' ? 'retryOn' : retryRemoteLocalities !== undefined ? 'retryRemoteLocalities' : undefined
    if (given !== undefined) yield [[given], 'has no effect, since attempts is 0, which turns retries off: give attempts, or remove this']
  }),
  error(function* ({ retryOn }) {
    for (const token of retryOn === '' ? [] : retryOn.split(',')) {
      const name = token.trim()
      if (!retryTriggers.has(name) && !/^[1-5]\d\d$/.test(name)) yield [['retryOn'], `${JSON.stringify(name)} is neither a condition of a retry nor a status: it is one of ${[...retryTriggers].join(', ')}`]
    }
  }),
]

const grpcStatuses = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED',
]

export const faultRules: readonly Rule<HttpFault>[] = [
  error(function* ({ delay, abort }) {
    if (delay === undefined && abort === undefined) yield [[], 'needs a delay or an abort']
  }),
  error(function* ({ abort }) {
    if (abort === undefined) return
    if (abort.grpcStatus !== undefined && !grpcStatuses.includes(abort.grpcStatus)) {
      yield [['abort', 'grpcStatus'], `${JSON.stringify(abort.grpcStatus)} is not a gRPC status: it is one of ${grpcStatuses.join(', ')}`]
    }
    if (abort.grpcStatus !== undefined && abort.httpStatus !== undefined) yield [['abort', 'grpcStatus'], 'cannot stand beside httpStatus: remove one of them']
  }),
  warning(function* ({ abort }) {
    if (abort === undefined) return
    if (abort.httpStatus === undefined && abort.grpcStatus === undefined && abort.http2Error === undefined) {
      yield [['abort'], 'has no effect without httpStatus or grpcStatus']
    } else if ((abort.percentage?.value ?? 0) === 0) {
      yield [['abort'], 'has no effect without a percentage: it is 0 % of the requests']
    }
  }),
  warning(function* ({ delay }) {
    if (delay === undefined) return
    if (delay.fixedDelay === undefined && delay.exponentialDelay === undefined) yield [['delay'], 'has no effect without fixedDelay']
    else if ((delay.percentage?.value ?? delay.percent ?? 0) === 0) yield [['delay'], 'has no effect without a percentage: it is 0 % of the requests']
    if (delay.percent !== undefined) yield [['delay', 'percent'], 'is deprecated: use percentage.value']
  }),
]

export const mirrorRules: readonly Rule<HttpRoute>[] = [
  error(function* (route) {
    if (route.mirror !== undefined && route.mirrors.length > 0) yield [['mirror'], 'cannot stand beside mirrors: move it into the list']
    for (const field of ['mirrorPercent', 'mirror_percent'] as const) {
      const percent = route[field]
      if (percent !== undefined && percent > 100) yield [[field], `must be at most 100, not ${percent}`]
    }
  }),
  warning(function* (route) {
    for (const field of ['mirrorPercent', 'mirror_percent'] as const) {
      if (route[field] !== undefined) yield [[field], 'is deprecated: use mirrorPercentage.value']
    }
  }),
]

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*']

export const corsRules: readonly Rule<CorsPolicy>[] = [
  error(function* ({ allowOrigins }) {
    for (const [index, { exact, prefix, regex }] of allowOrigins.entries()) {
      if ((exact ?? prefix ?? regex ?? '') === '') yield [['allowOrigins', index], 'must not match an empty origin: name one, or write regex: ".*" for any']
    }
  }),
  error(function* ({ allowMethods }) {
    for (const [index, method] of allowMethods.entries()) {
      if (!methods.includes(method)) yield [['allowMethods', index], `${JSON.stringify(method)} is not a method of HTTP: it is one of ${methods.join(', ')}`]
    }
  }),
  error(function* (policy) {
    for (const list of ['allowHeaders', 'exposeHeaders'] as const) {
      for (const [index, name] of policy[list].entries()) {
        if (!isCorsHeader(name)) yield [[list, index], `${JSON.stringify(name)} is not the name of a header`]
      }
    }
  }),
  error(function* ({ maxAge }) {
    if (maxAge !== undefined && maxAge % 1000 !== 0) yield [['maxAge'], 'must be whole seconds: browsers take no fraction']
  }),
  warning(function* ({ allowOrigin }) {
    if (allowOrigin.length > 0) yield [['allowOrigin'], 'is deprecated: use allowOrigins, such as - exact: https://example.com']
  }),
]
