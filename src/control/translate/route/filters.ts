// What a rule asks of HTTP filters, as their per-route configuration: faults and CORS (traffic spec 2.7, 1.2.4).
import type { Any } from '@bufbuild/protobuf/wkt'
import { CorsPolicySchema } from '../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { FractionalPercent_DenominatorType } from '../../../proto/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercentSchema } from '../../../proto/gen/envoy/type/v3/percent_pb.ts'
import type { CorsPolicy, HttpFault, HttpRule, StringMatch } from '../../virtual-service-spec.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'
import { durationOf } from '../duration.ts'
import { notTranslatable } from './context.ts'
import { stringMatcher } from './match.ts'

export const faultFilter = 'envoy.filters.http.fault'
export const corsFilter = 'envoy.filters.http.cors'

export function filterConfigs(rule: HttpRule): Record<string, Any> {
  const fault = rule.fault === undefined ? undefined : faultConfig(rule.fault)
  return {
    ...(fault !== undefined && { [faultFilter]: packed(HTTPFaultSchema, fault) }),
    ...(rule.corsPolicy !== undefined && { [corsFilter]: packed(CorsPolicySchema, corsConfig(rule.corsPolicy)) }),
  }
}

export function millionths(percent: number): Init<typeof FractionalPercentSchema> {
  return { numerator: Math.round(percent * 10_000), denominator: FractionalPercent_DenominatorType.MILLION }
}

function faultConfig(fault: HttpFault): Init<typeof HTTPFaultSchema> | undefined {
  const delayPercent = fault.delay?.percentage?.value ?? fault.delay?.percent ?? 0
  const abortPercent = fault.abort?.percentage?.value ?? 0
  const delay = fault.delay?.fixedDelay !== undefined && delayPercent > 0
    ? { faultDelaySecifier: { case: 'fixedDelay' as const, value: durationOf(fault.delay.fixedDelay) }, percentage: millionths(delayPercent) }
    : undefined
  const errorType = abortPercent > 0 ? abortType(fault) : undefined
  if (delay === undefined && errorType === undefined) return undefined
  return {
    ...(delay !== undefined && { delay }),
    ...(errorType !== undefined && { abort: { errorType, percentage: millionths(abortPercent) } }),
  }
}

function abortType(fault: HttpFault) {
  const { httpStatus, grpcStatus } = fault.abort ?? {}
  if (httpStatus !== undefined) return { case: 'httpStatus' as const, value: httpStatus }
  if (grpcStatus === undefined) return undefined
  const code = grpcCodes.indexOf(grpcStatus)
  if (code < 0) throw notTranslatable(`fault.abort.grpcStatus ${grpcStatus} is not a gRPC status`)
  return { case: 'grpcStatus' as const, value: code }
}

/** By number. */
const grpcCodes = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE',
  'DATA_LOSS', 'UNAUTHENTICATED',
]

function corsConfig(cors: CorsPolicy): Init<typeof CorsPolicySchema> {
  const origins = [...(cors.allowOrigins ?? []), ...(cors.allowOrigin ?? []).map(originMatch)]
  const list = (values: readonly string[] | undefined) => (values ?? []).join(',')
  return {
    allowOriginStringMatch: origins.map(stringMatcher),
    allowMethods: list(cors.allowMethods),
    allowHeaders: list(cors.allowHeaders),
    exposeHeaders: list(cors.exposeHeaders),
    ...(cors.maxAge !== undefined && { maxAge: String(Math.floor(cors.maxAge / 1000)) }),
    ...(cors.allowCredentials !== undefined && { allowCredentials: cors.allowCredentials }),
    forwardNotMatchingPreflights: cors.unmatchedPreflights !== 'IGNORE',
    filterEnabled: { defaultValue: { numerator: 100, denominator: FractionalPercent_DenominatorType.HUNDRED }, runtimeKey: '' },
  }
}

/** The deprecated list: `*` is any origin. */
const originMatch = (origin: string): StringMatch => (origin === '*' ? { regex: '.*' } : { exact: origin })
