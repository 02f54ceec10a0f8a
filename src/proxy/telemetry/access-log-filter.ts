// Which entries an access log wants: Envoy's filters by status, duration, response flag and gRPC status, and their
// combinations. The others are refused: a log with more or fewer lines than asked for would be a lie.
import { ComparisonFilter_Op as Op } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLogFilter, ComparisonFilter } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import { parseFlags } from '../http/flags.ts'
import { badConfig } from '../http/router/problem.ts'

export type WantsEntry = (entry: AccessLogEntry) => boolean

/** Deeper combinations are a mistake, or meant to exhaust the stack. */
const maxDepth = 16

/** Throws `proxy/bad-config`. */
export function compileFilter({ filterSpecifier: { case: kind, value } }: AccessLogFilter, depth = 0): WantsEntry {
  if (depth > maxDepth) throw badConfig(`its filters are nested deeper than ${maxDepth}`)
  switch (kind) {
    case 'statusCodeFilter': return comparison(value.comparison, ({ responseCode }) => responseCode)
    case 'durationFilter': return comparison(value.comparison, ({ duration }) => duration)
    case 'responseFlagFilter': return byFlags(value.flags)
    case 'grpcStatusFilter': {
      const listed = new Set(value.statuses.map(String))
      return ({ grpcStatus }) => (grpcStatus !== '' && listed.has(grpcStatus)) !== value.exclude
    }
    case 'andFilter': {
      const all = value.filters.map((filter) => compileFilter(filter, depth + 1))
      return (entry) => all.every((wants) => wants(entry))
    }
    case 'orFilter': {
      const any = value.filters.map((filter) => compileFilter(filter, depth + 1))
      return (entry) => any.some((wants) => wants(entry))
    }
    default: throw badConfig(`its filter of kind ${kind ?? 'none'} is not served yet; status_code_filter, duration_filter, response_flag_filter, grpc_status_filter, and_filter and or_filter are`)
  }
}

function comparison(message: ComparisonFilter | undefined, read: (entry: AccessLogEntry) => number): WantsEntry {
  if (message?.value === undefined) throw badConfig('its filter compares with nothing')
  const { op, value: { defaultValue } } = message
  switch (op) {
    case Op.EQ: return (entry) => read(entry) === defaultValue
    case Op.GE: return (entry) => read(entry) >= defaultValue
    case Op.LE: return (entry) => read(entry) <= defaultValue
    default: throw badConfig(`its filter compares by operator ${String(op)}, which is not known`)
  }
}

/** No flag listed: any flag at all. */
function byFlags(flags: readonly string[]): WantsEntry {
  const unknown = flags.find((flag) => parseFlags(flag) === 0)
  if (unknown !== undefined) throw badConfig(`its filter names ${JSON.stringify(unknown)}, which is no response flag`)
  if (flags.length === 0) return ({ responseFlags }) => responseFlags !== ''
  const wanted = new Set(flags)
  return ({ responseFlags }) => responseFlags !== '' && responseFlags.split(',').some((flag) => wanted.has(flag))
}
